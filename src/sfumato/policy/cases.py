"""`*.cases.yaml`: facts and the decision a policy must take on them, read strictly and run against the policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from sfumato.errors import PolicyError
from sfumato.policy import decide, source
from sfumato.policy.advice import refusal
from sfumato.policy.directions import hours
from sfumato.policy.load import CASES, builtin_names, builtin_path
from sfumato.policy.schema_base import Duration, Section, Stated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sfumato.policy.decide import Decision
    from sfumato.policy.schema import Policy

Number = Annotated[float, Field(allow_inf_nan=False)]


class TopicFacts(Section):
    """A topic stands at the gate with these noisy numbers."""

    at: Literal["release_topic"]
    users: Number
    conversations: Number

    def decided(self, policy: Policy) -> Decision:
        """By the thresholds."""
        return decide.release_topic(policy.thresholds, users=self.users, conversations=self.conversations)


class CellFacts(Section):
    """A facet's value stands at the gate with this noisy number, and this standard deviation of its noise."""

    at: Literal["release_cell"]
    users: Number
    sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def decided(self, policy: Policy) -> Decision:
        """By the thresholds and the noise."""
        return decide.release_cell(policy.thresholds, users=self.users, sigma=self.sigma)


class ModeFacts(Section):
    """A release stands at the gate with this mode of guarantee."""

    at: Literal["release_mode"]
    mode: str

    def decided(self, policy: Policy) -> Decision:
        """By the mode that the policy demands."""
        return decide.release_mode(policy.guarantee, mode=self.mode)


class AccessFacts(Section):
    """Somebody asks over the network."""

    at: Literal["access"]
    role: str
    operation: str

    def decided(self, policy: Policy) -> Decision:
        """By what the role may do."""
        return decide.access(policy.access, role=self.role, operation=self.operation)


class QueryFacts(Section):
    """Somebody asks a live question."""

    at: Literal["query"]
    measure: str
    of: str | None = None
    by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    role: str

    def decided(self, policy: Policy) -> Decision:
        """By what may be asked."""
        return decide.query(policy, measure=self.measure, of=self.of, by=self.by, where=self.where, role=self.role)


class ExtractionFacts(Section):
    """A model, or the rules, are about to read conversations."""

    at: Literal["extraction"]
    provider: str
    model: str | None = None
    endpoint: str | None = None

    def decided(self, policy: Policy) -> Decision:
        """By the reader that the policy names."""
        return decide.extraction(policy.extraction, provider=self.provider, model=self.model, endpoint=self.endpoint)


class NamingFacts(Section):
    """Names are about to be written."""

    at: Literal["naming"]
    provider: str
    model: str | None = None
    endpoint: str | None = None
    evidence: str

    def decided(self, policy: Policy) -> Decision:
        """By the writer and the evidence that the policy names."""
        return decide.naming(
            policy.naming,
            provider=self.provider,
            model=self.model,
            endpoint=self.endpoint,
            evidence=self.evidence,
        )


class AuditingFacts(Section):
    """Strings are about to be judged."""

    at: Literal["auditing"]
    provider: str
    model: str | None = None
    endpoint: str | None = None

    def decided(self, policy: Policy) -> Decision:
        """By the auditor that the policy names."""
        return decide.auditing(policy.auditor, provider=self.provider, model=self.model, endpoint=self.endpoint)


class EndpointFacts(Section):
    """The environment says where a model is (ANTHROPIC_BASE_URL)."""

    at: Literal["endpoint"]
    of: Literal["extraction", "naming", "auditor"] = "extraction"
    environment: str | None = None

    def decided(self, policy: Policy) -> Decision:
        """By the endpoint that the policy names, or by whether it stays on the machine."""
        sections = {"extraction": policy.extraction, "naming": policy.naming, "auditor": policy.auditor}
        return decide.endpoint(sections[self.of], self.environment)


class SpendFacts(Section):
    """The models of an epoch have come to this many US dollars."""

    at: Literal["spend"]
    usd: Number

    def decided(self, policy: Policy) -> Decision:
        """By the cap."""
        return decide.spend(policy.spend, usd=Decimal(repr(self.usd)))


class RecordFacts(Section):
    """A record comes in."""

    at: Literal["ingest_record"]
    user_id: bool

    def decided(self, policy: Policy) -> Decision:
        """By the unit."""
        return decide.ingest_record(policy.unit, has_user=self.user_id)


class AttributeFacts(Section):
    """A record brings an attribute."""

    at: Literal["ingest_attribute"]
    attribute: str

    def decided(self, policy: Policy) -> Decision:
        """By the facets."""
        return decide.ingest_attribute(policy, attribute=self.attribute)


class RetentionFacts(Section):
    """Sealed data has this age. used: raw text was extracted, or extracts were released."""

    at: Literal["retention"]
    data: Literal["raw", "derived"]
    age: Duration
    used: bool = False

    def decided(self, policy: Policy) -> Decision:
        """By the limits of what may be kept."""
        age = timedelta(hours=hours(self.age))
        return decide.keep(policy.retention, data=self.data, age=age, used=self.used)


class CustodyFacts(Section):
    """The key of raw text is here. elsewhere: another process would have to hold it."""

    at: Literal["custody"]
    kept: Literal["stored", "memory", "elsewhere"]

    def decided(self, policy: Policy) -> Decision:
        """By where the policy wants raw keys."""
        return decide.custody(policy.retention, kept=self.kept)


class ForgetFacts(Section):
    """Somebody is to be forgotten. named: whose id was given."""

    at: Literal["forget"]
    named: Literal["user", "conversation"]

    def decided(self, policy: Policy) -> Decision:
        """By the unit."""
        return decide.forget(policy.unit, named=self.named)


Facts = Annotated[
    TopicFacts
    | CellFacts
    | ModeFacts
    | AccessFacts
    | QueryFacts
    | ExtractionFacts
    | NamingFacts
    | AuditingFacts
    | EndpointFacts
    | SpendFacts
    | RecordFacts
    | AttributeFacts
    | RetentionFacts
    | CustodyFacts
    | ForgetFacts,
    Field(discriminator="at"),
]


class Expected(Section):
    """What the policy must decide, and by which of its fields."""

    decision: Literal["allow", "deny"]
    rule: str


class Case(Section):
    """One line of a policy's own test."""

    name: Stated
    given: Facts
    expect: Expected


class _File(Section):
    cases: Annotated[tuple[Case, ...], Field(max_length=500)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case."""

    case: Case
    decision: Decision

    @property
    def passed(self) -> bool:
        """The decision and the rule are the expected ones."""
        expected = self.case.expect
        return self.decision.allowed == (expected.decision == "allow") and self.decision.rule == expected.rule


def read(path: Path) -> tuple[Case, ...]:
    """The cases in a file: a list, or raises PolicyError with the place of what is wrong."""
    document = source.read(path)
    if not isinstance(document.tree, tuple) or not document.tree:
        raise PolicyError(f"{document.source}: cases are a YAML list of name, given and expect")
    places = {("cases", *field): place for field, place in document.places.items()}
    whole = source.Document(source=document.source, tree={"cases": document.tree}, places=places)
    try:
        return _File.model_validate(whole.tree).cases
    except ValidationError as invalid:
        raise refusal(invalid, whole, whole.tree, _File) from None


def run(policy: Policy, cases: Iterable[Case]) -> tuple[Outcome, ...]:
    """Every case with the decision the policy takes."""
    return tuple(Outcome(case=case, decision=case.given.decided(policy)) for case in cases)


def found(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """(policy, its cases) for policy files, case files, and folders that hold them; without paths, the built-in ones.

    Raises:
        PolicyError: a policy has no cases beside it, or a path holds none.
    """
    asked = [_meant(path) for path in paths] or [builtin_path(name) for name in builtin_names()]
    for path in asked:
        files = sorted(path.glob(f"*{CASES}")) if path.is_dir() else [path]
        if not files:
            raise PolicyError(f"{path}: no *{CASES} here")
        for file in files:
            policy, cases = _pair(file)
            if not policy.is_file():
                raise PolicyError(f"{policy}: can't read the policy (no such file); give its path")
            if not cases.is_file():
                raise PolicyError(f"{policy}: no cases beside it; write {cases.name}")
            yield policy, cases


def _meant(path: Path) -> Path:
    """The path, or where nothing is there, the built-in policy of that name."""
    return builtin_path(str(path)) if str(path) in builtin_names() and not path.exists() else path


def _pair(file: Path) -> tuple[Path, Path]:
    if file.name.endswith(CASES):
        return file.with_name(file.name.removesuffix(CASES) + ".yaml"), file
    return file, file.with_name(file.stem + CASES)
