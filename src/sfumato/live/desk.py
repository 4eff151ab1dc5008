"""One question after another: read, decided, looked up, charged, measured, and only then answered."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from sfumato.audit.event import utc
from sfumato.errors import BudgetExhausted, InputError, NoiseFailure, Refused
from sfumato.live import answer, design, measure
from sfumato.live.left import Left, exhausted
from sfumato.live.record import Reading, Record
from sfumato.model.private import Private
from sfumato.model.question import QUOTE, TOPIC
from sfumato.model.strict_json import dumps, loads
from sfumato.policy import decide
from sfumato.policy.load import digest
from sfumato.privacy.measure import Measurer
from sfumato.privacy.noise import OpenDPNoise

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sfumato.audit.event import Event, Role
    from sfumato.live.columns import Columns
    from sfumato.live.design import Design
    from sfumato.live.frame import Frame
    from sfumato.live.shelf import Shelf
    from sfumato.live.terms import Terms
    from sfumato.model.question import Ask, Question
    from sfumato.model.strict_json import Json, JsonObject
    from sfumato.policy.schema import Policy
    from sfumato.privacy.ledger import Ledger

Outcome = Literal["answer", "quote", "exhausted", "busy", "malformed", "failed"]
MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back over the socket: canonical JSON."""

    outcome: Outcome
    body: bytes = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a desk needs from outside. noise: opened when it is first needed, and again after it has failed.

    log: takes an event of the audit log; raises StorageError where that is not on disk.
    """

    ledger: Ledger
    noise: Callable[[], OpenDPNoise]
    now: Callable[[], datetime]
    log: Callable[[Event], object]


class Desk(Private):
    """Answers from one deployment's extracts under one policy. Use as a context manager.

    terms: of a dataset's epoch; raises InputError for an epoch that the policy does not have.
    """

    def __init__(self, policy: Policy, *, terms: Callable[[str, str], Terms], shelf: Shelf, ports: Ports) -> None:
        self._policy = policy
        self._terms = terms
        self._shelf = shelf
        self._ledger = ports.ledger
        self._noise = ports.noise
        self._now = ports.now
        self._log = ports.log
        self._digest = digest(policy)
        self._open = ExitStack()
        self._source: OpenDPNoise | None = None
        self._turn = threading.Lock()
        self._asked: dict[str, deque[float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def warm(self) -> None:
        """Read every epoch's extracts and start the noise, so that no question's time tells how many there are.

        Raises:
            VaultError: a file is truncated or altered. StorageError: one can't be read. NoiseFailure: no noise.
        """
        with self._turn:
            self._drawing()
            for dataset, epoch in self._shelf.epochs():
                terms = self._terms(dataset, epoch)
                found = self._shelf.frame(terms, None)
                if found is not None:
                    self._shelf.columns(terms, found.assignment)

    def reply(self, ask: Ask, *, analyst: str, role: Role) -> Reply:
        """What is said to a question; epoch by epoch, each charged by itself.

        Raises:
            SfumatoError: it could not be answered; what was charged for it stays spent.
        """
        with self._turn:
            record = Record(self._log, self._now, analyst=analyst, role=role, policy=self._digest)
            if not self._paced(analyst):
                record.denied(None, "queries.most_per_minute")
                return Reply(outcome="busy")
            readings = [self._read(ask, epoch, role) for epoch in ask.epochs]
            if ask.dry_run:
                return Reply(outcome="quote", body=self._quotes(readings, analyst, record))
            try:
                answers = [self._answer(one, ask.dataset, analyst, record) for one in readings]
            except BudgetExhausted:
                return Reply(outcome="exhausted", body=dumps(self._exhausted(readings, analyst)))
            except Refused:
                return Reply(outcome="busy")  # another worker is at the same question
            most = sum(answer.widest(one.question or one.asked, one.design, one.terms) for one in readings)
            return Reply(outcome="answer", body=answer.together(answers, widest=most))

    def _read(self, ask: Ask, epoch: str, role: str) -> Reading:
        """What is asked, and whether it may be; nothing private is looked at."""
        asked = ask.question
        names = [one.field for one in asked.where]
        decision = decide.query(self._policy, measure=asked.measure, of=asked.of, by=asked.by, where=names, role=role)
        try:
            terms = self._terms(ask.dataset, epoch)
        except InputError:
            return Reading(asked=asked, epoch=epoch, decision=decision)
        found = self._shelf.frame(terms, asked.release)
        if found is None:
            return Reading(asked=asked, epoch=epoch, decision=decision)
        cells = design.design(asked, found, terms) if found.axes(asked) is not None else None
        question = found.read(asked) if cells is not None else None
        return Reading(
            asked=asked, epoch=epoch, decision=decision, terms=terms, frame=found, question=question, design=cells
        )

    def _answer(self, one: Reading, dataset: str, analyst: str, record: Record) -> JsonObject:
        terms, frame, question = one.terms, one.frame, one.question
        if not one.decision.allowed or terms is None or frame is None or question is None or one.design is None:
            record.denied(one, one.rule)
            return answer.withheld(dataset, one.epoch, one.design)
        stored = self._ledger.answer_to(terms.digest(question))
        if stored is not None:
            record.done(one, "ledger.stored")
            return loads(stored.encode())
        charge = terms.charge(terms.digest(question), analyst=analyst, created=utc(self._now()))
        try:
            self._ledger.check(charge, terms.caps)
            columns = self._shelf.columns(terms, frame.assignment)
            if columns is None:
                record.denied(one, "retention.derived")
                return answer.withheld(dataset, one.epoch, one.design)
            noise = self._drawing()
            reservation = self._ledger.reserve(charge, terms.caps)
        except BudgetExhausted:
            record.denied(one, "guarantee.budget")
            raise
        try:
            record.done(one, "ledger.reserved")  # before noise: what can't be recorded is not drawn
            found = self._measured(terms, frame, question, one.design, columns=columns, noise=noise)
            record.done(one, "ledger.released", charged=True)
            self._ledger.released(reservation, dumps(found).decode())
        except BaseException:
            self._ledger.burned(reservation)
            record.done(one, "ledger.burned", charged=True)
            raise
        return found

    def _measured(
        self,
        terms: Terms,
        frame: Frame,
        question: Question,
        made: Design,
        *,
        columns: Columns,
        noise: OpenDPNoise,
    ) -> JsonObject:
        """The answer; from here on the charge is spent whatever happens."""
        measurer = Measurer(noise, rho=terms.rho, delta=0)
        users, other = measure.measured(columns, question, frame, design=made, measurer=measurer)
        shown = answer.cells(made, users, other, self._policy.thresholds)
        return answer.answered(question, made, terms, digest=terms.digest(question), shown=shown)

    def _drawing(self) -> OpenDPNoise:
        """OpenDP's noise, and no other, seen to work before anything is charged.

        Raises:
            NoiseFailure: it does not, or it is another source, with which nothing may be answered.
        """
        if self._source is not None:
            try:
                self._source.gaussian(np.zeros(1, np.int64), 1.0)
            except NoiseFailure:
                self._open.close()
                self._source = None
        if self._source is None:
            self._source = self._open.enter_context(self._noise())
        if type(self._source) is not OpenDPNoise:
            raise NoiseFailure("only OpenDP's noise may be answered with; nothing was charged")
        return self._source

    def _quotes(self, readings: list[Reading], analyst: str, record: Record) -> bytes:
        for one in readings:
            record.quoted(one)
        quotes: list[Json] = [self._quote(one, analyst) for one in readings]
        return dumps({"format": QUOTE, "quotes": quotes})

    def _quote(self, one: Reading, analyst: str) -> JsonObject:
        """What answering would cost now, and how exact it would be. Only public values and the ledger are read."""
        said: JsonObject = {
            "epoch": one.epoch,
            "allowed": one.decision.allowed,
            "rule": one.decision.rule,
            "reason": one.decision.reason,
        }
        nothing: JsonObject = {"digest": None, "charge": {"epsilon": 0.0, "delta": 0.0, "rho": 0.0}, "noise": {}}
        if not one.decision.allowed or one.terms is None or one.question is None or one.design is None:
            if one.decision.allowed:
                said |= {"allowed": False, "rule": one.rule, "reason": _unknown(one)}
            return said | nothing | {"left": None}
        name = one.terms.digest(one.question)
        noise = answer.expected(one.design, self._policy.thresholds)
        charge = answer.price(one.terms) if self._ledger.answer_to(name) is None else nothing["charge"]
        left = Left.of(self._ledger, one.terms, analyst)
        return said | {"digest": name, "charge": charge, "noise": noise, "left": left.document()}

    def _exhausted(self, readings: list[Reading], analyst: str) -> JsonObject:
        return exhausted([one.terms for one in readings if one.terms is not None], self._ledger, analyst)

    def _paced(self, analyst: str) -> bool:
        """Whether an API key has asked no more than the policy lets it within the last minute."""
        moment = self._now().timestamp()
        times = self._asked.setdefault(analyst, deque())
        while times and times[0] <= moment - MINUTE:
            times.popleft()
        if len(times) >= self._policy.queries.most_per_minute:
            return False
        times.append(moment)
        return True


def _unknown(one: Reading) -> str:
    """Why a question that the policy would allow can't be answered; of public facts alone."""
    if one.frame is None:
        return "there is no such released epoch, or its release is not the one asked for"
    if TOPIC in one.asked.by and one.frame.assignment is None:
        return "the release has no topics that can be asked about"
    if one.design is None:
        return f"a breakdown is unknown, or the question has more than {design.MOST_CELLS:,} cells"
    return "a filter names a value that is not in its domain, or the facet has no mean"
