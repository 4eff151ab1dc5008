"""PRIVATE. What the worker can reach: releases and their places, and extracts as far as their keys still live."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.live import columns, frame
from sfumato.live.frame import Frame
from sfumato.model import document, signature, strict_json
from sfumato.model.private import Private
from sfumato.policy import decide
from sfumato.topics import assignment
from sfumato.topics.counts import STEPS
from sfumato.vault.derived import SUFFIX, DerivedStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sfumato.live.columns import Columns
    from sfumato.live.terms import Terms
    from sfumato.model.layout import Layout
    from sfumato.model.release import Release
    from sfumato.topics.assignment import Assignment
    from sfumato.vault.keystore import EpochKey

MOST_BYTES = 2**30  # of columns in memory; a million conversations with three facets and topics take 12 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A release whose signature held."""

    release: Release
    places: Assignment | None


class Shelf(Private):
    """Releases are found as they appear; extracts only of the epochs whose keys were there when the worker started.

    held: names of the keys that are in the store now. What is destroyed there is let go of here.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        signer: Ed25519PublicKey,
        keys: Mapping[tuple[str, str], EpochKey],
        held: Callable[[], Iterable[tuple[str, str, str]]],
        now: Callable[[], datetime],
    ) -> None:
        self._layout = layout
        self._signer = signer
        self._keys = dict(keys)
        self._held = held
        self._now = now
        self._known: dict[str, Known | None] = {}
        self._columns: OrderedDict[tuple[str, str, str | None], Columns] = OrderedDict()
        self._stamps: dict[tuple[str, str], frozenset[tuple[str, int, int]]] = {}

    def epochs(self) -> list[tuple[str, str]]:
        """Dataset and epoch of all extracts whose keys are held."""
        return [(dataset, part.rpartition(".")[0]) for dataset, part in self._keys]

    def frame(self, terms: Terms, release: str | None) -> Frame | None:
        """What questions about an epoch are read against, with the topics of this release, or else of its own.

        None where the epoch is not released, or the release is unknown, of another dataset or of other extracts.
        """
        own = self._own(terms)
        if own is None:
            return None
        chosen = own if release is None else self._release(release)
        if chosen is None or chosen.release.dataset != terms.plan.dataset:
            return None
        fits = chosen.places is not None and chosen.places.extraction == terms.plan.extraction_digest
        if release is not None and not fits:
            return None
        return Frame(
            facets={facet.name: facet for facet in terms.plan.facets},
            reach=_reach(own.release, terms),
            levels=frame.topic_levels(chosen.release) if fits else {},
            assignment=chosen.places if fits else None,
        )

    def columns(self, terms: Terms, places: Assignment | None) -> Columns | None:
        """The columns of an epoch, placed under these topics; None where its extracts are gone, or should be.

        Raises:
            VaultError: a file is truncated or altered. StorageError: one can't be read.
        """
        part = f"{terms.plan.epoch}.{terms.plan.extraction_digest[:12]}"
        name = terms.plan.dataset, part
        if name not in self._keys or not self._lives(terms, name):
            return None
        self._let_go_of_former(name)
        found = self._columns.pop((*name, places.release if places else None), None)
        if found is None:
            store = DerivedStore(self._layout.derived / terms.plan.dataset / part, self._keys[name])
            found = columns.load(store.batches(), terms, places)
        self._columns[*name, places.release if places else None] = found
        while len(self._columns) > 1 and sum(one.size for one in self._columns.values()) > MOST_BYTES:
            self._columns.popitem(last=False)
        return found

    def _lives(self, terms: Terms, name: tuple[str, str]) -> bool:
        """Whether the key is still in the store and the extracts are not past their time; else nothing stays here."""
        folder = self._layout.derived / name[0] / name[1]
        times = [path.stat().st_mtime for path in folder.glob(f"*{SUFFIX}")]
        age = self._now() - datetime.fromtimestamp(min(times), UTC) if times else None
        if (*name, "derived") in set(self._held()) and (
            age is None or decide.keep(terms.policy.retention, data="derived", age=age, used=True).allowed
        ):
            return True
        del self._keys[name]
        self._drop(name)
        return False

    def _let_go_of_former(self, name: tuple[str, str]) -> None:
        """Columns of files that are no longer these: somebody was forgotten, and may not stay in memory."""
        folder = self._layout.derived / name[0] / name[1]
        told = ((path.name, path.stat()) for path in folder.glob(f"*{SUFFIX}"))
        stamp = frozenset((file, status.st_ino, status.st_mtime_ns) for file, status in told)
        if self._stamps.setdefault(name, stamp) != stamp:
            self._stamps[name] = stamp
            self._drop(name)

    def _drop(self, name: tuple[str, str]) -> None:
        for key in [key for key in self._columns if key[:2] == name]:
            del self._columns[key]

    def _own(self, terms: Terms) -> Known | None:
        """The newest release of an epoch; one with places before one without."""
        for path in self._layout.releases.glob("*.json"):
            self._release(path.stem)
        found = [
            one
            for one in self._known.values()
            if one is not None and (one.release.dataset, one.release.epoch) == (terms.plan.dataset, terms.plan.epoch)
        ]
        return max(found, key=lambda one: (one.places is not None, one.release.created, one.release.id), default=None)

    def _release(self, name: str) -> Known | None:
        if name not in self._known:
            path = self._layout.releases / f"{name}.json"
            if not path.is_file():
                return None
            try:
                self._known[name] = self._read(name)
            except InputError:
                self._known[name] = None  # what is no release of ours is none that is asked about
        return self._known[name]

    def _read(self, name: str) -> Known:
        raw = strict_json.loads((self._layout.releases / f"{name}.json").read_bytes())
        signature.verify(raw, self._signer)
        release = document.decode(raw)
        if release.id != name:
            raise InputError("a release lies under another name than its own")
        path = self._layout.releases / f"{name}{assignment.SUFFIX}"
        places = assignment.decode(path.read_bytes(), self._signer) if path.is_file() else None
        if places is not None and places.release != name:
            raise InputError("a file of topics lies under another name than its release's")
        return Known(release=release, places=places)


def _reach(release: Release, terms: Terms) -> int:
    """Conversations of one unit that counted in full in the epoch's release, which says so; else all that may."""
    found = [
        reach
        for one in release.guarantee.mechanisms
        if one.statistic == "conversations per key, fixed point" and (reach := round(one.l2 / STEPS)) >= 1
    ]
    return min([*found, terms.conversations])
