"""A root key in the transit engine of HashiCorp Vault or OpenBao, by its HTTPS API."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from sfumato.adapters.kms_http import OK, ask, token_checked
from sfumato.errors import KeyMissing, VaultError
from sfumato.model.private import Private
from sfumato.vault.followups import Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sfumato.adapters.kms_http import Answer, Service

TITLE = "the transit engine"
HOW = "set VAULT_TOKEN, or write it to the file that VAULT_TOKEN_FILE names"
_BAD_REQUEST, _NOT_FOUND = 400, 404
# Of the 400s, what the engine says of the ciphertext; the others are about the key, the token or the request.
_NOT_OPENED = re.compile("message authentication failed|invalid ciphertext|unable to decrypt|base64", re.IGNORECASE)


class TransitKey(Private):
    """One key of a transit engine. Contexts go along as `associated_data`, so the key must be of an AEAD type.

    token: asked anew for every call, since tokens are short-lived. A key service's address may change while the key
    stays, so it is no part of the id.
    """

    __slots__ = ("_mount", "_name", "_namespace", "_service", "_token")

    def __init__(
        self, service: Service, *, mount: str, name: str, token: Callable[[], str], namespace: str = ""
    ) -> None:
        self._service = service
        self._mount = mount
        self._name = name
        self._token = token
        self._namespace = namespace

    @property
    def id(self) -> str:
        """`vault-transit:` with namespace, mount and name; not the version, which the engine keeps in what it wraps."""
        return "vault-transit:" + "/".join(part for part in (self._namespace, self._mount, self._name) if part)

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """The engine's `vault:vN:...`, under the key's latest version. Raises: see `KeyWrapper`."""
        answer = self._ask("encrypt", {"plaintext": base64.b64encode(secret).decode()}, context)
        if answer.status != OK or not answer.text("data", "ciphertext"):
            raise self._unusable(answer)
        return answer.text("data", "ciphertext").encode()

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """What `wrap` was given. Raises: see `KeyWrapper`."""
        if not blob.startswith(b"vault:v") or not blob.isascii():
            raise VaultError(f"this was not wrapped by {TITLE}")
        answer = self._ask("decrypt", {"ciphertext": blob.decode()}, context)
        if answer.status == _BAD_REQUEST and _NOT_OPENED.search(_said(answer)):
            raise VaultError(f"{self.id} does not open this: another key, another context, or altered")
        if answer.status != OK:
            raise self._unusable(answer)
        try:
            return base64.b64decode(answer.text("data", "plaintext"), validate=True)
        except ValueError:
            raise self._unusable(answer) from None

    def fate(self) -> Fate:
        """What it says of the key, which it deletes at once where `deletion_allowed` was set, or marks as deleted."""
        told = {"service": TITLE, "call": "read key"}
        answer = ask(self._service, "GET", f"/v1/{self._mount}/keys/{self._name}", headers=self._headers())
        if answer.status == _NOT_FOUND:
            return Fate(state="destroyed", evidence=told | {"answer": "404"})
        data = answer.body.get("data")
        if answer.status != OK or not isinstance(data, dict):
            raise self._unusable(answer)
        if data.get("soft_deleted") is True:
            return Fate(state="pending", evidence=told | {"answer": "soft_deleted"})
        return Fate(state="usable", evidence=told)

    def _headers(self) -> dict[str, str]:
        headers = {"x-vault-token": token_checked(self._token(), title=TITLE, how=HOW), "x-vault-request": "true"}
        return headers | ({"x-vault-namespace": self._namespace} if self._namespace else {})

    def _ask(self, operation: str, body: dict[str, str], context: Mapping[str, str]) -> Answer:
        associated = base64.b64encode(json.dumps(dict(context), sort_keys=True).encode()).decode()
        path = f"/v1/{self._mount}/{operation}/{self._name}"
        return ask(self._service, "POST", path, body={**body, "associated_data": associated}, headers=self._headers())

    def _unusable(self, answer: Answer) -> KeyMissing:
        return KeyMissing(
            f"{TITLE} does not let {self.id} be used (status {answer.status}): check that the key is there and of an "
            "AEAD type (aes256-gcm96), and that the token's policy allows update on its encrypt and decrypt"
        )


def _said(answer: Answer) -> str:
    """The errors in an answer, read here and shown to nobody."""
    errors = answer.body.get("errors")
    return " ".join(map(str, errors))[:1000] if isinstance(errors, list) else ""
