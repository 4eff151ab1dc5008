"""What `extends` may do: change anything that has no direction, tighten what has one, loosen nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfumato.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

Field = tuple[str | int, ...]

SMALLER_IS_TIGHTER: frozenset[Field] = frozenset(
    {
        ("guarantee", "budget", "epsilon"),
        ("guarantee", "budget", "delta"),
        ("guarantee", "yearly", "epsilon"),
        ("guarantee", "yearly", "delta"),
    }
)
LARGER_IS_TIGHTER: frozenset[Field] = frozenset({("thresholds", "min_users"), ("thresholds", "min_conversations")})
FIXED: frozenset[Field] = frozenset({("unit",), ("guarantee", "mode"), ("epoch",)})


def merge_tightening(
    parent: dict[str, Any], child: dict[str, Any], *, where: Callable[[Field], str], field: Field = ()
) -> dict[str, Any]:
    """The child's document over the parent's; mappings merge, everything else is replaced.

    Raises:
        PolicyError: the child loosens a field that has a direction, or changes the unit, the mode or the epoch.
    """
    merged = dict(parent)
    for key, value in child.items():
        here = (*field, key)
        before = parent.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = merge_tightening(before, value, where=where, field=here)
        else:
            _check(here, before, value, where)
            merged[key] = value
    return merged


def _check(field: Field, before: object, value: object, where: Callable[[Field], str]) -> None:
    if before is None or before == value:
        return
    name = ".".join(str(part) for part in field)
    if field in FIXED:
        raise PolicyError(f"{where(field)}: {name}: a policy may not change what it extends here")
    if not isinstance(before, int | float) or not isinstance(value, int | float):
        return
    looser = (field in SMALLER_IS_TIGHTER and value > before) or (field in LARGER_IS_TIGHTER and value < before)
    if looser:
        raise PolicyError(
            f"{where(field)}: {name}: {value} is looser than the {before} it extends; extends may only tighten"
        )
