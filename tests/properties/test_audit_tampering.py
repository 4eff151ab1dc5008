"""Whatever is done to a stored log by someone without the signing key, verification says so and says where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits import KEY, OTHER_KEY, TIME, event, log_of, report_on, rows, tamper
from sfumato.audit import export, tree
from sfumato.audit.anchor import pin
from sfumato.audit.checkpoint import Checkpoint, LogKey, Signer, read
from sfumato.audit.event import encode
from sfumato.audit.log import AuditLog
from sfumato.audit.replay import Tampered
from sfumato.audit.verify import Report, Stored, Trust, verify
from sfumato.errors import InputError, SfumatoError

ENTRIES, SIGNED = 7, (3, 6)
UPDATES = {
    "body": "UPDATE audit_entries SET body = ? WHERE seq = 4",
    "leaf": "UPDATE audit_entries SET leaf = ? WHERE seq = 4",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of seven entries, signed at three and at six."""
    directory = tmp_path_factory.mktemp("audit")
    log_of(directory, ENTRIES, checkpoints=SIGNED)
    return directory


@pytest.fixture(scope="module")
def parts(home: Path) -> tuple[tuple, list, list, tuple]:
    log = AuditLog.read_only(home)
    with log.stored() as stored:
        found = stored.keys, list(stored.entries), list(stored.nodes), stored.notes
    log.close()
    return found


def checked(keys: tuple, entries: list, nodes: list | None, notes: tuple, trust: Trust | None = None) -> Report:
    given_nodes = None if nodes is None else iter(nodes)
    return verify(Stored(keys=keys, entries=iter(entries), nodes=given_nodes, notes=notes), trust or Trust())


def flipped(content: bytes) -> list[bytes]:
    """The content with each single byte changed: one bit, and all of them."""
    return [
        content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]
        for at in range(len(content))
        for mask in (1, 255)
    ]


def test_the_untouched_log_is_good(parts) -> None:
    report = checked(*parts)
    assert (report.good, report.entries, report.signed, report.checkpoints) == (True, ENTRIES, 6, 2)


@pytest.mark.parametrize("seq", range(ENTRIES))
def test_every_single_byte_of_every_entry_counts_and_the_entry_is_named(parts, seq: int) -> None:
    keys, entries, nodes, notes = parts
    for body in flipped(entries[seq].body):
        report = checked(keys, [*entries[:seq], replace(entries[seq], body=body), *entries[seq + 1 :]], nodes, notes)
        assert (report.good, report.first_bad) == (False, seq)


@pytest.mark.parametrize("seq", range(ENTRIES))
def test_every_single_byte_of_every_hash_beside_an_entry_counts(parts, seq: int) -> None:
    keys, entries, nodes, notes = parts
    for leaf in flipped(entries[seq].leaf):
        report = checked(keys, [*entries[:seq], replace(entries[seq], leaf=leaf), *entries[seq + 1 :]], nodes, notes)
        assert (report.good, report.first_bad) == (False, seq)


def test_every_single_byte_of_every_stored_node_counts(parts) -> None:
    keys, entries, nodes, notes = parts
    assert len(nodes) == ENTRIES - ENTRIES.bit_count()
    for at, (upto, level, value) in enumerate(nodes):
        for changed in flipped(value):
            report = checked(keys, entries, [*nodes[:at], (upto, level, changed), *nodes[at + 1 :]], notes)
            assert (report.good, report.first_bad) == (False, upto - (1 << level))
        assert not checked(keys, entries, [*nodes[:at], *nodes[at + 1 :]], notes).good
        assert not checked(keys, entries, [*nodes[: at + 1], *nodes[at:]], notes).good


def test_every_single_byte_of_every_checkpoint_counts(parts) -> None:
    keys, entries, nodes, notes = parts
    for at, (size, note) in enumerate(notes):
        for changed in flipped(note):
            assert not checked(keys, entries, nodes, (*notes[:at], (size, changed), *notes[at + 1 :])).good
        assert not checked(keys, entries, nodes, (*notes[:at], (size + 1, note), *notes[at + 1 :])).good
    assert not checked(keys, entries, nodes, notes[::-1]).good
    assert not checked(keys, entries, nodes, (notes[0], *notes)).good


def test_every_single_byte_of_an_exported_file_counts(home: Path, tmp_path: Path) -> None:
    file, damaged = tmp_path / "log.jsonl", tmp_path / "damaged.jsonl"
    log = AuditLog.read_only(home)
    with log.stored() as stored:
        assert export.write(file, stored) == ENTRIES
    key = (LogKey.parse((home / "keys").read_text().strip()),)
    log.close()

    def good(path: Path, trust: Trust) -> bool:
        try:
            with export.reading(path) as stored:
                return verify(stored, trust).good
        except SfumatoError:
            return False

    content = file.read_bytes()
    assert good(file, Trust(keys=key))
    for at in range(len(content)):
        damaged.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not good(damaged, Trust(keys=key)), at
    for length in range(len(content)):
        damaged.write_bytes(content[:length])
        assert not good(damaged, Trust()), length


@settings(max_examples=100, deadline=None)
@given(order=st.permutations(range(ENTRIES)))
def test_any_other_order_is_found_at_its_first_entry(parts, order: list[int]) -> None:
    keys, entries, nodes, notes = parts
    first = next((at for at, seq in enumerate(order) if at != seq), None)
    report = checked(keys, [entries[seq] for seq in order], nodes, notes)
    assert report.first_bad == first
    moved = [replace(entries[seq], seq=at) for at, seq in enumerate(order)]
    assert checked(keys, moved, nodes, notes).first_bad == first


@pytest.mark.parametrize("seq", range(ENTRIES))
def test_a_removed_or_doubled_entry_is_found_where_it_was(parts, seq: int) -> None:
    keys, entries, nodes, notes = parts
    assert checked(keys, entries[: seq + 1] + entries[seq:], nodes, notes).first_bad == seq + 1
    misfiled = [*entries[:seq], replace(entries[seq], seq=seq - 1), *entries[seq + 1 :]]
    assert checked(keys, misfiled, nodes, notes).first_bad == seq
    if seq < SIGNED[-1]:  # behind the last signature, nobody can tell an end from a cut
        assert checked(keys, entries[:seq] + entries[seq + 1 :], nodes, notes).first_bad == seq


def rebuilt(home: Path, entries: int, *, change: int | None) -> None:
    """Write the log anew with one event altered: every hash fits, only the signatures can't be made."""
    frontier = tree.Frontier()
    tamper(home, "DELETE FROM audit_entries", "DELETE FROM audit_nodes")
    for seq in range(entries):
        body = encode(event(999 if seq == change else seq), seq)
        leaf = tree.leaf_hash(body)
        tamper(home, ("INSERT INTO audit_entries VALUES (?, ?, ?)", (seq, body, leaf)))
        for node in frontier.append(leaf):
            tamper(home, ("INSERT INTO audit_nodes VALUES (?, ?, ?)", node))


def forged(home: Path) -> None:
    """Replace the checkpoints and the key beside the log by one's own."""
    log = AuditLog.read_only(home)
    size, root = log.head()
    log.close()
    origin = (home / "keys").read_text().partition("+")[0]
    signer = Signer(origin, OTHER_KEY)
    note = signer.sign(Checkpoint(origin=origin, size=size, root=root, time=TIME))
    tamper(home, "DELETE FROM audit_checkpoints", ("INSERT INTO audit_checkpoints VALUES (?, ?)", (size, note)))
    (home / "keys").write_text(f"{signer.key}\n")


@pytest.mark.parametrize(("change", "signed"), [(0, 3), (2, 3), (3, 6), (5, 6)])
def test_a_log_rebuilt_with_one_entry_altered_fails_at_the_next_signature(
    tmp_path: Path, change: int, signed: int
) -> None:
    log_of(tmp_path, ENTRIES, checkpoints=SIGNED)
    rebuilt(tmp_path, ENTRIES, change=None)
    assert report_on(tmp_path).good  # the control: what is rebuilt unaltered is the same log
    rebuilt(tmp_path, ENTRIES, change=change)
    report = report_on(tmp_path)
    assert not report.good
    assert report.first_bad == report.signed == {3: 0, 6: 3}[signed]
    assert "signed" in report.problem


def test_a_change_behind_the_last_signature_is_said_to_be_possible(tmp_path: Path) -> None:
    log_of(tmp_path, ENTRIES, checkpoints=SIGNED)
    rebuilt(tmp_path, ENTRIES, change=6)
    report = report_on(tmp_path)
    assert report.good
    assert any(line.startswith("Entries 6 to 6 are signed by no checkpoint") for line in report.does_not_prove)


def test_a_log_rebuilt_and_signed_by_another_is_told_by_the_key_one_knows(tmp_path: Path) -> None:
    log_of(tmp_path, ENTRIES, checkpoints=SIGNED)
    known = (LogKey.parse((tmp_path / "keys").read_text().strip()),)
    pinned = rows(tmp_path, "SELECT note FROM audit_checkpoints ORDER BY size DESC")[0][0]
    assert report_on(tmp_path, Trust(keys=known, pinned=pinned)).good
    rebuilt(tmp_path, ENTRIES, change=2)
    forged(tmp_path)
    report = report_on(tmp_path)
    assert report.good
    assert any("--public-key" in line for line in report.does_not_prove)
    assert not report_on(tmp_path, Trust(keys=known)).good
    with pytest.raises(InputError, match="pinned checkpoint"):
        report_on(tmp_path, Trust(pinned=pinned))


def test_the_true_key_does_not_sign_on_top_of_a_forged_log(tmp_path: Path) -> None:
    log_of(tmp_path, ENTRIES, checkpoints=SIGNED)
    rebuilt(tmp_path, ENTRIES, change=2)
    forged(tmp_path)
    log = AuditLog.open(tmp_path)
    with pytest.raises(SfumatoError, match="signed by none of the keys"):
        log.checkpoint(log.signer(KEY), time=TIME)
    log.close()


@pytest.mark.parametrize("left", [0, 2, 3, 5])
def test_a_log_cut_back_with_its_checkpoints_is_told_by_the_pinned_one(tmp_path: Path, left: int) -> None:
    home, pinned = tmp_path / "audit", tmp_path / "pinned"
    log_of(home, ENTRIES, checkpoints=SIGNED)
    pin(pinned)(rows(home, "SELECT note FROM audit_checkpoints ORDER BY size DESC")[0][0])
    AuditLog.open(home, pinned=pinned).close()
    tamper(
        home,
        ("DELETE FROM audit_entries WHERE seq >= ?", (left,)),
        ("DELETE FROM audit_nodes WHERE upto > ?", (left,)),
        ("DELETE FROM audit_checkpoints WHERE size > ?", (left,)),
    )
    assert report_on(home).good  # nothing in the directory can tell
    report = report_on(home, Trust(pinned=pinned.read_bytes()))
    assert (report.good, report.first_bad) == (False, left)
    with pytest.raises(Tampered, match=f"entry {left}: missing"):
        AuditLog.open(home, pinned=pinned)


@pytest.mark.parametrize("left", [0, 2, 5])
def test_a_log_cut_back_to_before_its_checkpoint_does_not_open(tmp_path: Path, left: int) -> None:
    log_of(tmp_path, ENTRIES, checkpoints=SIGNED)
    tamper(
        tmp_path,
        ("DELETE FROM audit_entries WHERE seq >= ?", (left,)),
        ("DELETE FROM audit_nodes WHERE upto > ?", (left,)),
    )
    assert report_on(tmp_path).first_bad == left
    with pytest.raises(Tampered, match=f"entry {left}: missing"):
        AuditLog.open(tmp_path)


@pytest.mark.parametrize("change", [3, 6])
def test_the_pinned_checkpoint_tells_of_a_change_that_no_stored_one_covers(tmp_path: Path, change: int) -> None:
    home, pinned = tmp_path / "audit", tmp_path / "pinned"
    log_of(home, ENTRIES, checkpoints=(3, 7))
    pin(pinned)(rows(home, "SELECT note FROM audit_checkpoints ORDER BY size DESC")[0][0])
    rebuilt(home, ENTRIES, change=change)
    tamper(home, "DELETE FROM audit_checkpoints WHERE size = 7")
    AuditLog.open(home).close()
    with pytest.raises(Tampered, match="entries 3 to 6 is not the one that was signed"):
        AuditLog.open(home, pinned=pinned)
    assert read(pinned.read_bytes(), [LogKey.parse((home / "keys").read_text().strip())]).size == 7


@pytest.mark.parametrize("column", sorted(UPDATES))
@pytest.mark.parametrize("value", ["text", 7, 1.5, b""], ids=["text", "number", "fraction", "nothing"])
def test_a_value_of_another_kind_in_the_database_is_a_bad_entry_and_no_crash(
    tmp_path: Path, column: str, value: object
) -> None:
    log_of(tmp_path, ENTRIES, checkpoints=SIGNED)
    tamper(tmp_path, (UPDATES[column], (value,)))
    assert report_on(tmp_path).first_bad == 4


def test_the_root_of_the_report_is_that_of_the_entries(home: Path, parts) -> None:
    frontier = tree.Frontier()
    for entry in parts[1]:
        frontier.append(tree.leaf_hash(entry.body))
    assert report_on(home).root == frontier.root().hex()
