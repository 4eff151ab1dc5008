"""Options that several commands share, said once, and what is said of options that do not go together."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

PolicyArgument = Annotated[str, typer.Argument(metavar="POLICY", help="Policy file, or the name of a built-in policy.")]
InputArgument = Annotated[
    str,
    typer.Argument(
        metavar="INPUT", help="JSON Lines file, its .gz, the s3://, gs:// or az:// URL of one, or - for standard input."
    ),
]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Data directory of this deployment.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", envvar="SFUMATO_KEY_FILE", help="Root key; default ~/.config/sfumato/root.key."
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="NAME",
        envvar="SFUMATO_KEY",
        help="Root key that is no file of ours: credential:NAME, keyring:SERVICE/NAME, aws-kms://ARN, "
        "gcp-kms://projects/..., vault-transit://HOST/MOUNT/NAME.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        envvar="SFUMATO_DATABASE",
        help="PostgreSQL, such as postgresql+psycopg://user@host/name; left out, SQLite files under --data.",
    ),
]
RawStore = Annotated[
    str | None,
    typer.Option(
        "--raw-store",
        metavar="URL",
        envvar="SFUMATO_RAW_STORE",
        help="Bucket for sealed conversations, s3://BUCKET/PREFIX, gs:// or az://; left out, files under --data.",
    ),
]
TrustedKeys = Annotated[
    Path | None,
    typer.Option(
        "--trusted-keys",
        metavar="FILE",
        envvar="SFUMATO_POLICY_KEYS",
        help="Public keys that may sign policies, one a line; with it every policy of yours must be signed.",
    ),
]
Dataset = Annotated[str, typer.Option("--dataset", metavar="NAME", help="Which log this is; budgets are per dataset.")]
Epoch = Annotated[
    str | None,
    typer.Option(
        "--epoch",
        metavar="NAME",
        help="Epoch of the data, such as 2026-11; records dated outside it are rejected. "
        "Left out: the current epoch, whatever the records' dates.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first line that can't be accepted.")]


@contextmanager
def possible() -> Iterator[None]:
    """Around what is given options and nothing else: what it can't take is a usage error, in its own words.

    Raises:
        BadParameter: for any InputError.
    """
    try:
        yield
    except InputError as reason:
        raise typer.BadParameter(str(reason)) from None
