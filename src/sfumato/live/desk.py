"""One question after another: read, decided, looked up, charged, measured, and only then answered."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from sfumato.errors import BudgetExhausted, InputError, NoiseFailure, Refused
from sfumato.live import answer, design, measure
from sfumato.live.left import Left, exhausted
from sfumato.model.private import Private
from sfumato.model.question import QUOTE, TOPIC
from sfumato.model.strict_json import dumps, loads
from sfumato.policy import decide
from sfumato.privacy.measure import Measurer
from sfumato.privacy.noise import OpenDPNoise

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sfumato.live.design import Design
    from sfumato.live.frame import Frame
    from sfumato.live.shelf import Shelf
    from sfumato.live.terms import Terms
    from sfumato.model.question import Ask, Question
    from sfumato.model.strict_json import Json, JsonObject
    from sfumato.policy.decide import Decision
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
class _Reading:
    """A question as it stands for one epoch. question: None where it names something that is not there.

    design: of what was asked, as far as that is known; terms: None where the epoch itself is unknown.
    """

    asked: Question
    epoch: str
    decision: Decision
    terms: Terms | None = None
    frame: Frame | None = None
    question: Question | None = None
    design: Design | None = None


class Desk(Private):
    """Answers from one deployment's extracts under one policy. Use as a context manager.

    terms: of a dataset's epoch; raises InputError for an epoch that the policy does not have. noise: opened when it is
    first needed, and again after it has failed.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        terms: Callable[[str, str], Terms],
        shelf: Shelf,
        ledger: Ledger,
        noise: Callable[[], OpenDPNoise],
        now: Callable[[], datetime],
    ) -> None:
        self._policy = policy
        self._terms = terms
        self._shelf = shelf
        self._ledger = ledger
        self._noise = noise
        self._now = now
        self._open = ExitStack()
        self._source: OpenDPNoise | None = None
        self._turn = threading.Lock()
        self._asked: dict[str, deque[float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def reply(self, ask: Ask, *, analyst: str, role: str) -> Reply:
        """What is said to a question; epoch by epoch, each charged by itself.

        Raises:
            SfumatoError: it could not be answered; what was charged for it stays spent.
        """
        with self._turn:
            if not self._paced(analyst):
                return Reply(outcome="busy")
            readings = [self._read(ask, epoch, role) for epoch in ask.epochs]
            if ask.dry_run:
                return Reply(outcome="quote", body=self._quotes(readings, analyst))
            try:
                answers = [self._answer(one, ask.dataset, analyst) for one in readings]
            except BudgetExhausted:
                return Reply(outcome="exhausted", body=dumps(self._exhausted(readings, analyst)))
            except Refused:
                return Reply(outcome="busy")  # another worker is at the same question
            most = sum(answer.widest(one.question or one.asked, one.design, one.terms) for one in readings)
            return Reply(outcome="answer", body=answer.together(answers, widest=most))

    def _read(self, ask: Ask, epoch: str, role: str) -> _Reading:
        """What is asked, and whether it may be; nothing private is looked at."""
        asked = ask.question
        names = [one.field for one in asked.where]
        decision = decide.query(self._policy, measure=asked.measure, of=asked.of, by=asked.by, where=names, role=role)
        try:
            terms = self._terms(ask.dataset, epoch)
        except InputError:
            return _Reading(asked=asked, epoch=epoch, decision=decision)
        found = self._shelf.frame(terms, asked.release)
        if found is None:
            return _Reading(asked=asked, epoch=epoch, decision=decision)
        cells = design.design(asked, found, terms) if found.axes(asked) is not None else None
        question = found.read(asked) if cells is not None else None
        return _Reading(
            asked=asked, epoch=epoch, decision=decision, terms=terms, frame=found, question=question, design=cells
        )

    def _answer(self, one: _Reading, dataset: str, analyst: str) -> JsonObject:
        terms, frame, question = one.terms, one.frame, one.question
        nothing = answer.withheld(dataset, one.epoch, one.design)
        if not one.decision.allowed or terms is None or frame is None or question is None or one.design is None:
            return nothing
        digest = terms.digest(question)
        stored = self._ledger.answer_to(digest)
        if stored is not None:
            return loads(stored.encode())
        charge = terms.charge(digest, analyst=analyst, created=self._created())
        self._ledger.check(charge, terms.caps)
        columns = self._shelf.columns(terms, frame.assignment if question.asks_topics else None)
        if columns is None:
            return nothing
        noise = self._drawing()
        reservation = self._ledger.reserve(charge, terms.caps)
        try:
            measurer = Measurer(noise, rho=terms.rho, delta=0)
            users, other = measure.measured(columns, question, frame, design=one.design, measurer=measurer)
            shown = answer.cells(one.design, users, other, self._policy.thresholds)
            found = answer.answered(question, one.design, terms, digest=digest, shown=shown)
            self._ledger.released(reservation, dumps(found).decode())
        except BaseException:
            self._ledger.burned(reservation)
            raise
        return found

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

    def _quotes(self, readings: list[_Reading], analyst: str) -> bytes:
        quotes: list[Json] = [self._quote(one, analyst) for one in readings]
        return dumps({"format": QUOTE, "quotes": quotes})

    def _quote(self, one: _Reading, analyst: str) -> JsonObject:
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
                said |= {"allowed": False, "rule": "unknown", "reason": _unknown(one)}
            return said | nothing | {"left": None}
        digest = one.terms.digest(one.question)
        noise = answer.expected(one.design, self._policy.thresholds)
        charge = answer.price(one.terms) if self._ledger.answer_to(digest) is None else nothing["charge"]
        left = Left.of(self._ledger, one.terms, analyst)
        return said | {"digest": digest, "charge": charge, "noise": noise, "left": left.document()}

    def _exhausted(self, readings: list[_Reading], analyst: str) -> JsonObject:
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

    def _created(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _unknown(one: _Reading) -> str:
    """Why a question that the policy would allow can't be answered; of public facts alone."""
    if one.frame is None:
        return "there is no such released epoch, or its release is not the one asked for"
    if TOPIC in one.asked.by and one.frame.assignment is None:
        return "the release has no topics that can be asked about"
    if one.design is None:
        return f"a breakdown is unknown, or the question has more than {design.MOST_CELLS:,} cells"
    return "a filter names a value that is not in its domain, or the facet has no mean"
