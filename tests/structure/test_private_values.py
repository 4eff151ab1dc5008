"""Every private value of the code refuses `repr`, formatting, copying and pickling, and no new one is forgotten."""

from __future__ import annotations

import ast
import copy
import importlib
import pickle
from pathlib import Path

import pytest

from sfumato.model.private import Private

SOURCE = Path(__file__).parents[2] / "src"
# Packages through which text, keys or rows of people pass: a value there is private, or says here why it is not.
ZONES = ("model/conversation", "model/extract", "model/prompt", "vault", "ingest", "live/columns", "privacy/bounds")
HOLD_NO_TEXT = {
    "Place": "ids and an index",
    "Wanted": "where a file belongs; the keys in it are a private value",
    "Wrapped": "a wrapped secret, which opens nothing",
    "Evidence": "what was done to a key", "Entry": "what the key store lists", "Inventory": "what the key store lists",
    "Note": "where a segment lies: sizes and a hash of ciphertext",
    "Rotated": "how many keys were moved", "Finding": "what lies around", "Fate": "what a key service says",
    "FollowUp": "signed for auditors", "Receipt": "signed for auditors", "SealedSegment": "a hash of ciphertext",
    "Usage": "counts of tokens", "Shape": "columns, which no person decides",
    "FieldMapping": "names of fields, from the policy", "Limits": "sizes and dates, from the policy",
    "Records": "a mapping; its secrets are private values",
}  # fmt: skip


def private_classes() -> list[type[Private]]:
    """Every subclass of Private in the package, by importing whatever file names one."""
    for path in sorted(SOURCE.rglob("*.py")):
        if "(Private" in path.read_text():
            importlib.import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    found, waiting = [], [Private]
    while waiting:
        below = [one for one in waiting.pop().__subclasses__() if one.__module__.startswith("sfumato.")]
        found += below
        waiting += below
    return found


def test_they_are_many():
    names = {one.__name__ for one in private_classes()}
    assert names >= {"Conversation", "Message", "Extracts", "Prompt", "Reply", "EpochKey", "RootKey", "People", "Held"}
    assert len(names) > 35


@pytest.mark.parametrize("kind", private_classes(), ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_a_private_value_goes_no_road_by_which_it_could_slip_out(kind):
    """Without its fields even, so that nothing it holds can be what refuses."""
    value = object.__new__(kind)
    for told in (repr(value), str(value), f"{value!r}", "%s" % (value,), "%r" % (value,)):  # noqa: UP031 - a road too
        assert told == f"<{kind.__name__}: private>"
    for refuse in (format, "{}".format, pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="private"):
            refuse(value)


def test_no_value_of_the_private_zones_is_forgotten():
    """A dataclass there is private or is told above why it may show itself."""
    open_to_sight = set()
    for zone in ZONES:
        path = SOURCE / "sfumato" / zone
        for file in [path.with_suffix(".py")] if not path.is_dir() else path.glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef) and any("dataclass" in ast.dump(one) for one in node.decorator_list):
                    bases = {getattr(base, "id", "") for base in node.bases}
                    if "Private" not in bases:
                        open_to_sight.add(node.name)
    assert open_to_sight == set(HOLD_NO_TEXT)
