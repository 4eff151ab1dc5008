"""The use cases: ingest, extract, release. Values and ports come in, a signed document goes out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Self

import rfc8785

from sfumato import discovery, forgetting, models_of, planning
from sfumato.audit.event import Charge
from sfumato.audit.log import AuditLog
from sfumato.breaks import Breaks
from sfumato.errors import InputError, KeyMissing, Refused
from sfumato.extraction import READING, WRITING, Extraction, Watch, billed
from sfumato.forgetting import Forgetting, Reach
from sfumato.gate.card import card
from sfumato.gate.door import Door, Header
from sfumato.ingest.forgotten import Forgotten
from sfumato.ingest.jsonl import Limits, read
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.ingest.report import IngestReport
from sfumato.ingest.source import named
from sfumato.model import document, signature, strict_json
from sfumato.model.epochs import overlap, span
from sfumato.planning import NO_FILES
from sfumato.policy import decide
from sfumato.privacy.bounds import bound
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.measure import Measurer
from sfumato.publication import places, publish, publish_places, published
from sfumato.recording import About, Recorder, use_case
from sfumato.retention import sweep
from sfumato.topics.counting import SCREENED
from sfumato.vault import durable
from sfumato.vault.derived import DerivedStore
from sfumato.vault.rawzone import RawZone
from sfumato.vault.segments import SegmentWriter, conversations_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sfumato.gate.auditor import Auditor
    from sfumato.ingest.source import Source
    from sfumato.model.conversation import Conversation
    from sfumato.model.extract import Extracts
    from sfumato.model.guarantee import Unit
    from sfumato.model.layout import Layout
    from sfumato.model.release import ModelUse
    from sfumato.planning import Resources
    from sfumato.policy.decide import Decision
    from sfumato.policy.schema import Policy
    from sfumato.ports import Ports, Scope
    from sfumato.topics.tree import TopicTree


def _unheard(_: object) -> None:
    """Nobody asked how far it is or what it costs."""


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
        if policy.retention.raw_key == "memory":
            ports = replace(ports, epoch_keys=ports.epoch_keys.in_memory())
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
            store=ports.raw_store,
        )
        self._derived = layout.derived / scope.dataset / self._part
        self._breaks = Breaks(raw=self._raw.folder, derived=self._derived)

    def __enter__(self) -> Self:
        durable.directory(self._layout.data)
        self._stack.enter_context(durable.exclusive(self._layout.data / f".{self._scope.dataset}.{self.epoch}.lock"))
        self._ledger = Ledger(self._ports.database or self._layout.ledger)
        self._stack.callback(self._ledger.close)
        try:
            self.audit = self._recorder()
            self.audit.policy_in_force()
            with self.audit.refusals("denied"):
                self._check_history()
                if (receipt := self._raw.finish()) is not None:  # of a discard that a crash cut short
                    self.audit.done("discard", rule="retention.raw", receipt=receipt)
                keys, sign, now = self._ports.epoch_keys, self._ports.signer.sign, self._ports.now()
                self.audit.swept(sweep(self._layout, keys, self.policy, now=now, sign=sign, store=self._raw.store))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @use_case("ingest")
    def ingest(
        self, source: Source, *, strict: bool = False, advance: Callable[[int], None] = _unheard
    ) -> IngestReport:
        """Seal the conversations of a source into the vault; returns what became of each line or row.

        Raises:
            InputError: the source as a whole can't be read; what was accepted before stays.
            Refused: this epoch is released already.
        """
        if self.stored() is not None:
            raise Refused(
                f"{self._scope.dataset} {self.epoch} is released already; new data belongs to another --epoch"
            )
        report = IngestReport()
        if self._raw.lost():
            self.audit.done("discard", rule="retention.raw_key")
        key = self._ports.epoch_keys.create(self._scope.dataset, self._part, "raw")
        _obey(decide.custody(self.policy.retention, kept=self._raw.custody()))
        writing = SegmentWriter(self._raw.folder, key, store=self._raw.store)
        with self._breaks.reading(named(source)), writing as writer:
            for conversation in self._read(source, report, strict=strict):
                writer.add(conversation)
                advance(1)
        self.audit.done("ingest", rule="input")
        return report

    def waiting(self) -> int:
        """How many sealed conversations wait for extraction; for the operator's eyes."""
        key = self._raw.key()
        return 0 if key is None else sum(conversations_in(path, key) for path in self._raw.segments())

    @use_case("extract")
    def extract(
        self,
        *,
        partial: bool = False,
        advance: Callable[[int], None] = _unheard,
        paid: Callable[[Decimal], None] = _unheard,
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
        if not partial:
            self._breaks.check_inputs()
        key = self._raw.key()
        if key is None:
            if self._raw.segments():
                raise KeyMissing(f"{self._scope.dataset} {self.epoch}: {self._raw.why_closed()}")
            self._breaks.accept() if partial else self._breaks.check_extraction()
            return None
        if self._plan.reading.questions is None:
            _obey(decide.extraction(self.policy.extraction, provider="extractive", model=None, endpoint=None))
        started = self._now()
        derived = self._ports.epoch_keys.create(self._scope.dataset, self._part, "derived")
        with (
            self._breaks.extracting(),
            self._ports.embedder() as embedder,
            billed(self._derived, derived, self._ports.models, work=READING) as models,
        ):
            Extraction(
                raw=self._raw,
                folder=self._derived,
                key=derived,
                reading=self._plan.reading,
                embedder=embedder,
                models=models,
                watch=Watch(advance=advance, paid=paid),
            ).run(key)
        self.audit.done("extract", rule="extraction.provider")
        receipt = self._raw.discard(key, policy=self._plan.policy_digest, ingested=started, destroyed=self._now())
        self.audit.done("discard", rule="retention.raw", receipt=receipt)
        return receipt

    def check_apart(self) -> None:
        """Say now whether ingest and extract may be left to different processes.

        Raises:
            Refused: the policy keeps raw keys in memory only.
        """
        if self._raw.key() is None:
            _obey(decide.custody(self.policy.retention, kept="elsewhere"))

    @use_case("forget")
    def forget(self, name: str, *, named: Unit = "user") -> Forgetting:
        """Erase one person from every dataset and epoch of the data directory: see `sfumato.forgetting.forget`."""
        reach = Reach(
            layout=self._layout,
            keys=self._ports.epoch_keys,
            pseudonym_key=self._ports.pseudonym_key,
            now=self._ports.now,
            audit=self.audit,
            held=frozenset({(self._scope.dataset, self.epoch)}),
        )
        return forgetting.forget(name, self.policy, reach, named=named, also=self._scope.dataset)

    def check_budget(self) -> None:
        """Say now whether a release could be paid for.

        Raises:
            BudgetExhausted: the epoch's or the year's budget does not allow it.
        """
        self._ledger.check(self._plan.charge(created=self._now()), self._plan.caps)

    def check_models(self) -> None:
        """Say now whether the models of the policy may be asked from here; none of them is.

        Raises:
            Refused: the environment points elsewhere, or would print what is sent. ModelUnavailable: there is no key.
        """
        models_of.check(self._ports.models(Decimal(0)), self.policy)

    def stored(self) -> bytes | None:
        """The release of this epoch under this policy if it was made: the same bytes for ever, at no cost."""
        answer = self._ledger.answer_to(self._plan.question)
        if answer is None:
            return None
        canonical = answer.encode()
        self.audit.done("release", rule="ledger.stored", release=_id(canonical))
        self._publish(canonical)
        return canonical

    @use_case("release")
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
        derived = self._ports.epoch_keys.open(self._scope.dataset, self._part, "derived")
        with (
            self._ports.embedder() as embedder,
            self._ports.noise() as noise,
            billed(self._derived, derived, self._ports.models, work=WRITING) as models,
        ):
            embedder.embed([""])  # a model that can't be used must show before anything is charged
            namer, auditor = models_of.writers(models, self.policy, self._rubric, self._stack)
            nodes = discovery.nodes(epoch, self._plan, embedder.embed)
            charge = self._plan.charge(created=self._now())
            spent = Charge(rho=charge.rho, delta=charge.delta)
            reservation = self._ledger.reserve(charge, self._plan.caps)
            try:
                self.audit.done("release", rule="ledger.reserved")  # before noise: what can't be recorded is not drawn
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
                if self.policy.queries.live:  # before the ledger says released: afterwards the tree is gone
                    found = places(tree, canonical, self._plan, embedder.embed)
                    publish_places(found, self._layout, self._ports.signer)
                self.audit.done("release", rule="ledger.released", release=_id(canonical), charge=spent)
                self._ledger.released(reservation, canonical.decode())
            except BaseException:
                self._ledger.burned(reservation)
                self.audit.done("release", rule="ledger.burned", charge=spent)
                raise
        self._publish(canonical)
        return canonical

    def _recorder(self) -> Recorder:
        """The hand that writes this gateway's events."""
        log = AuditLog.open(self._layout.audit, url=self._database_url())
        self._stack.callback(log.close)
        about = About(dataset=self._scope.dataset, epoch=self.epoch, policy=self._plan.policy_digest)
        return Recorder(log, about, now=self._ports.now, signer=self._ports.audit_signer)

    def _database_url(self) -> str | None:
        database = self._ports.database
        return None if database is None else database.render_as_string(hide_password=False)

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

    def _read(self, source: Source, report: IngestReport, *, strict: bool) -> Iterator[Conversation]:
        """A record without a date is taken to lie in the epoch; one dated outside a named epoch is rejected."""
        window = span(self.epoch, self.policy.epoch) if self._scope.bounded else None
        pseudonyms = Pseudonyms(self._ports.pseudonym_key, dataset=self._scope.dataset)
        gone = Forgotten(self._layout.forgotten, pseudonyms, dataset=self._scope.dataset)
        limits = Limits(line_bytes=self.policy.input.line_bytes, strict=strict, window=window, turned_away=gone.covers)
        return read(
            source,
            mapping=planning.field_mapping(self.policy),
            unit=self.policy.unit,
            limits=limits,
            pseudonyms=pseudonyms,
            report=report,
        )

    def _batches(self) -> Iterator[Extracts]:
        if self._raw.segments():
            raise InputError("sealed conversations still wait: run `sfumato extract` first")
        self._breaks.check_extraction()
        try:
            key = self._ports.epoch_keys.open(self._scope.dataset, self._part, "derived")
        except KeyMissing:
            raise InputError(
                f"nothing to release for {self._scope.dataset} {self.epoch}: run `sfumato ingest` and `extract` first"
            ) from None
        return DerivedStore(self._derived, key).batches()

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
        if self._ports.publish is not None:
            self._ports.publish(_id(canonical), canonical)
        kept = decide.keep(self.policy.retention, data="derived", age=timedelta(0), used=True).allowed
        if not kept and self._derived.exists():
            self._ports.epoch_keys.destroy(self._scope.dataset, self._part, "derived")
            durable.remove(self._derived.iterdir(), inside=self._derived)

    def _now(self) -> str:
        return self._ports.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _id(canonical: bytes) -> str:
    """The id that a release carries."""
    return strict_json.Node(strict_json.loads(canonical)["id"], "id").text()


def _obey(decision: Decision) -> None:
    if not decision.allowed:
        raise Refused(f"{decision.rule}: {decision.reason}")
