"""The guarantee card: what a release promises, to whom, by which measurements, and what it does not promise.

The sections follow the questions of NIST SP 800-226 (unit of privacy, neighbours, parameters, what is outside).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.model.guarantee import Guarantee, Mode, Unit
from sfumato.privacy import accounting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from sfumato.model.guarantee import Mechanism

NEIGHBOURING: Mapping[Unit, str] = {
    "user": "add or remove one user with all conversations that are theirs in the epoch",
    "conversation": (
        "add or remove one conversation id with all records that bear it; a person with several is not protected as a "
        "whole"
    ),
}
COVERS = (
    "which phrases and topics exist, and their names and descriptions",
    "every count of users and conversations, in all levels, and every interval",
    "every facet breakdown, and which of its cells are shown",
    "the tree and the positions on the map",
)
SHARED_ID: Mapping[Unit, tuple[str, ...]] = {
    "user": (),
    "conversation": (
        "a conversation whose id somebody else's records bear too: they count as one, and one takes the other's place",
    ),
}
GUARDED_COVERS = ("the noise on every count of users and conversations, given which clusters there are",)
GUARDED_DOES_NOT_COVER = (
    "which topics exist, and their names, descriptions and tree: a model wrote them from private summaries",
    "what exact thresholds and an auditor let pass: both are heuristics, and such heuristics have been defeated",
    "the positions on the map, and which counts there are at all",
)
DOES_NOT_COVER = (
    "that a log was collected, its dataset name, its epoch and the policy in force",
    "what contribution bounds cut off: counts are of bounded contributions and can be lower than the truth",
    "what somebody else says in a conversation: it belongs to the user who opened it",
    "whether a release was made at all: a run can fail, and why may depend on the data",
    "one person who writes under several user ids: each id is protected on its own",
    "the same rows given again under another dataset or epoch name: each release adds its own epsilon and delta",
    "what is true of a population: a release may teach something about you that it would teach without you",
    "how long a release took to make, and the machine on which the data lay before",
)


def card(
    *,
    mode: Mode = "formal",
    unit: Unit,
    mechanisms: Sequence[Mechanism],
    bounds: Mapping[str, int],
    conversion_delta: Fraction,
) -> Guarantee:
    """The guarantee of these measurements together: rho and delta add up, epsilon follows by OpenDP's conversion.

    In guarded mode (epsilon, delta) are of the noise on the counts, and the card says what they are not of.
    """
    rho = sum(mechanism.rho for mechanism in mechanisms)
    selection_delta = sum(mechanism.delta for mechanism in mechanisms)
    beside = (*DOES_NOT_COVER, *SHARED_ID[unit])
    epsilon, delta = accounting.stated(rho=rho, selection_delta=selection_delta, conversion_delta=conversion_delta)
    return Guarantee(
        mode=mode,
        unit=unit,
        neighbouring=NEIGHBOURING[unit],
        epsilon=epsilon,
        delta=delta,
        rho=rho,
        bounds=bounds,
        mechanisms=tuple(mechanisms),
        covers=COVERS if mode == "formal" else GUARDED_COVERS,
        does_not_cover=beside if mode == "formal" else (*GUARDED_DOES_NOT_COVER, *beside),
    )
