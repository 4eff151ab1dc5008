"""What is under attack: a policy, the budget it is run with, and the release that it makes of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato import discovery
from sfumato.errors import Refused
from sfumato.gate.auditor import Auditor
from sfumato.gate.card import card
from sfumato.gate.door import Door, Header
from sfumato.planning import NO_FILES, ReleasePlan, release_plan
from sfumato.privacy.measure import Measurer
from sfumato.topics.counting import SCREENED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sfumato.model.prompt import Model
    from sfumato.model.release import Release
    from sfumato.planning import Resources
    from sfumato.policy.schema import Policy
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.noise import NoiseSource
    from sfumato.topics.tree import TopicTree

EPOCH = "2026-01"
CREATED = "2026-02-01T00:00:00Z"
SHOWN_BY = "`sfumato attack cliopatra` and `sfumato attack sybil` show what guarded mode loses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A policy and its plan, the whole budget of the epoch spent on one release. files: what the policy names."""

    policy: Policy
    plan: ReleasePlan
    files: Resources = NO_FILES

    @property
    def domains(self) -> dict[str, tuple[str, ...]]:
        """Values of every facet that is counted."""
        return {facet.name: tuple(facet.domain) for facet in self.plan.facets}

    def must_be_formal(self) -> None:
        """For attacks on measurements that guarded mode does not make: what they found would be of another policy.

        Raises:
            Refused: the policy is guarded.
        """
        if self.plan.mode == "guarded":
            raise Refused(f"this attack knows formal measurements alone, and the policy is guarded; {SHOWN_BY}")

    def must_answer(self) -> None:
        """For attacks on live questions.

        Raises:
            Refused: the policy is guarded, so there is nobody to ask.
        """
        if self.plan.mode == "guarded":
            raise Refused(f"a guarded policy answers no live questions, which this attack asks; {SHOWN_BY}")

    def must_discover(self) -> None:
        """For attacks on words that people wrote.

        Raises:
            Refused: topics are declared, so that none of those words is published.
        """
        if self.plan.taxonomy is not None:
            raise Refused(
                "the policy declares its topics, so no name or phrase that people could have written is published: "
                "this attack has nothing to read; `membership`, `differencing` and `oracle` attack the counts"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A release, and the tree that it was made of (more than anybody outside sees)."""

    release: Release
    tree: TopicTree


def terms(
    policy: Policy, *, epsilon: float | None = None, delta: float | None = None, files: Resources = NO_FILES
) -> Terms:
    """The policy with another budget where one is given; without a model, since no attack asks one.

    files: what the policy names in files of their own, read.

    Raises:
        PolicyError: the budget is too small, or a declared taxonomy is not among the files.
    """
    section = policy.guarantee
    budget = section.budget.model_copy(
        update={
            "epsilon": section.budget.epsilon if epsilon is None else epsilon,
            "delta": section.budget.delta if delta is None else delta,
            "release": 1.0,
            "queries": 0.0,
        }
    )
    yearly = section.yearly.model_copy(
        update={
            "epsilon": max(budget.epsilon, section.yearly.epsilon),
            "delta": max(budget.delta, section.yearly.delta),
        }
    )
    changed = policy.model_copy(update={"guarantee": section.model_copy(update={"budget": budget, "yearly": yearly})})
    plan = release_plan(changed, dataset="attack", epoch=EPOCH, resources=files)
    return Terms(policy=changed, plan=plan, files=files)


def measured(
    epoch: BoundedEpoch,
    under: Terms,
    *,
    noise: NoiseSource,
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    namer: Model | None = None,
) -> tuple[TopicTree, Measurer]:
    """What a release of a bounded epoch is made of, and what was asked of the noise; any noise will do here."""
    from threadpoolctl import threadpool_limits

    measurer = Measurer(noise, rho=under.plan.rho, delta=under.plan.delta)
    with threadpool_limits(limits=1):  # on small epochs the layout loses more to waiting threads than it gains
        tree = discovery.topics(
            epoch,
            discovery.nodes(epoch, under.plan, embed),
            plan=under.plan,
            limits=under.policy.thresholds,
            measurer=measurer,
            embed=embed,
            namer=namer,
        )
    return tree, measurer


def published(
    epoch: BoundedEpoch,
    under: Terms,
    *,
    noise: NoiseSource,
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    namer: Model | None = None,
) -> Seen:
    """One release of a bounded epoch, through the same measurements and the same door as any other.

    The auditor's detectors judge every string; its model, where the policy names one, is not asked.

    Raises:
        Refused: the noise is not OpenDP's own workers'.
    """
    plan = under.plan
    tree, measurer = measured(epoch, under, noise=noise, embed=embed, namer=namer)
    door = Door(
        limits=under.policy.thresholds,
        domains={**under.domains, SCREENED: ("in", "out")},
        auditor=Auditor(on_denial=under.policy.auditor.on_denial),
    )
    header = Header(
        dataset=plan.dataset,
        epoch=plan.epoch,
        created=CREATED,
        policy_name=under.policy.metadata.name,
        policy_digest=plan.policy_digest,
    )
    stated = card(
        mode=plan.mode,
        unit=under.policy.unit,
        mechanisms=measurer.mechanisms,
        bounds=plan.bounds,
        conversion_delta=plan.conversion_delta,
    )
    return Seen(release=door.release(tree, header=header, guarantee=stated, measurer=measurer), tree=tree)
