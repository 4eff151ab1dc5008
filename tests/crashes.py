"""What must hold after a run died or failed: no text on the disk, nothing acknowledged lost, no key left."""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from audits import report_on
from dying import DATABASE, Disk, Moment, Tree
from gateways import ROOT, gateway, no_models, own_word, policy, quiet
from sfumato.custody import signer
from sfumato.errors import BudgetExhausted, KeyMissing
from sfumato.gateway import Gateway
from sfumato.model.layout import Layout
from sfumato.privacy.bounds import bound
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.noise import OpenDPNoise
from sfumato.vault import deployment, discard, receipts
from sfumato.vault.derived import DerivedStore
from sfumato.vault.elsewhere import SegmentStore
from sfumato.vault.keys import KeyWrapper
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.segments import SegmentWriter, read_segment, segment_paths

USERS = 16
IN_A_SEGMENT = 8
POLICY = policy()
MODELS = no_models(Decimal(0))
NEEDLES = (b"my word is", b"person-0", *(own_word(user).encode() for user in range(USERS)))


@dataclass(frozen=True, kw_only=True)
class Promised:
    """What a run had been told is safe: conversations whose segment is written, the whole input, a release."""

    conversations: frozenset[bytes] = frozenset()
    ingested: bool = False
    charged: bool = False
    released: bool = False


@contextmanager
def small_and_in_one_process() -> Iterator[None]:
    """Segments of eight conversations, and OpenDP's noise drawn here, so that nothing but the disk is at work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SegmentWriter.__init__.__kwdefaults__, "block_records", IN_A_SEGMENT)
        patch.setattr(OpenDPNoise, "__enter__", lambda self: self)
        patch.setattr(OpenDPNoise, "_draw", lambda _, calls: [call() for call in calls])
        yield


def shape(tree: Tree) -> tuple[list[tuple[str, bool]], int]:
    """Names, what is random in them left out, and which files are empty."""
    names = {name: bool(content) for name, content in tree.files.items() if not name.endswith(DATABASE)}
    return sorted((re.sub("[0-9a-f]{16,}", "#", name), full) for name, full in names.items()), len(tree.folders)


def opened_at(data: Path, **how) -> Gateway:
    return gateway(data, policy=POLICY, models=lambda _: MODELS, noise=OpenDPNoise, **how)


def keys_of(data: Path, root: KeyWrapper = ROOT) -> EpochKeys:
    return EpochKeys(Layout(data=data).keystore, root)


class Bucket:
    """A store of objects that is a folder: an object appears whole or not at all, and stays from when put returns."""

    url = "folder://bucket"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def beside(cls, data: Path) -> Bucket:
        """The bucket of the run that has this data directory."""
        return cls(data.parent / "bucket")

    def put(self, name: str, content: bytes) -> None:
        path = self._at(name)
        self._folder.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(delete=False) as elsewhere:
            elsewhere.write(content)
        os.replace(elsewhere.name, path)  # noqa: PTH105 - what `dying.Disk` watches
        with path.open("rb") as file:
            os.fsync(file.fileno())
        self._flushed()

    def get(self, name: str) -> bytes | None:
        path = self._at(name)
        return path.read_bytes() if path.exists() else None

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            self._at(name).unlink(missing_ok=True)
        if names and self._folder.exists():
            self._flushed()

    def objects(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("*"))

    def _at(self, name: str) -> Path:
        return self._folder / name.replace("/", "@")

    def _flushed(self) -> None:
        for folder in (self._folder, self._folder.parent):
            descriptor = os.open(folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def bucket_of(data: Path, *, bucket: bool) -> Bucket | None:
    return Bucket.beside(data) if bucket else None


class Run:
    """One run from ingest to release, and what it was promised as it went. bucket: segments lie in one, not in data."""

    def __init__(self, data: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, *, bucket: bool = False) -> None:
        self.data, self.corpus, self.store = data, corpus, bucket_of(data, bucket=bucket)
        suffix = ".ref" if bucket else ".seg"
        self.conversations: set[bytes] = set()
        self.flags: dict[str, bool] = {}
        flush, reserve, released = SegmentWriter.flush, Ledger.reserve, Ledger.released

        def flushed(writer):
            before = len(writer.written)
            flush(writer)
            for segment in writer.written[before:]:
                self.conversations |= {
                    one.conversation_id
                    for one in read_segment(
                        writer._directory / f"{segment.name}{suffix}", writer._key, store=writer._store
                    )
                }

        def reserved(*args):
            made = reserve(*args)
            self.flags["charged"] = True
            return made

        def settled(*args):
            released(*args)
            self.flags["released"] = True

        monkeypatch.setattr(SegmentWriter, "flush", flushed)
        monkeypatch.setattr(Ledger, "reserve", reserved)
        monkeypatch.setattr(Ledger, "released", settled)

    def promised(self) -> Promised:
        return Promised(conversations=frozenset(self.conversations), **self.flags)

    def go(self) -> None:
        with opened_at(self.data, raw_store=self.store) as opened:
            opened.ingest(str(self.corpus), advance=quiet)
            self.flags["ingested"] = True
            opened.extract(advance=quiet)
            opened.release()


def moments_of(tmp_path: Path, corpus: Path, *, bucket: bool = False) -> list[Moment]:
    (tmp_path / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        run = Run(tmp_path / "run" / "data", corpus, patch, bucket=bucket)
        with Disk(root=tmp_path / "run", promised=run.promised) as disk:
            run.go()
    return disk.moments


def readable(data: Path, store: SegmentStore | None = None) -> Counter[bytes]:
    """Every conversation that a key at hand opens, sealed or extracted."""
    layout, keys, found = Layout(data=data), keys_of(data), Counter()
    for dataset, part, zone in keys.held():
        try:
            key = keys.open(dataset, part, zone)
        except KeyMissing:
            continue
        folder = (layout.raw if zone == "raw" else layout.derived) / dataset / part
        if zone == "raw":
            found.update(
                one.conversation_id for path in segment_paths(folder) for one in read_segment(path, key, store=store)
            )
        else:
            for batch in DerivedStore(folder, key).batches():
                found.update(batch.conversation_ids)
    return found


def check_as_it_lies(tree: Tree, data: Path, promised: Promised, store: SegmentStore | None = None) -> None:
    """No text in any file; what was promised is there, under a key that is there."""
    for name, content in tree.files.items():
        assert not any(needle in content for needle in NEEDLES), f"text in {name}"
    if not promised.released:
        assert promised.conversations <= set(readable(data, store)), "a conversation that was acknowledged is lost"


def spent(data: Path) -> tuple[int, int]:
    path = Layout(data=data).ledger
    if not path.exists():
        return 0, 0
    with closing(sqlite3.connect(path)) as book:
        if not book.execute("SELECT 1 FROM sqlite_master WHERE name = 'charges'").fetchone():
            return 0, 0
        rho, delta = book.execute("SELECT coalesce(sum(rho), 0), coalesce(sum(delta), 0) FROM charges").fetchone()
        return rho, delta


def check_recovery(data: Path, corpus: Path, promised: Promised, store: Bucket | None = None) -> None:
    """The next run finishes: everyone counted once, the raw key gone with a receipt that holds, no charge refunded."""
    before = spent(data)
    assert bool(before[0]) or not promised.charged, "a charge is gone"
    with opened_at(data, raw_store=store) as opened:
        stored = opened.stored()
        assert stored is not None or not promised.released, "a release is gone"
        if stored is None:
            if not promised.ingested:
                opened.ingest(str(corpus), advance=quiet)
            opened.extract(advance=quiet)
            check_whole(opened)
            if before[0]:
                with pytest.raises(BudgetExhausted):
                    opened.check_budget()
        else:
            shown = [path.read_bytes() for path in Layout(data=data).releases.glob("*.json")]
            assert shown == [stored], "what is published is not what the ledger holds"
        states = {entry.state for entry in opened._ledger.entries()}
    assert states <= ({"burned"} if stored is None else {"released"}), "a charge is left open"
    assert spent(data) == before, "what is spent changed"
    check_discarded(data, derived_too=stored is not None, store=store)
    assert store is None or not store.objects(), "an object is left in the bucket"
    assert report_on(Layout(data=data).audit).good, "the audit log does not verify"


def check_whole(opened: Gateway) -> None:
    epoch = bound(opened._batches(), conversations_per_unit=20)
    assert (epoch.units, len(epoch)) == (USERS, USERS), "not everyone is counted once"


def check_discarded(
    data: Path, *, derived_too: bool, root: KeyWrapper = ROOT, store: SegmentStore | None = None
) -> None:
    layout, keys = Layout(data=data), keys_of(data, root)
    public = signer(deployment.secrets(layout.keystore, root)).public_key()

    def signed(content: bytes, mark: bytes) -> bool:
        try:
            public.verify(mark, content)
        except InvalidSignature:
            return False
        return True

    kept = {zone for _, _, zone in keys.held()}
    assert "raw" not in kept, "a key is kept after its data was extracted"
    assert not (derived_too and kept), "the derived key is kept after its release"
    left = [path.name for path in layout.raw.rglob("*") if path.is_file()]
    assert not left, f"left in the raw zone: {left}"
    found = discard.verify(layout, keys, holds=signed, store=store)
    assert found["good"], f"discard verify: {found['receipts'] or 'no receipt'}"
    told = [one for path in layout.receipts.glob("*.json") for one in receipts.read(path, verify=signed).segments]
    assert len({one.name for one in told}) == len(told), "a segment is in the receipts of two keys"
    assert sum(one.records for one in told) >= USERS, "a segment is in no receipt"


def check_every_state(
    moments: list[Moment],
    at: Path,
    corpus: Path,
    kind: str,
    *,
    recover: bool = True,
    seen: set[object] | None = None,
    bucket: bool = False,
) -> int:
    """Each state once, as it lies and, if `recover`, after the next run; how many differ. bucket: as for the `Run`.

    seen: states that were checked before, and are not again; these are added.

    Raises:
        AssertionError: the first that is not as it must be.
    """
    seen = set() if seen is None else seen
    for number, moment in enumerate(moments):
        tree: Tree = getattr(moment, kind)
        state = (tree.folders, tuple(sorted((name, id(content)) for name, content in tree.files.items())))
        if (state, moment.promised) in seen:
            continue
        seen.add((state, moment.promised))
        run = at / f"{kind}-{number}"
        tree.restore(run)
        store = bucket_of(run / "data", bucket=bucket)
        try:
            check_as_it_lies(tree, run / "data", moment.promised, store)
            if recover:
                check_recovery(run / "data", corpus, moment.promised, store)
        except Exception as failure:
            raise AssertionError(f"{kind} at moment {number}, before `{moment.call}`: {failure!r}") from failure
    return len(seen)
