"""Tokens of an identity provider: a JWT counts if its issuer signed it, for us, for now, and a claim gives a role."""

from __future__ import annotations

import hashlib
import re
import time
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from sfumato.errors import InputError
from sfumato.model.strict_json import loads
from sfumato.serve import jwks
from sfumato.serve.api_keys import Examination, Principal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.model.strict_json import Json, JsonObject
    from sfumato.serve.api_keys import Reason
    from sfumato.serve.oidc_config import Oidc, Role

LONGEST_TOKEN = 8192
LONGEST_LIFE = 86_400  # seconds: a token can't be taken back, so one that lives longer does not count
_PARTS = 3
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_TYPES = {None, "jwt", "at+jwt", "application/at+jwt"}
_HEADER = {"alg", "kid", "typ", "x5t", "x5t#S256", "cty"}  # a header that names its own key, or `crit`, is refused


class _Bad(Exception):  # noqa: N818 - never leaves this file
    """The token does not count, for this reason."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class Tokens:
    """What becomes of a token, under one configuration."""

    def __init__(self, config: Oidc, keys: jwks.Keys, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._config = config
        self._keys = keys
        self._now = now

    @classmethod
    def of(cls, config: Oidc) -> Tokens:
        """With keys from where the configuration says."""
        place = jwks.from_url(config.jwks_url) if config.jwks_url else jwks.from_file(Path(config.jwks_file or ""))
        return cls(config, jwks.Keys(place, time.monotonic))

    def examine(self, token: str | None) -> Examination:
        """Whose token this is. Everything but a good one is nobody's, and says to the log alone what was wrong.

        Raises:
            StorageError: the issuer's keys are not to be had.
        """
        if not token:
            return Examination(reason="no_key")
        try:
            claims = self._verified(token)
            self._meant_for_us(claims)
            self._alive(claims)
            role = self._role(claims)
        except _Bad as bad:
            return Examination(reason=bad.reason)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            return Examination(reason="bad_token")
        return Examination(
            reason="known", principal=Principal(key_id=principal_id(self._config.issuer, subject), role=role)
        )

    def _verified(self, token: str) -> JsonObject:
        """The claims, once the signature over them holds."""
        parts = token.split(".")
        if len(token) > LONGEST_TOKEN or len(parts) != _PARTS or not token.isascii():
            raise _Bad("bad_token")
        header = _object(parts[0])
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in self._config.algorithms or not isinstance(algorithm, str) or not header.keys() <= _HEADER:
            raise _Bad("bad_token")
        if not (kid is None or isinstance(kid, str)):
            raise _Bad("bad_token")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
            raise _Bad("bad_token")
        key = self._keys.find(kid, algorithm)
        if key is None:
            raise _Bad("unknown_key")
        if not _signed(".".join(parts[:2]).encode(), _bytes(parts[2]), key, algorithm):
            raise _Bad("bad_token")
        return _object(parts[1])

    def _meant_for_us(self, claims: JsonObject) -> None:
        audience = claims.get("aud")
        wanted = self._config.audience
        if claims.get("iss") != self._config.issuer:
            raise _Bad("bad_token")
        if audience != wanted and not (isinstance(audience, list) and wanted in audience):
            raise _Bad("bad_token")

    def _alive(self, claims: JsonObject) -> None:
        starts, ends = _moment(claims.get(self._config.starts)), _moment(claims.get("exp"))
        before = claims.get("nbf")
        now, skew = self._now().timestamp(), self._config.clock_skew_seconds
        if not 0 < ends - starts <= LONGEST_LIFE:
            raise _Bad("bad_token")
        if now < starts - skew or (before is not None and now < _moment(before) - skew):
            raise _Bad("bad_token")
        if now >= ends + skew:
            raise _Bad("expired")

    def _role(self, claims: JsonObject) -> Role:
        """The one role that the claim's values give: two would undo what the policy keeps apart."""
        value: Json = claims
        for step in self._config.role_claim:
            value = value.get(step) if isinstance(value, dict) else None
        named = value if isinstance(value, list) else [value]
        roles = {self._config.roles[one] for one in named if isinstance(one, str) and one in self._config.roles}
        if len(roles) != 1:
            raise _Bad("several_roles" if roles else "no_role")
        return roles.pop()


def principal_id(issuer: str, subject: str) -> str:
    """The 16 hex digits that stand for a person in the audit log; who knows issuer and subject can work them out."""
    named = f"sfumato principal 1\n{len(issuer)}\n{issuer}\n{subject}".encode()
    return hashlib.sha256(named).hexdigest()[:16]


def _signed(message: bytes, mark: bytes, key: jwks.PublicKey, algorithm: str) -> bool:
    """Whether this is the key's signature; its kind was made to fit the algorithm when it was looked up."""
    try:
        return JWSRegistry.algorithms[algorithm].verify(message, mark, key)
    except (JoseError, ValueError, TypeError):
        return False


def _object(part: str) -> JsonObject:
    try:
        return loads(_bytes(part))
    except InputError:
        raise _Bad("bad_token") from None


def _bytes(part: str) -> bytes:
    """Base64url without padding, and nothing else."""
    if _BASE64URL.fullmatch(part) is None:
        raise _Bad("bad_token")
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except NotBase64:
        raise _Bad("bad_token") from None


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Bad("bad_token")
    return float(value)
