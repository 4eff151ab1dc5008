"""Raw keys in memory only: never on the disk, one process for both steps, a crash loses the text and says so."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from gateways import NOW, POLICY, gateway, policy, quiet, write_corpus, write_distinct
from sfumato.audit.log import AuditLog
from sfumato.errors import KeyMissing, Refused
from sfumato.forecast import forecast
from sfumato.model.layout import Layout
from sfumato.policy.explain import explain
from sfumato.retention import sweep
from terminal import sfumato

IN_MEMORY = policy(("facets:", "retention: {raw_key: memory}\nfacets:"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "chats.jsonl", users=60)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def raw_keys(data: Path) -> list[Path]:
    return list(Layout(data=data).keystore.glob("*@raw*"))


def rules(data: Path, operation: str) -> list[str]:
    with closing(AuditLog.read_only(Layout(data=data).audit)) as log:
        return [event.rule for _, event in log.events() if event.operation == operation]


def test_no_raw_key_is_ever_on_the_disk_and_the_receipt_says_where_it_was(corpus, data):
    with gateway(data, policy=IN_MEMORY) as opened:
        opened.ingest(str(corpus), advance=quiet)
        assert opened.waiting() == 120
        assert raw_keys(data) == []
        receipt = opened.extract(advance=quiet)
        assert raw_keys(data) == []
        assert sum(len(batch) for batch in opened._batches()) == 120
    told = json.loads((Layout(data=data).receipts / f"{receipt}.json").read_text())
    assert "held it in the memory of one process" in told["proves"]
    assert "core dump" in told["does_not_prove"]
    assert told["totals"]["records"] == 120
    with gateway(tmp := data.parent / "stored", policy=policy()) as opened:  # the control: otherwise it is there
        opened.ingest(str(corpus), advance=quiet)
        assert raw_keys(tmp)


def test_a_process_that_ends_takes_the_text_with_it_and_the_next_ingest_clears_it_away(corpus, data):
    with gateway(data, policy=IN_MEMORY) as opened:
        opened.ingest(str(corpus), advance=quiet)
    with gateway(data, policy=IN_MEMORY) as later:
        assert later._raw.segments()
        with pytest.raises(KeyMissing, match="ingest it again"):
            later.extract(advance=quiet)
        later.ingest(str(corpus), advance=quiet)
        assert later.waiting() == 120
        later.extract(advance=quiet)
        assert sum(len(batch) for batch in later._batches()) == 120
    assert rules(data, "discard") == ["retention.raw_key", "retention.raw"]


def test_text_that_nobody_can_open_is_swept_at_its_limit_and_not_before(corpus, data):
    from datetime import UTC, datetime, timedelta

    with gateway(data, policy=IN_MEMORY) as opened:
        opened.ingest(str(corpus), advance=quiet)
        ports = opened._ports
    now = datetime.now(UTC)
    other = type(ports.epoch_keys)(Layout(data=data).keystore, ports.epoch_keys._root, memory_only=True)
    segments = lambda: list(Layout(data=data).raw.rglob("*.seg"))  # noqa: E731
    for age, left in ((1, True), (23, True), (25, False)):
        sweep(Layout(data=data), other, IN_MEMORY, now=now + timedelta(hours=age), sign=ports.signer.sign)
        assert bool(segments()) is left
    assert NOW


def test_a_key_that_an_earlier_policy_stored_is_used_up_and_takes_nothing_more(corpus, data):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
    with gateway(data, policy=IN_MEMORY) as stricter:
        stricter.check_apart()  # its key is there: another process may extract
        with pytest.raises(Refused, match=r"retention.raw_key.*extract"):
            stricter.ingest(str(corpus), advance=quiet)
        stricter.extract(advance=quiet)
        stricter.ingest(str(corpus), advance=quiet)
        assert raw_keys(data) == []


def test_forgetting_works_on_the_key_in_memory(corpus, data):
    with gateway(data, policy=IN_MEMORY) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.forget("person-00003")
        opened.extract(advance=quiet)
        assert sum(len(batch) for batch in opened._batches()) == 118


@pytest.mark.model
def test_commands_that_would_need_the_key_from_another_process_are_refused_with_one_line(tmp_path):
    written, corpus = tmp_path / "policy.yaml", write_distinct(tmp_path / "chats.jsonl", users=40)
    written.write_text(POLICY.replace("facets:", "retention: {raw_key: memory}\nfacets:"))
    at = ["--data", tmp_path / "data"]
    for words in (["ingest", written, corpus], ["extract", written]):
        done = sfumato(*words, *at, home=tmp_path / "home")
        assert done.returncode == 3
        (line,) = [line for line in done.stderr.splitlines() if line.startswith(b"sfumato: ")]
        assert b"retention.raw_key" in line
        assert b"sfumato run" in line
    done = sfumato("run", written, corpus, *at, "--json", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    verified = sfumato("discard", "verify", *at, "--json", home=tmp_path / "home")
    assert json.loads(verified.stdout)["receipts"][0]["good"]


def test_the_policy_page_says_what_a_crash_loses():
    def page(loaded) -> str:
        return "\n".join(line for part in explain(loaded, forecast(loaded)) for line in part.lines)

    assert "a crash loses what is not yet extracted" in page(IN_MEMORY)
    assert "a crash loses" not in page(policy())
