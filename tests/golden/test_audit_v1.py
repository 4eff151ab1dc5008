"""Version 1 of the audit log is frozen: the published Merkle vectors, the bytes of an entry and of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audits import KEY, TIME, event
from sfumato.audit import tree
from sfumato.audit.checkpoint import Checkpoint, LogKey, Signer, read
from sfumato.audit.event import decode, encode

CASES = json.loads(Path(__file__).with_name("audit_v1.json").read_text())
ORIGIN = "sfumato.audit/0123456789abcdef"


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_certificate_transparencys_reference_leaves_are_the_published_ones(size):
    frontier = tree.Frontier()
    for leaf in CASES["tree"]["leaves"][:size]:
        frontier.append(tree.leaf_hash(bytes.fromhex(leaf)))
    assert frontier.root().hex() == CASES["tree"]["roots"][size]


@pytest.mark.parametrize("case", CASES["tree"]["inclusion"], ids=lambda case: f"{case['index']} of {case['size']}")
def test_the_published_inclusion_proofs_are_accepted(case):
    leaf = tree.leaf_hash(bytes.fromhex(CASES["tree"]["leaves"][case["index"]]))
    root = bytes.fromhex(CASES["tree"]["roots"][case["size"]])
    assert tree.verify_inclusion(case["index"], case["size"], leaf, [bytes.fromhex(one) for one in case["proof"]], root)


@pytest.mark.parametrize("case", CASES["tree"]["consistency"], ids=lambda case: f"{case['old']} to {case['new']}")
def test_the_published_consistency_proofs_are_accepted(case):
    old, new = (bytes.fromhex(CASES["tree"]["roots"][case[name]]) for name in ("old", "new"))
    proof = [bytes.fromhex(one) for one in case["proof"]]
    assert tree.verify_consistency(case["old"], old, case["new"], new, proof)


def test_an_entry_of_version_1_is_these_bytes_and_reads_back():
    full, least = CASES["entries"]
    assert encode(event(5), 7) == full.encode()
    assert decode(full.encode()) == (7, event(5))
    changes = dict.fromkeys(("role", "policy", "dataset", "epoch", "shape", "charge"))
    denied = event(actor="nobody", operation="denied", decision="deny", rule="no_key", **changes)
    assert encode(denied, 0) == least.encode()


def test_a_checkpoint_of_version_1_is_these_bytes_and_reads_back():
    signer = Signer(ORIGIN, KEY)
    checkpoint = Checkpoint(origin=ORIGIN, size=8, root=bytes.fromhex(CASES["tree"]["roots"][8]), time=TIME)
    assert str(signer.key) == CASES["key"]
    assert signer.sign(checkpoint).decode() == CASES["checkpoint"]
    assert read(CASES["checkpoint"].encode(), [LogKey.parse(CASES["key"])]) == checkpoint
