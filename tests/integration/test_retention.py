"""Retention that happens: what is past its limit ends with a receipt, raw text and extracts, whatever comes between."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidSignature

from gateways import NOW, gateway, policy, quiet, write_corpus
from sfumato.errors import KeyMissing
from sfumato.retention import sweep
from sfumato.vault import discard, receipts
from sfumato.vault.derivedzone import DerivedZone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.gateway import Gateway

KEPT = policy(("facets:", "retention: {derived: keep_until_ttl, derived_ttl: 30d}\nfacets:"))


@contextmanager
def ingested(data: Path, corpus: Path) -> Iterator[Gateway]:
    with gateway(data, policy=KEPT) as opened:
        opened.ingest(str(corpus), advance=quiet)
        yield opened


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "chats.jsonl", users=30)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def aged(folder: Path, age: timedelta) -> None:
    """Every file as old as that, by the gateway's clock."""
    then = (NOW - age).timestamp()
    for path in folder.iterdir():
        os.utime(path, (then, then))


def swept(opened: Gateway) -> list[str]:
    """The zones of what a sweep destroys."""
    ports = opened._ports
    found = sweep(opened._layout, ports.epoch_keys, KEPT, now=NOW, sign=ports.signer.sign)
    return [one.zone for one in found]


def holds(opened: Gateway, signed: bytes, mark: bytes) -> bool:
    try:
        opened._ports.signer.public_key().verify(mark, signed)
    except InvalidSignature:
        return False
    return True


def told(opened: Gateway) -> list[tuple[str, str]]:
    """Zone of each receipt, and the problems that `discard verify` finds with it."""
    layout = opened._layout
    found = discard.verify(
        layout,
        opened._ports.epoch_keys,
        holds=lambda signed, mark: holds(opened, signed, mark),
    )
    return sorted((receipt["zone"], "; ".join(receipt["problems"])) for receipt in found["receipts"])


def test_raw_text_that_nobody_extracted_ends_at_its_limit_with_a_receipt(data: Path, corpus: Path) -> None:
    with ingested(data, corpus) as opened:
        aged(opened._raw.folder, timedelta(hours=23))
        assert swept(opened) == []
        aged(opened._raw.folder, timedelta(hours=25))
        assert swept(opened) == ["raw"]
        assert not list(data.rglob("*.seg"))
        assert told(opened) == [("raw", "")]


def test_extracts_end_at_their_limit_with_a_receipt_that_names_each_file(data: Path, corpus: Path) -> None:
    with ingested(data, corpus) as opened:
        opened.extract(advance=quiet)
        names = {path.stem for path in data.rglob("*.drv")}
        aged(opened._derived, timedelta(days=29))
        assert swept(opened) == []
        aged(opened._derived, timedelta(days=31))
        assert swept(opened) == ["derived"]
        assert names
        assert not list(opened._derived.iterdir())
        with pytest.raises(KeyMissing):
            opened._ports.epoch_keys.open("chats", opened._part, "derived")
        assert told(opened) == [("derived", ""), ("raw", "")]
        read = [receipts.read(path, verify=lambda *signed: holds(opened, *signed)) for path in _files(opened)]
        (extracts,) = (receipt for receipt in read if receipt.zone == "derived")
        assert {segment.name for segment in extracts.segments} == names
        assert "sealed the extracts with these hashes" in extracts.proves
        assert swept(opened) == []


def _files(opened: Gateway) -> list[Path]:
    return sorted(opened._layout.receipts.glob("*.json"))


def test_an_altered_file_of_extracts_keeps_nothing_alive(data: Path, corpus: Path) -> None:
    with ingested(data, corpus) as opened:
        opened.extract(advance=quiet)
        (path,) = data.rglob("*.drv")
        path.write_bytes(b"x" * 99)
        aged(opened._derived, timedelta(days=31))
        assert swept(opened) == ["derived"]
        assert not path.exists()
        assert told(opened)[0] == ("derived", "")


def test_an_altered_segment_of_raw_text_keeps_nothing_alive_and_the_receipt_says_so(data: Path, corpus: Path) -> None:
    with ingested(data, corpus) as opened:
        (path,) = data.rglob("*.seg")
        path.write_bytes(b"x" * 99)
        aged(opened._raw.folder, timedelta(hours=25))
        assert swept(opened) == ["raw"]
        assert not path.exists()
        assert told(opened) == [("raw", "")]
        (receipt,) = [receipts.read(one, verify=lambda *signed: holds(opened, *signed)) for one in _files(opened)]
        assert [one.records for one in receipt.segments] == [0]
        assert "did not open, altered or damaged: 1;" in receipt.does_not_prove


def test_a_sweep_cut_short_after_the_key_is_gone_still_leaves_its_receipt(
    data: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ingested(data, corpus) as opened:
        opened.extract(advance=quiet)
        aged(opened._derived, timedelta(days=31))
        with monkeypatch.context() as cut:
            cut.setattr(DerivedZone, "finish", _dies)
            with pytest.raises(KeyboardInterrupt):
                swept(opened)
        assert told(opened) == [("raw", "")]
        assert swept(opened) == []  # the key was gone before
        assert told(opened) == [("derived", ""), ("raw", "")]
        assert not list(opened._derived.iterdir())


def _dies(_zone: DerivedZone) -> None:
    raise KeyboardInterrupt


def test_a_receipt_of_extracts_does_not_hold_where_their_key_or_a_file_is_there_again(data: Path, corpus: Path) -> None:
    """The negative control of the four above."""
    with ingested(data, corpus) as opened:
        opened.extract(advance=quiet)
        keystore, (sealed,) = opened._layout.keystore, data.rglob("*.drv")
        copies = {path: path.read_bytes() for path in [*keystore.iterdir(), sealed]}
        aged(opened._derived, timedelta(days=31))
        assert swept(opened) == ["derived"]
        gone = [path for path in copies if not path.exists()]
        assert len(gone) == 2
        for path in gone:
            path.write_bytes(copies[path])
            assert dict(told(opened))["derived"] in {"its key still opens", "a file it lists is still on the disk"}
            path.unlink()
        assert told(opened) == [("derived", ""), ("raw", "")]
