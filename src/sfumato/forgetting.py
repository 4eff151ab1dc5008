"""Erasure by person: keys cut, extracts written anew without them, no way back in, and what remains told truthfully."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfumato.errors import InputError, KeyMissing, Refused
from sfumato.inbox.folder import Inbox
from sfumato.ingest.forgotten import Forgotten
from sfumato.ingest.pseudonym import Pseudonyms, canonical
from sfumato.model import document, strict_json
from sfumato.policy import decide
from sfumato.vault import durable, journal, superseding
from sfumato.vault.derived import SEGMENT, DerivedStore
from sfumato.vault.segments import may_hold, segment_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sfumato.model.guarantee import Mode, Unit
    from sfumato.model.layout import Layout
    from sfumato.policy.schema import Policy
    from sfumato.recording import Recorder
    from sfumato.vault.keystore import EpochKey, EpochKeys

DONE = (
    "What was sealed of the {unit} cannot be read any more, its extracts are gone, and no later release or live answer "
    "counts them. Whether there was anything is not told."
)
ELSEWHERE = (
    "The log from which conversations were read, its backups, and whatever a model's provider keeps are not in "
    "sfumato's reach; what is in them from before now is not taken in again."
)
OTHERS = (
    "A conversation belongs to whoever opened it: words of the same person in conversations that others opened stay, "
    "and so does what they write under another id, or from now on."
)
NOTHING_RELEASED = "No release was made here, so nothing that was published could hold the {unit}."
FORMAL = (
    "{id} ({dataset} {epoch}) stays as it is, and nothing can be taken out of it. If the {unit} was in its data, it "
    "changes the odds that anybody gives that they were by a factor of e^{epsilon:.4g} at most, but for a failure of "
    "probability {delta:.2g}."
)
GUARDED = (
    "{id} ({dataset} {epoch}) stays as it is. Its counts are bounded by epsilon {epsilon:.4g} at delta {delta:.2g}; "
    "its names and descriptions were written from summaries and have no such bound: if they matter, withdraw it."
)
ANSWERED = "Live questions that were answered before stay answered, at the cost that the ledger states."
WAITING = "Deliveries wait in the inbox, sealed; what they hold of the {unit} is turned away when they are collected."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A release that was there when somebody was forgotten, and the guarantee under which it stays."""

    id: str
    dataset: str
    epoch: str
    unit: Unit
    mode: Mode
    epsilon: float
    delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """What was done, the same whoever it was: nothing in it tells whether anything was there.

    parts: dataset, part and zone of all that was gone through. done, remains: sentences for the person who asked.
    """

    unit: Unit
    datasets: tuple[str, ...]
    parts: tuple[tuple[str, str, str], ...]
    releases: tuple[Standing, ...]
    done: str
    remains: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What erasure works on. held: locks of dataset and epoch that the caller holds already."""

    layout: Layout
    keys: EpochKeys
    pseudonym_key: bytes = field(repr=False)
    now: Callable[[], datetime]
    audit: Recorder
    held: frozenset[tuple[str, str]] = frozenset()


def forget(name: str, policy: Policy, reach: Reach, *, named: Unit = "user", also: str | None = None) -> Forgetting:
    """Erase one unit of privacy from every dataset of a data directory, and keep what it wrote from coming back.

    name: the id as it stands in the log. named: whose id it is. also: a dataset of which there may be nothing yet.
    Safe to repeat, and to be repeated after a crash.

    Raises:
        InputError: it is no id. Refused: the policy's unit is another, or somebody works on one of the epochs.
        VaultError: sealed data was altered. StorageError: something could not be written; run it again.
    """
    decision = decide.forget(policy.unit, named=named)
    if not decision.allowed:
        raise Refused(f"{decision.rule}: {decision.reason}")
    known = canonical(name)
    if known is None:
        raise InputError("this is no id: it is empty")
    parts = tuple(sorted(reach.keys.held()))
    releases = tuple(_standing(reach.layout))
    there = {part[0] for part in parts} | {one.dataset for one in releases}
    there |= set(Inbox(reach.layout.data).datasets()) | ({also} if also else set())
    datasets = tuple(sorted(there))
    with ExitStack() as locks:
        for dataset, epoch in sorted({(dataset, part.partition(".")[0]) for dataset, part, _ in parts} - reach.held):
            locks.enter_context(durable.exclusive(reach.layout.data / f".{dataset}.{epoch}.lock"))
        reach.audit.forgotten(datasets, parts)
        for dataset in datasets:
            pseudonyms = Pseudonyms(reach.pseudonym_key, dataset=dataset)
            person = pseudonyms.user(known) if named == "user" else pseudonyms.conversation(known)
            Forgotten(reach.layout.forgotten, pseudonyms, dataset=dataset).add(person, reach.now())
            for part in sorted({part for one, part, _ in parts if one == dataset}):
                _erase(reach, dataset, part, person)
    return Forgetting(
        unit=named,
        datasets=datasets,
        parts=parts,
        releases=releases,
        done=DONE.format(unit=named),
        remains=tuple(_remains(reach.layout, releases, datasets, unit=named)),
    )


def _erase(reach: Reach, dataset: str, part: str, person: bytes) -> None:
    """Raw text by its key, then what was made of it; both are there only as far as their keys are."""
    reach.keys.cut(dataset, part, person)
    raw, derived = (_key(reach.keys, dataset, part, zone) for zone in ("raw", "derived"))
    folder = reach.layout.derived / dataset / part
    if not folder.is_dir():
        return
    segments = {path.stem: path for path in segment_paths(reach.layout.raw / dataset / part)}
    _drop(folder, [path for path in folder.glob(f"*{journal.SUFFIX}") if _may_hold(path, segments, raw, person)])
    _drop(folder, list(folder.glob(f".*{durable.TEMPORARY}")))
    if derived is not None:
        DerivedStore(folder, derived).forget(person)


def _may_hold(path: Path, segments: dict[str, Path], raw: EpochKey | None, person: bytes) -> bool:
    """Whether a journal may have a model's answers about this person: it says of no entry whose it is."""
    segment = path.name.partition(".")[0]
    if not SEGMENT.fullmatch(segment):
        return False  # the bill
    return raw is None or segment not in segments or may_hold(segments[segment], raw, person)


def _drop(folder: Path, paths: list[Path]) -> None:
    for path in paths:
        with durable.storage(path):
            superseding.zero(path)
    durable.remove(paths, inside=folder)


def _key(keys: EpochKeys, dataset: str, part: str, zone: str) -> EpochKey | None:
    try:
        return keys.open(dataset, part, "raw" if zone == "raw" else "derived")
    except KeyMissing:
        return None


def _standing(layout: Layout) -> Iterator[Standing]:
    for path in sorted(layout.releases.glob("*.json")):
        with suppress(InputError):
            release = document.decode(strict_json.loads(path.read_bytes()))
            stated = release.guarantee
            yield Standing(
                id=release.id,
                dataset=release.dataset,
                epoch=release.epoch,
                unit=stated.unit,
                mode=stated.mode,
                epsilon=stated.epsilon,
                delta=stated.delta,
            )


def _remains(layout: Layout, releases: tuple[Standing, ...], datasets: tuple[str, ...], *, unit: Unit) -> Iterator[str]:
    for one in releases:
        text = FORMAL if one.mode == "formal" else GUARDED
        yield text.format(
            id=one.id, dataset=one.dataset, epoch=one.epoch, unit=one.unit, epsilon=one.epsilon, delta=one.delta
        )
    yield ANSWERED if releases else NOTHING_RELEASED.format(unit=unit)
    inbox = Inbox(layout.data)
    if any(inbox.names(dataset) for dataset in datasets):
        yield WAITING.format(unit=unit)
    yield ELSEWHERE
    yield OTHERS
