"""Who may do what over the network: every request gets one decision with its reason, and denial is the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from sfumato.policy import decide
from sfumato.serve.api_keys import PREFIX, Examination

if TYPE_CHECKING:
    from sfumato.policy.schema import Access as Roles
    from sfumato.policy.schema import Operation
    from sfumato.serve.api_keys import Principal, Reason


class Credentials(Protocol):
    """What knows whose a token is: API keys, or an identity provider's keys."""

    def examine(self, token: str | None) -> Examination:
        """What becomes of a token; every token it does not know is nobody's.

        Raises:
            StorageError: it can't be told now, which is a denial too.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether this request goes on, why, and who asked (None: nobody we know). rule: the reason, for the audit log.

    lasts: seconds for which it would be the same, as long as neither keys nor roles are changed; None: not known.
    """

    allowed: bool
    reason: Reason | Literal["granted", "role_lacks_operation"]
    principal: Principal | None
    rule: str = "access"
    lasts: float | None = None


class Access:
    """Who holds a token, and what the policy's `access` section lets each role do.

    tokens: an identity provider's; without one, API keys alone count.
    """

    def __init__(self, keys: Credentials | None, roles: Roles, *, tokens: Credentials | None = None) -> None:
        self._keys = keys
        self._tokens = tokens
        self.roles = roles  # replaced, whole, when the policy is

    def decide(self, token: str | None, operation: Operation) -> Decision:
        """Whether the holder of this token may do this. A role that the policy does not name may do nothing.

        Raises:
            StorageError: the keys can't be read, which is a denial too.
        """
        found = self._examine(token)
        if found.principal is None:
            rule = f"credential.{found.reason}"
            return Decision(allowed=False, reason=found.reason, principal=None, rule=rule)
        ruling = decide.access(self.roles, role=found.principal.role, operation=operation)
        reason: Literal["granted", "role_lacks_operation"] = "granted" if ruling.allowed else "role_lacks_operation"
        return Decision(
            allowed=ruling.allowed, reason=reason, principal=found.principal, rule=ruling.rule, lasts=found.lasts
        )

    def check(self) -> None:
        """Look a token up that nobody has: raises StorageError when the keys can't be read."""
        for credentials in (self._keys, self._tokens):
            if credentials is not None:
                credentials.examine(None)

    def _examine(self, token: str | None) -> Examination:
        """Which of the two is asked follows from the token's form alone."""
        if self._tokens is not None and token and not token.startswith(PREFIX):
            return self._tokens.examine(token)
        if self._keys is not None:
            return self._keys.examine(token)
        return Examination(reason="unknown_key" if token else "no_key")
