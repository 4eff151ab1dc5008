"""Who may do what over the network: every request gets one decision with its reason, and denial is the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sfumato.serve.api_keys import ApiKeys, Principal, Reason

Operation = Literal["releases", "policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether this request goes on, why, and who asked (None: nobody we know)."""

    allowed: bool
    reason: Reason | Literal["granted", "role_lacks_operation"]
    principal: Principal | None


class Access:
    """The keys, and the policy's `access` section as a mapping of roles to operations."""

    def __init__(self, keys: ApiKeys, operations: Mapping[str, Collection[str]]) -> None:
        self._keys = keys
        self._operations = {role: frozenset(allowed) for role, allowed in operations.items()}

    def decide(self, token: str | None, operation: Operation) -> Decision:
        """Whether the holder of this token may do this. A role that the policy does not name may do nothing.

        Raises:
            StorageError: the keys can't be read, which is a denial too.
        """
        found = self._keys.examine(token)
        if found.principal is None:
            return Decision(allowed=False, reason=found.reason, principal=None)
        allowed = operation in self._operations.get(found.principal.role, frozenset())
        reason: Literal["granted", "role_lacks_operation"] = "granted" if allowed else "role_lacks_operation"
        return Decision(allowed=allowed, reason=reason, principal=found.principal)

    def check(self) -> None:
        """Look a token up that nobody has: raises StorageError when the keys can't be read."""
        self._keys.examine(None)
