"""A root key that systemd or Kubernetes hands to a process as a file."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.errors import KeyMissing
from sfumato.vault.keys import FILE_BYTES, RootKey, outside

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "CREDENTIALS_DIRECTORY"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in its place must not hang us


def load(name: str, *, data: Path, environment: Mapping[str, str]) -> RootKey:
    """The root key in $CREDENTIALS_DIRECTORY/NAME, or in a mounted file where NAME is an absolute path.

    Unlike a key file of one's own it may be a link (Kubernetes mounts `name -> ..data/name`), belong to root, and be
    readable by a group (an access list shows as one, and so does fsGroup); nobody else may read it, and only its
    owner may write it.

    Raises:
        KeyMissing: absent, open to others, of a wrong form, or inside the data directory.
    """
    path = _path(name, environment)
    outside(path, data)
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        raise KeyMissing(f"{path}: there is no such credential; is the unit or the pod given it?") from None
    except OSError as failure:
        raise KeyMissing(f"{path}: the credential can't be read: {failure.strerror}") from None
    try:
        _trusted(path, os.fstat(descriptor))
        content = os.read(descriptor, FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    return RootKey.parse(content, origin=str(path))


def _path(name: str, environment: Mapping[str, str]) -> Path:
    if name.startswith("/"):
        return Path(name)
    if not _NAME.fullmatch(name):
        raise KeyMissing("credential: is followed by a name of letters, digits, dot, dash, underscore, or by /a/path")
    folder = environment.get(VARIABLE, "")
    if not folder.startswith("/"):
        raise KeyMissing(f"{VARIABLE} is not set: start this from a unit with LoadCredentialEncrypted={name}:FILE")
    return Path(folder) / name


def _trusted(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyMissing(f"{path}: the credential must be a plain file")
    if status.st_uid not in {0, os.geteuid()}:
        raise KeyMissing(f"{path}: the credential belongs to another user, neither root nor the one who runs sfumato")
    if status.st_mode & stat.S_IRWXO:
        raise KeyMissing(f"{path}: everybody may open the credential; mount it with mode 0400, or 0440 for a group")
    if status.st_mode & (stat.S_IWGRP | stat.S_IXGRP):
        raise KeyMissing(f"{path}: a group may change the credential; mount it with mode 0400 or 0440")
