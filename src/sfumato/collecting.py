"""Collecting the inbox: each box is opened in memory, sealed into the vault as any input is, and then removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.ingest.source import Held

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.gateway import Gateway
    from sfumato.inbox.folder import Inbox
    from sfumato.ingest.report import IngestReport
    from sfumato.vault.opening import Opener


def collect(
    gateway: Gateway, inbox: Inbox, opener: Opener, *, dataset: str, advance: Callable[[int], None]
) -> dict[str, IngestReport | None]:
    """What became of each box of the gateway's dataset, by its name; None where no line of it could be taken.

    A box is removed once what is in it is sealed and on the disk. Broken off, it is collected again, and what is in
    already counts once. Lines that the gateway rejects are gone with their box: their sender was told which lines are
    no JSON, not which the policy turns away.

    Raises:
        VaultError: a box does not open; those before it are collected.
        Refused: this epoch is released already. StorageError: the vault or the inbox can't be written.
    """
    inbox.offer(opener.public_key())
    found: dict[str, IngestReport | None] = {}
    for name in inbox.names(dataset):
        content = opener.open(inbox.read(dataset, name), dataset=dataset, name=name)
        try:
            found[name] = gateway.ingest(Held(name=f"box {name}", content=content), advance=advance)
        except InputError:  # what one sender sent must not keep the others' boxes waiting
            found[name] = None
        inbox.collected(dataset, name)
    return found
