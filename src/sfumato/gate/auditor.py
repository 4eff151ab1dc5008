"""The auditor: every string that could be published, judged in one batch; detectors first, then perhaps a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.gate import presidio, second_reader
from sfumato.gate import rubric as rubrics
from sfumato.gate.detectors import battery
from sfumato.gate.detectors.detector import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfumato.gate.detectors.detector import Detector
    from sfumato.gate.rubric import Rubric
    from sfumato.model.prompt import Model, Reply

OnDenial = Literal["coarser", "drop"]
BROKEN = "detector.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a string may be published; `rule` is what denied it, as `detector.phone` or `model.rating`."""

    rule: str | None

    @property
    def allowed(self) -> bool:
        return self.rule is None


class Auditor:
    """Judges strings by a rubric. Every layer must let a string pass; whatever goes wrong denies.

    model: asked about what the detectors let pass; None asks detectors only. minimum: the rating a string needs,
    instead of the rubric's. on_denial: what the door does with a denied name or description: `coarser` puts what is
    left in its place, `drop` leaves the topic out.

    Raises:
        ModelUnavailable: the rubric asks for presidio, which is not installed.
    """

    def __init__(
        self,
        rubric: Rubric | None = None,
        *,
        model: Model | None = None,
        minimum: int | None = None,
        on_denial: OnDenial = "coarser",
    ) -> None:
        self.rubric = rubric or rubrics.load(rubrics.DEFAULT)
        self.minimum = self.rubric.minimum if minimum is None else minimum
        self.on_denial: OnDenial = on_denial
        self._model = model
        self._extra: tuple[Detector, ...] = (presidio.detector(),) if self.rubric.presidio else ()

    @property
    def statement(self) -> str:
        """Which rubric judged, by name and digest, and which layers: for the audit trail of the release."""
        layers = "detectors" + ("" if self._model is None else f" and model, minimum {self.minimum}")
        return f"rubric {self.rubric.metadata.name} sha256:{self.rubric.digest}, {layers}"

    def judge(self, texts: Sequence[str]) -> tuple[Judgement, ...]:
        """One judgement for each string, in order. Never raises: what can't be judged is denied."""
        rules = {text: self._detected(text) for text in dict.fromkeys(texts)}
        left = [text for text, rule in rules.items() if rule is None and text.strip()]
        if self._model is not None and left:
            rules |= dict(zip(left, self._read(self._model, left), strict=True))
        return tuple(Judgement(rule=rules[text]) for text in texts)

    def _detected(self, text: str) -> str | None:
        try:
            rule = battery.judge(text, rules=self.rubric.asked)
            if rule is None and self._extra:
                plain = folded(text)
                rule = next((one.rule for one in self._extra if one.finds(plain)), None)
        except Exception:  # noqa: BLE001 - a detector that breaks on a string has not let it pass; its message may quote it
            return BROKEN
        return None if rule is None else f"detector.{rule}"

    def _read(self, model: Model, texts: Sequence[str]) -> list[str | None]:
        """The model's rules for these strings, one `complete` for all of them."""
        system = second_reader.instructions(self.rubric)
        prompts = [second_reader.prompt_for(text, self.rubric, system=system) for text in texts]
        try:
            replies: Sequence[Reply] = model.complete(prompts)
            if len(replies) != len(prompts):
                return [second_reader.FAILED] * len(texts)
            return [second_reader.verdict(reply, self.rubric, minimum=self.minimum) for reply in replies]
        except Exception:  # noqa: BLE001 - time-out, refusal, broken endpoint: nothing is published unread
            return [second_reader.FAILED] * len(texts)
