"""Reads the name of a root key, such as `aws-kms://arn...` or `credential:NAME`, and opens what it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sfumato.errors import InputError, KeyMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sfumato.vault.keys import KeyWrapper

Kind = Literal["file", "credential", "keyring", "aws-kms", "gcp-kms", "vault-transit", "vault-transit+http"]
LOCAL: tuple[Kind, ...] = ("file", "credential", "keyring")
FORMS = (
    "file:PATH, credential:NAME, keyring:SERVICE/NAME, aws-kms://ARN, gcp-kms://projects/..., "
    "vault-transit://HOST/MOUNT/NAME"
)
_PART = r"[A-Za-z0-9][A-Za-z0-9_.:-]*"
_GOOGLE = re.compile(rf"projects/{_PART}/locations/{_PART}/keyRings/{_PART}/cryptoKeys/{_PART}")
_TRANSIT = re.compile(
    rf"(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{{1,5}}))?/(?P<path>{_PART}(?:/{_PART})+)"
)
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """The name of a root key, in its two halves; it says where to look and opens nothing."""

    kind: Kind
    rest: str

    @classmethod
    def parse(cls, text: str) -> KeyName:
        """The name in a text; what is wrong is said without the text, which could be a secret pasted by mistake.

        Raises:
            InputError: of no known form.
        """
        kind, _, rest = text.partition(":")
        for known in get_args(Kind):
            if kind != known:
                continue
            remote = known not in LOCAL
            if remote != rest.startswith("//") or not rest.strip("/") or not rest.isprintable():
                raise InputError(f"--key {known}: takes the form {_form(known)}")
            return cls(kind=known, rest=rest.removeprefix("//") if remote else rest)
        raise InputError(f"--key names no kind of root key that is known: {FORMS}")


def opened(text: str, *, data: Path, environment: Mapping[str, str]) -> KeyWrapper:
    """The root key of that name. Key services are not called yet.

    Raises:
        InputError: the name. KeyMissing: what it names is absent, unsafe, or needs a package.
    """
    name = KeyName.parse(text)
    if name.kind == "file":
        from sfumato.vault.keys import RootKey

        return RootKey.load(Path(name.rest), data=data)
    if name.kind == "credential":
        from sfumato.adapters import kms_credential

        return kms_credential.load(name.rest, data=data, environment=environment)
    if name.kind == "keyring":
        from sfumato.adapters import kms_keyring

        return kms_keyring.load(name.rest)
    return _service(name, environment)


def create(text: str, *, data: Path | None) -> None:
    """Make a root key that this machine can make: a file's, or the keyring's.

    Raises:
        InputError: the name. KeyMissing: one is there already, or whoever runs the service must make it.
    """
    name = KeyName.parse(text)
    if name.kind == "file":
        from sfumato.vault.keys import RootKey

        RootKey.create(Path(name.rest), data=data)
    elif name.kind == "keyring":
        from sfumato.adapters import kms_keyring

        kms_keyring.create(name.rest)
    elif name.kind == "credential":
        raise KeyMissing(
            "a credential is made outside: `sfumato keys init --key-file FILE`, then systemd-creds encrypt"
        )


def _service(name: KeyName, environment: Mapping[str, str]) -> KeyWrapper:
    if name.kind == "aws-kms":
        from sfumato.adapters import kms_aws

        return kms_aws.opened(name.rest)
    if name.kind == "gcp-kms":
        return _google(name.rest, environment)
    return _transit(name, environment)


def _google(resource: str, environment: Mapping[str, str]) -> KeyWrapper:
    import ssl

    from sfumato.adapters.kms_google import HOST, METADATA_HOST, TITLE, GoogleKey, MetadataToken
    from sfumato.adapters.kms_http import Service

    if not _GOOGLE.fullmatch(resource):
        raise InputError(f"--key gcp-kms: takes the form {_form('gcp-kms')}")
    service = Service(title=TITLE, host=HOST, port=None, trust=ssl.create_default_context())
    given = environment.get("CLOUDSDK_AUTH_ACCESS_TOKEN", "")
    metadata = MetadataToken(
        Service(title="the metadata server", host=METADATA_HOST, port=None, trust=None, timeout_s=2.0)
    )
    return GoogleKey(service, resource=resource, token=(lambda: given) if given else metadata)


def _transit(name: KeyName, environment: Mapping[str, str]) -> KeyWrapper:
    import ssl

    from sfumato.adapters.kms_http import Service
    from sfumato.adapters.kms_transit import TITLE, TransitKey

    match = _TRANSIT.fullmatch(name.rest)
    if match is None or int(match["port"] or 0) > _LAST_PORT:
        raise InputError(f"--key {name.kind}: takes the form {_form(name.kind)}")
    host, (mount, _, key) = match["host"].strip("[]"), match["path"].rpartition("/")
    plain = name.kind == "vault-transit+http"
    if plain and not _on_this_machine(host):
        raise InputError("--key vault-transit+http: is for an agent on this machine; elsewhere use vault-transit://")
    try:
        trust = None if plain else ssl.create_default_context(cafile=environment.get("VAULT_CACERT") or None)
    except OSError:
        raise InputError("VAULT_CACERT names no file of certificates") from None
    service = Service(title=TITLE, host=host, port=int(match["port"]) if match["port"] else None, trust=trust)
    namespace = environment.get("VAULT_NAMESPACE", "").strip("/")
    return TransitKey(service, mount=mount, name=key, token=_vault_token(environment), namespace=namespace)


def _vault_token(environment: Mapping[str, str]) -> Callable[[], str]:
    """The variable, or a file that an agent keeps fresh: read for every call."""
    file = environment.get("VAULT_TOKEN_FILE", "")

    def token() -> str:
        if not file:
            return environment.get("VAULT_TOKEN", "")
        try:
            return Path(file).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            raise KeyMissing("VAULT_TOKEN_FILE can't be read: is the agent running?") from None

    return token


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _form(kind: Kind) -> str:
    forms = {
        "file": "file:PATH",
        "credential": "credential:NAME or credential:/mounted/path",
        "keyring": "keyring:SERVICE/NAME",
        "aws-kms": "aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID",
        "gcp-kms": "gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K",
        "vault-transit": "vault-transit://HOST:PORT/MOUNT/NAME",
        "vault-transit+http": "vault-transit+http://127.0.0.1:PORT/MOUNT/NAME",
    }
    return forms[kind]
