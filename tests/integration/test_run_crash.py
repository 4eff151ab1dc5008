"""A run that is killed or whose disk fills up: nothing acknowledged is lost or half published, and it can go on."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path

import pytest

from gateways import gateway, policy, quiet, write_corpus
from processes import APART
from sfumato.errors import BudgetExhausted, KeyMissing, StorageError
from sfumato.model.layout import Layout
from sfumato.privacy.bounds import bound
from sfumato.privacy.ledger import Ledger
from sfumato.vault import durable, receipts
from sfumato.vault.keystore import EpochKeys


def killed_during(data: Path, corpus: Path, moment: str) -> None:
    """Run until the named moment, then die as a machine dies."""

    def die(*_args: object, **_more: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with gateway(data, policy=policy()) as opened:
        if moment == "ingest":
            durable.write = die
        opened.ingest(str(corpus), advance=quiet)
        if moment == "extract":
            durable.remove = die  # extracts are stored, the segment is not deleted yet
        if moment == "before destroying the key":
            EpochKeys.destroy = die
        if moment == "before the receipt":
            receipts.write = die
        opened.extract(advance=quiet)
        if moment == "noise":
            opened._signed = die
        if moment == "before publishing":
            opened._publish = die
        opened.release()


def kill(data: Path, corpus: Path, moment: str) -> None:
    victim = APART.Process(target=killed_during, args=(data, corpus, moment))
    victim.start()
    victim.join(120)
    assert victim.exitcode == -signal.SIGKILL


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "chats.jsonl", users=300)


@pytest.mark.parametrize("moment", ["ingest", "extract", "before destroying the key", "before the receipt"])
def test_a_run_killed_before_noise_goes_on_and_counts_everyone_once(tmp_path: Path, corpus: Path, moment: str) -> None:
    data = tmp_path / "data"
    kill(data, corpus, moment)
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        epoch = bound(opened._batches(), conversations_per_unit=20)
        opened.release()
    assert (epoch.units, len(epoch)) == (300, 600)
    assert not list(data.rglob("*.seg"))
    with pytest.raises(KeyMissing):
        opened._ports.epoch_keys.open("chats", opened._part, "raw")
    assert list(Layout(data=data).receipts.glob("*.json"))


def test_a_key_destroyed_just_before_a_crash_still_gets_its_receipt(tmp_path: Path, corpus: Path) -> None:
    data = tmp_path / "data"
    kill(data, corpus, "before the receipt")
    assert not Layout(data=data).receipts.exists()
    with gateway(data, policy=policy()):
        pass
    (receipt,) = Layout(data=data).receipts.glob("*.json")
    written = json.loads(receipt.read_text())
    assert written["totals"]["records"] == 600


def test_a_run_killed_after_noise_burns_its_charge_and_publishes_nothing(tmp_path: Path, corpus: Path) -> None:
    data = tmp_path / "data"
    kill(data, corpus, "noise")
    with gateway(data, policy=policy()) as opened:
        assert opened.stored() is None
        with pytest.raises(BudgetExhausted):
            opened.check_budget()
    assert not Layout(data=data).releases.exists()
    book = Ledger(Layout(data=data).ledger)
    assert [entry.state for entry in book.entries()] == ["burned"]
    book.close()


def test_a_run_killed_between_the_ledger_and_the_release_folder_publishes_on_the_next_try(
    tmp_path: Path, corpus: Path
) -> None:
    data = tmp_path / "data"
    kill(data, corpus, "before publishing")
    assert not Layout(data=data).releases.exists()
    with gateway(data, policy=policy()) as opened:
        stored = opened.stored()
    assert stored is not None
    assert [path.read_bytes() for path in Layout(data=data).releases.glob("*.json")] == [stored]
    assert not list(Layout(data=data).derived.rglob("*.drv"))


@pytest.mark.parametrize("step", ["ingest", "extract"])
def test_a_full_disk_is_one_line_and_what_was_acknowledged_stays(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    data = tmp_path / "data"
    with gateway(data, policy=policy()) as opened:
        if step == "extract":
            opened.ingest(str(corpus), advance=quiet)
        with monkeypatch.context() as patch:
            patch.setattr("sfumato.vault.durable.os.fsync", full)
            with pytest.raises(StorageError, match="no space is left"):
                opened.ingest(str(corpus), advance=quiet) if step == "ingest" else opened.extract(advance=quiet)
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        epoch = bound(opened._batches(), conversations_per_unit=20)
    assert (epoch.units, len(epoch)) == (300, 600)
