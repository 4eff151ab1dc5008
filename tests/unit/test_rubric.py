"""Rubrics: the built-in ones are whole, what is wrong in one is said in a line, and the digest follows the content."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfumato.errors import PolicyError
from sfumato.gate import rubric
from sfumato.gate.detectors.battery import RULES

TEXT = """\
apiVersion: sfumato/v1
kind: AuditRubric
metadata: {name: small}
minimum: 4
scale: [names somebody, singles out, few, some, all]
rules:
  - {id: names_somebody, text: It names somebody.}
examples:
  - {text: Bake bread, rating: 5}
  - {text: Bake bread for Odalys Brenning, rating: 1, rule: names_somebody}
"""


@pytest.mark.parametrize("name", ["no_individuals", "no_small_groups"])
def test_a_built_in_rubric_loads_asks_all_detectors_and_has_a_steady_digest(name: str) -> None:
    loaded = rubric.load(f"audit/{name}.yaml")
    assert (loaded.metadata.name, loaded.minimum, loaded.asked) == (name, 4, RULES)
    assert loaded.digest == rubric.load(f"audit/{name}").digest
    assert len(loaded.digest) == 64


def test_a_file_beside_the_policy_is_taken_before_a_built_in_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "no_individuals.yaml").write_text(TEXT)
    assert rubric.load("audit/no_individuals.yaml", folder=tmp_path).metadata.name == "small"


def test_the_digest_changes_with_any_word_of_the_rubric() -> None:
    assert rubric.parse(TEXT).digest != rubric.parse(TEXT.replace("some, all", "some, everybody")).digest


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("minimum: 4", "minimum: 4\nminimum: 3", "stands twice"),
        ("minimum: 4", "minimum: 6", "minimum"),
        ("minimum: 4", "minimum: '4'", "minimum"),
        ("minimum: 4", "lenient: true", "lenient"),
        ("few, some, all]", "all]", "scale"),
        ("minimum: 4", "detectors: [email, telepathy]", "telepathy"),
        ("minimum: 4", "detectors: []", "detectors"),
        ("rating: 5}", "rating: 2}", "under the minimum must name its rule"),
        ("rule: names_somebody}", "rule: other_rule}", "names a rule that the rubric does not have"),
        ("kind: AuditRubric", "kind: PrivacyPolicy", "kind"),
        ("- {id: names_somebody, text: It names somebody.}", "- *names", "alias"),
    ],
)
def test_a_rubric_that_is_wrong_is_refused_with_the_field(before: str, after: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        rubric.parse(TEXT.replace(before, after))


@pytest.mark.parametrize("name", ["audit/absent.yaml", "../README.md", "../../pyproject.toml", "/etc/hostname.yaml"])
def test_a_rubric_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"no such rubric|not a|YAML|mapping"):
        rubric.load(name, folder=tmp_path)
