"""A root key in the operating system's keyring, through the package `keyring` (the extra `keyring`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sfumato.errors import InputError, KeyMissing
from sfumato.vault.keys import KEY_BYTES, RootKey

if TYPE_CHECKING:
    from types import ModuleType

SAFE = 1  # `keyring` gives its plaintext and null backends a priority below one
TITLE = "the operating system's keyring"


def load(place: str) -> RootKey:
    """The root key under `service/name`.

    Raises:
        InputError: not of that form. KeyMissing: absent, locked, or no safe keyring here.
    """
    service, name = _parts(place)
    keyring = _opened()
    try:
        line = keyring.get_password(service, name)
    except keyring.errors.KeyringError:
        raise KeyMissing(f"{TITLE} did not give {place} away: unlock it and run again") from None
    if not line:
        raise KeyMissing(f"{TITLE} has no {place}; make it with `sfumato keys init --key keyring:{place}`")
    return RootKey.parse(line.encode(), origin=f"{place} in {TITLE}")


def create(place: str) -> RootKey:
    """Make a root key there, never over an existing one.

    Raises:
        InputError: not of the form `service/name`. KeyMissing: one is there, or no safe keyring here, or it is locked.
    """
    service, name = _parts(place)
    keyring = _opened()
    made = RootKey(os.urandom(KEY_BYTES))
    try:
        if keyring.get_password(service, name) is not None:
            raise KeyMissing(f"{TITLE} has {place} already, and it is never overwritten; choose another name")
        keyring.set_password(service, name, made.line().decode().rstrip())
    except keyring.errors.KeyringError:
        raise KeyMissing(f"{TITLE} did not take {place}: unlock it and run again") from None
    return load(place)


def _parts(place: str) -> tuple[str, str]:
    service, slash, name = place.partition("/")
    if not (service and slash and name and place.isprintable()):
        raise InputError("keyring: is followed by service/name, as in keyring:sfumato/root")
    return service, name


def _opened() -> ModuleType:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise KeyMissing("the keyring needs a package: pip install 'sfumato[keyring]'") from None
    if keyring.get_keyring().priority < SAFE:
        raise KeyMissing(f"{TITLE} is not to be had here, or keeps its secrets in plain text: use a key file instead")
    module: ModuleType = keyring
    return module
