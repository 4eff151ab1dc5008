"""A receipt for what was discarded, raw text or extracts: what it was, by hash of the ciphertext, and its key's end."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import rfc8785

from sfumato.errors import VaultError
from sfumato.vault import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

FORMAT = "sfumato.receipt/1"
PROVES = (
    "The key with this id and fingerprint sealed the raw segments with these hashes, and sfumato overwrote and "
    "unlinked the only file that held it before this receipt was signed."
)
DOES_NOT_PROVE = (
    "It can't show that no copy of the key file was made before (a backup, a snapshot, a disk that keeps old blocks, "
    "memory written to swap), nor that the log the text was read from is gone."
)
_IN_A_FILE = (
    "The key with this id and fingerprint sealed the raw segments with these hashes. It lay in one file, wrapped by "
    "the root key {root}, which sfumato overwrote and unlinked before this receipt was signed."
)
_NOT_IN_A_FILE = (
    " A copy of the file would open for whoever may use that root key, until the root key is itself destroyed; a key "
    "service does so only days after it was asked (AWS KMS 7 to 30, Google Cloud KMS 30 unless set otherwise)."
)
_IN_MEMORY = (
    "The key with this id and fingerprint sealed the raw segments with these hashes. sfumato held it in the memory of "
    "one process, wrote it nowhere, and let go of it before this receipt was signed."
)
_NOT_IN_MEMORY = (
    "It can't show that no copy of that memory was made or is left (swap, a core dump, hibernation, bytes not yet used "
    "again), nor that the log the text was read from is gone."
)
_ELSEWHERE = (
    " The segments lay in {urls}: it can't show that no copy of them is left there (a replica, a backup, soft delete); "
    "such a copy is ciphertext under the destroyed key."
)
_OLD_VERSIONS = (
    " That store keeps old versions of what is deleted, which the operator accepted: these ciphertexts stay there "
    "until its own rules remove them, and a copy of the key, were there one, would open them."
)
_UNOPENED = (
    " Segments that did not open, altered or damaged: {number}; it tells their bytes, not how many conversations they "
    "held."
)
_STORES = re.compile(r" The segments lay in (\S+(?: and \S+)*): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSegment:
    """One ciphertext: its name, the conversations in it, SHA-256 in hex."""

    name: str
    records: int
    sha256: str

    def __repr__(self) -> str:
        return f"<SealedSegment {self.name}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is signed, for the operator and an auditor; its exact counts keep it out of every release.

    id: of the content (`made` sets it). zone: raw text, or the extracts made of it; of those the files are told, not
    what is in them: `records` is 0, and `ingested` is when the oldest was written. times: ISO 8601, UTC. policy: digest
    of the policy in force. state: `unusable`, since a key in a local file was zeroed and unlinked, which no disk can
    prove to be final.
    proves, does_not_prove: as `wording` has them.
    """

    dataset: str
    epoch: str
    policy: str
    key_id: str
    key_fingerprint: str
    ingested: str
    destroyed: str
    segments: tuple[SealedSegment, ...]
    zone: Literal["raw", "derived"] = "raw"
    state: Literal["unusable"] = "unusable"
    proves: str = PROVES
    does_not_prove: str = DOES_NOT_PROVE
    format: str = FORMAT
    id: str = ""

    def __repr__(self) -> str:
        return f"<Receipt {self.id} of {self.dataset} {self.epoch}>"


def wording(custody: str, *, zone: Literal["raw", "derived"] = "raw") -> tuple[str, str]:
    """What a receipt proves and does not, by where the key was kept: see `EpochKeys.custody`.

    The words are a receipt's own text, so version 1 holds all of them and whoever reads version 1 reads them.
    """
    proves, does_not_prove = _wording(custody)
    return (proves if zone == "raw" else proves.replace("raw segments", "extracts")), does_not_prove


def _wording(custody: str) -> tuple[str, str]:
    if custody == "memory":
        return _IN_MEMORY, _NOT_IN_MEMORY
    if custody.partition(":")[0] == "root-key":
        return PROVES, DOES_NOT_PROVE
    return _IN_A_FILE.format(root=custody), DOES_NOT_PROVE + _NOT_IN_A_FILE


def kept_in(urls: Sequence[str]) -> str:
    """What a receipt can't show where segments lay in other stores; nothing where they lay on the disk."""
    if not urls:
        return ""
    return _ELSEWHERE.format(urls=" and ".join(urls)) + (_OLD_VERSIONS if any("?" in url for url in urls) else "")


def unopened(segments: Sequence[SealedSegment]) -> str:
    """What a receipt can't show of raw segments that were found altered; nothing where all of them opened."""
    number = sum(not segment.records for segment in segments)
    return _UNOPENED.format(number=number) if number else ""


def stores_of(receipt: Receipt) -> list[str]:
    """The stores that `kept_in` was told of."""
    found = _STORES.search(receipt.does_not_prove)
    return found[1].split(" and ") if found else []


def made(receipt: Receipt) -> Receipt:
    """The receipt with its id: the first 32 hex digits of the SHA-256 of its canonical form with an empty id."""
    content = canonical(replace(receipt, id=""))
    return replace(receipt, id=hashlib.sha256(content).hexdigest()[:32])


def canonical(receipt: Receipt) -> bytes:
    """The bytes that are signed: canonical JSON (RFC 8785), with the totals beside the list of segments.

    That it is of raw text goes without saying: version 1 began with that.
    """
    stated = asdict(receipt)
    if receipt.zone == "raw":
        del stated["zone"]
    document = stated | {
        "segments": [asdict(segment) for segment in receipt.segments],
        "totals": {"segments": len(receipt.segments), "records": sum(item.records for item in receipt.segments)},
    }
    return rfc8785.dumps(document)


def write(directory: Path, receipt: Receipt, *, sign: Callable[[bytes], bytes]) -> Path:
    """Sign and put on disk, whole, as `<id>.json`: the document and its signature over `canonical`, base64.

    Raises:
        StorageError: it could not be written.
    """
    complete = made(receipt)
    signature = base64.b64encode(sign(canonical(complete))).decode()
    path = durable.directory(directory) / f"{complete.id}.json"
    document = json.loads(canonical(complete)) | {"signature": signature}
    durable.write(path, [rfc8785.dumps(document), b"\n"])
    return path


def read(path: Path, *, verify: Callable[[bytes, bytes], bool]) -> Receipt:
    """A receipt whose signature holds. `verify` is given the signed bytes and the signature.

    Raises:
        VaultError: no receipt, altered, or signed by another.
        StorageError: the file can't be read.
    """
    with durable.storage(path), durable.reading(path) as file:
        content = file.read()
    try:
        document = json.loads(content)
        signature = base64.b64decode(document.pop("signature"), validate=True)
        segments = tuple(SealedSegment(**item) for item in document.pop("segments"))
        totals = document.pop("totals")
        receipt = Receipt(**document, segments=segments)
        signed = canonical(receipt)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise VaultError(f"{path} is no receipt of version 1") from None
    counted = {"segments": len(segments), "records": sum(item.records for item in segments)}
    if receipt.format != FORMAT or totals != counted or made(receipt).id != receipt.id or not verify(signed, signature):
        raise VaultError(f"{path}: the receipt was altered, or signed by another key")
    return receipt
