"""The decisions of a policy: facts in; a verdict, the rule that made it and the reason out. Pure, and nowhere else.

A rule is named by the field of the policy that decides; whoever obeys a decision need know nothing else of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from sfumato.policy.directions import ANTHROPIC, hours
from sfumato.policy.schema_models import address, is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection

    from sfumato.model.guarantee import Unit
    from sfumato.policy.schema import Access, GuaranteeSection, Policy, Retention, Thresholds
    from sfumato.policy.schema_models import Asked, Auditor, Extraction, Naming, Spend

NOISE_FLOOR = 3.0  # standard deviations
AVERAGED = ("scale", "number")  # kinds of facets whose values are numbers within a range
ENDPOINT_VARIABLE = "ANTHROPIC_BASE_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Allow or deny; `rule` is the field of the policy that decided, `reason` one line without any user's data."""

    allowed: bool
    rule: str
    reason: str


def release_topic(limits: Thresholds, *, users: float, conversations: float) -> Decision:
    """Whether a topic with these noisy numbers may be published."""
    if not users >= limits.min_users:
        return _deny("thresholds.min_users", f"fewer than {limits.min_users} users, by the noisy count")
    if not conversations >= limits.min_conversations:
        floor = limits.min_conversations
        return _deny("thresholds.min_conversations", f"fewer than {floor} conversations, by the noisy count")
    return _allow("thresholds.min_users", "both noisy counts reach their thresholds")


def release_cell(limits: Thresholds, *, users: float, sigma: float) -> Decision:
    """Whether the number of a facet's value, or of a phrase within a topic, may be shown, given its noise.

    Of the many cells that nobody is in, some look large: under three standard deviations a number says nothing.
    """
    if not users >= NOISE_FLOOR * sigma:
        return _deny("noise", "the number does not stand out of its own noise")
    if not users >= limits.min_users:
        return _deny("thresholds.min_users", f"fewer than {limits.min_users} users, by the noisy count")
    return _allow("thresholds.min_users", "the noisy count reaches the threshold")


def release_mode(guarantee: GuaranteeSection, *, mode: str) -> Decision:
    """Whether a release made under this mode of guarantee may leave."""
    if mode != guarantee.mode:
        return _deny("guarantee.mode", f"the policy demands a {guarantee.mode} guarantee")
    return _allow("guarantee.mode", "the guarantee is the one the policy demands")


def access(roles: Access, *, role: str, operation: str) -> Decision:
    """Whether a holder of this role may do this over the network. A role that is not named may do nothing."""
    granted = getattr(roles, role, ()) if role in type(roles).model_fields else None
    if granted is None:
        return _deny("access", "the policy knows no such role")
    if operation not in granted:
        return _deny(f"access.{role}", "the role may not do this")
    return _allow(f"access.{role}", "the role may do this")


def extraction(section: Extraction, *, provider: str, model: str | None, endpoint: str | None) -> Decision:
    """Whether this model at this endpoint (None: Anthropic's own) may read conversations."""
    if provider != section.provider:
        return _deny("extraction.provider", f"only {section.provider} may read conversations")
    return _model("extraction", section, model=model, endpoint=endpoint)


def naming(section: Naming, *, provider: str, model: str | None, endpoint: str | None, evidence: str) -> Decision:
    """Whether this model at this endpoint may write names from this evidence."""
    if provider != section.provider:
        return _deny("naming.provider", f"only {section.provider} may give names")
    if evidence != section.evidence:
        return _deny("naming.evidence", f"names may be made of {section.evidence} only")
    return _model("naming", section, model=model, endpoint=endpoint)


def auditing(section: Auditor, *, provider: str, model: str | None, endpoint: str | None) -> Decision:
    """Whether this model at this endpoint may judge what is about to be published."""
    if provider != section.provider:
        return _deny("auditor.provider", f"only {section.provider} may judge what is published")
    return _model("auditor", section, model=model, endpoint=endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Decision):
    """Where to send what a model reads: `url`, None for Anthropic's own. Where it is denied there is none either."""

    url: str | None = None


def endpoint(section: Asked, environment: str | None) -> Endpoint:
    """The endpoint of a model, given the ANTHROPIC_BASE_URL of the environment (None or empty: not set).

    What the policy names is taken, whatever the environment says. Where it names none, the environment may point to
    this machine and nowhere else: whoever can set a variable must not be able to send conversations away.
    """
    if section.base_url is not None:
        return Endpoint(allowed=True, rule="base_url", reason="the policy names the endpoint", url=section.base_url)
    if not environment or _same(environment, ANTHROPIC):
        return Endpoint(allowed=True, rule="base_url", reason="Anthropic's own endpoint")
    if not _stays(environment):
        why = f"{ENDPOINT_VARIABLE} points away from this machine; write base_url into the policy, or unset it"
        return Endpoint(allowed=False, rule="base_url", reason=why)
    why = f"{ENDPOINT_VARIABLE} points to this machine"
    return Endpoint(allowed=True, rule="base_url", reason=why, url=environment)


def spend(section: Spend, *, usd: Decimal) -> Decision:
    """Whether the models of an epoch may come to this much money, all steps together."""
    rule = "spend.usd_per_epoch"
    if not usd.is_finite() or usd < 0:
        return _deny(rule, "what it costs is not known")
    if section.usd_per_epoch is None:
        return _allow(rule, "the policy states no limit")
    if usd > Decimal(repr(section.usd_per_epoch)):
        return _deny(rule, f"the models of one epoch may cost {section.usd_per_epoch:g} US dollars")
    return _allow(rule, "within what the models of one epoch may cost")


def query(
    policy: Policy, *, measure: str, of: str | None, by: Collection[str], where: Collection[str], role: str
) -> Decision:
    """Whether a holder of this role may ask this live question. of: the facet whose mean is asked for.

    by, where: names of what it breaks down and filters by: `topic` or facets.
    """
    section = policy.queries
    if not section.live:
        return _deny("queries.live", "the policy allows no live questions")
    allowed = access(policy.access, role=role, operation="queries")
    if not allowed.allowed:
        return allowed
    if measure not in section.measures:
        return _deny("queries.measures", "the policy does not allow this measure")
    if not {*by, *where, *(() if of is None else (of,))} <= set(section.group_by):
        return _deny("queries.group_by", "the policy does not allow this breakdown, filter or mean")
    kinds = {facet.name: facet.kind for facet in policy.facets}
    if of is not None and kinds.get(of) not in AVERAGED:
        return _deny("facets", "only a scale or a number has a mean")
    return _allow("queries.group_by", "the policy allows this question")


def ingest_record(unit: Unit, *, has_user: bool) -> Decision:
    """Whether a record may be taken in: where users are protected, one that names no user can't be bounded."""
    if unit == "user" and not has_user:
        return _deny("unit", "the unit is the user, and the record names none")
    return _allow("unit", f"the {unit} whose presence is hidden is known")


def ingest_attribute(policy: Policy, *, attribute: str) -> Decision:
    """Whether an attribute of a record may be read; what no facet declares is dropped at the door."""
    if attribute not in {facet.read_from for facet in policy.facets}:
        return _deny("facets", "no facet declares this attribute")
    return _allow("facets", "a facet declares this attribute")


def keep(retention: Retention, *, data: Literal["raw", "derived"], age: timedelta, used: bool) -> Decision:
    """Whether sealed data may go on living. `used`: raw text was extracted, or extracts were released."""
    if data == "raw":
        if used:
            return _deny("retention.raw", "raw text is discarded as soon as it is extracted")
        return _within("retention.raw_ttl", retention.raw_ttl, age)
    if used and retention.derived == "discard_after_release":
        return _deny("retention.derived", "extracts are discarded as soon as they are released")
    return _within("retention.derived_ttl", retention.derived_ttl, age)


def forget(unit: Unit, *, named: Unit) -> Decision:
    """Whether what is named can be forgotten: what is not the unit of privacy is not told apart once it is taken in."""
    if named == unit:
        return _allow("unit", f"the {unit} is told apart by a keyed hash")
    if unit == "user":
        return _deny("unit", "the unit is the user: name the user, whose conversations are all forgotten")
    return _deny("unit", "the unit is the conversation, and no user id was kept: name a conversation by its id")


def custody(retention: Retention, *, kept: Literal["stored", "memory", "elsewhere"]) -> Decision:
    """Whether the key of raw text may be where it is. elsewhere: another process would have to hold it."""
    if retention.raw_key == "stored" or kept == "memory":
        return _allow("retention.raw_key", "the key of raw text is where the policy wants it")
    if kept == "stored":
        why = "the policy wants raw keys in memory only, and one of this epoch is stored: run `sfumato extract` first"
    else:
        why = "raw keys are in the memory of one process only, which both ingests and extracts: use `sfumato run`"
    return _deny("retention.raw_key", why)


def _within(rule: str, limit: str, age: timedelta) -> Decision:
    if age > timedelta(hours=hours(limit)):
        return _deny(rule, f"older than {limit}")
    return _allow(rule, f"not older than {limit}")


def _model(name: str, section: Asked, *, model: str | None, endpoint: str | None) -> Decision:
    """Whether these are the model and the endpoint of a section; one on this machine passes where none is named."""
    if model != section.model:
        return _deny(f"{name}.model", f"the policy names another model ({section.model or 'none'})")
    here = section.base_url is None and section.model is not None and endpoint is not None and _stays(endpoint)
    if endpoint != section.base_url and not here:
        return _deny(f"{name}.base_url", "the policy names another endpoint")
    return _allow(f"{name}.provider", "provider, model and endpoint are the ones the policy names")


def _stays(url: str) -> bool:
    """Whether this is a sound address on this machine."""
    try:
        return is_loopback(address(url))
    except ValueError:
        return False


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _allow(rule: str, reason: str) -> Decision:
    return Decision(allowed=True, rule=rule, reason=reason)


def _deny(rule: str, reason: str) -> Decision:
    return Decision(allowed=False, rule=rule, reason=reason)
