"""The taxonomy file that a policy names: what is read, what is refused and where; and the tree of O*NET's files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sfumato.cli import taxonomy as command
from sfumato.errors import InputError, PolicyError
from sfumato.model.taxonomy import Taxonomy
from sfumato.policy import taxonomy_file, taxonomy_onet
from sfumato.policy.schema_facets import TaxonomySection

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"


def read(folder, raw, **section):
    (folder / "tree.jsonl").write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return taxonomy_file.read(TaxonomySection(file="tree.jsonl", **section), folder=folder)


def lines(*records):
    return "\n".join(json.dumps(record) for record in records)


def test_children_may_stand_before_their_parents_and_keys_may_have_other_names(tmp_path):
    """Parents come first in what is read; numbers are ids; other keys, blank lines, a byte order mark don't matter."""
    raw = "\ufeff" + lines(
        {"code": 12, "above": 7, "title": " inner ", "what": None, "share": 0.5},
        {"code": "leaf", "above": "12", "title": "leaf", "what": "the lowest"},
    ) + "\r\n\n" + lines({"code": 7, "above": "", "title": "top"})  # fmt: skip
    found = read(tmp_path, raw, id="code", parent="above", name="title", description="what")
    assert [(n.id, n.parent, n.name, n.description) for n in found.nodes] == [
        ("7", None, "top", ""), ("12", "7", "inner", ""), ("leaf", "12", "leaf", "the lowest"),
    ]  # fmt: skip
    assert found.digest == hashlib.sha256(raw.encode()).hexdigest()


def test_a_relative_path_starts_at_the_policys_folder_and_an_absolute_one_stands_alone(tmp_path):
    """Where the program was started from does not matter."""
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees" / "t.jsonl").write_text(lines({"id": "a", "name": "A"}))
    for file, folder in (("trees/t.jsonl", tmp_path), (str(tmp_path / "trees" / "t.jsonl"), Path("/nowhere"))):
        assert len(taxonomy_file.read(TaxonomySection(file=file), folder=folder)) == 1


def test_a_pinned_file_must_be_that_file(tmp_path):
    """Its SHA-256 in the policy is checked; the message says what it is instead."""
    raw = lines({"id": "a", "name": "A"})
    right = hashlib.sha256(raw.encode()).hexdigest()
    assert read(tmp_path, raw, sha256=right).digest == right
    with pytest.raises(PolicyError, match=r"tree\.jsonl: not the taxonomy that the policy pins: .*" + right):
        read(tmp_path, raw, sha256="0" * 64)


A = {"id": "a", "name": "A"}
REFUSED = {
    "empty": ("", r"tree\.jsonl: the taxonomy is empty"),
    "not-json": (lines(A) + "\n{", r"tree\.jsonl:2: not one JSON object"),
    "a-list": ("[]", r"tree\.jsonl:1: not one JSON object"),
    "key-twice": ('{"id": "a", "id": "b", "name": "x"}', r"tree\.jsonl:1: not one JSON object"),
    "not-utf8": (b'{"id": "\xff", "name": "x"}', r"tree\.jsonl:1: not one JSON object in UTF-8"),
    "no-id": (lines({"name": "A"}), r"tree\.jsonl:1: `id` is missing"),
    "no-name": (lines(A, {"id": "b", "name": "  "}), r"tree\.jsonl:2: `name` is missing or empty"),
    "id-true": (lines({"id": True, "name": "A"}), r"tree\.jsonl:1: `id` must be text"),
    "name-a-list": (lines({"id": "a", "name": ["A"]}), r"tree\.jsonl:1: `name` must be text"),
    "id-twice": (lines(A, A), r"tree\.jsonl:2: the id a stands on line 1 too"),
    "own-parent": (lines({"id": "a", "name": "A", "parent": "a"}), r"tree\.jsonl:1: .* its own parent"),
    "lost-parent": (lines({"id": "a", "name": "A", "parent": "z"}), r"tree\.jsonl:1: no line has the parent's id z"),
    "circle": (
        lines(A, {"id": "b", "name": "B", "parent": "c"}, {"id": "c", "name": "C", "parent": "b"}),
        r"tree\.jsonl:2: the parents of b go round in a circle",
    ),
    "control": (lines({"id": "a", "name": "A\u0007"}), r"tree\.jsonl:1: `name` holds a control"),
    "bidi": (lines({"id": "a", "name": "A\u202e"}), r"tree\.jsonl:1: `name` holds a control or another invisible"),
    "surrogate": ('{"id": "a", "name": "\\ud800"}', r"tree\.jsonl:1: "),
    "long-name": (lines({"id": "a", "name": "A" * 501}), r"tree\.jsonl:1: `name` is longer than 500"),
    "too-deep": (
        lines(*[{"id": i, "name": "x", "parent": i - 1 if i > 1 else None} for i in range(1, 14)]),
        r"tree\.jsonl:13: stands more than 12 levels deep",
    ),
    "too-many": (
        lines(*[{"id": i, "name": "x"} for i in range(32_001)]), r"tree\.jsonl:32001: more than 32000 nodes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_tree_is_refused_with_file_and_line(tmp_path, case):
    """Each fault has one message that says where it stands and what to do."""
    raw, message = REFUSED[case]
    with pytest.raises(PolicyError, match=message) as refusal:
        read(tmp_path, raw)
    assert str(refusal.value).isprintable()


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path, monkeypatch):
    """A missing file, a folder, and one beyond any taxonomy's size."""
    for file in ("nowhere.jsonl", "."):
        with pytest.raises(PolicyError, match="no such taxonomy file"):
            taxonomy_file.read(TaxonomySection(file=file), folder=tmp_path)
    monkeypatch.setattr(taxonomy_file, "LARGEST_FILE", 10)
    with pytest.raises(PolicyError, match="larger than"):
        read(tmp_path, lines(A))


def test_joiners_that_words_need_are_kept(tmp_path):
    """Persian and emoji write with joiners; they are no control characters to refuse."""
    assert read(tmp_path, lines({"id": "a", "name": "می\u200cخواهم"})).nodes[0].name == "می\u200cخواهم"


@settings(max_examples=200, deadline=None)
@given(raw=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_a_taxonomy_or_a_policy_error(tmp_path_factory, raw):
    """A value or our error, nothing else."""
    folder = tmp_path_factory.getbasetemp()
    try:
        found = read(folder, raw)
    except PolicyError:
        return
    assert isinstance(found, Taxonomy)


IWA = "Element ID\tIWA ID\tIWA Title\n4.A.1.a.1\t4.A.1.a.1.I01\tRead things.\n"
DWA = "Element ID\tIWA ID\tDWA ID\tDWA Title\n4.A.1.a.1\t4.A.1.a.1.I01\t4.A.1.a.1.I01.D01\tRead small print.\n"
LINKS = "O*NET-SOC Code\tTask ID\tDWA ID\tDate\n1\t7\t4.A.1.a.1.I01.D01\t2025\n1\t7\t4.A.1.a.1.I01.D09\t2025\n"
TASKS = 'O*NET-SOC Code\tTask ID\tTask\tTask Type\n1\t7\tRead the "fine" print of leases.\tCore\n1\t8\tSing.\tCore\n'
NAMES = "Element ID\tElement Name\tDescription\n4.A.1.a.1\tReading\tTaking things in.\n4.A.1.a\tSeeking\tLooking.\n"


@pytest.fixture
def official(tmp_path):
    for name, text in (
        ("IWA Reference", IWA), ("DWA Reference", DWA), ("Tasks to DWAs", LINKS), ("Task Statements", TASKS),
    ):  # fmt: skip
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


def test_the_tab_separated_files_make_a_tree_with_ids_for_names_until_their_names_are_there(official):
    """Upper levels are honestly called by their ids without the Content Model Reference, by their names with it."""
    found = taxonomy_onet.tree(official)
    assert [(row["id"], row["parent"], row["name"]) for row in found.lines] == [
        ("4.A.1.a", "", "O*NET element 4.A.1.a"),
        ("4.A.1.a.1", "4.A.1.a", "O*NET element 4.A.1.a.1"),
        ("4.A.1.a.1.I01", "4.A.1.a.1", "Read things."),
        ("4.A.1.a.1.I01.D01", "4.A.1.a.1.I01", "Read small print."),
        ("7", "4.A.1.a.1.I01.D01", 'Read the "fine" print of leases.'),
    ]
    assert {row["description"] for row in found.lines} == {"", "Such as: Read things."}
    assert (found.unlinked, found.named) == (1, False)
    (official / "Content Model Reference.txt").write_text(NAMES)
    named = taxonomy_onet.tree(official, tasks=False)
    assert [row["name"] for row in named.lines[:2]] == ["Seeking", "Reading"]
    assert named.lines[1]["description"] == "Taking things in."
    assert len(named.lines) == 4


def test_a_missing_table_or_column_is_said(official):
    """One line that names the file and what it lacks."""
    (official / "DWA Reference.txt").write_text("Element ID\tIWA ID\n4.A\t4.A.1\n")
    with pytest.raises(InputError, match=r"DWA Reference\.txt: row 1 has no DWA ID"):
        taxonomy_onet.tree(official)
    (official / "IWA Reference.txt").unlink()
    with pytest.raises(InputError, match=r"neither IWA Reference\.txt nor iwa\.jsonl"):
        taxonomy_onet.tree(official)


def test_what_the_command_writes_is_a_taxonomy_that_it_accepts(official, tmp_path):
    """`taxonomy onet` to a file, `taxonomy check` on it: sizes from the top down and the hash to pin."""
    runner = CliRunner()
    written = runner.invoke(command.group, ["onet", str(official)])
    assert written.exit_code == 0
    assert "1 tasks are linked to no" in written.stderr
    file = tmp_path / "onet.jsonl"
    file.write_text(written.stdout)
    checked = runner.invoke(command.group, ["check", str(file), "--json"])
    assert json.loads(checked.stdout) == {
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "nodes": 5, "leaves": 1, "by_depth": [1, 1, 1, 1, 1],
    }  # fmt: skip
    assert "1 / 1 / 1 / 1 / 1" in runner.invoke(command.group, ["check", str(file)]).stdout


def test_the_published_onet_and_values_trees_are_taxonomies(tmp_path):
    """Real trees of 20,000 and 3,600 nodes pass the strict reader."""
    if not (SHARED / "onet" / "iwa.jsonl").is_file():
        pytest.skip("the shared corpora are not here")
    onet = read(tmp_path, lines(*taxonomy_onet.tree(SHARED / "onet").lines))
    assert (onet.depth, len(onet.children(None))) == (5, 9)
    assert 18_000 < len(onet.leaves()) < len(onet) < taxonomy_file.MOST_NODES
    values = TaxonomySection(file="tree.jsonl")
    assert len(taxonomy_file.read(values, folder=SHARED / "values_in_the_wild").children(None)) == 5
