"""The main job through the gateway, with a stand-in for the model: what is stored, charged, discarded, refused."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateways import NOW, gateway, policy, quiet, write_corpus
from sfumato.errors import BudgetExhausted, InputError, ModelUnavailable, NoiseFailure, Refused, StorageError
from sfumato.gateway import Gateway
from sfumato.model import document, signature
from sfumato.model.layout import Layout
from sfumato.privacy.bounds import bound
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.noise import OpenDPNoise
from sfumato.vault.derived import DerivedStore

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(opened: Gateway, source: Path) -> bytes:
    with opened:
        opened.ingest(str(source), advance=quiet)
        opened.extract(advance=quiet)
        return opened.release()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "chats.jsonl")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_log_becomes_a_signed_release_that_accounts_for_its_whole_charge(corpus: Path, data: Path) -> None:
    found = json.loads(run(gateway(data, policy=policy()), corpus))
    signature.verify(found, None)
    release = document.decode(found)
    assert release.topics
    assert release.guarantee.unit == "user"
    assert release.guarantee.epsilon <= 8.0
    assert release.guarantee.delta <= 1e-5
    book = Ledger(Layout(data=data).ledger)
    rho, delta = book.spent(dataset="chats", epoch="2026-11")
    assert sum(mechanism.rho for mechanism in release.guarantee.mechanisms) == release.guarantee.rho <= rho
    assert sum(mechanism.delta for mechanism in release.guarantee.mechanisms) <= delta
    assert [entry.state for entry in book.entries()] == ["released"]
    book.close()


def test_the_same_release_asked_again_is_the_same_bytes_and_costs_nothing(corpus: Path, data: Path) -> None:
    first = run(gateway(data, policy=policy()), corpus)
    with gateway(data, policy=policy()) as again:
        assert again.stored() == first
        with pytest.raises(Refused, match="released already"):
            again.ingest(str(corpus), advance=quiet)
    book = Ledger(Layout(data=data).ledger)
    assert len(book.entries()) == 1
    book.close()


def test_another_policy_on_the_same_epoch_meets_the_same_spent_budget(corpus: Path, data: Path) -> None:
    run(gateway(data, policy=policy()), corpus)
    with gateway(data, policy=policy(("min_users: 10", "min_users: 11"))) as other, pytest.raises(BudgetExhausted):
        other.check_budget()


def test_the_yearly_cap_ends_a_year_of_epochs(corpus: Path, data: Path) -> None:
    yearly = policy(("epsilon: 16.0", "epsilon: 9.0"))
    run(gateway(data, policy=yearly, epoch="2026-10"), corpus)
    with gateway(data, policy=yearly, epoch="2026-11") as november, pytest.raises(BudgetExhausted, match="year 2026"):
        november.check_budget()
    with gateway(data, policy=yearly, epoch="2027-01") as january:
        january.check_budget()


def test_after_the_release_no_key_and_no_sealed_data_of_the_epoch_is_left(corpus: Path, data: Path) -> None:
    run(gateway(data, policy=policy()), corpus)
    assert not list(Layout(data=data).keystore.glob("*.key"))
    assert not [path for path in data.rglob("*") if path.suffix in {".seg", ".drv", ".tmp"}]
    receipts = [json.loads(path.read_text()) for path in Layout(data=data).receipts.glob("*.json")]
    assert [receipt["totals"]["records"] for receipt in receipts] == [800]


def test_derived_data_stays_sealed_where_the_policy_keeps_it(corpus: Path, data: Path) -> None:
    keeping = policy(("facets:", "retention: {derived: keep_until_ttl}\nfacets:"))
    opened = gateway(data, policy=keeping)
    run(opened, corpus)
    key = opened._ports.epoch_keys.open("chats", opened._part, "derived")
    store = DerivedStore(opened._derived, key)
    assert sum(len(batch) for batch in store.batches()) == 800


def test_a_log_ingested_twice_counts_once(corpus: Path, tmp_path: Path) -> None:
    opened = gateway(tmp_path / "data", policy=policy())
    with opened:
        for _ in range(2):
            opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        epoch = bound(opened._batches(), conversations_per_unit=20)
    assert (epoch.units, len(epoch)) == (400, 800)


def test_a_release_needs_something_extracted_and_nothing_waiting(corpus: Path, data: Path) -> None:
    with gateway(data, policy=policy()) as opened:
        with pytest.raises(InputError, match="nothing to release"):
            opened.release()
        opened.ingest(str(corpus), advance=quiet)
        with pytest.raises(InputError, match="still wait"):
            opened.release()
    book = Ledger(Layout(data=data).ledger)
    assert not book.entries()
    book.close()


def test_a_noise_worker_that_dies_burns_the_charge_and_publishes_nothing(corpus: Path, data: Path) -> None:
    class Dying(OpenDPNoise):
        def gaussian(self, values: object, scale: float) -> object:
            raise NoiseFailure("the worker died")

    @contextmanager
    def dying() -> Iterator[OpenDPNoise]:
        yield Dying()

    with gateway(data, policy=policy(), noise=dying) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        with pytest.raises(NoiseFailure):
            opened.release()
        assert opened.stored() is None
        with pytest.raises(BudgetExhausted):
            opened.check_budget()
    assert not Layout(data=data).releases.exists()


def test_a_second_process_on_the_same_epoch_is_kept_out(data: Path) -> None:
    with gateway(data, policy=policy()), pytest.raises(Refused, match="at work"), gateway(data, policy=policy()):
        pass


def test_conversations_dated_outside_a_named_epoch_are_counted_and_named_by_line(tmp_path: Path, data: Path) -> None:
    source = tmp_path / "dated.jsonl"
    dates = ["2026-11-03T10:00:00Z", "2026-10-31T23:59:59Z", None, "2026-12-01T00:00:00Z"]
    rows = [{"user_id": f"u{i}", "text": f"text {i}", "timestamp": date} for i, date in enumerate(dates)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with gateway(data, policy=policy(), bounded=True) as opened:
        report = opened.ingest(str(source), advance=quiet)
    assert (report.accepted, report.places["wrong_epoch"]) == (2, [2, 4])


def test_one_conversation_is_enough_for_a_release_and_shows_nothing_of_it(tmp_path: Path, data: Path) -> None:
    source = tmp_path / "one.jsonl"
    source.write_text('{"user_id": "only", "text": "solitary walrus"}\n')
    canonical = run(gateway(data, policy=policy()), source)
    assert not json.loads(canonical)["topics"]
    assert b"walrus" not in canonical


def test_noise_that_is_not_opendps_can_not_be_released(corpus: Path, data: Path) -> None:
    class Quiet(OpenDPNoise):
        def gaussian(self, values: object, scale: float) -> object:
            return values

        def selection(self, counts: object, scale: float, threshold: int) -> object:
            return counts

    @contextmanager
    def fake() -> Iterator[OpenDPNoise]:
        yield Quiet()

    with gateway(data, policy=policy(), noise=fake) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        with pytest.raises(Refused, match="OpenDP"):
            opened.release()
        assert opened.stored() is None


def test_extracts_made_under_another_unit_or_other_facets_are_not_released(corpus: Path, data: Path) -> None:
    with gateway(data, policy=policy(("unit: user", "unit: conversation"))) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
    for other in (policy(), policy(("[{name: turns}]", "[{name: turns}, {name: hour}]"))):
        with gateway(data, policy=other) as reopened, pytest.raises(InputError, match="nothing to release"):
            reopened.release()


def test_an_input_that_broke_off_decides_nothing_about_who_is_counted(corpus: Path, data: Path) -> None:
    good = corpus.read_text()
    corpus.write_text(good + "this line is not JSON\n")
    with gateway(data, policy=policy()) as opened:
        with pytest.raises(InputError, match="line 801: not_json"):
            opened.ingest(str(corpus), strict=True, advance=quiet)
        with pytest.raises(InputError, match="broke off"):
            opened.extract(advance=quiet)
        corpus.write_text(good)
        opened.ingest(str(corpus), strict=True, advance=quiet)
        opened.extract(advance=quiet)


def test_an_empty_epoch_is_released_like_any_other(tmp_path: Path, data: Path) -> None:
    with gateway(data, policy=policy()) as opened:
        opened._ports.epoch_keys.create("chats", opened._part, "derived")
        release = json.loads(opened.release())
    assert release["topics"] == []
    assert release["totals"]["users"]["value"] < 200  # ten standard deviations of the noise


def test_a_ledger_that_lost_a_release_is_refused_and_not_read_as_unspent(corpus: Path, data: Path) -> None:
    run(gateway(data, policy=policy()), corpus)
    for path in data.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(StorageError, match="does not account"), gateway(data, policy=policy()):
        pass


def test_an_epoch_that_shares_days_with_a_charged_one_is_refused(corpus: Path, data: Path) -> None:
    run(gateway(data, policy=policy()), corpus)
    weekly = policy(("epoch: month", "epoch: week"))
    with pytest.raises(Refused, match="shares days"), gateway(data, policy=weekly, epoch="2026-W47"):
        pass
    with gateway(data, policy=weekly, epoch="2026-W40") as earlier:
        earlier.check_budget()


def test_one_odd_record_costs_one_record(tmp_path: Path, data: Path) -> None:
    odd = {"user_id": "odd", "messages": [{"role": "user", "content": [{"type": [], "text": "x"}]}]}
    source = tmp_path / "odd.jsonl"
    source.write_text(json.dumps(odd) + "\n" + json.dumps({"user_id": "u", "text": "plain bread"}) + "\n")
    with gateway(data, policy=policy()) as opened:
        report = opened.ingest(str(source), advance=quiet)
    assert (report.accepted, report.rejected) == (1, 1)


def test_sealed_data_past_its_limit_is_destroyed_by_whoever_comes_next(corpus: Path, data: Path) -> None:
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
    long_ago = NOW.timestamp() - 25 * 3600
    for path in data.rglob("*.seg"):
        os.utime(path, (long_ago, long_ago))
    with gateway(data, policy=policy(), epoch="2026-10"):
        pass
    assert not list(data.rglob("*.seg"))
    assert not list(Layout(data=data).keystore.glob("*raw*"))
    (receipt,) = Layout(data=data).receipts.glob("*.json")
    assert json.loads(receipt.read_text())["totals"]["records"] == 800


def test_an_input_without_a_usable_line_keeps_nobody_elses_waiting(corpus: Path, data: Path, tmp_path: Path) -> None:
    nobody = tmp_path / "nobody.jsonl"
    nobody.write_text('{"text": "hello there"}\n')
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        with pytest.raises(InputError, match="no line could be accepted"):
            opened.ingest(str(nobody), advance=quiet)
        assert opened.extract(advance=quiet) is not None


def test_an_extraction_that_broke_off_and_was_overtaken_by_a_sweep_is_not_released_as_the_whole(
    corpus: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which segments were read before it broke off may be one user's doing, so who is counted would be too."""
    from sfumato.extraction import Extraction

    second = write_corpus(tmp_path / "more.jsonl", users=60)
    read = Extraction._segment
    done: list[Path] = []

    def breaks(self: Extraction, path: Path, key: object) -> None:
        if done:
            raise ModelUnavailable("nobody answers")
        done.append(path)
        read(self, path, key)

    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.ingest(str(second), advance=quiet)
        monkeypatch.setattr(Extraction, "_segment", breaks)
        with pytest.raises(ModelUnavailable):
            opened.extract(advance=quiet)
        monkeypatch.undo()
        raw = opened._raw.folder
    long_ago = NOW.timestamp() - 72 * 3600
    for path in raw.iterdir():
        os.utime(path, (long_ago, long_ago))
    with gateway(data, policy=policy()) as opened:
        assert not opened.waiting()
        for step in (opened.release, lambda: opened.extract(advance=quiet)):
            with pytest.raises(InputError, match="broke off"):
                step()
        opened.extract(partial=True, advance=quiet)
        assert opened.release()
