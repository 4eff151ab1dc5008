"""Moves a key store from one root key to another; no data is touched, and a crash at any point is gone on from.

The deployment secret goes first, so its root key is the one that the store belongs to from then on: what still lies
under another is a straggler, nothing new is made under the old one, and `rotate` run again moves the rest. Each file
is replaced whole, so at every moment a key opens under the old root key or under the new one.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import KeyMissing, VaultError
from sfumato.model.private import Private
from sfumato.vault import deployment, durable, names, superseding, wrapped
from sfumato.vault.deployment import DeploymentSecret
from sfumato.vault.envelope import ID_BYTES
from sfumato.vault.keys import RootKey
from sfumato.vault.wrapped import DEPLOYMENT, Wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.vault.keys import KeyWrapper


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """How many epoch keys this run moved, how many were there already, and which root key holds all of them now."""

    moved: int
    already: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Step(Private):
    """One file to replace: what lies there (None: nothing yet), the secret in it, and what it is wrapped with."""

    path: Path
    found: Wrapped
    secret: bytes
    context: dict[str, str]
    new: bool = False


def rotate(directory: Path, *, old: KeyWrapper, new: KeyWrapper) -> Rotated:
    """Wrap the deployment secret and every epoch key under `new`. Under one and the same key: under its new version.

    Before anything is written, everything was opened under one of the two. Others wait for the store meanwhile.

    Raises:
        VaultError: something opens under neither, or is damaged: nothing was changed.
        KeyMissing: there is nothing to rotate, or the new root key can't be used.
        StorageError: the disk, or a key service; run it again.
    """
    if not directory.is_dir():
        raise KeyMissing(f"{directory}: there is no key store here yet, so nothing to rotate; begin with the new key")
    with durable.locked(directory):
        for leftover in superseding.leftovers(directory):
            superseding.clear(superseding.target(leftover))
        first, steps = _deployment(directory, old, new), _epoch_keys(directory, old, new)
        waiting = [step for step in steps if step.found.root != new.id or old.id == new.id]
        if first.found.root != new.id or old.id == new.id:
            _move(first, new)
        for step in waiting:
            _move(step, new)
        for step in steps:
            _keep_date(step)
    return Rotated(moved=len(waiting), already=len(steps) - len(waiting), root=new.id)


def _deployment(directory: Path, old: KeyWrapper, new: KeyWrapper) -> _Step:
    """The secret that there is, or the first one, which derives what the old root key did."""
    found, path = deployment.stored(directory), directory / deployment.NAME
    if found is not None:
        place = deployment.context(found.id)
        return _Step(path=path, found=found, secret=_either(found, (old, new), place, deployment.WHAT), context=place)
    if not isinstance(old, RootKey):
        raise KeyMissing(f"the key store was never under {old.id}: name the root key it is under with --key")
    deployment.secrets(directory, old)  # refuses where one was lost
    key_id = os.urandom(ID_BYTES)
    return _Step(
        path=path,
        found=Wrapped(id=key_id, root="", made=int(time.time()), blob=b"", magic=DEPLOYMENT),
        secret=DeploymentSecret.made(first=old).plaintext(),
        context=deployment.context(key_id),
        new=True,
    )


def _epoch_keys(directory: Path, old: KeyWrapper, new: KeyWrapper) -> list[_Step]:
    steps = []
    for path in sorted(directory.glob(f"*{names.SUFFIX}")):
        name, found = names.named(path), wrapped.read(path)
        if name is None:
            raise VaultError(f"{path.name} in the key store is named like no key: move it away; nothing was changed")
        if found is None:
            continue  # zeros: a destruction that was cut short
        place = names.context(name, found.id, found.cut)
        secret = _either(found, (old, new), place, names.spoken(name))
        steps.append(_Step(path=path, found=found, secret=secret, context=place))
    return steps


def _either(found: Wrapped, roots: tuple[KeyWrapper, KeyWrapper], context: dict[str, str], what: str) -> bytes:
    """The secret, under whichever of the two root keys has it. Two of one id are two places of one key service."""
    for root in roots:
        try:
            return wrapped.opened(found, root, context, what=what)
        except VaultError:
            continue
    tried = " nor ".join(sorted({root.id for root in roots}))
    raise VaultError(
        f"{what} opens under neither {tried}: it was altered, or a rotation from {found.under} was cut short: "
        "finish that one first. Nothing was changed"
    )


def _move(step: _Step, root: KeyWrapper) -> None:
    content = wrapped.rewrapped(step.found, step.secret, root, step.context).content()
    if step.new:
        durable.write(step.path, [content])
    else:
        superseding.supersede(step.path, content, made=step.found.made)


def _keep_date(step: _Step) -> None:
    """A run that died between writing a key and dating it left it younger than it is."""
    with durable.storage(step.path):
        if int(step.path.stat().st_mtime) != step.found.made:
            os.utime(step.path, (step.found.made, step.found.made))
