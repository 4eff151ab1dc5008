"""What a live question costs under a policy, what questions may use up, and how the ledger knows one from another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfumato.errors import PolicyError
from sfumato.model import question as questions
from sfumato.model.epochs import year_of
from sfumato.model.strict_json import dumps
from sfumato.planning import NO_FILES, allowance, release_plan
from sfumato.policy.schema_base import exact
from sfumato.privacy.ledger import Charge

if TYPE_CHECKING:
    from sfumato.model.question import Question
    from sfumato.model.strict_json import JsonObject
    from sfumato.planning import ReleasePlan, Resources
    from sfumato.policy.schema import Policy
    from sfumato.privacy.ledger import Caps

MEASURING = 1  # raise it when the same question would be measured in another way
PURPOSE = "queries"
LEAST_RHO = 2  # nano units: of two measurements each needs one


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For one epoch of a dataset. rho: of one question, nano units; no delta is spent. caps: of all of them.

    analyst_rho: of those of one API key.
    """

    policy: Policy
    plan: ReleasePlan
    rho: int
    analyst_rho: int
    caps: Caps

    @property
    def conversations(self) -> int:
        """How many conversations of one unit count."""
        return self.plan.topics.conversations_per_user

    def digest(self, question: Question) -> str:
        """What the ledger knows a question by: all that decides its answer, in hex."""
        document: JsonObject = {
            "kind": "query",
            "measuring": MEASURING,
            "epoch": self.plan.question,  # the dataset, the epoch, and whatever of the policy decides a number
            "rho": self.rho,
            "question": questions.encode(question),
        }
        return hashlib.sha256(dumps(document)).hexdigest()

    def charge(self, digest: str, *, analyst: str, created: str) -> Charge:
        """What the ledger is asked for."""
        return Charge(
            dataset=self.plan.dataset,
            epoch=self.plan.epoch,
            year=year_of(self.plan.epoch),
            purpose=PURPOSE,
            question=digest,
            policy=self.plan.policy_digest,
            unit=self.plan.unit,
            rho=self.rho,
            delta=0,
            created=created,
            analyst=analyst,
        )


def terms(policy: Policy, *, dataset: str, epoch: str, resources: Resources = NO_FILES) -> Terms:
    """The terms of one epoch.

    Raises:
        PolicyError: the budget pays for no question.
    """
    plan = release_plan(policy, dataset=dataset, epoch=epoch, resources=resources)
    budget, section = policy.guarantee.budget, policy.queries
    rho = allowance(section.epsilon_per_query, budget.delta).rho
    share = int(plan.caps.epoch_rho * exact(budget.queries))
    analyst = allowance(section.per_analyst.epsilon, budget.delta).rho
    if rho > min(share, analyst) or rho < LEAST_RHO:
        raise PolicyError(
            "queries.epsilon_per_query: not one question fits; lower it, or raise per_analyst or the share of queries"
        )
    return Terms(
        policy=policy,
        plan=plan,
        rho=rho,
        analyst_rho=analyst,
        caps=replace(plan.caps, purpose_rho=share, analyst_rho=analyst),
    )
