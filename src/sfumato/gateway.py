"""The use cases: ingest, extract, release. Values and ports come in, a signed document goes out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Self

import rfc8785

from sfumato import discovery, planning
from sfumato.asking import probe
from sfumato.errors import InputError, KeyMissing, Refused
from sfumato.extraction import Extraction, Watch, spent_before
from sfumato.gate.auditor import Auditor
from sfumato.gate.card import card
from sfumato.gate.door import Door, Header
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.report import IngestReport
from sfumato.model import document, signature
from sfumato.model.epochs import overlap, span
from sfumato.planning import NO_FILES
from sfumato.policy import decide
from sfumato.privacy.bounds import bound
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.measure import Measurer
from sfumato.publication import publish, published
from sfumato.retention import sweep
from sfumato.topics.counting import SCREENED
from sfumato.vault import durable
from sfumato.vault.derived import DerivedStore
from sfumato.vault.rawzone import RawZone
from sfumato.vault.segments import SegmentWriter, conversations_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.embed.sentences import Embedder
    from sfumato.extraction import Models
    from sfumato.model.conversation import Conversation
    from sfumato.model.extract import Extracts
    from sfumato.model.layout import Layout
    from sfumato.model.prompt import Model
    from sfumato.model.release import ModelUse, Role
    from sfumato.planning import Resources
    from sfumato.policy.decide import Decision
    from sfumato.policy.schema import Policy
    from sfumato.privacy.noise import OpenDPNoise
    from sfumato.topics.tree import TopicTree
    from sfumato.vault.keystore import EpochKeys

UNFINISHED = "unfinished-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a budget belongs to. `bounded`: the operator named the epoch, so dates outside it are wrong."""

    dataset: str
    epoch: str
    bounded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the gateway needs from outside: sentence vectors, noise, the time, keys, a signer, language models.

    models: those the policy names, given what earlier runs of the epoch may have cost.
    """

    embedder: Callable[[], AbstractContextManager[Embedder]]
    noise: Callable[[], AbstractContextManager[OpenDPNoise]]
    now: Callable[[], datetime]
    epoch_keys: EpochKeys
    pseudonym_key: bytes
    signer: Ed25519PrivateKey
    models: Callable[[Decimal], Models]


def _unheard(_dollars: Decimal) -> None:
    """Nobody asked what it costs."""


class Gateway:
    """One dataset's epoch under one policy. Use as a context manager: it holds a lock that keeps a second one out.

    Raises:
        StorageError: the data directory can't be used.
        Refused: another process is at work on the same dataset and epoch.
    """

    def __init__(
        self, *, policy: Policy, layout: Layout, scope: Scope, ports: Ports, files: Resources = NO_FILES
    ) -> None:
        self.policy = policy
        self.epoch = scope.epoch
        self._scope = scope
        self._layout = layout
        self._ports = ports
        self._stack = ExitStack()
        self._rubric = files.rubric
        self._plan = planning.release_plan(policy, dataset=scope.dataset, epoch=scope.epoch, resources=files)
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
        self._stack.enter_context(durable.exclusive(self._layout.data / f".{self._scope.dataset}.{self.epoch}.lock"))
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

    def waiting(self) -> int:
        """How many sealed conversations wait for extraction; for the operator's eyes."""
        key = self._raw.key()
        return 0 if key is None else sum(conversations_in(path, key) for path in self._raw.segments())

    def extract(
        self, *, partial: bool = False, advance: Callable[[int], None], paid: Callable[[Decimal], None] = _unheard
    ) -> str | None:
        """Extract every waiting segment, delete each one's ciphertext, destroy the raw key; returns the receipt's id.

        A segment is deleted only after its extracts are on disk; the key is destroyed only after the last segment.
        An input that broke off is not gone on with unless `partial` says so: where it broke off may be one user's
        doing, and would decide who else is counted. `paid` is told what the epoch's models have cost so far, in US
        dollars; a run that stops goes on where it was and asks no question twice.

        Raises:
            InputError: an input broke off.
            VaultError: a segment was altered. KeyMissing: its key is gone.
            ModelUnavailable: nobody answers. Refused: the policy does not let this reader read, or its spend cap is
                reached.
        """
        if not partial and list(self._raw.folder.glob(f"{UNFINISHED}*")):
            raise InputError("an input of this epoch broke off: ingest it again, whole, or extract with --partial")
        key = self._raw.key()
        if key is None:
            if self._raw.segments():
                raise KeyMissing(
                    f"{self._scope.dataset} {self.epoch}: the key of the sealed conversations is destroyed"
                )
            return None
        if self._plan.reading.questions is None:
            _obey(decide.extraction(self.policy.extraction, provider="extractive", model=None, endpoint=None))
        started = self._now()
        with (
            self._ports.embedder() as embedder,
            Extraction(
                raw=self._raw,
                folder=self._derived,
                key=self._ports.epoch_keys.create(self._scope.dataset, self._part, "derived"),
                reading=self._plan.reading,
                embedder=embedder,
                models=self._ports.models,
                watch=Watch(advance=advance, paid=paid),
            ) as extraction,
        ):
            extraction.run(key)
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
        limit = self._plan.topics.conversations_per_user
        epoch = bound(self._batches(), conversations_per_unit=limit, shape=self._plan.shape)
        models = self._ports.models(self._spent_on_models())
        with self._ports.embedder() as embedder, self._ports.noise() as noise:
            embedder.embed([""])  # a model that can't be used must show before anything is charged
            namer, auditor = self._writers(models)
            nodes = discovery.nodes(epoch, self._plan, embedder.embed)
            reservation = self._ledger.reserve(self._plan.charge(created=self._now()), self._plan.caps)
            try:
                measurer = Measurer(noise, rho=self._plan.rho, delta=self._plan.delta)
                tree = discovery.topics(
                    epoch,
                    nodes,
                    plan=self._plan,
                    limits=self.policy.thresholds,
                    measurer=measurer,
                    embed=embedder.embed,
                    namer=namer,
                )
                canonical = self._signed(tree, measurer, auditor, models.uses())
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
        self._ledger.check_accounts_for(published(self._layout))
        for entry in self._ledger.entries():
            if entry.dataset == self._scope.dataset and overlap(entry.epoch, self.epoch):
                raise Refused(
                    f"epoch {self.epoch} shares days with {entry.epoch}, which is charged already: one of them only"
                )

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

    def _batches(self) -> Iterator[Extracts]:
        if self._raw.segments():
            raise InputError("sealed conversations still wait: run `sfumato extract` first")
        try:
            key = self._ports.epoch_keys.open(self._scope.dataset, self._part, "derived")
        except KeyMissing:
            raise InputError(
                f"nothing to release for {self._scope.dataset} {self.epoch}: run `sfumato ingest` and `extract` first"
            ) from None
        return DerivedStore(self._derived, key).batches()

    def _writers(self, models: Models) -> tuple[Model | None, Auditor]:
        """Who writes names and who judges them, each asked one question about nothing first.

        Raises:
            ModelUnavailable: one of them can't be used. Refused: the policy does not let it be asked.
        """
        opened: dict[Role, Model] = {}
        asked: tuple[tuple[Role, str], ...] = (
            ("naming", self.policy.naming.provider), ("auditor", self.policy.auditor.provider),
        )  # fmt: skip
        for role, provider in asked:
            if provider == "anthropic":
                opened[role] = self._stack.enter_context(models.open(role))
                probe(opened[role])
        section = self.policy.auditor
        auditor = Auditor(
            self._rubric, model=opened.get("auditor"), minimum=section.minimum, on_denial=section.on_denial
        )
        return opened.get("naming"), auditor

    def _spent_on_models(self) -> Decimal:
        """US dollars that extraction may have cost; kept under the key of the derived zone."""
        key = self._ports.epoch_keys.open(self._scope.dataset, self._part, "derived")
        return spent_before(self._derived, key)

    def _signed(self, tree: TopicTree, measurer: Measurer, auditor: Auditor, models: tuple[ModelUse, ...]) -> bytes:
        guarantee = card(
            mode=self._plan.mode,
            unit=self.policy.unit,
            mechanisms=measurer.mechanisms,
            bounds=self._plan.bounds,
            conversion_delta=self._plan.conversion_delta,
        )
        _obey(decide.release_mode(self.policy.guarantee, mode=guarantee.mode))
        door = Door(
            limits=self.policy.thresholds,
            domains={facet.name: facet.domain for facet in self._plan.facets} | {SCREENED: ("in", "out")},
            auditor=auditor,
        )
        header = Header(
            dataset=self._scope.dataset,
            epoch=self.epoch,
            created=self._now(),
            policy_name=self.policy.metadata.name,
            policy_digest=self._plan.policy_digest,
            models=models,
        )
        release = door.release(tree, header=header, guarantee=guarantee, measurer=measurer)
        return rfc8785.dumps(signature.sign(document.encode(release), self._ports.signer))

    def _publish(self, canonical: bytes) -> None:
        """Put the release where readers look, then discard what it was made from if the policy says so. Repeatable."""
        publish(canonical, self._layout, self._ports.signer.public_key())
        kept = decide.keep(self.policy.retention, data="derived", age=timedelta(0), used=True).allowed
        if not kept and self._derived.exists():
            self._ports.epoch_keys.destroy(self._scope.dataset, self._part, "derived")
            durable.remove(self._derived.iterdir(), inside=self._derived)

    def _now(self) -> str:
        return self._ports.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _obey(decision: Decision) -> None:
    if not decision.allowed:
        raise Refused(f"{decision.rule}: {decision.reason}")
