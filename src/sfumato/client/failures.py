"""What a server's refusal is raised as: `application/problem+json` (RFC 9457) into errors of the one tree.

SfumatoError
├── Unreachable                    no answer came, after some attempts
└── ApiError                       an answer came, and it is a refusal: status, title, detail, errors
    ├── Unauthorized, KeyMissing   401
    ├── Forbidden, Refused         403
    ├── NotFound, InputError       404
    ├── Rejected, InputError       400, 409, 413, 415, 422
    ├── Throttled                  429, still after waiting; retry_after in seconds, where it was told
    ├── Spent, BudgetExhausted     429: the budget pays for no more of these questions
    └── Unavailable, StorageError  500 and more
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from sfumato.client.plain import clean
from sfumato.errors import BudgetExhausted, InputError, KeyMissing, Refused, SfumatoError, StorageError
from sfumato.model.strict_json import Node, loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.client.exchange import Reply

MOST_LETTERS = 300
SERVER_FAILED = 500
TOO_MANY = 429


class Unreachable(SfumatoError):  # noqa: N818 - the names say what happened, as in sfumato.errors
    """No answer came."""


class ApiError(SfumatoError):
    """A refusal. errors: pointer and code of each part of the request that was not accepted."""

    def __init__(self, *, status: int, title: str, detail: str, errors: tuple[tuple[str, str], ...] = ()) -> None:
        places = "; ".join(f"{pointer}: {code}" for pointer, code in errors)
        super().__init__(f"{status} {title}: {detail}" + (f" ({places})" if places else ""))
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors


class Unauthorized(ApiError, KeyMissing):  # noqa: N818 - as above
    """No API key, or one that the server does not know."""


class Forbidden(ApiError, Refused):  # noqa: N818 - as above
    """The policy does not let this key's role do it."""


class NotFound(ApiError, InputError):  # noqa: N818 - as above
    """There is no such thing, or it was withdrawn."""


class Rejected(ApiError, InputError):  # noqa: N818 - as above
    """A part of the request is not as it should be."""


class Throttled(ApiError):  # noqa: N818 - as above
    """Asked too often."""

    retry_after: str | None = None


class Spent(ApiError, BudgetExhausted):  # noqa: N818 - as above
    """What is left pays for no such question; a new epoch has its own budget."""

    rho_left: float | None = None
    questions_left: int | None = None
    next_epoch: str | None = None
    begins: str | None = None


class Unavailable(ApiError, StorageError):  # noqa: N818 - as above
    """The server can't answer now."""


_KINDS: dict[int, type[ApiError]] = {401: Unauthorized, 403: Forbidden, 404: NotFound}


def failure(reply: Reply, *, redact: Callable[[str], str]) -> ApiError:
    """The error of a reply that is no answer. redact: takes out of any text what must not be printed."""
    problem = _problem(reply.body)
    title = _phrase(reply.status)
    detail = redact(_text(problem, "detail")) or "the server gave no reason that this client can read"
    errors = tuple((redact(pointer), redact(code)) for pointer, code in _complaints(problem))
    kind = Spent if reply.status == TOO_MANY and "left" in problem else _kind(reply.status)
    made = kind(status=reply.status, title=title, detail=detail, errors=errors)
    if isinstance(made, Spent):
        _tell(made, problem)
    elif isinstance(made, Throttled):
        made.retry_after = redact(clean(reply.headers.get("retry-after", ""))[:MOST_LETTERS]) or None
    return made


def _kind(status: int) -> type[ApiError]:
    if status == TOO_MANY:
        return Throttled
    return _KINDS.get(status, Unavailable if status >= SERVER_FAILED else Rejected)


def _tell(made: Spent, problem: dict[str, Node]) -> None:
    try:
        left = problem["left"].entries()
        made.rho_left, made.questions_left = left["rho"].number(), left["questions"].whole()
        made.next_epoch, made.begins = problem["next_epoch"].text("[0-9A-Za-z-]{4,10}"), problem["begins"].text()
    except (InputError, KeyError):
        return  # that the budget is spent is said all the same


def _problem(body: bytes) -> dict[str, Node]:
    try:
        return Node(loads(body)).entries()
    except InputError:
        return {}


def _text(found: dict[str, Node], name: str) -> str:
    value = found[name].value if name in found else None
    return clean(value[:MOST_LETTERS]) if isinstance(value, str) else ""


def _complaints(problem: dict[str, Node]) -> list[tuple[str, str]]:
    try:
        found = [one.entries() for one in problem["errors"].items()]
    except (InputError, KeyError):
        return []
    return [(_text(one, "pointer"), _text(one, "code")) for one in found[:20]]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unexpected status"
