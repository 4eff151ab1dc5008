"""A YAML file to a `Policy`, its `extends` resolved, or one line that says which field, where, and what to write."""

from __future__ import annotations

import difflib
import hashlib
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfc8785
from pydantic import ValidationError

from sfumato.errors import PolicyError
from sfumato.policy import source as text_source
from sfumato.policy.advice import refusal
from sfumato.policy.inherit import check, merge
from sfumato.policy.schema import Policy
from sfumato.policy.source import Document, Tree, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEEPEST_EXTENDS = 8
CASES = ".cases.yaml"


def utc_today() -> date:
    """The day it is in UTC: what decides whether an override has expired."""
    return datetime.now(UTC).date()


def load(path: str | Path, *, clock: Callable[[], date] = utc_today) -> Policy:
    """The policy in a file, its `extends` resolved.

    Raises:
        PolicyError: it can't be read, is not YAML, repeats a key, breaks the schema, or loosens what it extends
            without an override that is needed and has not expired.
    """
    place = Path(path)
    return _resolved(text_source.read(place), place.parent, today=clock(), depth=0)[1]


def parse(text: str, *, source: str = "policy", clock: Callable[[], date] = utc_today) -> Policy:
    """The policy in a string; `extends` may name built-in policies only. Raises PolicyError as `load` does."""
    return _resolved(text_source.document(text, source=source), None, today=clock(), depth=0)[1]


def builtin_names() -> list[str]:
    """Policies that ship with sfumato and can be named in `extends` without a path."""
    names = (path.name for path in _builtin_folder().iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml") and not name.endswith(CASES))


def builtin_path(name: str) -> Path:
    """Where a built-in policy lies."""
    return Path(str(_builtin_folder() / f"{name}.yaml"))


def located(name: str) -> Path:
    """The file that a command's argument means: a path, or else a built-in policy by its name.

    Raises:
        PolicyError: it is neither.
    """
    if _there(Path(name)):
        return Path(name)
    if name in builtin_names():
        return builtin_path(name)
    raise PolicyError(f"{shown(name)}: can't read the policy (no such file); {_instead(name)}")


def chain(path: Path) -> Iterator[tuple[Path, Tree]]:
    """A policy's file and those that it extends, nearest first, each with what it states itself.

    Raises:
        PolicyError: one of them can't be read, or is no mapping.
    """
    for depth in range(DEEPEST_EXTENDS + 1):
        document = text_source.read(path)
        tree = _mapping(document)
        yield path, tree
        if "extends" not in tree:
            return
        path = _above(document, tree["extends"], path.parent, depth)


def is_builtin(path: Path) -> bool:
    """Whether this is the file of a policy that ships with sfumato."""
    return path.stem in builtin_names() and path.resolve() == builtin_path(path.stem).resolve()


def digest(policy: Policy) -> str:
    """SHA-256, in hex, of the resolved policy's RFC 8785 canonical form."""
    return hashlib.sha256(rfc8785.dumps(policy.model_dump(mode="json"))).hexdigest()


def _builtin_folder() -> Any:  # noqa: ANN401 - importlib's Traversable
    packaged = files("sfumato.policy") / "builtin"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "policies"


def _resolved(document: Document, folder: Path | None, *, today: date, depth: int) -> tuple[Tree, Policy]:
    """The document over all it extends, as plain data and as a policy."""
    tree = _mapping(document)
    if "extends" not in tree:
        alone = _validated(tree, document)
        if alone.override:
            raise PolicyError(f"{document.at(('override',))}: override: there is nothing to override without extends")
        return tree, alone
    above = _above(document, tree["extends"], folder, depth)
    below, parent = _resolved(text_source.read(above), above.parent, today=today, depth=depth + 1)
    merged = merge(below, {key: value for key, value in tree.items() if key != "extends"})
    child = _validated(merged, document)
    check(parent, child, today=today, where=document.at)
    inherited = child.model_copy(update={"override": (*parent.override, *child.override)})
    return {key: value for key, value in merged.items() if key != "override"}, inherited


def _mapping(document: Document) -> Tree:
    tree = document.tree
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise PolicyError(f"{document.source}: a policy is a YAML mapping that begins with apiVersion: sfumato/v1")
    return tree


def _above(document: Document, parent: object, folder: Path | None, depth: int) -> Path:
    at = document.at(("extends",))
    if not isinstance(parent, str) or not parent:
        raise PolicyError(f"{at}: extends must name one policy: a built-in one or a file")
    if depth >= DEEPEST_EXTENDS:
        raise PolicyError(f"{at}: extends goes in a circle, or through more than {DEEPEST_EXTENDS} files; shorten it")
    if parent in builtin_names():
        return builtin_path(parent)
    if folder is None:
        raise PolicyError(f"{at}: can't read the policy {shown(parent)}: here only {', '.join(builtin_names())} can be")
    if not _there(folder / parent):
        raise PolicyError(f"{at}: extends: there is no file {shown(parent, 60)} beside this one; {_instead(parent)}")
    return folder / parent


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False  # a name that no file can have


def _instead(name: str) -> str:
    """What to write for a policy that is not there."""
    near = difflib.get_close_matches(Path(name).stem, builtin_names(), n=1)
    return f"did you mean {near[0]}?" if near else f"give its path, or one of {', '.join(builtin_names())}"


def _validated(tree: Tree, document: Document) -> Policy:
    try:
        return Policy.model_validate(tree)
    except ValidationError as invalid:
        raise refusal(invalid, document, tree, Policy) from None
