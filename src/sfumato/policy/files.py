"""Files that a policy names: a relative path starts beside the policy that states it, whichever one extends that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.errors import PolicyError
from sfumato.policy import load, taxonomy_file
from sfumato.policy.lint_models import taxonomies as declared
from sfumato.policy.source import shown

if TYPE_CHECKING:
    from sfumato.model.taxonomy import Taxonomy
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_facets import TaxonomySection

Field = tuple[str, ...]


def taxonomies(name: str, policy: Policy, *, missing: bool = False) -> dict[TaxonomySection, Taxonomy]:
    """The trees that a policy declares, read. name: its file or built-in name. missing: leave out those not there.

    Raises:
        PolicyError: a file is not there (with what the policy says of how to get it), or is not what it must be; or
            two files in different folders are declared under one name.
    """
    places: dict[TaxonomySection, Path] = {}
    for field, section in declared(policy).items():
        stated = ("facets",) if field.startswith("facets.") else ("topics", "taxonomy", "file")
        folder = tree_folder(name, stated)
        if places.setdefault(section, folder) != folder:
            raise PolicyError(f"{field}: another file is declared as {shown(section.file)} too; rename one of them")
    return {
        section: taxonomy_file.read(section, folder=folder)
        for section, folder in places.items()
        if not missing or (folder / section.file).is_file()
    }


def tree_folder(name: str, field: Field) -> Path:
    """Where a tree that this field names lies: yours, so never among the policies that ship with sfumato.

    It starts beside the policy that states the field; where that one ships with sfumato, beside the policy of yours
    that extends it, or else where the program was started.
    """
    yours = Path()
    for path, tree in load.chain(load.located(name)):
        if not load.is_builtin(path):
            yours = path.parent
        if _states(tree, field):
            break
    return yours


def rubric_folder(name: str) -> Path:
    """Where the auditor's rubric lies: beside the policy that states it; the default one ships with sfumato."""
    for path, tree in load.chain(load.located(name)):
        if _states(tree, ("auditor", "rubric")):
            return path.parent
    return load.builtin_path("standard").parent


def _states(tree: object, field: Field) -> bool:
    for part in field:
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True
