"""Receipts: what is signed is what is read, nothing in it can be changed, and it says what it does not prove."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
from dataclasses import replace

import pytest
import rfc8785

from sfumato.errors import StorageError, VaultError
from sfumato.vault import receipts
from sfumato.vault.receipts import Receipt, SealedSegment


def sign(content):
    return hmac.digest(b"signing key", content, "sha256")


def verify(content, signature):
    return hmac.compare_digest(sign(content), signature)


RECEIPT = Receipt(
    dataset="ds",
    epoch="2026-03",
    policy="sha256:" + "0" * 64,
    key_id="0f" * 16,
    key_fingerprint="ab" * 32,
    ingested="2026-03-31T23:00:00Z",
    destroyed="2026-04-01T00:00:00Z",
    segments=(
        SealedSegment(name="a" * 32, records=10, sha256="c" * 64),
        SealedSegment(name="b" * 32, records=5, sha256="d" * 64),
    ),
)


def test_a_receipt_is_read_as_it_was_written(tmp_path):
    path = receipts.write(tmp_path / "receipts", RECEIPT, sign=sign)
    found = receipts.read(path, verify=verify)
    assert path.name == f"{found.id}.json"
    assert replace(found, id="") == RECEIPT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_document_is_canonical_counts_and_says_what_it_proves(tmp_path):
    content = receipts.write(tmp_path, RECEIPT, sign=sign).read_bytes()
    document = json.loads(content)
    assert rfc8785.dumps(document) + b"\n" == content
    assert document["format"] == "sfumato.receipt/1"
    assert document["totals"] == {"segments": 2, "records": 15}
    assert document["state"] == "unusable"
    assert "overwrote and unlinked" in document["proves"]
    assert "backup" in document["does_not_prove"]


def test_the_id_follows_from_the_content(tmp_path):
    one = receipts.made(RECEIPT)
    assert one.id == hashlib.sha256(receipts.canonical(RECEIPT)).hexdigest()[:32]
    assert receipts.made(one) == one
    assert receipts.write(tmp_path, RECEIPT, sign=sign) == receipts.write(tmp_path, RECEIPT, sign=sign)
    assert receipts.made(replace(RECEIPT, epoch="2026-04")).id != one.id


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(epoch="2026-04"),
        lambda d: d.update(destroyed="2026-05-01T00:00:00Z"),
        lambda d: d["segments"].pop(),
        lambda d: d["segments"][0].update(sha256="e" * 64),
        lambda d: d["totals"].update(records=1),
        lambda d: d.update(state="destroyed"),
        lambda d: d.update(signature="AAAA"),
        lambda d: d.update(id="0" * 32),
        lambda d: d.update(format="sfumato.receipt/2"),
    ],
)
def test_any_change_is_noticed(tmp_path, change):
    path = receipts.write(tmp_path, RECEIPT, sign=sign)
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(VaultError, match="altered"):
        receipts.read(path, verify=verify)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"signature": 1}', b'{"signature": "", "segments": [1]}']
)
def test_what_is_no_receipt_is_refused(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(VaultError, match="no receipt"):
        receipts.read(tmp_path / "x.json", verify=verify)


def test_an_unknown_field_is_refused(tmp_path):
    path = receipts.write(tmp_path, RECEIPT, sign=sign)
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"note": "x"}))
    with pytest.raises(VaultError):
        receipts.read(path, verify=verify)


def test_another_signer_is_refused(tmp_path):
    path = receipts.write(tmp_path, RECEIPT, sign=lambda content: hmac.digest(b"other", content, "sha256"))
    with pytest.raises(VaultError, match="signed by another"):
        receipts.read(path, verify=verify)


def test_an_id_that_is_not_the_contents_is_refused_even_when_signed(tmp_path):
    wrong = replace(RECEIPT, id="0" * 32)
    signature = base64.b64encode(sign(receipts.canonical(wrong))).decode()
    (tmp_path / "x.json").write_text(json.dumps(json.loads(receipts.canonical(wrong)) | {"signature": signature}))
    with pytest.raises(VaultError, match="altered"):
        receipts.read(tmp_path / "x.json", verify=verify)


def test_a_missing_receipt_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError):
        receipts.read(tmp_path / "none.json", verify=verify)


def test_no_exact_count_is_in_a_repr():
    assert "15" not in repr(RECEIPT)
    assert "10" not in repr(RECEIPT.segments[0])
