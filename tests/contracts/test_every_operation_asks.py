"""Nothing goes round the policy: each decision, turned into a denial, ends the operations that must ask for it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import typer

from gateways import NOW, asking, gateway, modelled_policy, policy, quiet, write_corpus
from sfumato.errors import InputError, Refused
from sfumato.model import document
from sfumato.policy import decide
from sfumato.policy.decide import Decision
from sfumato.retention import sweep
from sfumato.standin import server

if TYPE_CHECKING:
    from pathlib import Path

DENIED = Decision(allowed=False, rule="test", reason="denied by the test")
MINUTE_OLD = NOW + timedelta(minutes=1)

# What each command asks the policy, or why it has nothing to ask. A new command fails the test below until it is here.
COMMANDS = {
    "run": {
        "custody",
        "ingest_record",
        "ingest_attribute",
        "extraction",
        "release_mode",
        "release_topic",
        "release_cell",
        "keep",
    },
    "ingest": {"custody", "ingest_record", "ingest_attribute", "keep"},
    "extract": {"custody", "extraction", "keep"},
    "forget": {"forget"},
    "release": {"release_mode", "release_topic", "release_cell", "naming", "auditing", "spend", "endpoint", "keep"},
    "sweep": {"keep"},
    "discard sweep": {"keep"},
    "serve": {"access"},
    "worker": {"query", "release_cell", "keep"},
    "evaluate topics": {"release_topic"},
    "evaluate counts": {"release_topic"},
    "evaluate curves": {"release_topic"},
    "evaluate reconstruction": {"release_topic", "release_cell"},
}
NOTHING_TO_ASK = {
    "reads what is published": {"show", "export"},
    "reads the operator's own books, which hold no text": {
        "audit checkpoint", "audit export", "audit show", "audit verify", "discard follow", "discard verify",
        "ledger show",
    },
    "is about policies themselves": {
        "policy diff", "policy explain", "policy keygen", "policy lint", "policy schema", "policy show", "policy sign",
        "policy test", "policy verify-signature",
    },
    "manages keys and stores on the machine, for its operator": {
        "keys init", "keys issue", "keys list", "keys renew", "keys revoke", "keys rotate", "keys status",
        "db init", "db migrate", "db status", "db backup", "db restore",
    },
    "speaks to the server, which asks": {"mcp"},
    "works on made-up, public or labelled data": {
        "attack", "bench", "dev model-server", "evaluate auditor", "evaluate cost", "synth", "taxonomy check",
        "taxonomy onet",
    },
}  # fmt: skip
PROVED_ELSEWHERE = {
    "access": "tests/integration/test_api_access.py",  # every route, every role
    "query": "tests/unit/test_live_desk.py",
}


def deny(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Turn one decision into a denial; the list grows with each time it is asked."""
    asked: list[str] = []

    def denied(*_: object, **__: object) -> Decision:
        asked.append(name)
        return decide.Endpoint(allowed=False, rule="test", reason="denied") if name == "endpoint" else DENIED

    monkeypatch.setattr(decide, name, denied)
    return asked


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "chats.jsonl", users=120)


def extracted(data: Path, corpus: Path) -> None:
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)


def released(data: Path) -> document.Release:
    with gateway(data, policy=policy()) as opened:
        return document.decode(json.loads(opened.release()))


def test_a_record_that_the_policy_denies_is_not_taken_in(tmp_path, corpus, monkeypatch):
    asked = deny(monkeypatch, "ingest_record")
    with (
        gateway(tmp_path / "data", policy=policy()) as opened,
        pytest.raises(InputError, match="no line could be accepted"),
    ):
        opened.ingest(str(corpus), advance=quiet)
    assert asked


def test_an_attribute_that_the_policy_denies_is_not_read(tmp_path, monkeypatch):
    from sfumato.planning import field_mapping

    declared = policy(("{name: turns}", "{name: plan, kind: category, domain: [free, pro]}"))
    assert field_mapping(declared).wanted == ("plan",)
    assert deny(monkeypatch, "ingest_attribute") == []
    assert field_mapping(declared).wanted == ()


def test_a_reader_that_the_policy_denies_reads_nothing(tmp_path, corpus, monkeypatch):
    with gateway(tmp_path / "data", policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        asked = deny(monkeypatch, "extraction")
        with pytest.raises(Refused):
            opened.extract(advance=quiet)
        assert asked
        assert opened.waiting() > 0


@pytest.mark.parametrize("decision", ["extraction", "endpoint", "spend"])
def test_a_model_that_the_policy_denies_is_not_asked(tmp_path, corpus, monkeypatch, decision):
    loaded = modelled_policy()
    with (
        server.running() as url,
        gateway(tmp_path / "data", policy=loaded, models=asking(loaded, url)) as opened,
    ):
        opened.ingest(str(corpus), advance=quiet)
        asked = deny(monkeypatch, decision)
        with pytest.raises(Refused):
            opened.extract(advance=quiet)
        assert asked
        assert opened.waiting() > 0


@pytest.mark.parametrize("decision", ["naming", "auditing"])
def test_a_writer_or_auditor_that_the_policy_denies_stops_the_release_before_its_charge(
    tmp_path, corpus, monkeypatch, decision
):
    loaded = modelled_policy()
    with (
        server.running() as url,
        gateway(tmp_path / "data", policy=loaded, models=asking(loaded, url)) as opened,
    ):
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        asked = deny(monkeypatch, decision)
        with pytest.raises(Refused):
            opened.release()
        assert asked
        assert opened.stored() is None
        opened.check_budget()  # nothing was charged


def test_a_topic_that_the_policy_denies_is_not_published(tmp_path, corpus, monkeypatch):
    extracted(tmp_path / "data", corpus)
    asked = deny(monkeypatch, "release_topic")
    assert released(tmp_path / "data").topics == ()
    assert asked


def test_a_cell_that_the_policy_denies_has_no_number(tmp_path, corpus, monkeypatch):
    extracted(tmp_path / "data", corpus)
    asked = deny(monkeypatch, "release_cell")
    release = released(tmp_path / "data")
    assert asked
    assert release.topics
    for facets in (release.facets, *(topic.facets for topic in release.topics)):
        assert all(cell.users is None for cells in facets.values() for cell in cells)
    assert all(phrase.users is None for topic in release.topics for phrase in topic.phrases)


def test_a_mode_that_the_policy_denies_is_not_released(tmp_path, corpus, monkeypatch):
    extracted(tmp_path / "data", corpus)
    asked = deny(monkeypatch, "release_mode")
    with gateway(tmp_path / "data", policy=policy()) as opened, pytest.raises(Refused):
        opened.release()
    assert asked


def test_data_that_the_policy_denies_to_live_is_destroyed_at_once(tmp_path, corpus, monkeypatch):
    opened = gateway(tmp_path / "data", policy=policy())
    with opened:
        opened.ingest(str(corpus), advance=quiet)
    ports, layout = opened._ports, opened._layout
    terms = {"now": MINUTE_OLD, "sign": ports.signer.sign}
    assert sweep(layout, ports.epoch_keys, policy(), **terms) == []
    asked = deny(monkeypatch, "keep")
    (swept,) = sweep(layout, ports.epoch_keys, policy(), **terms)
    assert (swept.zone, (layout.receipts / f"{swept.receipt}.json").exists()) == ("raw", True)
    assert asked


def test_a_key_that_the_policy_denies_to_lie_where_it_does_seals_nothing(tmp_path, corpus, monkeypatch):
    with gateway(tmp_path / "data", policy=policy()) as opened:
        asked = deny(monkeypatch, "custody")
        for step in (opened.check_apart, lambda: opened.ingest(str(corpus), advance=quiet)):
            with pytest.raises(Refused):
                step()
        assert len(asked) == 2
        assert opened.waiting() == 0


def test_who_may_not_be_forgotten_by_that_name_is_not(tmp_path, corpus, monkeypatch):
    with gateway(tmp_path / "data", policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        asked = deny(monkeypatch, "forget")
        with pytest.raises(Refused):
            opened.forget("person-00001")
        assert asked
        assert not opened._layout.forgotten.exists()


def commands(group: object, prefix: str = "") -> set[str]:
    """Every command, with the group it stands in; an attack's own name is an argument of ours."""
    found: set[str] = set()
    for name, below in getattr(group, "commands", {}).items():
        found |= commands(below, f"{prefix}{name} ") if hasattr(below, "commands") else {f"{prefix}{name}"}
    return {"attack" if name.startswith("attack ") else name for name in found}


def test_every_command_asks_or_says_why_it_has_nothing_to_ask():
    from sfumato.cli.app import app

    known = set(COMMANDS) | set().union(*NOTHING_TO_ASK.values())
    assert commands(typer.main.get_command(app)) - known == set()


def test_every_decision_of_the_policy_is_asked_by_some_operation_and_proved_here_or_there(request):
    decisions = {
        name
        for name, found in vars(decide).items()
        if callable(found) and getattr(found, "__module__", "") == decide.__name__ and not name.startswith("_")
    } - {"Decision", "Endpoint"}
    assert decisions == set().union(*COMMANDS.values())
    source = request.path.read_text()
    for name in decisions - set(PROVED_ELSEWHERE):
        assert f'"{name}"' in source.split("def deny(")[1], name
    for name, test in PROVED_ELSEWHERE.items():
        assert name in (request.config.rootpath / test).read_text(), name


def test_a_denial_is_what_stops_them_and_not_the_test(tmp_path, corpus):
    """The negative control: without a denial the same steps end in a release with topics and numbers."""
    extracted(tmp_path / "data", corpus)
    release = released(tmp_path / "data")
    assert release.topics
    assert replace(DENIED, allowed=True).allowed
