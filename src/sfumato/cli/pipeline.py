"""run, ingest, extract, release: a log file in, a signed release out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import (
    Data,
    Database,
    Dataset,
    Epoch,
    InputArgument,
    Json,
    Key,
    KeyFile,
    PolicyArgument,
    RawStore,
    Strict,
    TrustedKeys,
)
from sfumato.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from sfumato.custody import Deployment
    from sfumato.gateway import Gateway


INBOX = "inbox:"


def run(
    policy: PolicyArgument,
    input: InputArgument,
    data: Data,
    dataset: Dataset = "conversations",
    epoch: Epoch = None,
    key_file: KeyFile = None,
    key: Key = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
    raw_store: RawStore = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Ingest, extract, discard and release in one go; prints the release."""
    deployment = _at(data, key_file, key, trusted_keys, database, raw_store)
    with _opened(policy, deployment, dataset, epoch) as gateway:
        stored = gateway.stored()
        if stored is not None:
            printing.note(
                f"{dataset} {gateway.epoch} is released already under this policy: here it is, at no cost. "
                "The input was not read; new data belongs to a new --epoch or --dataset."
            )
            _print(stored, as_json=json)
            return
        gateway.check_budget()
        gateway.check_models()
        if input == INBOX:
            _collect(deployment, gateway, dataset)
        else:
            _ingest(gateway, input, strict=strict)
        _extract(gateway)
        _print(_release(gateway), as_json=json)


def ingest(
    policy: PolicyArgument,
    input: InputArgument,
    data: Data,
    dataset: Dataset = "conversations",
    epoch: Epoch = None,
    key_file: KeyFile = None,
    key: Key = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
    raw_store: RawStore = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Seal conversations into the vault; ids become keyed hashes. INPUT `inbox:` is what the server was sent."""
    deployment = _at(data, key_file, key, trusted_keys, database, raw_store)
    with _opened(policy, deployment, dataset, epoch) as gateway:
        gateway.check_apart()
        report = _collect(deployment, gateway, dataset) if input == INBOX else _ingest(gateway, input, strict=strict)
    if json:
        printing.result(report)


def extract(
    policy: PolicyArgument,
    data: Data,
    dataset: Dataset = "conversations",
    epoch: Epoch = None,
    key_file: KeyFile = None,
    key: Key = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
    raw_store: RawStore = None,
    partial: Annotated[bool, typer.Option("--partial", help="Go on though an input broke off.")] = False,
    json: Json = False,
) -> None:
    """Turn sealed conversations into sealed phrases, facets and vectors, and destroy the raw text's key."""
    with _opened(policy, _at(data, key_file, key, trusted_keys, database, raw_store), dataset, epoch) as gateway:
        gateway.check_apart()
        receipt = _extract(gateway, partial=partial)
    if json:
        printing.result({"receipt": receipt})


def release(
    policy: PolicyArgument,
    data: Data,
    dataset: Dataset = "conversations",
    epoch: Epoch = None,
    key_file: KeyFile = None,
    key: Key = None,
    trusted_keys: TrustedKeys = None,
    database: Database = None,
    raw_store: RawStore = None,
    json: Json = False,
) -> None:
    """Measure, name and sign: prints the release of what was extracted."""
    with _opened(policy, _at(data, key_file, key, trusted_keys, database, raw_store), dataset, epoch) as gateway:
        _print(gateway.stored() or _release(gateway), as_json=json)


def _at(
    data: Path,
    key_file: Path | None,
    key: str | None,
    trusted_keys: Path | None,
    database: str | None,
    raw_store: str | None,
) -> Deployment:
    from sfumato.custody import Deployment

    return Deployment(
        data=data, key_file=key_file, key=key, trusted_keys=trusted_keys, database=database, raw_store=raw_store
    )


def _opened(policy: str, deployment: Deployment, dataset: str, epoch: str | None) -> Gateway:
    from sfumato import wiring
    from sfumato.model.nodump import seal_memory

    seal_memory()
    return wiring.open_gateway(deployment, policy=policy, dataset=dataset, epoch=epoch, note=printing.note)


def _ingest(gateway: Gateway, source: str, *, strict: bool) -> dict[str, object]:
    if source == "-" and sys.stdin.isatty():
        raise InputError("standard input is a terminal; give a file or pipe one in")
    from sfumato import wiring

    with printing.progress("ingest") as bar:
        report = gateway.ingest(wiring.source(source), strict=strict, advance=bar.advance)
    printing.note(report.summary())
    return report.as_dict()


def _collect(deployment: Deployment, gateway: Gateway, dataset: str) -> dict[str, object]:
    from sfumato import wiring

    with printing.progress("collect") as bar:
        taken = wiring.collect(deployment, gateway, dataset=dataset, advance=bar.advance)
    refused = sum(report is None for report in taken.values())
    printing.note(f"{len(taken)} deliveries collected" + (f", {refused} without a usable line" if refused else ""))
    return {name: None if report is None else report.as_dict() for name, report in taken.items()}


def _extract(gateway: Gateway, *, partial: bool = False) -> str | None:
    with printing.progress("extract", total=gateway.waiting()) as bar:
        receipt = gateway.extract(partial=partial, advance=bar.advance, paid=bar.paid)
    if receipt is not None:
        printing.note(f"raw text discarded: its key is destroyed, receipt {receipt}")
    return receipt


def _release(gateway: Gateway) -> bytes:
    with printing.progress("release"):
        return gateway.release()


def _print(canonical: bytes, *, as_json: bool) -> None:
    if as_json:
        printing.document(canonical)
        return
    from sfumato.cli.releases import draw

    draw(canonical)
