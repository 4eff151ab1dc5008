"""A root key in Google Cloud KMS, by its REST API, with whatever brings an access token."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

from sfumato.adapters.kms_http import OK, Service, ask, token_checked
from sfumato.errors import KeyMissing, StorageError, VaultError
from sfumato.model.private import Private
from sfumato.vault.followups import Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sfumato.adapters.kms_http import Answer

TITLE = "Google Cloud KMS"
HOST = "cloudkms.googleapis.com"
METADATA_HOST = "metadata.google.internal"
HOW = "run where a service account is attached, or set CLOUDSDK_AUTH_ACCESS_TOKEN"
_TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105 - an address
_BAD_REQUEST = 400
_SPARE_S = 60


class GoogleKey(Private):
    """One CryptoKey of purpose ENCRYPT_DECRYPT; contexts go along as additional authenticated data.

    resource: `projects/P/locations/L/keyRings/R/cryptoKeys/K`. token: asked anew for every call.
    """

    __slots__ = ("_resource", "_service", "_token")

    def __init__(self, service: Service, *, resource: str, token: Callable[[], str]) -> None:
        self._service = service
        self._resource = resource
        self._token = token

    @property
    def id(self) -> str:
        """`gcp-kms:` and the resource; not the version, which the service keeps in what it wraps."""
        return f"gcp-kms:{self._resource}"

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """The service's ciphertext, under the key's primary version. Raises: see `KeyWrapper`."""
        answer = self._ask("encrypt", {"plaintext": base64.b64encode(secret).decode()}, context)
        return self._bytes(answer, "ciphertext")

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """What `wrap` was given. Raises: see `KeyWrapper`."""
        answer = self._ask("decrypt", {"ciphertext": base64.b64encode(blob).decode()}, context)
        if answer.status == _BAD_REQUEST and answer.text("error", "status") == "INVALID_ARGUMENT":
            raise VaultError(f"{self.id} does not open this: another key, another context, or altered")
        return self._bytes(answer, "plaintext")

    def fate(self) -> Fate:
        """What it says of the key's versions: destroyed once all are; scheduled, they are restored within 30 days."""
        told = {"service": TITLE, "call": "cryptoKeyVersions.list"}
        answer = ask(
            self._service, "GET", f"/v1/{self._resource}/cryptoKeyVersions?pageSize=1000", headers=self._headers()
        )
        found = answer.body.get("cryptoKeyVersions")
        if answer.status != OK or not isinstance(found, list) or not found or answer.text("nextPageToken"):
            raise KeyMissing(f"{TITLE} does not tell the versions of {self.id} (status {answer.status})")
        states = {str(one.get("state")) for one in found if isinstance(one, dict)}
        if states == {"DESTROYED"}:
            return Fate(state="destroyed", evidence=told | {"answer": "DESTROYED"})
        if states <= {"DESTROYED", "DESTROY_SCHEDULED"}:
            return Fate(state="pending", evidence=told | {"answer": "DESTROY_SCHEDULED"})
        return Fate(state="usable", evidence=told)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {token_checked(self._token(), title=TITLE, how=HOW)}"}

    def _ask(self, operation: str, body: dict[str, str], context: Mapping[str, str]) -> Answer:
        associated = base64.b64encode(json.dumps(dict(context), sort_keys=True).encode()).decode()
        body = {**body, "additionalAuthenticatedData": associated}
        return ask(self._service, "POST", f"/v1/{self._resource}:{operation}", body=body, headers=self._headers())

    def _bytes(self, answer: Answer, field: str) -> bytes:
        try:
            found = base64.b64decode(answer.text(field), validate=True)
        except ValueError:
            found = b""
        if answer.status != OK or not found:
            raise KeyMissing(
                f"{TITLE} does not let {self.id} be used (status {answer.status}): check that a version of it is "
                "enabled and not to be destroyed, and that this identity may encrypt and decrypt with it"
            )
        return found


class MetadataToken(Private):
    """Access tokens of the service account attached to this machine or pod; each is used until it nearly ends."""

    __slots__ = ("_ends", "_service", "_token")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._token = ""
        self._ends = 0.0

    def __call__(self) -> str:
        """A token.

        Raises:
            KeyMissing: there is no such machine, or no account attached to it.
        """
        if time.monotonic() >= self._ends:
            try:
                answer = ask(self._service, "GET", _TOKEN_PATH, headers={"metadata-flavor": "Google"})
            except StorageError:
                raise KeyMissing(f"there is no token for {TITLE}: {HOW}") from None
            lasts = answer.body.get("expires_in")
            self._token = answer.text("access_token") if answer.status == OK else ""
            self._ends = time.monotonic() + (lasts - _SPARE_S if isinstance(lasts, int) else 0)
        return self._token
