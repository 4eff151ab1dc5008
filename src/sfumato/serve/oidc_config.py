"""The file that names an identity provider: whose tokens count here, where its keys are, which role a claim gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from sfumato.errors import InputError, PolicyError
from sfumato.policy import source

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

Role = Literal["analyst", "auditor", "ingester", "admin"]
Algorithm = Literal["RS256", "ES256", "EdDSA", "Ed25519"]  # the last two are one: RFC 8037, RFC 9864
Word = Annotated[str, StringConstraints(min_length=1, max_length=500)]
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Oidc(BaseModel):
    """One issuer. Unknown fields are errors; what has no default must be stated.

    role_claim: the claim that names groups or roles, as the steps that lead to it (`[realm_access, roles]`).
    roles: which value of that claim gives which role of the policy; any other value gives none.
    starts: the claim that says from when a token counts; some issuers have only `iat`.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)
    issuer: Word
    audience: Word
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)]
    jwks_url: Word | None = None
    jwks_file: Word | None = None
    role_claim: Annotated[tuple[Word, ...], Field(min_length=1, max_length=4)]
    roles: Annotated[dict[Word, Role], Field(min_length=1, max_length=200)]
    starts: Literal["nbf", "iat"] = "nbf"
    clock_skew_seconds: Annotated[int, Field(ge=0, le=120)] = 30

    @model_validator(mode="after")
    def _places(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("give either jwks_url or jwks_file")
        if self.jwks_url is not None and not _secure(self.jwks_url):
            raise ValueError("jwks_url must be https: who can change the keys can be anybody")
        return self


def load(path: Path) -> Oidc:
    """The configuration in a YAML or JSON file; `jwks_file` is relative to it.

    Raises:
        InputError: it can't be read, or is not of this form; the line names the field, never what stood there.
    """
    try:
        found = Oidc.model_validate(source.read(path).tree)
    except PolicyError as problem:
        raise InputError(str(problem).replace("the policy", "the file").replace("policy", "configuration")) from None
    except ValidationError as problem:
        raise InputError(f"{path}: {_first(problem.errors(include_url=False)[0])}") from None
    if found.jwks_file is None:
        return found
    return found.model_copy(update={"jwks_file": str(path.parent / found.jwks_file)})


def _first(error: ErrorDetails) -> str:
    where = ".".join(str(step) for step in error["loc"][:2]) or "the file"
    return f"{where}: {error['msg']}"


def _secure(url: str) -> bool:
    """Over https; plain http to this machine itself only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.username is not None or parts.password is not None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
