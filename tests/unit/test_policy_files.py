"""Where the files that a policy names are looked for, and that pinning one by `extends` is a tightening."""

from __future__ import annotations

import json
import shutil

import pytest

from sfumato.errors import PolicyError
from sfumato.policy.directions import compare, overall
from sfumato.policy.files import rubric_folder, taxonomies
from sfumato.policy.load import builtin_path, digest, load

CHILD = "apiVersion: sfumato/v1\nkind: PrivacyPolicy\nextends: {above}\nmetadata: {{name: mine}}\n"


def tree(path, *names):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps({"id": name, "name": name}) + "\n" for name in names))


def child(path, above, more=""):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(CHILD.format(above=above) + more)
    return path


def names(policy):
    return [node.id for found in taxonomies(str(policy), load(policy)).values() for node in found.nodes]


@pytest.fixture
def parent(tmp_path):
    """A policy of the user's own that declares a tree beside it."""
    text = builtin_path("economic_index").read_text().replace("name: economic_index", "name: parent")
    tree(tmp_path / "shared" / "onet.jsonl", "of the parent")
    (tmp_path / "shared" / "parent.yaml").write_text(text)
    return tmp_path / "shared" / "parent.yaml"


def test_a_tree_lies_beside_the_policy_that_states_it_and_not_beside_the_one_that_extends_it(tmp_path, parent):
    tree(tmp_path / "team" / "onet.jsonl", "of the child")
    assert names(child(tmp_path / "team" / "mine.yaml", "../shared/parent.yaml")) == ["of the parent"]


def test_the_digest_does_not_depend_on_where_the_files_lie(tmp_path, parent):
    mine = child(tmp_path / "team" / "mine.yaml", "../shared/parent.yaml")
    shutil.copytree(tmp_path / "shared", tmp_path / "moved" / "shared")
    moved = child(tmp_path / "moved" / "team" / "mine.yaml", "../shared/parent.yaml")
    assert digest(load(mine)) == digest(load(moved))


def test_a_tree_that_a_built_in_policy_states_lies_beside_the_users_policy_or_where_the_program_starts(
    tmp_path, monkeypatch
):
    tree(tmp_path / "team" / "onet.jsonl", "beside mine")
    tree(tmp_path / "here" / "onet.jsonl", "here")
    monkeypatch.chdir(tmp_path / "here")
    mine = child(tmp_path / "team" / "mine.yaml", "economic_index")
    assert names(mine) == ["beside mine"]
    assert names(child(tmp_path / "later" / "again.yaml", "../team/mine.yaml")) == ["beside mine"]
    found = taxonomies("economic_index", load(builtin_path("economic_index")))
    assert [node.id for one in found.values() for node in one.nodes] == ["here"]


def test_one_name_for_two_files_in_two_folders_is_refused(tmp_path, parent):
    """Facets are replaced as a whole, so the child's stand beside the child; the topics' tree beside its parent."""
    facet = 'facets: [{name: job, kind: path, taxonomy: {file: onet.jsonl, source: here}, ask: "Which?"}]'
    text = parent.read_text().replace("facets:\n  - {name: language}", facet)
    (parent.parent / "asks.yaml").write_text(
        text.replace("unit: user", "extraction: {provider: anthropic, model: m}\nunit: user")
    )
    more = "topics: {taxonomy: {file: onet.jsonl, source: here}}\n"
    mine = child(tmp_path / "team" / "mine.yaml", "../shared/asks.yaml", more)
    with pytest.raises(PolicyError, match=r"^\S+: another file is declared as onet\.jsonl too; rename one of them$"):
        taxonomies(str(mine), load(mine))


def test_what_is_missing_may_be_left_out_or_is_said_with_its_place(tmp_path, parent):
    (parent.parent / "onet.jsonl").unlink()
    assert taxonomies(str(parent), load(parent), missing=True) == {}
    with pytest.raises(PolicyError, match=r"no such taxonomy file at \S+onet\.jsonl; make it with `sfumato taxonomy"):
        taxonomies(str(parent), load(parent))


def test_a_rubric_lies_beside_the_policy_that_states_it_and_the_default_one_with_sfumato(tmp_path, parent):
    """A file of the default rubric's name beside a policy, or where the program starts, is not taken for it."""
    shipped = builtin_path("standard").parent
    assert rubric_folder(str(parent)) == shipped
    assert rubric_folder("clio") == shipped
    parent.write_text(parent.read_text() + "auditor: {rubric: ours.yaml}\n")
    assert (
        rubric_folder(str(child(tmp_path / "team" / "mine.yaml", "../shared/parent.yaml"))).resolve() == parent.parent
    )


def test_to_pin_a_tree_is_tighter_and_to_let_it_go_or_to_take_another_is_not(tmp_path):
    open_ = load(child(tmp_path / "open.yaml", "economic_index"))
    pinned = load(child(tmp_path / "pinned.yaml", "economic_index", f"topics: {{taxonomy: {{sha256: {'f' * 64}}}}}\n"))
    told = load(child(tmp_path / "told.yaml", "economic_index", "topics: {taxonomy: {source: ask us}}\n"))
    assert overall(compare(open_, pinned)) == "stronger"
    assert overall(compare(pinned, open_)) == "weaker"
    assert overall(compare(open_, told)) == "same"
    with pytest.raises(PolicyError, match=r"topics\.taxonomy: .* neither tighter nor looser"):
        load(child(tmp_path / "other.yaml", "economic_index", "topics: {taxonomy: {file: other.jsonl}}\n"))
