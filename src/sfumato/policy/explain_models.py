"""The sentences on models: who reads conversations, what each is asked, who writes the names and who judges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.policy.decide import ENDPOINT_VARIABLE
from sfumato.policy.lint_models import asked
from sfumato.policy.schema_models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.policy.figures import Forecast
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_facets import FacetSection, TaxonomySection
    from sfumato.policy.schema_models import Asked

OVERALL = "what the user asks for overall"


def readers(policy: Policy, _: Forecast) -> Iterator[str]:
    """Who reads conversations, where, and what stays there."""
    section = policy.extraction
    if section.provider == "extractive":
        if policy.topics.taxonomy is not None:
            yield "No language model: the first request becomes a vector, which is compared with the taxonomy's words."
            yield "A detector tells the language."
        else:
            yield "No model: words are counted by rules, and a detector tells the language."
        return
    yield (
        f"The language model {_told(section)} reads each conversation, up to {section.window:,} characters of it. "
        "No person does."
    )
    if any(one.base_url is None for one in asked(policy).values()):
        yield f"{ENDPOINT_VARIABLE} may put an endpoint on this machine in place of Anthropic's own, and no other."
    if is_loopback(section.base_url or ""):
        yield "No conversation leaves this machine."
        return
    if section.region is not None:
        yield f"It must run in the region {section.region}, as the vendor names it."
    else:
        yield "Where in the world it runs is left to the vendor: no region is stated."
    if section.batch:
        yield (
            "Conversations are sent in batches, at half the price. They lie with the vendor until they are answered, a "
            "day at most, and the answers until they are deleted there: Anthropic keeps them for up to 29 days."
        )
    yield "What else the vendor keeps, and for how long, stands in the contract with it and not in this policy."


def questions(policy: Policy, _: Forecast) -> Iterator[str]:
    """Everything that is asked of each conversation."""
    if policy.screen is not None:
        yield (
            f"First: {_quoted(policy.screen.ask)} Only conversations with the answer yes are analysed. How many "
            f"{policy.unit}s had one, and how many had another, is published as noisy counts."
        )
    declared, about = policy.topics.taxonomy, policy.extraction.about
    if declared is not None and policy.extraction.provider != "extractive":
        several = f"up to {policy.topics.at_most}" if policy.topics.at_most > 1 else "one"
        yield (
            f"Topic: {about or OVERALL} ({several} of the nodes of {_file(declared)}, level by level, or none). "
            "A few phrases for it are asked for as well, and never published."
        )
    elif policy.extraction.provider != "extractive":
        kept = "a summary and a few phrases" if policy.guarantee.mode == "guarded" else "a few phrases"
        yield f"In {kept}: {_sentence(about or OVERALL)}"
    for facet in policy.facets:
        if facet.ask is not None:
            yield f"{facet.name}: {_quoted(facet.ask)} {_answers(facet)}"


def names(policy: Policy, _: Forecast) -> Iterator[str]:
    """Who writes names, and from what."""
    section, declared = policy.naming, policy.topics.taxonomy
    if declared is not None:
        yield f"Topics and their names are those of the declared taxonomy {_file(declared)}. None is discovered."
    elif section.provider == "phrases":
        yield "No model: a topic is called by its most frequent released phrases."
    elif section.evidence == "released_phrases":
        yield f"The language model {_told(section)}, from released phrases and noisy counts. It sees no conversation."
    else:
        yield (
            f"The language model {_told(section)}, from summaries of some conversations of a topic. "
            "Titles and descriptions therefore carry NO formal guarantee."
        )


def judges(policy: Policy, _: Forecast) -> Iterator[str]:
    """Who reads every string before it is published, by which rules, and what becomes of a denied one."""
    section = policy.auditor
    yield "Rules look for what identifies a person in every string before it is published."
    if section.provider == "anthropic":
        yield (
            f"After them the language model {_told(section)} rates it by the rubric {section.rubric}, 1 to 5; "
            f"it needs a {section.minimum}."
        )
    instead = "Its topic is dropped" if section.on_denial == "drop" else "A coarser string takes its place"
    yield f"What fails is not published. {instead}. What can't be judged has failed."


def money(policy: Policy, _: Forecast) -> Iterator[str]:
    """The cap."""
    paid = [section for section in asked(policy).values() if not is_loopback(section.base_url or "")]
    if not asked(policy):
        return
    if policy.spend.usd_per_epoch is not None:
        yield f"The models may cost {policy.spend.usd_per_epoch:,g} US dollars a {policy.epoch}, all steps together."
        yield "Nothing is sent that would pass it."
    elif paid:
        yield "There is NO limit to what the models may cost."
    else:
        yield "The models run on this machine, where nobody sends a bill."


def unproved(policy: Policy, _: Forecast) -> Iterator[str]:
    """Guarded mode, said so that nobody can miss it."""
    if policy.guarantee.mode != "guarded":
        return
    yield "GUARDED MODE. Only the counts are differentially private; all that this page says of odds is of counts."
    yield (
        "What topics there are, their names and their descriptions carry NO formal guarantee. They rest on thresholds, "
        "on the instructions of the model that writes them and on the auditor, which have been broken "
        "(arXiv 2603.09781): who can add conversations beside somebody's can make a name tell what they wrote."
    )


def _told(section: Asked) -> str:
    """The model and where it is."""
    if section.base_url is None:
        place = "at Anthropic's own endpoint"
    elif is_loopback(section.base_url):
        place = f"on this machine ({section.base_url})"
    else:
        place = f"at {section.base_url}"
    return f"{section.model} {place}"


def _answers(facet: FacetSection) -> str:
    several = f"up to {facet.several}" if facet.several > 1 else "one"
    if facet.range is not None:
        return f"(a whole number from {facet.range[0]} to {facet.range[1]}, or unknown)."
    if facet.bins is not None:
        return f"(a number, of which only the bin is kept; edges {', '.join(f'{edge:g}' for edge in facet.bins)})."
    if facet.taxonomy is not None:
        return f"({several} of the nodes of {_file(facet.taxonomy)}, or unknown)."
    if isinstance(facet.domain, tuple):
        return f"({several} of {', '.join(facet.domain)}, or unknown)."
    return "(yes, no, or unknown)."


def _file(taxonomy: TaxonomySection) -> str:
    return f"{taxonomy.file} ({'its hash is pinned' if taxonomy.sha256 else 'NOT pinned by a hash'})"


def _quoted(question: str) -> str:
    return f'"{question}"'


def _sentence(text: str) -> str:
    """A policy's own words, ended as a sentence."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
