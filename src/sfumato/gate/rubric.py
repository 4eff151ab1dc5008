"""The rubric document: by which rules, on which scale, with which detectors a string is judged; its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

import rfc8785
from pydantic import Field, StringConstraints, ValidationError, model_validator

from sfumato.errors import PolicyError
from sfumato.gate.detectors import battery
from sfumato.policy import source as text_source
from sfumato.policy.advice import refusal
from sfumato.policy.load import builtin_path
from sfumato.policy.schema_base import Name, Section

RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,47}$")]
Plain = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Rating = Annotated[int, Field(ge=1, le=5)]
DEFAULT = "audit/no_individuals.yaml"


class RubricMetadata(Section):
    """What the rubric is for."""

    name: Name
    description: Annotated[str, StringConstraints(max_length=2000)] = ""


class Rule(Section):
    """One rule in plain language. A denial by a model names it."""

    id: RuleId
    text: Plain


class Example(Section):
    """A string of our own, the rating it deserves, and the rule it breaks if it breaks one."""

    text: Plain
    rating: Rating
    rule: RuleId | None = None


class Rubric(Section):
    """One rubric, checked. scale: the meaning of the ratings 1 to 5, in this order.

    detectors: `all`, or the ids of those that are asked. presidio: ask that recogniser for names as well (an extra).
    """

    apiVersion: Literal["sfumato/v1"]  # noqa: N815 - the document's own spelling
    kind: Literal["AuditRubric"]
    metadata: RubricMetadata
    detectors: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all"
    presidio: bool = False
    minimum: Rating = 4
    scale: Annotated[tuple[Plain, ...], Field(min_length=5, max_length=5)]
    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=30)]
    examples: Annotated[tuple[Example, ...], Field(max_length=60)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) != len(ids):
            raise ValueError("rules: two rules have the same id")
        unknown = self.asked - battery.RULES
        if unknown:
            raise ValueError(f"detectors: there is no {min(unknown)}; there are {', '.join(sorted(battery.RULES))}")
        for example in self.examples:
            if example.rule is not None and example.rule not in ids:
                raise ValueError("examples: one names a rule that the rubric does not have")
            if (example.rating < self.minimum) != (example.rule is not None):
                raise ValueError("examples: one under the minimum must name its rule, and only such a one may")
        return self

    @property
    def asked(self) -> frozenset[str]:
        """Ids of the detectors that are asked."""
        return battery.RULES if self.detectors == "all" else frozenset(self.detectors)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the RFC 8785 canonical form."""
        return hashlib.sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()


def load(name: str, *, folder: Path | None = None) -> Rubric:
    """The rubric in a file (its path taken from `folder`), or the built-in one of that name.

    Raises:
        PolicyError: there is none, it is not YAML, repeats a key, or breaks the schema.
    """
    path = (folder or Path()) / name
    if not path.is_file():
        path = builtin_path(name.removesuffix(".yaml"))
        if not path.resolve().is_relative_to(builtin_path("x").resolve().parent) or not path.is_file():
            shown = text_source.shown(name)
            raise PolicyError(f"{shown}: no such rubric; give the path of a file, or {DEFAULT}")
    return _checked(text_source.read(path))


def parse(text: str, *, source: str = "rubric") -> Rubric:
    """The rubric in a string. Raises PolicyError as `load` does."""
    return _checked(text_source.document(text, source=source))


def _checked(document: text_source.Document) -> Rubric:
    if not isinstance(document.tree, dict):
        raise PolicyError(f"{document.source}: a rubric is a YAML mapping that begins with apiVersion: sfumato/v1")
    try:
        return Rubric.model_validate(document.tree)
    except ValidationError as invalid:
        raise refusal(invalid, document, document.tree, Rubric) from None
