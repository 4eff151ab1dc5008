"""Sample releases for tests: a small tree with everything in it, signed with keys that guard nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sfumato.model.document import encode, identified
from sfumato.model.guarantee import Guarantee, Mechanism
from sfumato.model.release import Estimate, FacetCount, PhraseCount, Release, Topic, Verdict
from sfumato.model.signature import sign
from sfumato.model.strict_json import dumps

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
MARKUP = "<img src=x onerror=alert(1)> cooking & <b>baking</b>"


def about(value: int, margin: int = 9) -> Estimate:
    """A noisy number with a symmetric interval."""
    return Estimate(value=value, low=value - margin, high=value + margin)


def languages(*users: int | None) -> tuple[FacetCount, ...]:
    """A facet of three values; None is under the threshold."""
    named = zip(("en", "de", "pt-BR"), users, strict=True)
    return tuple(FacetCount(value=name, users=None if count is None else about(count, 14)) for name, count in named)


def topic(number: int, parent: int | None, level: int, name: str, users: int, /, **changes: object) -> Topic:
    """One topic; its description, phrases, facets and place follow from its number and name."""
    words = name.lower().split()
    made = Topic(
        id=f"t{number:03}",
        parent=None if parent is None else f"t{parent:03}",
        level=level,
        name=name,
        description=f"People ask for help with {name.lower()}.",
        phrases=tuple(PhraseCount(text=word, users=about(users // (2 + at), 12)) for at, word in enumerate(words)),
        users=about(users),
        conversations=about(users * 3, 41),
        facets={"language": languages(users * 2 // 3, users // 4, None)},
        x=round(number * 0.37 % 1, 3),
        y=round(number * 0.61 % 1, 3),
    )
    return dataclasses.replace(made, **changes)


def mechanism(name: str, rho: int, **changes: object) -> Mechanism:
    """One measurement of a sample guarantee."""
    made = Mechanism(
        name=name, statistic=f"users per {name}", kind="discrete_gaussian", rho=rho, delta=0, sigma=14.25,
        threshold=None, l0=5, linf=1.0, l2=2.23606797749979, values=150,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def guarantee(**changes: object) -> Guarantee:
    """A formal, user-level guarantee of three measurements."""
    selection = mechanism(
        "vocabulary", 22_400_000, delta=50, kind="discrete_gaussian_threshold", sigma=16.4, threshold=104, values=None
    )
    made = Guarantee(
        mode="formal",
        unit="user",
        neighbouring="add or remove one user with all their conversations of the epoch",
        epsilon=1.482731,
        delta=1e-7,
        rho=80_000_000,
        bounds={"conversations_per_user": 20, "phrases_per_user": 6, "topics_per_user": 5},
        mechanisms=(selection, mechanism("refinement", 44_800_000), mechanism("counts", 12_800_000, sigma=13.0)),
        covers=("which topics exist, their names and descriptions", "every count and every facet breakdown"),
        does_not_cover=("what a group of more than one user has in common", "that a dataset exists for this epoch"),
    )
    return dataclasses.replace(made, **changes)


def sample(**changes: object) -> Release:
    """A release of eight topics on two levels, under its content-derived id."""
    topics = (
        topic(1, None, 1, "Software development", 2140),
        topic(2, 1, 0, "Debug Python code", 1210),
        topic(3, 1, 0, "Write SQL queries", 655),
        topic(4, 1, 0, "Explain shell commands", 240, phrases=(PhraseCount(text="shell", users=None),)),
        topic(5, None, 1, "Everyday life", 1330),
        topic(6, 5, 0, "Plan a trip", 702),
        topic(7, 5, 0, MARKUP, 388, facets={}),
        topic(8, 5, 0, "Schreiben auf Deutsch üben", 171),
    )
    made = Release(
        id="",
        dataset="assistant-logs",
        epoch="2025-06",
        created="2025-07-01T04:00:00Z",
        policy_name="standard",
        policy_digest="sha256:" + "5f" * 32,
        guarantee=guarantee(),
        users=about(4021, 13),
        conversations=about(12930, 60),
        facets={"language": languages(2700, 960, None)},
        topics=topics,
        audit=(Verdict(subject="t009", rule="names a person", allowed=False),),
    )
    return identified(dataclasses.replace(made, **changes))


def store_release(data: Path, release: Release, key: Ed25519PrivateKey = KEY) -> Path:
    """Sign and write a release where the store looks for it."""
    path = data / "releases" / f"{release.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dumps(sign(encode(release), key)))
    return path


def pin(data: Path, key: Ed25519PrivateKey = KEY) -> None:
    """Pin the public key that releases must be signed with."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "release_key.pub").write_text(key.public_key().public_bytes_raw().hex() + "\n", encoding="ascii")
