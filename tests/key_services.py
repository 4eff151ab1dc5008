"""Stand-ins for key services and keyrings: they wrap with real AES-GCM, and can be slow, deny, flap or be asked to die.

One HTTP server speaks three dialects: Vault transit, Google Cloud KMS, AWS KMS. `mood` is how it answers from now on,
`asked` what it was asked. Unlike the stand-ins of others, a key that waits for its deletion opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import threading
import time
import types
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sfumato.adapters import kms_aws, kms_credential, kms_keyring
from sfumato.adapters.kms_google import GoogleKey
from sfumato.adapters.kms_http import Service
from sfumato.adapters.kms_transit import TransitKey
from sfumato.vault.keys import RootKey

TOKEN = "stand-in-token-of-nobody"
SLOW_S = 0.6
PATIENCE_S = 0.2
ARN = "arn:aws:kms:eu-central-1:000000000000:key/{}"
RESOURCE = "projects/p/locations/l/keyRings/r/cryptoKeys/{}"


class KeyService:
    def __init__(self):
        self.mood = "well"
        self.flaps = 0
        self.asked = []
        self.versions = {}
        self.port = 0

    def encrypt(self, key, plaintext, associated):
        version, nonce = self.versions.get(key, 1), os.urandom(12)
        return version, nonce + AESGCM(self._material(key, version)).encrypt(nonce, plaintext, associated)

    def decrypt(self, key, blob, associated, version=None):
        for tried in [version] if version else range(1, self.versions.get(key, 1) + 1):
            try:
                return AESGCM(self._material(key, tried)).decrypt(blob[:12], blob[12:], associated)
            except (InvalidTag, ValueError):
                continue
        return None

    def _material(self, key, version):
        return hashlib.sha256(f"{key} {version}".encode()).digest()

    def answer(self, path, headers, body):
        """(status, JSON) of one request."""
        self.asked.append(path)
        if self.mood == "slow":
            time.sleep(SLOW_S)
        if self.mood == "down" or self.flaps:
            self.flaps = max(0, self.flaps - 1)
            return 500 if self.mood != "down" else 503, {"errors": ["internal"], "__type": "KMSInternalException"}
        if self.mood == "nonsense":
            return 200, None
        if "x-amz-target" in headers:
            return self._aws(headers["x-amz-target"].partition(".")[2], body)
        return (
            self._google(path, headers, body) if path.startswith("/v1/projects") else self._vault(path, headers, body)
        )

    def _vault(self, path, headers, body):
        _, operation, key = path.rsplit("/", 2)
        if operation == "keys":
            gone, about = self.mood == "gone", {"name": key, "soft_deleted": self.mood == "pending"}
            return (404, {"errors": []}) if gone else (200, {"data": about})
        if self.mood == "denied" or headers.get("x-vault-token") != TOKEN:
            return 403, {"errors": ["1 error occurred: permission denied"]}
        if self.mood == "pending":
            return 400, {"errors": ["key is soft deleted"]}
        associated = base64.b64decode(body["associated_data"])
        if operation == "encrypt":
            version, blob = self.encrypt(key, base64.b64decode(body["plaintext"]), associated)
            return 200, {"data": {"ciphertext": f"vault:v{version}:{base64.b64encode(blob).decode()}"}}
        try:
            _, version, blob = body["ciphertext"].split(":", 2)
            plaintext = self.decrypt(key, base64.b64decode(blob, validate=True), associated, int(version[1:]))
        except ValueError:
            plaintext = None
        if plaintext is None:
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(plaintext).decode()}}

    def _google(self, path, headers, body):
        key, _, operation = path.rpartition(":")
        if self.mood == "denied" or headers.get("authorization") != f"Bearer {TOKEN}":
            return 403, {"error": {"status": "PERMISSION_DENIED", "message": f"denied on {key}"}}
        if path.partition("?")[0].endswith("/cryptoKeyVersions"):
            now = {"pending": "DESTROY_SCHEDULED", "gone": "DESTROYED"}.get(self.mood, "ENABLED")
            return 200, {"cryptoKeyVersions": [{"name": "1", "state": "DESTROYED"}, {"name": "2", "state": now}]}
        if self.mood in {"pending", "gone"}:
            return 400, {"error": {"status": "FAILED_PRECONDITION", "message": "DESTROY_SCHEDULED"}}
        associated = base64.b64decode(body["additionalAuthenticatedData"])
        if operation == "encrypt":
            _, blob = self.encrypt(key, base64.b64decode(body["plaintext"]), associated)
            return 200, {"ciphertext": base64.b64encode(blob).decode()}
        plaintext = self.decrypt(key, base64.b64decode(body["ciphertext"]), associated)
        if plaintext is None:
            return 400, {"error": {"status": "INVALID_ARGUMENT", "message": "Decryption failed"}}
        return 200, {"plaintext": base64.b64encode(plaintext).decode()}

    def _aws(self, operation, body):  # noqa: PLR0911 - the same
        if self.mood == "denied":
            return 400, {"__type": "AccessDeniedException", "message": "denied"}
        if self.mood == "gone":
            return 400, {"__type": "NotFoundException"}
        if operation == "DescribeKey":
            state = {"KeyId": body["KeyId"], "KeyState": "Enabled"}
            ends = {"KeyState": "PendingDeletion", "DeletionDate": 1_800_000_000.0} if self.mood == "pending" else {}
            return 200, {"KeyMetadata": state | ends}
        if self.mood == "pending":
            return 400, {"__type": "KMSInvalidStateException", "message": "pending deletion"}
        associated = json.dumps(body["EncryptionContext"], sort_keys=True).encode()
        if operation == "Encrypt":
            _, blob = self.encrypt(body["KeyId"], base64.b64decode(body["Plaintext"]), associated)
            return 200, {"CiphertextBlob": base64.b64encode(blob).decode(), "KeyId": body["KeyId"]}
        plaintext = self.decrypt(body["KeyId"], base64.b64decode(body["CiphertextBlob"]), associated)
        if plaintext is None:
            return 400, {"__type": "InvalidCiphertextException"}
        return 200, {"Plaintext": base64.b64encode(plaintext).decode(), "KeyId": body["KeyId"]}


@contextmanager
def key_service():
    service = KeyService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            status, found = service.answer(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            content = b"<html>busy</html>" if found is None else json.dumps(found).encode()
            try:
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                pass  # a caller that was not patient enough

        do_GET = do_POST  # noqa: N815 - the standard library names it

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def place_of(service):
    return Service(
        title="the stand-in",
        host="127.0.0.1",
        port=service.port,
        trust=None,
        timeout_s=PATIENCE_S,
        sleep=lambda _: None,
    )


def transit(service, name, *, token=TOKEN):
    return TransitKey(place_of(service), mount="transit", name=name, token=lambda: token)


def google(service, name, *, token=TOKEN):
    return GoogleKey(place_of(service), resource=RESOURCE.format(name), token=lambda: token)


def aws(service, name, monkeypatch):
    import botocore.endpoint

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTANDIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TOKEN)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(kms_aws, "READ_S", PATIENCE_S)
    monkeypatch.setattr(botocore.endpoint, "time", types.SimpleNamespace(sleep=lambda _: None, time=time.time))
    return kms_aws.opened(ARN.format(name), endpoint=f"http://127.0.0.1:{service.port}")


def keyring(monkeypatch, *, priority=5, locked=False):
    """The package `keyring`, with a backend in memory."""

    class KeyringError(Exception):
        pass

    stored = {}

    def get_password(service, name):
        if locked:
            raise KeyringError(f"locked: {stored}")
        return stored.get((service, name))

    module = types.ModuleType("keyring")
    module.errors = types.ModuleType("keyring.errors")
    module.errors.KeyringError = KeyringError
    module.get_keyring = lambda: types.SimpleNamespace(priority=priority)
    module.get_password = get_password
    module.set_password = lambda service, name, value: stored.update({(service, name): value})
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", module.errors)
    return stored


def key_file(folder, name, *, data):
    RootKey.create(folder / name, data=data)
    return RootKey.load(folder / name, data=data)


def credential(folder, name, *, data):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(RootKey(os.urandom(32)).line().rstrip())
    (folder / name).chmod(0o440)
    return kms_credential.load(name, data=data, environment={"CREDENTIALS_DIRECTORY": str(folder)})


def in_keyring(name):
    return kms_keyring.create(f"sfumato/{name}")
