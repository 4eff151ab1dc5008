"""Who may do what over the network: every request gets one decision with its reason, and denial is the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfumato.policy import decide

if TYPE_CHECKING:
    from sfumato.policy.schema import Access as Roles
    from sfumato.serve.api_keys import ApiKeys, Principal, Reason

Operation = Literal["releases", "policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether this request goes on, why, and who asked (None: nobody we know)."""

    allowed: bool
    reason: Reason | Literal["granted", "role_lacks_operation"]
    principal: Principal | None


class Access:
    """The keys, and what the policy's `access` section lets each role do."""

    def __init__(self, keys: ApiKeys, roles: Roles) -> None:
        self._keys = keys
        self._roles = roles

    def decide(self, token: str | None, operation: Operation) -> Decision:
        """Whether the holder of this token may do this. A role that the policy does not name may do nothing.

        Raises:
            StorageError: the keys can't be read, which is a denial too.
        """
        found = self._keys.examine(token)
        if found.principal is None:
            return Decision(allowed=False, reason=found.reason, principal=None)
        allowed = decide.access(self._roles, role=found.principal.role, operation=operation).allowed
        reason: Literal["granted", "role_lacks_operation"] = "granted" if allowed else "role_lacks_operation"
        return Decision(allowed=allowed, reason=reason, principal=found.principal)

    def check(self) -> None:
        """Look a token up that nobody has: raises StorageError when the keys can't be read."""
        self._keys.examine(None)
