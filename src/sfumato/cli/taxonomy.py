"""taxonomy check, onet: see whether a tree can be declared in a policy, and make one from O*NET's files."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Json

group = typer.Typer(
    name="taxonomy", help="Trees that a policy declares instead of discovering topics.", no_args_is_help=True
)

Key = Annotated[str, typer.Option(metavar="KEY", help="Key of a line that holds this part of a node.")]


@group.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON Lines file, one node a line.")],
    id_key: Annotated[str, typer.Option("--id", metavar="KEY", help="Key of a line that holds the id.")] = "id",
    parent: Key = "parent",
    name: Key = "name",
    description: Key = "description",
    json: Json = False,
) -> None:
    """Read a taxonomy as a policy would; print its size and the SHA-256 to pin."""
    from sfumato.policy.schema_facets import TaxonomySection
    from sfumato.policy.taxonomy_file import read

    section = TaxonomySection(file=file, id=id_key, parent=parent, name=name, description=description)
    found = read(section, folder=Path())
    at_depth = Counter(len(found.path(node.id)) for node in found.nodes)
    sizes = [at_depth[depth] for depth in range(1, found.depth + 1)]
    if json:
        printing.result({"sha256": found.digest, "nodes": len(found), "leaves": len(found.leaves()), "by_depth": sizes})
        return
    printing.drawn(
        f"{len(found)} nodes, {len(found.leaves())} leaves; from the top down: {' / '.join(map(str, sizes))}",
        f"sha256: {found.digest}",
    )


@group.command()
def onet(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the O*NET database's text files.")],
    tasks: Annotated[
        bool, typer.Option("--tasks/--activities", help="Down to the tasks, or to detailed work activities only.")
    ] = True,
) -> None:
    """Write the O*NET tree of work activities as a taxonomy file on standard output."""
    import json

    from sfumato.policy.taxonomy_onet import tree

    found = tree(folder, tasks=tasks)
    for line in found.lines:
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    if found.unlinked:
        printing.note(f"{found.unlinked} tasks are linked to no detailed work activity; they are left out")
    if not found.named:
        printing.note(
            "the upper two levels are called by their ids, with examples: put O*NET's Content Model Reference.txt "
            "into that folder for their names"
        )
