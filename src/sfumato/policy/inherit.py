"""What `extends` may do: tighten. Whatever else it does needs an override that says who allows it and until when."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sfumato.errors import PolicyError
from sfumato.policy.directions import Direction, compare, name_of
from sfumato.policy.source import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from sfumato.policy.directions import Change
    from sfumato.policy.schema import Policy
    from sfumato.policy.source import Field, Tree

BEYOND_LEAVE = "signature_required"  # leave to go unsigned would be given in a file that nobody signed
WAY_OUT = "extends may only tighten; an override must say who allows it and until when"


def merge(parent: Tree, child: Tree) -> Tree:
    """The child's document over the parent's; mappings merge, everything else is replaced."""
    merged = dict(parent)
    for key, value in child.items():
        before = parent.get(key)
        merged[key] = merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def check(parent: Policy, child: Policy, *, today: date, where: Callable[[Field], str]) -> None:
    """Let a resolved child pass that is nowhere looser than its parent, but for what its own overrides allow.

    `child.override` holds the child's own entries; `where` gives the place of a field in the child's file.

    Raises:
        PolicyError: a field is loosened or changed in kind without an override; or an override is expired, of an
            unknown or fixed field, there twice, or not needed.
    """
    changes = {change.field: change for change in compare(parent, child)}
    for change in changes.values():
        if change.direction is Direction.FIXED and change.verdict != "same":
            raise PolicyError(
                f"{_place(child, change, where)}: {change.field}: a policy may not change what it extends here"
            )
    loosened = {name: change for name, change in changes.items() if change.verdict in {"weaker", "incomparable"}}
    allowed = _allowed(child, changes, loosened, today=today, where=where)
    for name, change in loosened.items():
        if name not in allowed:
            how = "is looser than" if change.verdict == "weaker" else "is neither tighter nor looser than"
            raise PolicyError(
                f"{_place(child, change, where)}: {name}: {_told(change.after)} {how} "
                f"what it extends ({_told(change.before)}); {WAY_OUT}"
            )


def _allowed(
    child: Policy,
    changes: Mapping[str, Change],
    loosened: Mapping[str, Change],
    *,
    today: date,
    where: Callable[[Field], str],
) -> set[str]:
    """Fields that the child's overrides let it loosen, each override checked."""
    allowed: set[str] = set()
    for index, override in enumerate(child.override):
        at, name = where(("override", index, "field")), shown(override.field)
        if override.field not in changes:
            near = difflib.get_close_matches(override.field, list(changes), n=1)
            raise PolicyError(f"{at}: override: no such field {name}" + (f"; did you mean {near[0]}?" if near else ""))
        if override.field == BEYOND_LEAVE:
            raise PolicyError(f"{at}: override: {name} can't be overridden; sign the policy")
        if override.field in allowed:
            raise PolicyError(f"{at}: override: {name} is overridden twice; keep one")
        if override.expires < today:
            at = where(("override", index, "expires"))
            raise PolicyError(f"{at}: override: of {name} expired on {override.expires}; renew it or drop it")
        if override.field not in loosened:
            raise PolicyError(f"{at}: override: {name} needs none: it is no looser than what it extends; drop it")
        allowed.add(override.field)
    return allowed


def _place(child: Policy, change: Change, where: Callable[[Field], str]) -> str:
    """Facets stand in a list: their place is by number, their name in messages and overrides is by name."""
    if not change.field.startswith("facets."):
        return where(tuple(change.field.split(".")))
    names = [name_of(facet) for facet in child.facets]
    return where(("facets", names.index(change.field)) if change.field in names else ("facets",))


def _told(value: object) -> str:
    """A value as a message shows it."""
    if isinstance(value, tuple):
        value = f"[{', '.join(str(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else shown(value, 60)
