"""forget: erase one person from what is sealed, and say truthfully what remains."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Database, Json, Key, KeyFile, TrustedKeys
from sfumato.errors import InputError

if TYPE_CHECKING:
    from sfumato.model.guarantee import Unit

LONGEST = 65_536  # characters of an id


def forget(
    user_id: Annotated[
        str, typer.Argument(metavar="USER_ID", help="As it stands in the log; - reads one line of standard input.")
    ],
    policy: Annotated[
        str, typer.Option("--policy", metavar="POLICY", help="Policy file, or the name of a built-in policy.")
    ],
    data: Data,
    conversation: Annotated[
        bool, typer.Option("--conversation", help="The id is a conversation's, where that is the unit.")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help="A dataset of which there may be nothing here yet.")
    ] = None,
    key_file: KeyFile = None,
    key: Key = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
    json: Json = False,
) -> None:
    """Erase one person from every dataset here: raw text by its key, extracts, and the way back in.

    An argument stays in the shell's history: `sfumato forget - ...` reads the id from standard input.
    """
    from sfumato import custody, wiring
    from sfumato.model.nodump import seal_memory

    seal_memory()
    deployment = custody.Deployment(data=data, key_file=key_file, key=key, trusted_keys=trusted_keys, database=database)
    named: Unit = "conversation" if conversation else "user"
    found = wiring.forget(deployment, _told(user_id), policy=policy, named=named, dataset=dataset)
    if json:
        printing.result(dataclasses.asdict(found))
        return
    printing.drawn(found.done, *(f"- {line}" for line in found.remains))


def _told(user_id: str) -> str:
    """The id, from standard input where the argument is a dash."""
    if user_id != "-":
        return user_id
    lines = [line for line in sys.stdin.read(LONGEST).splitlines() if line.strip()]
    if len(lines) != 1:
        raise InputError("standard input must hold one line: the id of one person")
    return lines[0]
