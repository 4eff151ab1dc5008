"""Bad sense in what a policy says of models: who reads, who names, who judges, and what that may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.policy.directions import WITHOUT_MODEL, hours
from sfumato.policy.finding import error, warning
from sfumato.policy.schema_models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sfumato.policy.figures import Forecast
    from sfumato.policy.finding import Circumstances, Finding
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_facets import TaxonomySection
    from sfumato.policy.schema_models import Asked, Auditor, Extraction, Naming

BATCH_HOURS = 24  # a batch is answered within a day
LEAST_WINDOW = 2_000  # characters: about a page


def asked(policy: Policy) -> Mapping[str, Asked]:
    """The sections under which a model is asked."""
    sections: dict[str, Extraction | Naming | Auditor] = {
        "extraction": policy.extraction,
        "naming": policy.naming,
        "auditor": policy.auditor,
    }
    return {name: section for name, section in sections.items() if section.provider != WITHOUT_MODEL[name]}


def taxonomies(policy: Policy) -> Mapping[str, TaxonomySection]:
    """Every declared taxonomy, by the field that declares it."""
    found = {f"facets.{facet.name}": facet.taxonomy for facet in policy.facets} | {"topics": policy.topics.taxonomy}
    return {f"{place}.taxonomy": taxonomy for place, taxonomy in found.items() if taxonomy is not None}


def guarded(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    """Names that rest on no theorem."""
    if policy.guarantee.mode == "guarded":
        told = "what topics there are and what they are called carries no formal guarantee, only the counts do"
        yield warning("names-without-guarantee", "guarantee.mode", f"{told}; use formal where that is needed")


def money(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    """A bill without an end. A model on this machine sends none."""
    paid = [name for name, section in asked(policy).items() if not is_loopback(section.base_url or "")]
    if paid and policy.spend.usd_per_epoch is None:
        told = f"{' and '.join(paid)} may cost any sum; state what an epoch may cost"
        yield warning("no-spend-cap", "spend.usd_per_epoch", told)


def endpoints(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    """In clear, if only on this machine."""
    for name, section in asked(policy).items():
        if section.base_url is not None and section.base_url.startswith("http:"):
            told = "whatever listens on that port of this machine is believed to be the model, and reads what is sent"
            yield warning("endpoint-in-clear", f"{name}.base_url", f"{told}; fine for trying, else use https")


def auditor(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    """What fools a model that writes fools the same model that judges."""
    if policy.auditor.model is not None and policy.auditor.model == policy.naming.model:
        told = "the model that writes the names judges them too: what fools it once fools it twice"
        yield warning("auditor-is-namer", "auditor.model", f"{told}; name another")


def pinned(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    """A tree that somebody may change."""
    for place, taxonomy in taxonomies(policy).items():
        if taxonomy.sha256 is None:
            told = "who changes the file changes what is published, under the same policy digest"
            yield warning("taxonomy-not-pinned", place, f"{told}; state its sha256")


def reading(policy: Policy, _: Forecast, __: Circumstances) -> Iterator[Finding]:
    """How much a model reads, where, and for how long its text must wait."""
    section, kept = policy.extraction, policy.retention
    if "extraction" not in asked(policy):
        return
    if section.window < LEAST_WINDOW:
        told = f"of a conversation the model reads {section.window} characters: most are cut in the middle"
        yield warning("window-small", "extraction.window", told)
    if section.batch and section.region is not None:
        told = "a region says where a model runs; where the vendor stores a batch until then, its terms say"
        yield warning("batch-outside-region", "extraction.batch", told)
    if hours(kept.raw_ttl) < BATCH_HOURS:
        rule, field = "raw-shorter-than-batch", "retention.raw_ttl"
        if section.batch:
            told = f"after {kept.raw_ttl} raw text is gone, and a batch may take {BATCH_HOURS}h to be answered"
            yield error(rule, field, f"{told}; raise it to {BATCH_HOURS}h or more")
        else:
            told = f"after {kept.raw_ttl} raw text is gone: an endpoint that is away so long loses the epoch"
            yield warning(rule, field, f"{told}; {BATCH_HOURS}h is safer")


RULES = (guarded, money, endpoints, auditor, pinned, reading)
