"""The tree that a policy names, from its JSON Lines file, or one line that says which line of it is wrong and why."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from sfumato.errors import InputError, PolicyError
from sfumato.model.strict_json import loads
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.policy.source import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sfumato.model.strict_json import Json
    from sfumato.policy.schema_facets import TaxonomySection

LARGEST_FILE = 64 * 2**20
MOST_NODES = 32_000  # a node's place fits the 16 bits of a facet code, `unknown` after the last
DEEPEST = 12
LONGEST = {"id": 200, "parent": 200, "name": 500, "description": 4_000}
JOINERS = "\u200c\u200d"  # of Persian, Indic scripts and emoji: the only format characters that words need
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A node and the line it stands on."""

    number: int
    node: Node


def read(section: TaxonomySection, *, folder: Path) -> Taxonomy:
    """The taxonomy that a policy's section names.

    folder: where a relative path starts. Keys of a line that the section does not name are
    left alone; a whole number is taken as an id; a missing, null or empty parent is none; blank lines are skipped. A
    parent may stand after its children. The digest is the file's SHA-256.

    Raises:
        PolicyError: the file can't be read, is not the pinned one, or is not one tree of at most 32,000 nodes; the
            message names file and line.
    """
    place = folder / section.file
    source = shown(section.file)
    raw = _bytes(place, source, section.source)
    digest = hashlib.sha256(raw).hexdigest()
    if section.sha256 is not None and digest != section.sha256:
        raise PolicyError(
            f"{source}: not the taxonomy that the policy pins: its SHA-256 is {digest}; put the pinned file back, or "
            "change `sha256` in the policy"
        )
    return Taxonomy(nodes=_ordered(_lines(raw, section, source), source), digest=digest)


def _bytes(place: Path, source: str, origin: str | None) -> bytes:
    try:
        if not place.is_file():
            how = shown(origin, 500) if origin else "give its path"
            at = "" if shown(place) == source else f" at {shown(place)}"
            raise PolicyError(f"{source}: no such taxonomy file{at}; {how}")
        with place.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "not a path"
        raise PolicyError(f"{source}: can't read the taxonomy ({why or 'not a file'}); give its path") from None
    if len(raw) > LARGEST_FILE:
        raise PolicyError(f"{source}: larger than {LARGEST_FILE // 2**20} MiB; a taxonomy has short names")
    return raw


def _lines(raw: bytes, section: TaxonomySection, source: str) -> list[_Line]:
    """Every node of the file, in its order."""
    found: dict[str, _Line] = {}
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        at = f"{source}:{number}"
        try:
            record = loads(line)
        except InputError:
            raise PolicyError(f"{at}: not one JSON object in UTF-8 without repeated keys; mend this line") from None
        node = _node(record, section, at)
        if node.id in found:
            first = found[node.id].number
            raise PolicyError(
                f"{at}: the id {shown(node.id)} stands on line {first} too; a node stands once, under one parent"
            )
        found[node.id] = _Line(number=number, node=node)
        if len(found) > MOST_NODES:
            raise PolicyError(f"{at}: more than {MOST_NODES} nodes; leave the lowest level out, or the rarest branches")
    if not found:
        raise PolicyError(f'{source}: the taxonomy is empty; write one node a line, such as {{"id": "a", "name": "A"}}')
    return list(found.values())


def _node(record: Mapping[str, Json], section: TaxonomySection, at: str) -> Node:
    id_ = _text(record, section.id, "id", at) or _missing(section.id, at)
    parent = _text(record, section.parent, "parent", at)
    if parent == id_:
        raise PolicyError(f"{at}: the node {shown(id_)} is its own parent; name the node above it, or none")
    return Node(
        id=id_,
        parent=parent or None,
        name=_text(record, section.name, "name", at) or _missing(section.name, at),
        description=_text(record, section.description, "description", at),
    )


def _text(record: Mapping[str, Json], key: str, part: str, at: str) -> str:
    """A part of a node, without space around it; empty where it is missing or null."""
    value = record.get(key)
    if value is None:
        return ""
    if part in {"id", "parent"} and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise PolicyError(f"{at}: `{shown(key)}` must be text")
    value = value.strip()
    if len(value) > LONGEST[part]:
        raise PolicyError(f"{at}: `{shown(key)}` is longer than {LONGEST[part]} characters; shorten it")
    if any(unicodedata.category(char) in UNSEEN and char not in JOINERS for char in value):
        raise PolicyError(f"{at}: `{shown(key)}` holds a control or another invisible character; remove it")
    return value


def _missing(key: str, at: str) -> NoReturn:
    raise PolicyError(f"{at}: `{shown(key)}` is missing or empty; say in the policy which key holds it, or fill it in")


def _ordered(lines: Sequence[_Line], source: str) -> tuple[Node, ...]:
    """Each parent before its children, else in the file's order."""
    known = {line.node.id for line in lines}
    below: dict[str | None, list[_Line]] = {}
    for line in lines:
        parent = line.node.parent
        if parent is not None and parent not in known:
            raise PolicyError(
                f"{source}:{line.number}: no line has the parent's id {shown(parent)}; add that node, or leave the "
                "parent out of a node at the top"
            )
        below.setdefault(parent, []).append(line)
    level, ordered = below.get(None, []), []
    for _ in range(DEEPEST):
        ordered += level
        level = [child for line in level for child in below.get(line.node.id, [])]
    if level:
        raise PolicyError(f"{source}:{level[0].number}: stands more than {DEEPEST} levels deep; flatten the tree")
    reached = {line.node.id for line in ordered}
    for line in lines:
        if line.node.id not in reached:
            raise PolicyError(
                f"{source}:{line.number}: the parents of {shown(line.node.id)} go round in a circle; one of them must "
                "stand at the top"
            )
    return tuple(line.node for line in ordered)
