"""The O*NET tree of work activities, made from the operator's own O*NET files: task, detailed, intermediate, element.

O*NET links a task to several detailed activities, but a node of a tree has one parent: the first that the files name.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.model.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Row = dict[str, str]

# What is needed of a table: our name of a column, then the names it has in O*NET's text files and in JSON Lines.
ELEMENT, IWA, DWA, TASK = "Element ID", "IWA ID", "DWA ID", "Task ID"
EXAMPLES = 6  # activities that stand for an element without a name
JSON_KEYS = {
    ELEMENT: "element_id", IWA: "iwa_id", DWA: "dwa_id", TASK: "task_id",
    "IWA Title": "text", "DWA Title": "text", "Task": "text", "Element Name": "name", "Description": "description",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Lines of a taxonomy file, parents first; `unlinked` tasks stand under no activity and were left out."""

    lines: tuple[Row, ...]
    unlinked: int
    named: bool


def tree(folder: Path, *, tasks: bool = True) -> Tree:
    """The tree of the O*NET files in a folder: groups of elements, elements, IWAs, DWAs and, if wanted, tasks.

    Read as `NAME.txt`, tab-separated as O*NET publishes them (`IWA Reference`, `DWA Reference`, `Task Statements`,
    `Tasks to DWAs`, `Content Model Reference`), or as JSON Lines (`iwa`, `dwa`, `tasks`, `task_to_dwa`, `elements`).
    Elements have names in the Content Model Reference alone; without it they are called by their ids and
    described by some of the activities below them (`named` False).

    Raises:
        InputError: a file is missing, can't be read, or lacks a column.
    """
    names = {row[ELEMENT]: row for row in _table(folder, "Content Model Reference", "elements", optional=True)}
    iwas = _table(folder, "IWA Reference", "iwa", (ELEMENT, IWA, "IWA Title"))
    dwas = _table(folder, "DWA Reference", "dwa", (IWA, DWA, "DWA Title"))
    elements = dict.fromkeys(row[ELEMENT] for row in iwas)
    groups = dict.fromkeys(_above(element) for element in elements)
    examples = {
        id_: _examples([row["IWA Title"] for row in iwas if _under(row[ELEMENT], id_)]) for id_ in (*groups, *elements)
    }
    lines = [
        *(_element(group, "", names, examples) for group in groups),
        *(_element(element, _above(element), names, examples) for element in elements),
        *(_line(row[IWA], row[ELEMENT], row["IWA Title"]) for row in iwas),
        *(_line(row[DWA], row[IWA], row["DWA Title"]) for row in dwas),
    ]
    found, unlinked = _tasks(folder) if tasks else ([], 0)
    return Tree(lines=(*lines, *found), unlinked=unlinked, named=bool(names))


def _tasks(folder: Path) -> tuple[list[Row], int]:
    """Tasks under the first detailed activity that they are linked to, and how many are linked to none."""
    first: dict[str, str] = {}
    for row in _table(folder, "Tasks to DWAs", "task_to_dwa", (TASK, DWA)):
        first.setdefault(row[TASK], row[DWA])
    rows = _table(folder, "Task Statements", "tasks", (TASK, "Task"))
    linked = [_line(row[TASK], first[row[TASK]], row["Task"]) for row in rows if row[TASK] in first]
    return linked, len(rows) - len(linked)


def _line(id_: str, parent: str, name: str, description: str = "") -> Row:
    return {"id": id_, "parent": parent, "name": name, "description": description}


def _element(id_: str, parent: str, names: Mapping[str, Row], examples: Mapping[str, str]) -> Row:
    """By its name where it has one; else by its id, with activities that stand under it, so that it says something."""
    row = names.get(id_, {})
    name = row.get("Element Name", "")
    return _line(id_, parent, name or f"O*NET element {id_}", row.get("Description", "") if name else examples[id_])


def _examples(titles: Sequence[str]) -> str:
    """Some titles, evenly spaced among all."""
    some = [titles[place * len(titles) // EXAMPLES] for place in range(EXAMPLES)]
    return "Such as: " + " ".join(dict.fromkeys(some))


def _under(element: str, id_: str) -> bool:
    return element == id_ or element.startswith(f"{id_}.")


def _above(element: str) -> str:
    """4.A.1.a.1 stands under 4.A.1.a."""
    return element.rpartition(".")[0]


def _table(
    folder: Path,
    official: str,
    short: str,
    columns: Sequence[str] = (ELEMENT, "Element Name"),
    *,
    optional: bool = False,
) -> list[Row]:
    """Rows of one table under O*NET's own column names, from whichever file is there."""
    for name, rows in ((f"{official}.txt", _tabbed), (f"{short}.jsonl", _json_lines)):
        if not (folder / name).is_file():
            continue
        try:
            found = list(rows((folder / name).read_text(encoding="utf-8-sig")))
        except (OSError, UnicodeDecodeError, csv.Error, InputError):
            raise InputError(f"{name}: can't be read as O*NET publishes it; download it again") from None
        for number, row in enumerate(found, 1):
            if absent := [column for column in columns if not row.get(column)]:
                raise InputError(f"{name}: row {number} has no {absent[0]}; download the file again")
        return found
    if optional:
        return []
    raise InputError(f"neither {official}.txt nor {short}.jsonl is in that folder; put the O*NET database's file there")


def _tabbed(text: str) -> Iterator[Row]:
    rows = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    return ({str(key): str(value or "").strip() for key, value in row.items()} for row in rows)


def _json_lines(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        record = loads(line.encode())
        yield {column: str(record[key]).strip() for column, key in JSON_KEYS.items() if key in record}
