"""Each decision of the policy is asked at known places: one taken away, moved or added shows here."""

from __future__ import annotations

import ast
from pathlib import Path

import sfumato
from sfumato.policy import decide

SOURCE = Path(sfumato.__file__).parent
# Where a decision is obeyed: file, function, decision. What each denial does stands in test_every_operation_asks.py,
# for `access` in test_api_access.py and for `query` in test_live_desk.py.
ASKED = {
    ("adapters/roles.py", "_decision", "auditing"),
    ("adapters/roles.py", "_decision", "extraction"),
    ("adapters/roles.py", "_decision", "naming"),
    ("adapters/roles.py", "_url", "endpoint"),
    ("adapters/roles.py", "open", "spend"),
    ("discovery.py", "topics", "release_topic"),
    ("gate/door.py", "_over_thresholds", "release_topic"),
    ("gate/door.py", "_shown", "release_cell"),
    ("forgetting.py", "forget", "forget"),
    ("gateway.py", "_publish", "keep"),
    ("gateway.py", "_signed", "release_mode"),
    ("gateway.py", "check_apart", "custody"),
    ("gateway.py", "extract", "extraction"),
    ("gateway.py", "ingest", "custody"),
    ("ingest/record.py", "__post_init__", "ingest_record"),
    ("live/answer.py", "_numbers", "release_cell"),
    ("live/desk.py", "_read", "query"),
    ("live/shelf.py", "_lives", "keep"),
    ("planning.py", "field_mapping", "ingest_attribute"),
    ("retention.py", "_clear_lost", "keep"),
    ("retention.py", "sweep", "keep"),
    ("serve/access.py", "decide", "access"),
}
SELF = ("policy", "evaluate")  # says what is decided; measures on labelled or made-up data


def asked() -> set[tuple[str, str, str]]:
    """File, innermost function and decision of every call of a decision."""
    found: set[tuple[str, str, str]] = set()
    for path in SOURCE.rglob("*.py"):
        inside = path.relative_to(SOURCE)
        if inside.parts[0] in SELF:
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found |= {(inside.as_posix(), function.name, name) for name in _decisions(function)}
    return found


def _decisions(function: ast.AST) -> set[str]:
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    names = (call for call in calls if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name))
    return {call.attr for call in names if call.value.id == "decide" and hasattr(decide, call.attr)}


def test_decisions_are_asked_where_they_were():
    found = asked()
    assert found - ASKED == set(), "asked in a new place: prove that its denial is obeyed, then list it here"
    assert ASKED - found == set(), "no longer asked there: what was refused before may now pass"


def test_nobody_takes_a_decision_under_another_name():
    """The list above sees `decide.name(...)` alone, so nothing else may be how they are called."""
    taken = {
        (path.relative_to(SOURCE).as_posix(), alias.name)
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "sfumato.policy.decide"
        for alias in node.names
        if callable(getattr(decide, alias.name)) and alias.name not in {"Decision", "Endpoint"}
    }
    assert taken == set()
