"""The use cases: ingest, extract, release. Values and ports come in, a signed document goes out."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Self

import rfc8785

from sfumato import planning
from sfumato.errors import InputError, KeyMissing, Refused
from sfumato.extract.extractive import extract
from sfumato.gate.card import card
from sfumato.gate.door import Door, Header
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.report import IngestReport
from sfumato.model import document, signature, strict_json
from sfumato.model.epochs import overlap, span
from sfumato.policy import decide
from sfumato.privacy.bounds import bound
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.measure import Measurer
from sfumato.retention import sweep
from sfumato.topics.discover import discover
from sfumato.vault import durable
from sfumato.vault.derived import DerivedStore
from sfumato.vault.rawzone import RawZone
from sfumato.vault.segments import SegmentWriter, read_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.embed.sentences import Embedder
    from sfumato.model.conversation import Conversation
    from sfumato.model.extract import Extracts
    from sfumato.model.layout import Layout
    from sfumato.policy.schema import Policy
    from sfumato.privacy.noise import OpenDPNoise
    from sfumato.topics.tree import TopicTree
    from sfumato.vault.keystore import EpochKey, EpochKeys

EXTRACTION_BATCH = 4096
PHRASES_OF_A_CONVERSATION = 12
UNFINISHED = "unfinished-"
PROVIDER = "extractive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a budget belongs to. `bounded`: the operator named the epoch, so dates outside it are wrong."""

    dataset: str
    epoch: str
    bounded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the gateway needs from outside: sentence vectors, noise, the time, keys, a signer."""

    embedder: Callable[[], AbstractContextManager[Embedder]]
    noise: Callable[[], AbstractContextManager[OpenDPNoise]]
    now: Callable[[], datetime]
    epoch_keys: EpochKeys
    pseudonym_key: bytes
    signer: Ed25519PrivateKey


class Gateway:
    """One dataset's epoch under one policy. Use as a context manager: it holds a lock that keeps a second one out.

    Raises:
        StorageError: the data directory can't be used.
        Refused: another process is at work on the same dataset and epoch.
    """

    def __init__(self, *, policy: Policy, layout: Layout, scope: Scope, ports: Ports) -> None:
        self.policy = policy
        self.epoch = scope.epoch
        self._scope = scope
        self._layout = layout
        self._ports = ports
        self._stack = ExitStack()
        self._plan = planning.release_plan(policy, dataset=scope.dataset, epoch=scope.epoch)
        self._part = f"{scope.epoch}.{self._plan.extraction_digest[:12]}"  # extracts of other settings never mix
        self._raw = RawZone(
            dataset=scope.dataset,
            part=self._part,
            folder=layout.raw / scope.dataset / self._part,
            keys=ports.epoch_keys,
            receipts=layout.receipts,
            sign=ports.signer.sign,
        )
        self._derived = layout.derived / scope.dataset / self._part

    def __enter__(self) -> Self:
        durable.directory(self._layout.data)
        self._stack.enter_context(_exclusive(self._layout.data / f".{self._scope.dataset}.{self.epoch}.lock"))
        self._ledger = Ledger(self._layout.ledger)
        self._stack.callback(self._ledger.close)
        try:
            self._check_history()
            self._raw.finish()
            sweep(
                self._layout, self._ports.epoch_keys, self.policy, now=self._ports.now(), sign=self._ports.signer.sign
            )
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ingest(self, source: str, *, strict: bool = False, advance: Callable[[int], None]) -> IngestReport:
        """Seal the conversations of a source into the vault; returns what became of each line.

        Raises:
            InputError: the source as a whole can't be read; what was accepted before stays.
            Refused: this epoch is released already.
        """
        if self.stored() is not None:
            raise Refused(
                f"{self._scope.dataset} {self.epoch} is released already; new data belongs to another --epoch"
            )
        report = IngestReport()
        key = self._ports.epoch_keys.create(self._scope.dataset, self._part, "raw")
        unfinished = durable.directory(self._raw.folder) / f"{UNFINISHED}{sha256(source.encode()).hexdigest()[:16]}"
        durable.write(unfinished, [b""])
        with SegmentWriter(self._raw.folder, key) as writer:
            for conversation in self._read(source, report, strict=strict):
                writer.add(conversation)
                advance(1)
        durable.remove([unfinished], inside=self._raw.folder)
        return report

    def waiting(self) -> bool:
        """Whether sealed conversations wait for extraction."""
        return bool(self._raw.segments())

    def extract(self, *, partial: bool = False, advance: Callable[[int], None]) -> str | None:
        """Extract every waiting segment, delete each one's ciphertext, destroy the raw key; returns the receipt's id.

        A segment is deleted only after its extracts are on disk; the key is destroyed only after the last segment.
        An input that broke off is not gone on with unless `partial` says so: where it broke off may be one user's
        doing, and would decide who else is counted.

        Raises:
            InputError: an input broke off.
            VaultError: a segment was altered. KeyMissing: its key is gone.
        """
        if not partial and list(self._raw.folder.glob(f"{UNFINISHED}*")):
            raise InputError("an input of this epoch broke off: ingest it again, whole, or extract with --partial")
        key = self._raw.key()
        if key is None:
            if self.waiting():
                raise KeyMissing(
                    f"{self._scope.dataset} {self.epoch}: the key of the sealed conversations is destroyed"
                )
            return None
        reader = decide.extraction(self.policy.extraction, provider=PROVIDER)
        if not reader.allowed:
            raise Refused(reader.reason)
        started = self._now()
        derived = self._ports.epoch_keys.create(self._scope.dataset, self._part, "derived")
        store = DerivedStore(self._derived, derived)
        with self._ports.embedder() as embedder:
            for path in self._raw.segments():
                store.write(path.stem, self._extracts(path, key, embedder, advance))
                self._raw.retire(path, key)
        return self._raw.discard(key, policy=self._plan.policy_digest, ingested=started, destroyed=self._now())

    def check_budget(self) -> None:
        """Say now whether a release could be paid for.

        Raises:
            BudgetExhausted: the epoch's or the year's budget does not allow it.
        """
        self._ledger.check(self._plan.charge(created=self._now()), self._plan.caps)

    def stored(self) -> bytes | None:
        """The release of this epoch under this policy if it was made: the same bytes for ever, at no cost."""
        answer = self._ledger.answer_to(self._plan.question)
        if answer is None:
            return None
        canonical = answer.encode()
        self._publish(canonical)
        return canonical

    def release(self) -> bytes:
        """Measure the extracted epoch, pass the gate, sign, publish: canonical JSON of `sfumato.release/1`.

        The charge is entered before any noise is drawn; whatever fails after that leaves it burned.

        Raises:
            InputError: nothing was extracted, or conversations still wait for extraction.
            BudgetExhausted: the ledger has not enough left; nothing was measured.
            NoiseFailure: the noise worker died.
        """
        self.check_budget()
        names = [facet.name for facet in self._plan.facets]
        limit = self._plan.topics.conversations_per_user
        epoch = bound(self._batches(), conversations_per_unit=limit, facets=names)
        with self._ports.embedder() as embedder, self._ports.noise() as noise:
            embedder.embed([""])  # a model that can't be loaded must show before anything is charged
            reservation = self._ledger.reserve(self._plan.charge(created=self._now()), self._plan.caps)
            try:
                measurer = Measurer(noise, rho=self._plan.rho, delta=self._plan.delta)
                tree = discover(
                    epoch,
                    plan=self._plan.topics,
                    measurer=measurer,
                    embed=embedder.embed,
                    facet_domains={facet.name: facet.domain for facet in self._plan.facets},
                )
                canonical = self._signed(tree, measurer)
                self._ledger.released(reservation, canonical.decode())
            except BaseException:
                self._ledger.burned(reservation)
                raise
        self._publish(canonical)
        return canonical

    def _check_history(self) -> None:
        """Refuse to go on where the ledger lost a release, or charged an epoch that shares days with this one.

        Raises:
            StorageError: the ledger does not account for a release. Refused: the epochs overlap.
        """
        self._ledger.check_accounts_for(self._made())
        for entry in self._ledger.entries():
            if entry.dataset == self._scope.dataset and overlap(entry.epoch, self.epoch):
                raise Refused(
                    f"epoch {self.epoch} shares days with {entry.epoch}, which is charged already: one of them only"
                )

    def _made(self) -> Iterator[tuple[str, str]]:
        """Dataset and epoch of every release here; a file that is none is not served either."""
        for path in self._layout.releases.glob("*.json"):
            with suppress(InputError):
                release = document.decode(strict_json.loads(path.read_bytes()))
                yield release.dataset, release.epoch

    def _read(self, source: str, report: IngestReport, *, strict: bool) -> Iterator[Conversation]:
        """A record without a date is taken to lie in the epoch; one dated outside a named epoch is rejected."""
        window = span(self.epoch, self.policy.epoch) if self._scope.bounded else None
        return read(
            source,
            mapping=planning.field_mapping(self.policy),
            unit=self.policy.unit,
            limits=Limits(line_bytes=self.policy.input.line_bytes, strict=strict, window=window),
            pseudonyms=Pseudonyms(self._ports.pseudonym_key, dataset=self._scope.dataset),
            report=report,
        )

    def _extracts(
        self, path: Path, key: EpochKey, embedder: Embedder, advance: Callable[[int], None]
    ) -> Iterator[Extracts]:
        conversations = read_segment(path, key)
        while batch := list(islice(conversations, EXTRACTION_BATCH)):
            yield extract(batch, facets=self._plan.facets, embed=embedder, phrases_limit=PHRASES_OF_A_CONVERSATION)
            advance(len(batch))

    def _batches(self) -> Iterator[Extracts]:
        if self.waiting():
            raise InputError("sealed conversations still wait: run `sfumato extract` first")
        try:
            key = self._ports.epoch_keys.open(self._scope.dataset, self._part, "derived")
        except KeyMissing:
            raise InputError(
                f"nothing to release for {self._scope.dataset} {self.epoch}: run `sfumato ingest` and `extract` first"
            ) from None
        return DerivedStore(self._derived, key).batches()

    def _signed(self, tree: TopicTree, measurer: Measurer) -> bytes:
        guarantee = card(
            unit=self.policy.unit,
            mechanisms=measurer.mechanisms,
            bounds=self._plan.bounds,
            conversion_delta=self._plan.conversion_delta,
        )
        mode = decide.release_mode(self.policy.guarantee, mode=guarantee.mode)
        if not mode.allowed:
            raise Refused(mode.reason)
        door = Door(
            limits=self.policy.thresholds,
            domains={facet.name: facet.domain for facet in self._plan.facets},
        )
        header = Header(
            dataset=self._scope.dataset,
            epoch=self.epoch,
            created=self._now(),
            policy_name=self.policy.metadata.name,
            policy_digest=self._plan.policy_digest,
        )
        release = door.release(tree, header=header, guarantee=guarantee, measurer=measurer)
        return rfc8785.dumps(signature.sign(document.encode(release), self._ports.signer))

    def _publish(self, canonical: bytes) -> None:
        """Put the release where readers look, then discard what it was made from if the policy says so. Repeatable."""
        path = self._layout.releases / f"{json.loads(canonical)['id']}.json"
        if not path.exists():
            durable.directory(self._layout.releases)
            self._pin_key()
            durable.write(path, [canonical])
        kept = decide.keep(self.policy.retention, data="derived", age=timedelta(0), used=True).allowed
        if not kept and self._derived.exists():
            self._ports.epoch_keys.destroy(self._scope.dataset, self._part, "derived")
            durable.remove(self._derived.iterdir(), inside=self._derived)

    def _pin_key(self) -> None:
        """Write the public key that readers check releases against.

        Raises:
            KeyMissing: another key is pinned: the root key is not the one that made the releases here.
        """
        ours = self._ports.signer.public_key().public_bytes_raw().hex()
        path = self._layout.release_key
        if not path.exists():
            durable.write(path, [ours.encode() + b"\n"])
        elif path.read_text().strip() != ours:
            raise KeyMissing(
                f"{path}: the releases here are signed by another root key; use that one, or another --data"
            )

    def _now(self) -> str:
        return self._ports.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file while inside; the system lets go of it however the process ends.

    Raises:
        Refused: another process holds it.
    """
    with durable.storage(path):
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Refused("another sfumato is at work on this dataset and epoch; wait for it to end") from None
    try:
        yield
    finally:
        os.close(descriptor)
