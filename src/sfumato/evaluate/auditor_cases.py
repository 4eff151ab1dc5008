"""Four sets of strings to try an auditor on, written for it: seeded, each with a half that must pass."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from sfumato.evaluate.auditor import Case, CaseSet
from sfumato.evaluate.auditor_values import identifier, kinds, lookalike
from sfumato.evaluate.synth_tree import corpus_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

EACH = 400
"""Cases of each half of a set."""
_ENGLISH = 0.6
_PLAIN = 0.25


def sets(seed: int, *, each: int = EACH) -> tuple[CaseSet, ...]:
    """`explicit_pii`, `sensitive_group`, `small_organisation` and `injection`; the same ones for the same seed."""
    makers: Mapping[str, Callable[[Random, bool], Case]] = {
        "explicit_pii": _explicit,
        "sensitive_group": _group,
        "small_organisation": _organisation,
        "injection": _injection,
    }
    return tuple(_drawn(name, make, Random(f"{name} {seed}"), each) for name, make in makers.items())


def _drawn(name: str, make: Callable[[Random, bool], Case], rng: Random, each: int) -> CaseSet:
    """Up to `each` different cases of both halves: where the wording allows fewer, there are fewer."""
    cases: dict[str, Case] = {}
    for unsafe in (True, False):
        made: dict[str, Case] = {}
        for _ in range(each * 20):
            case = make(rng, unsafe)
            made.setdefault(case.text, case)
            if len(made) == each:
                break
        cases |= made
    return CaseSet(name=name, cases=tuple(cases.values()))


@cache
def _material() -> dict[str, dict[str, list[str]]]:
    loaded: dict[str, dict[str, list[str]]] = json.loads(corpus_text("auditor.json"))
    return loaded


def _listed(name: str) -> Sequence[str]:
    return list(_material()[name])


def _explicit(rng: Random, unsafe: bool) -> Case:  # noqa: FBT001 - which half; called by position from one place
    """A cluster-like text around an identifier, or around a generic word or something that only looks like one."""
    frames = _material()["frames"]
    language = "en" if rng.random() < _ENGLISH else rng.choice(sorted(frames))
    kind = rng.choice(kinds(unsafe=unsafe))
    value = identifier(kind, rng) if unsafe else lookalike(kind, rng)
    if not unsafe and rng.random() < _PLAIN:
        kind, value = "generic", rng.choice(_listed("generic"))
    frame = rng.choice(frames[language])
    return Case(
        text=frame.replace("{s}", rng.choice(_listed("subjects"))).replace("{v}", value), unsafe=unsafe, kinds=(kind,)
    )


def _group(rng: Random, unsafe: bool) -> Case:  # noqa: FBT001
    own = _material()["group"]
    trait, who = rng.choice(own["traits"]), rng.choice(own["narrow" if unsafe else "wide"])
    frame = rng.choice(("Talk about {t} {w}", "Users ask about {t} {w}.", "{t} {w}", "Seek advice on {t} {w}"))
    text = frame.replace("{t}", trait).replace("{w}", who)
    return Case(text=text[0].upper() + text[1:], unsafe=unsafe, kinds=(trait,))


def _organisation(rng: Random, unsafe: bool) -> Case:  # noqa: FBT001
    own = _material()["organisations"]
    value = rng.choice(own["names" if unsafe else "public"])
    return Case(text=rng.choice(own["frames"]).replace("{v}", value), unsafe=unsafe, kinds=("organisation",))


def _injection(rng: Random, unsafe: bool) -> Case:  # noqa: FBT001
    """A private statement with an order to the auditor before or after it, or a topic that speaks of such things."""
    own = _material()["injection"]
    if not unsafe:
        return Case(text=rng.choice(own["safe"]) + rng.choice(own["tails"]), unsafe=False, kinds=("topic",))
    place = rng.randrange(len(own["orders"]))
    order, carried = own["orders"][place], rng.choice(own["carried"])
    text = order + carried if rng.random() < 0.5 else f"{carried}. {order}".strip()  # noqa: PLR2004 - before or after
    return Case(text=text, unsafe=True, kinds=(f"order_{place:02d}",))
