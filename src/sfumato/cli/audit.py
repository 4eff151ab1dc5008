"""audit verify, show, export, checkpoint: read the log of every decision, prove it whole, and sign it."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Data, Database, Json, Key, KeyFile
from sfumato.errors import InputError, StorageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.audit.event import Event
    from sfumato.audit.log import AuditLog
    from sfumato.audit.verify import Report, Trust
    from sfumato.custody import Deployment

group = typer.Typer(name="audit", help="The tamper-evident log of every decision.", no_args_is_help=True)

SomeData = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data directory of this deployment.")]
Exported = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="A log that `audit export` wrote.")]
Pinned = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE", help="The last checkpoint, as it is kept elsewhere.")
]
PublicKey = Annotated[
    Path | None, typer.Option("--public-key", metavar="FILE", help="The log's public keys, as they are kept elsewhere.")
]
Last = Annotated[int, typer.Option("--last", metavar="N", min=1, help="Only the last N entries.")]


@group.command()
def verify(
    data: SomeData = None,
    file: Exported = None,
    checkpoint: Pinned = None,
    public_key: PublicKey = None,
    database: Database = None,
    json: Json = False,
) -> None:
    """Recompute everything from the entries; the first bad one is named, and the exit code is then 1."""
    if (data is None) == (file is None):
        raise typer.BadParameter("give either --data DIR or --file FILE")
    trust = _trust(checkpoint, public_key)
    report = _of_data(data, database, trust) if data is not None else _of_file(file, trust)
    if json:
        printing.result(dataclasses.asdict(report))
    elif report.good:
        printing.drawn(
            f"{report.entries} entries, {report.signed} of them signed, {report.checkpoints} checkpoints",
            f"root {report.root}",
            *(f"Proves: {line}" for line in report.proves),
            *(f"Does not prove: {line}" for line in report.does_not_prove),
        )
    if not report.good:
        raise StorageError(report.problem or "audit log: not as it was written")


@group.command()
def show(data: Data, last: Last = 50, database: Database = None, json: Json = False) -> None:
    """List the last entries, oldest first."""
    with closing(_log(data, database)) as log:
        found = list(log.events(last=last))
    if json:
        from sfumato.audit.event import encode
        from sfumato.model.strict_json import loads

        printing.result([loads(encode(event, seq)) for seq, event in found])
        return
    for seq, event in found:
        typer.echo(_line(seq, event))


@group.command()
def export(
    data: Data,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; never over a file.")],
    database: Database = None,
) -> None:
    """Write entries, checkpoints and public keys to one file, to verify elsewhere with `audit verify --file`."""
    from sfumato.audit import export as exports

    with closing(_log(data, database)) as log, log.stored() as stored:
        count = exports.write(file, stored)
    printing.note(f"{count} entries written to {file}")


@group.command()
def checkpoint(
    data: Data,
    key_file: KeyFile = None,
    key: Key = None,
    pin: Annotated[
        Path | None, typer.Option("--pin", metavar="FILE", help="Keep the checkpoint there too, outside DIR.")
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--anchor", metavar="COMMAND", help="Run this with the checkpoint on its standard input; repeatable."
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Sign the log as it is and print the checkpoint. Where the pinned one is not its beginning, nothing is signed."""
    import shlex

    from sfumato.audit import anchor
    from sfumato.audit.event import utc
    from sfumato.audit.log import AuditLog
    from sfumato.custody import Deployment

    try:
        commands = [shlex.split(words) for words in run or ()]
    except ValueError:
        raise typer.BadParameter("a quotation mark is not closed", param_hint="--anchor") from None
    deployment = Deployment(data=data, key_file=key_file, key=key, database=database)
    _log(data, database).close()
    if pin is not None and pin.resolve().is_relative_to(data.resolve()):
        raise InputError(f"{pin}: a pinned checkpoint must not lie inside the data directory; choose another place")
    known = pin if pin is not None and pin.exists() else None
    anchors = [anchor.pin(pin)] if pin is not None else []
    anchors += [anchor.command(words) for words in commands]
    with closing(AuditLog.open(deployment.layout.audit, url=deployment.log_url, pinned=known)) as log:
        signer = log.signer(_private_key(deployment))
        log.checkpoint(signer, time=utc(datetime.now(UTC)), anchors=[*anchors, _print])


def _private_key(deployment: Deployment) -> Ed25519PrivateKey:
    from sfumato import custody
    from sfumato.audit.checkpoint import PURPOSE

    return custody.signer(custody.derived(deployment, custody.root_key(deployment)), PURPOSE)


def _print(note: bytes) -> None:
    printing.document(note.removesuffix(b"\n"))


def _log(data: Path, database: str | None) -> AuditLog:
    from sfumato.audit.log import AuditLog
    from sfumato.custody import Deployment

    deployment = Deployment(data=data, database=database)
    return AuditLog.read_only(deployment.layout.audit, url=deployment.log_url)


def _of_data(data: Path, database: str | None, trust: Trust) -> Report:
    from sfumato.audit.verify import verify as check

    with closing(_log(data, database)) as log, log.stored() as stored:
        return check(stored, trust)


def _of_file(file: Path | None, trust: Trust) -> Report:
    from sfumato.audit import export as exports
    from sfumato.audit.verify import verify as check

    with exports.reading(file or Path()) as stored:
        return check(stored, trust)


def _trust(checkpoint: Path | None, public_key: Path | None) -> Trust:
    from sfumato.audit import anchor, home
    from sfumato.audit.verify import Trust

    return Trust(
        keys=None if public_key is None else home.read_keys(public_key),
        pinned=None if checkpoint is None else anchor.pinned(checkpoint),
    )


def _line(seq: int, event: Event) -> str:
    """One entry, one line: words that `event` allows only, so nothing in it could steer a terminal."""
    from sfumato.model.guarantee import NANO

    words = [str(seq), event.time, event.actor, event.role, event.operation, event.decision, event.rule]
    words += [event.dataset, event.epoch, event.release, event.receipt, event.key]
    if event.shape is not None:
        shape = event.shape
        parts = (("by", shape.by), ("where", shape.where), ("topics", shape.topics))
        words += [shape.measure, *(f"{name} {','.join(names)}" for name, names in parts if names)]
    if event.charge is not None:
        words += [f"rho {event.charge.rho / NANO:.9f}", f"delta {event.charge.delta / NANO:.9f}"]
    return "  ".join(word for word in words if word)
