"""Builders for tests of live queries: a policy, a released epoch with its extracts, and a desk that answers from it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateways import one_worker
from releases import about, mechanism, sample, store_release
from releases import guarantee as card
from sfumato.audit.log import AuditLog
from sfumato.live import opening
from sfumato.live.columns import load
from sfumato.live.desk import Ports
from sfumato.live.frame import Frame, topic_levels
from sfumato.live.terms import terms
from sfumato.model.extract import Extracts
from sfumato.model.layout import Layout
from sfumato.model.question import Ask, Filter, Question, tidy
from sfumato.model.release import Topic
from sfumato.planning import NO_FILES, facets_of
from sfumato.policy.load import parse
from sfumato.privacy.ledger import Ledger
from sfumato.publication import publish_places
from sfumato.topics.assignment import Assignment
from sfumato.topics.counts import STEPS
from sfumato.vault.derived import DerivedStore
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.live.columns import Columns
    from sfumato.live.desk import Desk
    from sfumato.live.terms import Terms
    from sfumato.model.release import Release
    from sfumato.planning import Resources
    from sfumato.policy.schema import Policy

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DATASET, EPOCH = "chats", "2026-11"
ROOT = RootKey(b"q" * 32)
SIGNER = Ed25519PrivateKey.from_private_bytes(ROOT.derive("release signing"))
ANALYST, OTHER = "a" * 16, "b" * 16
TEXT = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: asked}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 4.0, delta: 1.0e-6, release: 0.5, queries: 0.5}
  yearly: {epsilon: 8.0, delta: 1.0e-5}
contributions: {conversations_per_user: 6, topics_per_user: 3}
thresholds: {min_users: 30, min_conversations: 30}
extraction: {provider: anthropic, model: reader}
facets:
  - {name: plan, kind: category, domain: [free, pro, team]}
  - {name: tools, kind: multi_label, domain: [search, code, files], at_most: 2, ask: "Which tools were used?"}
  - {name: mood, kind: scale, range: [1, 5], ask: "How content is the user?"}
  - {name: pages, kind: number, bins: [0, 10, 100], ask: "How many pages?"}
  - {name: secret, kind: category, domain: [one, two]}
retention: {derived: keep_until_ttl, derived_ttl: 45d}
queries:
  live: true
  measures: [users, conversations, mean]
  group_by: [topic, plan, tools, mood, pages]
  epsilon_per_query: 0.2
  per_analyst: {epsilon: 1.0}
  most_per_minute: 6000
access: {analyst: [releases, queries]}
"""
WIDTH, LEAVES = 384, 6
CODES = {"plan": 4, "tools": 4, "mood": 6, "pages": 5, "secret": 3}


def policy(*changes: tuple[str, str]) -> Policy:
    """The policy of these tests, pieces of its text replaced."""
    text = TEXT
    for old, new in changes:
        if old not in text:
            raise ValueError(f"the policy of these tests has no such piece: {old}")
        text = text.replace(old, new)
    return parse(text)


def terms_of(loaded: Policy, epoch: str = EPOCH, files: Resources = NO_FILES) -> Terms:
    """Its terms for an epoch."""
    return terms(loaded, dataset=DATASET, epoch=epoch, resources=files)


def centroids() -> np.ndarray:
    """Six leaves, each along an axis of its own."""
    return np.eye(LEAVES, WIDTH, dtype=np.float32)


def extracts(users: int, each: int, seed: int = 0) -> Extracts:
    """`each` conversations of every user, with random facets and topics; who has which id follows from its number."""
    draw, rows = np.random.default_rng(seed), users * each
    tools = draw.integers(0, 4, (rows, 2))
    tools[:, 1] = np.where(tools[:, 1] == tools[:, 0], -1, tools[:, 1])
    return Extracts(
        conversation_ids=[number.to_bytes(16, "big") for number in range(rows)],
        unit_ids=[(number // each).to_bytes(16, "big") for number in range(rows)],
        phrases=[("sourdough bread",)] * rows,
        facets={
            name: (tools if name == "tools" else draw.integers(0, count, rows)).astype(np.int16)
            for name, count in CODES.items()
        },
        vectors=centroids()[draw.integers(0, LEAVES - 1, rows)].astype(np.float16),
    )


def release(epoch: str = EPOCH, reach: int = 3) -> Release:
    """Six leaves, the last of them withheld, under two topics above."""
    topics = [_topic("top-001", None, 1), _topic("top-002", None, 1)]
    topics += [_topic(f"leaf-{number:03d}", f"top-{1 + number // 3:03d}", 0) for number in range(LEAVES - 1)]
    counted = mechanism(
        "leaf conversations", 1_000, statistic="conversations per key, fixed point", l2=float(reach * STEPS)
    )
    return sample(dataset=DATASET, epoch=epoch, topics=tuple(topics), facets={}, guarantee=card(mechanisms=(counted,)))


def _topic(name: str, parent: str | None, level: int) -> Topic:
    return Topic(
        id=name, parent=parent, level=level, name=name, description="", phrases=(), users=about(500),
        conversations=about(900),
    )  # fmt: skip


def places(made: Release, extraction: str) -> Assignment:
    """Which leaf and which topic above it each centroid is of."""
    shown = {topic.id for topic in made.topics}
    paths = [(f"leaf-{number:03d}", f"top-{1 + number // 3:03d}") for number in range(LEAVES)]
    return Assignment(
        release=made.id,
        extraction=extraction,
        paths=tuple(tuple(one for one in path if one in shown) for path in paths),
        at_most=1,
        vectors=centroids(),
        floor=None,
    )


def frame_of(loaded: Policy) -> Frame:
    """What questions are read against."""
    made = release()
    return Frame(
        facets={facet.name: facet for facet in facets_of(loaded)},
        reach=3,
        levels=topic_levels(made),
        assignment=places(made, terms_of(loaded).plan.extraction_digest),
    )


def columns_of(batch: Extracts, loaded: Policy) -> Columns:
    """Its columns, with topics."""
    return load([batch], terms_of(loaded), frame_of(loaded).assignment)


def publish(
    data: Path, loaded: Policy, batch: Extracts, *, epoch: str = EPOCH, paid: bool = True, files: Resources = NO_FILES
) -> Release:
    """A released epoch: its document, its places, its sealed extracts, and the charge of the release.

    files: what the policy names besides, where another process is to read it from its file.
    """
    layout, made, here = Layout(data=data), release(epoch), terms_of(loaded, epoch, files)
    store_release(data, made, SIGNER)
    layout.release_key.write_text(SIGNER.public_key().public_bytes_raw().hex() + "\n")
    publish_places(places(made, here.plan.extraction_digest), layout, SIGNER)
    part = f"{epoch}.{here.plan.extraction_digest[:12]}"
    key = EpochKeys(layout.keystore, ROOT).create(DATASET, part, "derived")
    DerivedStore(layout.derived / DATASET / part, key).write("0" * 32, [batch])
    if paid:
        ledger = Ledger(layout.ledger)
        ledger.released(ledger.reserve(here.plan.charge(created="2026-11-21T00:00:00Z"), here.plan.caps), "{}")
        ledger.close()
    return made


@contextmanager
def desk(data: Path, loaded: Policy) -> Iterator[tuple[Desk, Ledger]]:
    """A desk on a data directory, and its ledger."""
    layout = Layout(data=data)
    with ExitStack() as stack:
        ledger = Ledger(layout.ledger)
        stack.callback(ledger.close)
        log = AuditLog.open(layout.audit)
        stack.callback(log.close)
        ports = Ports(ledger=ledger, noise=one_worker, now=lambda: NOW, log=log.append)
        opened = stack.enter_context(
            opening.desk(loaded, layout, root=ROOT, signer=SIGNER.public_key(), files=NO_FILES, ports=ports)
        )
        yield opened, ledger


def asking(measure: str = "users", *, epochs: tuple[str, ...] = (EPOCH,), dry_run: bool = False, **parts) -> Ask:
    """A question; `where` as a mapping of names to values."""
    where = tuple(Filter(field=name, values=tuple(values)) for name, values in parts.pop("where", {}).items())
    question = tidy(Question(measure=measure, where=where, **parts))
    return Ask(dataset=DATASET, epochs=epochs, question=question, dry_run=dry_run)


def random_questions(count: int, seed: int) -> list[Question]:
    """Questions that the policy allows, each with one to three parts."""
    draw = np.random.default_rng(seed)
    domains = {
        "plan": ("free", "pro", "team", "unknown"),
        "tools": ("search", "code", "files", "unknown"),
        "mood": ("1", "2", "3", "4", "5", "unknown"),
        "topic": ("leaf-000", "leaf-001", "top-001", "top-002"),
    }
    found = []
    for _ in range(count):
        measure = str(draw.choice(["users", "conversations", "mean"]))
        by = draw.choice(list(domains), int(draw.integers(0, 3)), replace=False).tolist()
        fields = draw.choice(list(domains), int(draw.integers(0, 3)), replace=False).tolist()
        where = [
            Filter(
                field=name, values=tuple(draw.choice(domains[name], int(draw.integers(1, 4)), replace=False).tolist())
            )
            for name in fields
        ]
        of = str(draw.choice(["mood", "pages"])) if measure == "mean" else None
        found.append(
            tidy(Question(measure=measure, of=of, by=tuple(by), where=tuple(where), level=int(draw.integers(0, 2))))
        )
    return found
