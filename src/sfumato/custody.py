"""Where a deployment's root key is, and the secrets that follow from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sfumato.errors import InputError, KeyMissing
from sfumato.model.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy import URL

    from sfumato.vault.deployment import Derives
    from sfumato.vault.elsewhere import SegmentStore
    from sfumato.vault.followups import Kept
    from sfumato.vault.keys import KeyWrapper
    from sfumato.vault.keystore import EpochKeys

SIGNING = "release signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where a deployment keeps what it needs.

    key_file: its root key in a file; left out, in the user's configuration folder. key: its root key's name where it is
    no file of ours (a key service, a credential, a keyring). trusted_keys: public keys that may sign its policies.
    database: address of the PostgreSQL that holds ledger, releases, API keys and audit log; without it, files.
    raw_store: URL of the bucket that holds sealed conversations; without it, files.
    """

    data: Path
    key_file: Path | None = None
    key: str | None = None
    trusted_keys: Path | None = None
    database: str | None = None
    raw_store: str | None = None

    @classmethod
    def from_environment(cls, data: Path) -> Self:
        """What the variables say that the command line reads; an empty one says nothing.

        SFUMATO_KEY_FILE, SFUMATO_KEY, SFUMATO_POLICY_KEYS, SFUMATO_DATABASE, SFUMATO_RAW_STORE.
        """

        def text(name: str) -> str | None:
            return os.environ.get(f"SFUMATO_{name}") or None

        def path(name: str) -> Path | None:
            found = text(name)
            return None if found is None else Path(found)

        return cls(
            data=data,
            key_file=path("KEY_FILE"),
            key=text("KEY"),
            trusted_keys=path("POLICY_KEYS"),
            database=text("DATABASE"),
            raw_store=text("RAW_STORE"),
        )

    @property
    def url(self) -> URL | None:
        """The database's address, checked. Raises InputError for one that is none."""
        from sfumato.database import url

        return None if self.database is None else url.parse(self.database)

    @property
    def log_url(self) -> str | None:
        """The same as the audit log takes it, password and all."""
        url = self.url
        return None if url is None else url.render_as_string(hide_password=False)

    @property
    def layout(self) -> Layout:
        """The folders under `data`."""
        return Layout(data=self.data)


def root_key(deployment: Deployment, *, made: Callable[[str], None] | None = None) -> KeyWrapper:
    """What wraps the epoch keys. Where no file of one is named or there, one is made if `made` is to be told of it.

    Raises:
        InputError: two are named. KeyMissing: there is none, or it may not be used as it lies. StorageError: a key
            service does not answer.
    """
    from sfumato.vault.keys import RootKey

    if deployment.key is not None:
        if deployment.key_file is not None:
            raise InputError("--key and --key-file (or SFUMATO_KEY and SFUMATO_KEY_FILE) are both given: choose one")
        from sfumato.adapters import kms_names

        return kms_names.opened(deployment.key, data=deployment.data, environment=os.environ)
    path = key_path(deployment.key_file)
    if made is not None and not os.path.lexists(path):
        if deployment.key_file is not None:
            raise KeyMissing(f"{path}: no root key there; make one with `sfumato keys init --key-file {path}`")
        create_root_key(None)
        made(f"no root key yet: made {path}; keep a copy offline")
    return RootKey.load(path, data=deployment.data)


def derived(deployment: Deployment, root: KeyWrapper) -> Derives:
    """The secrets of a deployment: what users' pseudonyms and its signatures are made with, whatever wraps its keys."""
    from sfumato.vault import deployment as secrets

    return secrets.secrets(deployment.layout.keystore, root)


def epoch_keys(deployment: Deployment, root: KeyWrapper) -> EpochKeys:
    """The key store."""
    from sfumato.vault.keystore import EpochKeys

    return EpochKeys(deployment.layout.keystore, root)


def raw_store(deployment: Deployment) -> SegmentStore | None:
    """Where sealed conversations lie if not in the data directory; nothing is asked of it yet.

    Raises:
        InputError: the URL. KeyMissing: obstore is not installed.
    """
    if not deployment.raw_store:
        return None
    from sfumato.adapters import object_stores

    return object_stores.opened(deployment.raw_store, environment=os.environ)


def signer(secrets: Derives, purpose: str = SIGNING) -> Ed25519PrivateKey:
    """The private key that signs releases and receipts, or what else `purpose` says."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secrets.derive(purpose))


def holds(secrets: Derives) -> Callable[[bytes, bytes], bool]:
    """Whether a mark is this deployment's over some bytes."""
    from cryptography.exceptions import InvalidSignature

    public = signer(secrets).public_key()

    def checked(signed: bytes, mark: bytes) -> bool:
        try:
            public.verify(mark, signed)
        except InvalidSignature:
            return False
        return True

    return checked


def kept(deployment: Deployment, name: str) -> Kept:
    """A root key whose keeper can be asked what became of it.

    Raises:
        InputError: this machine keeps it, so nobody can say for certain.
    """
    from sfumato.vault.followups import Kept

    found = root_key(Deployment(data=deployment.data, key=name))
    if not isinstance(found, Kept):
        raise InputError("only a key service can say that a root key is destroyed: name an aws-kms, gcp-kms or transit")
    return found


def key_path(key_file: Path | None) -> Path:
    """Where the root key lies: where the caller says, else in the user's configuration folder."""
    if key_file is not None:
        return key_file
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "sfumato" / "root.key"


def create_root_key(key_file: Path | None) -> Path:
    """Make the root key; refuses to replace one.

    Raises:
        KeyMissing: one is there already, or it can't be written there.
    """
    from sfumato.vault.keys import RootKey

    path = key_path(key_file)
    if key_file is None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    RootKey.create(path)
    return path
