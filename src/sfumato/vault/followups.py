"""A second paper to a receipt: what became of the root key that wrapped the destroyed key, by its keeper's own word.

`<receipt>.followed` beside the receipt: canonical JSON (RFC 8785) and its signature. The receipt stays as it is.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import rfc8785

from sfumato.errors import VaultError
from sfumato.vault import durable, receipts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sfumato.vault.receipts import Receipt

FORMAT = "sfumato.receipt-followup/1"
SUFFIX = ".followed"
State = Literal["usable", "pending", "destroyed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a key service says of a root key. evidence: which call, and what it answered, in closed words and times."""

    state: State
    evidence: Mapping[str, str]


@runtime_checkable
class Kept(Protocol):
    """A root key in a key service, which can say what becomes of it."""

    @property
    def id(self) -> str:
        """As of `KeyWrapper`."""
        ...

    def fate(self) -> Fate:
        """Whether it is usable, waits for its deletion, or is gone.

        Raises:
            KeyMissing: this identity may not ask. StorageError: the service does not answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """receipt: its id. root: id of the root key. state: of the destroyed key and every copy of it. checked: when."""

    receipt: str
    root: str
    state: Literal["unusable", "destroyed"]
    evidence: Mapping[str, str]
    checked: str
    format: str = FORMAT


def follow(receipt: Receipt, root: str, fate: Fate, *, checked: str) -> FollowUp | None:
    """What is to be said of a receipt; None where its key was not wrapped by that root key, or that one lives on."""
    if receipt.proves != receipts.wording(root, zone=receipt.zone)[0] or fate.state == "usable":
        return None
    state: Literal["unusable", "destroyed"] = "destroyed" if fate.state == "destroyed" else "unusable"
    return FollowUp(receipt=receipt.id, root=root, state=state, evidence=dict(fate.evidence), checked=checked)


def write(directory: Path, found: FollowUp, *, sign: Callable[[bytes], bytes]) -> None:
    """Sign and put beside the receipt, in the place of an earlier one.

    Raises:
        StorageError: it could not be written.
    """
    content = rfc8785.dumps(asdict(found))
    document = asdict(found) | {"signature": base64.b64encode(sign(content)).decode()}
    durable.write(directory / f"{found.receipt}{SUFFIX}", [rfc8785.dumps(document), b"\n"])


def read(directory: Path, receipt: str, *, verify: Callable[[bytes, bytes], bool]) -> FollowUp | None:
    """The one of a receipt, if there is any.

    Raises:
        VaultError: altered, another receipt's, or signed by another key. StorageError: unreadable.
    """
    path = directory / f"{receipt}{SUFFIX}"
    if not path.exists():
        return None
    with durable.storage(path), durable.reading(path) as file:
        content = file.read()
    try:
        document = json.loads(content)
        mark = base64.b64decode(document.pop("signature"), validate=True)
        found = FollowUp(**document)
        good = found.format == FORMAT and found.receipt == receipt and verify(rfc8785.dumps(asdict(found)), mark)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        good = False
    if not good:
        raise VaultError(f"{path}: what follows the receipt was altered, or signed by another key")
    return found
