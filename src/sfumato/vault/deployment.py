"""The deployment secret: what derived keys come from where the root key can't give them, or is not the first one.

A key file derives the pseudonym and signing keys itself, for as long as the deployment has no other root key. A key
service never gives its key away, and a second root key would derive other ones: then they come from 32 random bytes,
wrapped in the key store, and those that a first key file derived are kept beside them as they were.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Protocol, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sfumato.errors import KeyMissing, VaultError
from sfumato.model.private import Private
from sfumato.vault import durable, names, wrapped
from sfumato.vault.envelope import ID_BYTES
from sfumato.vault.keys import KEY_BYTES, PURPOSES, RootKey, checked
from sfumato.vault.wrapped import DEPLOYMENT, Wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sfumato.vault.keys import KeyWrapper

NAME = "deployment.secret"
WHAT = "the deployment secret"
_FORMAT = "sfumato.deployment/1"


class Derives(Protocol):
    """What the keys of a deployment are derived from."""

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one of sfumato.vault.keys.PURPOSES, the same for ever."""
        ...


class DeploymentSecret(Private):
    """A seed of 32 bytes, and the keys that a first root key derived before there was a second."""

    __slots__ = ("_fixed", "_seed")

    def __init__(self, seed: bytes, fixed: Mapping[str, bytes]) -> None:
        self._seed = seed
        self._fixed = dict(fixed)

    def derive(self, purpose: str) -> bytes:
        """The fixed key, else HKDF-Expand (RFC 5869, section 2.3) with SHA-256 of the seed."""
        fixed = self._fixed.get(checked(purpose))
        if fixed is not None:
            return fixed
        info = b"sfumato deployment 1 " + purpose.encode()
        return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=info).derive(self._seed)

    @classmethod
    def made(cls, *, first: RootKey | None = None) -> Self:
        """A new one, which derives what `first` did."""
        fixed = {} if first is None else {purpose: first.derive(purpose) for purpose in PURPOSES}
        return cls(os.urandom(KEY_BYTES), fixed)

    def plaintext(self) -> bytes:
        """What is wrapped. Whoever calls this holds the secret."""
        fixed = {purpose: key.hex() for purpose, key in self._fixed.items()}
        return json.dumps({"format": _FORMAT, "seed": self._seed.hex(), "fixed": fixed}).encode()

    @classmethod
    def parse(cls, plaintext: bytes) -> Self:
        """The secret in what was wrapped.

        Raises:
            VaultError: it has another form.
        """
        try:
            document = json.loads(plaintext)
            fixed = {purpose: bytes.fromhex(key) for purpose, key in document["fixed"].items()}
            made = cls(bytes.fromhex(document["seed"]), fixed)
            good = document["format"] == _FORMAT and all(len(key) == KEY_BYTES for key in (made._seed, *fixed.values()))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            good = False
        if not good:
            raise VaultError(f"{WHAT} is not of version 1")
        return made


def context(key_id: bytes) -> dict[str, str]:
    """What a deployment secret is wrapped with."""
    return {"key": key_id.hex(), "purpose": "deployment secret"}


def secrets(directory: Path, root: KeyWrapper) -> Derives:
    """What this deployment derives its keys from; under a key service it is made where the key store is new.

    Raises:
        KeyMissing: it is lost, or the deployment has another root key and was not rotated.
        VaultError: it is under another root key, or altered. StorageError: the root key can't be used now.
    """
    found = stored(directory)
    if found is not None:
        return DeploymentSecret.parse(wrapped.opened(found, root, context(found.id), what=WHAT))
    keys = _keys(directory)
    if any(key.root is not None for _, key in keys):
        raise KeyMissing(f"{directory / NAME} is missing, and keys beside it say it was there: restore it")
    if not isinstance(root, RootKey):
        if keys:
            raise KeyMissing(f"the keys here are of a key file: move them with `sfumato keys rotate` to {root.id}")
        return _begun(directory, root)
    if keys and not any(_opens(key, root, name) for name, key in keys):
        raise VaultError(f"no key here opens under {root.id}: it is another root key than the one they were made under")
    return root


def stored(directory: Path) -> Wrapped | None:
    """The wrapped deployment secret, or None where there is none.

    Raises:
        VaultError: damaged. StorageError: unreadable.
    """
    found = wrapped.read(directory / NAME)
    if found is not None and found.magic != DEPLOYMENT:
        raise VaultError(f"{NAME} in the key store is damaged")
    return found


def _begun(directory: Path, root: KeyWrapper) -> Derives:
    durable.directory(directory)
    with durable.locked(directory):
        if stored(directory) is None:
            secret, key_id = DeploymentSecret.made(), os.urandom(ID_BYTES)
            empty = Wrapped(id=key_id, root=root.id, made=int(time.time()), blob=b"", magic=DEPLOYMENT)
            found = wrapped.rewrapped(empty, secret.plaintext(), root, context(key_id))
            durable.write(directory / NAME, [found.content()])
    return secrets(directory, root)


def _keys(directory: Path) -> list[tuple[names.Name, Wrapped]]:
    """What lies in the store; a destroyed or damaged key says nothing."""
    found = []
    for path in sorted(directory.glob(f"*{names.SUFFIX}")) if directory.is_dir() else ():
        name = names.named(path)
        try:
            key = wrapped.read(path)
        except VaultError:
            continue
        if name is not None and key is not None:
            found.append((name, key))
    return found


def _opens(key: Wrapped, root: RootKey, name: names.Name) -> bool:
    """Whether a first root key is the one: another would derive other pseudonyms, and nothing else would tell."""
    try:
        root.unwrap(key.blob, names.context(name, key.id, key.cut))
    except VaultError:
        return False
    return True
