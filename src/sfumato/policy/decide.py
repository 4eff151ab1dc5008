"""The decisions of a policy: facts in; a verdict, the rule that made it and the reason out. Pure, and nowhere else.

A rule is named by the field of the policy that decides; whoever obeys a decision need know nothing else of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from sfumato.policy.directions import hours

if TYPE_CHECKING:
    from sfumato.policy.schema import Access, Extraction, GuaranteeSection, Policy, Retention, Thresholds

NOISE_FLOOR = 3.0  # standard deviations


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


def extraction(section: Extraction, *, provider: str) -> Decision:
    """Whether this provider may read conversations."""
    if provider != section.provider:
        return _deny("extraction.provider", f"only {section.provider} may read conversations")
    return _allow("extraction.provider", "the provider is the one the policy names")


def ingest_record(policy: Policy, *, has_user: bool) -> Decision:
    """Whether a record may be taken in: where users are protected, one that names no user can't be bounded."""
    if policy.unit == "user" and not has_user:
        return _deny("unit", "the unit is the user, and the record names none")
    return _allow("unit", f"the {policy.unit} whose presence is hidden is known")


def ingest_attribute(policy: Policy, *, attribute: str) -> Decision:
    """Whether an attribute of a record may be read; what no facet declares is dropped at the door."""
    read = {facet.attribute or facet.name for facet in policy.facets if not facet.is_computed}
    if attribute not in read:
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


def _within(rule: str, limit: str, age: timedelta) -> Decision:
    if age > timedelta(hours=hours(limit)):
        return _deny(rule, f"older than {limit}")
    return _allow(rule, f"not older than {limit}")


def _allow(rule: str, reason: str) -> Decision:
    return Decision(allowed=True, rule=rule, reason=reason)


def _deny(rule: str, reason: str) -> Decision:
    return Decision(allowed=False, rule=rule, reason=reason)
