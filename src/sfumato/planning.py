"""From a policy to what the gateway runs: bounds, budget, facets, field names, the question a release answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import rfc8785

from sfumato.errors import PolicyError
from sfumato.extract import facets
from sfumato.extract.form import REQUEST
from sfumato.extract.questions import Questions
from sfumato.ingest.record import FieldMapping
from sfumato.model.epochs import year_of
from sfumato.policy import decide
from sfumato.policy.load import digest
from sfumato.policy.schema_base import exact
from sfumato.privacy import accounting
from sfumato.privacy.bounds import Shape
from sfumato.privacy.ledger import Caps, Charge
from sfumato.topics import declared
from sfumato.topics.plan import TopicPlan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from sfumato.extract.facets import Facet
    from sfumato.gate.rubric import Rubric
    from sfumato.model.guarantee import Mode
    from sfumato.model.taxonomy import Taxonomy
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_facets import FacetSection, TaxonomySection
    from sfumato.privacy.accounting import Allowance

PIPELINE = 8  # raise it when the same policy would measure something else: a stored answer is for its own pipeline
TOO_SMALL = "guarantee.budget: too small for the measurements of a release; raise epsilon, delta or the release's share"
DECIDES_THE_ANSWER = frozenset(
    {
        "unit",
        "epoch",
        "guarantee",
        "contributions",
        "thresholds",
        "extraction",
        "embedding",
        "screen",
        "facets",
        "topics",
        "naming",
        "auditor",
    }
)

DECIDES_THE_EXTRACTS = frozenset({"unit", "input", "extraction", "embedding", "screen", "facets", "topics"})
HOW_FAST = {"extraction": {"concurrency", "batch"}}  # decides when an answer comes, not what it is
TOPIC = "topic"  # the path that a model walks where topics are declared

_NO_TAXONOMIES: Mapping[TaxonomySection, Taxonomy] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a policy names in files of their own, read: public trees, and the auditor's rubric (None: the built-in)."""

    taxonomies: Mapping[TaxonomySection, Taxonomy] = field(default_factory=dict)
    rubric: Rubric | None = None

    def digests(self) -> list[str]:
        """What they hold, for the question that a release answers: under one name there may be another tree later."""
        rubric = self.rubric.digest if self.rubric else ""
        return [*sorted(taxonomy.digest for taxonomy in self.taxonomies.values()), rubric]


NO_FILES = Resources()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How conversations are read. questions: asked of a model; None where words are counted by rules.

    batches: whether the provider answers in batches, hours later. keep_summaries: guarded mode writes names from them.
    """

    facets: tuple[Facet, ...]
    questions: Questions | None
    batches: bool = False
    keep_summaries: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """One release to be: its place, its question's digest, its charge (nano units), its bounds and its caps.

    facets: those that are counted. taxonomy: the declared topics, of which a conversation stands for `at_most`; None
    where they are discovered.
    """

    mode: Mode
    reading: Reading
    taxonomy: Taxonomy | None
    at_most: int
    dataset: str
    epoch: str
    question: str
    extraction_digest: str
    policy_digest: str
    unit: str
    rho: int
    delta: int
    conversion_delta: Fraction
    topics: TopicPlan
    facets: tuple[Facet, ...]
    bounds: Mapping[str, int]
    caps: Caps

    @property
    def shape(self) -> Shape:
        """The columns of the epoch's extracts, also where there is none."""
        asked = self.reading.questions.facets if self.reading.questions else self.facets
        return Shape(facets={facet.name: facet.at_most for facet in asked}, screened=self.topics.screened)

    def charge(self, *, created: str) -> Charge:
        """What the ledger is asked for."""
        return Charge(
            dataset=self.dataset,
            epoch=self.epoch,
            year=year_of(self.epoch),
            purpose="release",
            question=self.question,
            policy=self.policy_digest,
            unit=self.unit,
            rho=self.rho,
            delta=self.delta,
            created=created,
        )


def release_plan(policy: Policy, *, dataset: str, epoch: str, resources: Resources = NO_FILES) -> ReleasePlan:
    """What a release of this dataset's epoch under this policy will measure and cost.

    Raises:
        PolicyError: the budget is too small to measure anything, or a taxonomy that it names was not read.
    """
    budget, yearly = policy.guarantee.budget, policy.guarantee.yearly
    of_epoch = allowance(budget.epsilon, budget.delta)
    of_year = allowance(yearly.epsilon, yearly.delta)
    rho = int(of_epoch.rho * exact(budget.release))
    topics = topic_plan(policy, rho=rho, delta=of_epoch.selection_delta, taxonomies=resources.taxonomies)
    taxonomy, files = _declared(policy, resources.taxonomies), resources.digests()
    return ReleasePlan(
        mode=policy.guarantee.mode,
        reading=reading_of(policy, resources.taxonomies),
        taxonomy=taxonomy,
        at_most=policy.topics.at_most,
        dataset=dataset,
        epoch=epoch,
        question=_digest(
            {"kind": "release", "pipeline": PIPELINE, "dataset": dataset, "epoch": epoch, "files": files}
            | {"policy": _only(policy, DECIDES_THE_ANSWER)}
        ),
        extraction_digest=_digest(
            {"pipeline": PIPELINE, "mode": policy.guarantee.mode, "files": files}
            | {"policy": _only(policy, DECIDES_THE_EXTRACTS)}
        ),
        policy_digest=digest(policy),
        unit=policy.unit,
        rho=rho,
        delta=of_epoch.selection_delta,
        conversion_delta=of_epoch.conversion_delta,
        topics=topics,
        facets=facets_of(policy, resources.taxonomies),
        bounds=_bounds(policy, topics),
        caps=Caps(
            purpose_rho=int(of_epoch.rho * (1 - exact(budget.queries))),
            epoch_rho=of_epoch.rho,
            epoch_delta=of_epoch.selection_delta,
            yearly_rho=of_year.rho,
            yearly_delta=of_year.selection_delta,
        ),
    )


def _bounds(policy: Policy, plan: TopicPlan) -> dict[str, int]:
    """What a card says of one unit's part; phrases are counted only where topics are discovered from them."""
    counted = {"conversations": plan.conversations_per_user, "topics": plan.topics_per_user}
    if policy.topics.taxonomy is None and policy.guarantee.mode == "formal":
        counted["phrases"] = plan.phrases_per_user
    return {f"{what}_per_{policy.unit}": counted[what] for what in sorted(counted)}


def topic_plan(
    policy: Policy, *, rho: int, delta: int, taxonomies: Mapping[TaxonomySection, Taxonomy] = _NO_TAXONOMIES
) -> TopicPlan:
    """Bounds and budget of the discovery; a unit that is a conversation has one conversation, on one topic.

    Raises:
        PolicyError: the budget can't give every measurement a share; said here, before anything is charged.
    """
    bounds, alone = policy.contributions, policy.unit == "conversation"
    if rho < 1:
        raise PolicyError(TOO_SMALL)
    plan = TopicPlan(
        phrases_per_user=bounds.phrases_per_user,
        topics_per_user=policy.topics.at_most if alone else bounds.topics_per_user,
        conversations_per_user=1 if alone else bounds.conversations_per_user,
        min_users=policy.thresholds.min_users,
        rho=rho,
        delta=delta,
        leaves=policy.topics.leaves,
        overall_only=frozenset(facet.name for facet in policy.facets if facet.kind == "path"),
        screened=policy.screen is not None,
    )
    names, tree = [facet.name for facet in policy.facets], _declared(policy, taxonomies)
    try:
        if tree is not None:
            declared.charges(plan, depth=tree.depth, facets=names)
        elif policy.guarantee.mode == "guarded":
            plan.counting_charges(names)
        else:
            plan.charges(names)
    except ValueError:
        raise PolicyError(TOO_SMALL) from None
    return plan


def allowance(epsilon: float, delta: float) -> Allowance:
    """What a declared (epsilon, delta) allows.

    Raises:
        PolicyError: it allows nothing.
    """
    try:
        return accounting.allowance(exact(epsilon), exact(delta))
    except ValueError:
        raise PolicyError(TOO_SMALL) from None


def facets_of(policy: Policy, taxonomies: Mapping[TaxonomySection, Taxonomy] = _NO_TAXONOMIES) -> tuple[Facet, ...]:
    """The policy's facets as extraction computes, reads or asks them; taxonomies: those its paths walk, as read.

    Raises:
        PolicyError: a path's taxonomy is not among them.
    """
    return tuple(
        _facet(declared) if declared.taxonomy is None else _path(declared, declared.taxonomy, taxonomies)
        for declared in policy.facets
    )


def reading_of(policy: Policy, taxonomies: Mapping[TaxonomySection, Taxonomy] = _NO_TAXONOMIES) -> Reading:
    """How this policy's conversations are read."""
    return Reading(
        facets=facets_of(policy, taxonomies),
        questions=questions_of(policy, taxonomies),
        batches=policy.extraction.batch,
        keep_summaries=policy.naming.evidence == "private_summaries",
    )


def questions_of(policy: Policy, taxonomies: Mapping[TaxonomySection, Taxonomy] = _NO_TAXONOMIES) -> Questions | None:
    """What a model is asked of every conversation; None where no model reads them.

    Raises:
        PolicyError: a path's taxonomy is missing, or a facet has a name that the form itself uses.
    """
    if policy.extraction.provider == "extractive":
        return None
    asked, tree = facets_of(policy, taxonomies), _declared(policy, taxonomies)
    if tree is not None:
        about = policy.extraction.about or REQUEST
        asked = (*asked, facets.path(TOPIC, tree, ask=f"which of these is {about}", at_most=policy.topics.at_most))
    try:
        return Questions(
            facets=asked,
            about=policy.extraction.about or REQUEST,
            screen=policy.screen.ask if policy.screen is not None else None,
            window=policy.extraction.window,
        )
    except ValueError as reason:
        raise PolicyError(str(reason)) from None


def _path(declared: FacetSection, wanted: TaxonomySection, read: Mapping[TaxonomySection, Taxonomy]) -> Facet:
    return facets.path(declared.name, _taxonomy(wanted, read), ask=declared.ask or "", at_most=declared.several)


def _declared(policy: Policy, read: Mapping[TaxonomySection, Taxonomy]) -> Taxonomy | None:
    return None if policy.topics.taxonomy is None else _taxonomy(policy.topics.taxonomy, read)


def _taxonomy(wanted: TaxonomySection, read: Mapping[TaxonomySection, Taxonomy]) -> Taxonomy:
    if wanted not in read:
        raise PolicyError("a declared taxonomy was not read; read the file that the policy names first")
    return read[wanted]


def _facet(declared: FacetSection) -> Facet:
    name, ask = declared.name, declared.ask or ""
    domain = declared.domain if isinstance(declared.domain, tuple) else ()
    if declared.is_computed:
        return facets.computed(name)  # type: ignore[arg-type]  # the schema knows the same names
    match declared.kind:
        case "multi_label":
            return facets.multi_label(name, domain, ask=ask, at_most=declared.several)
        case "scale":
            lowest, highest = declared.range or (1, 1)
            return facets.scale(name, lowest, highest, ask=ask)
        case "number":
            return facets.number(name, declared.bins or (), ask=ask)
        case "yes_no":
            return facets.yes_no(name, ask=ask)
        case _:
            return facets.category(name, domain, attribute=declared.attribute, ask=declared.ask)


def field_mapping(policy: Policy) -> FieldMapping:
    """Where the policy's input section says that things stand in a record; no attribute is read that it denies.

    Decided once for each attribute: a record's others are never looked at.
    """
    names = policy.input
    asked_for = dict.fromkeys(facet.read_from for facet in policy.facets if facet.read_from is not None)
    wanted = tuple(name for name in asked_for if decide.ingest_attribute(policy, attribute=name).allowed)
    return FieldMapping(
        conversation_id=names.conversation_id,
        user_id=names.user_id,
        messages=names.messages,
        role=names.role,
        content=names.content,
        text=names.text,
        timestamp=names.timestamp,
        attributes=names.attributes,
        speaker=names.speaker,
        wanted=wanted,
    )


def _only(policy: Policy, sections: frozenset[str]) -> dict[str, Any]:
    """What decides an answer; who may read it, who owns the policy and how fast it comes do not."""
    held = policy.model_dump(mode="json", include=set(sections), exclude=HOW_FAST)
    for tree in (held["topics"]["taxonomy"], *(facet["taxonomy"] for facet in held["facets"])):
        if tree is not None:
            del tree["source"]  # what to say where the file is missing
    return held


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
