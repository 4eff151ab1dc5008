"""The dependency that every route with data has: one operation of the policy, one decision, or 401 and 403."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sfumato.serve.access import Decision  # noqa: TC001 - FastAPI evaluates the whole signature

if TYPE_CHECKING:
    from sfumato.policy.schema import Operation
    from sfumato.serve.ports import Gatekeeper

_bearer = HTTPBearer(auto_error=False, description="An API key: `sfk_...`")
_log = logging.getLogger(__name__)


class Requires:
    """Gives the decision that lets a request pass, or ends it; `request.state.decision` has it for layers around."""

    def __init__(self, access: Gatekeeper, operation: Operation) -> None:
        self._access = access
        self.operation = operation

    def __call__(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Decision:
        decision = self._access.decide(credentials.credentials if credentials else None, self.operation)
        request.state.decision = decision
        if not decision.allowed:
            raise refusal(decision, self.operation)
        return decision


def refusal(decision: Decision, operation: Operation) -> HTTPException:
    """The error of a denial; the log has the reason, the caller does not."""
    who = decision.principal.key_id if decision.principal else "nobody"
    _log.info("refused: %s for key %s: %s", operation, who, decision.reason)
    if decision.principal is None:
        return HTTPException(401, headers={"WWW-Authenticate": 'Bearer realm="sfumato"'})
    return HTTPException(403)
