"""A served deployment for tests of the page: three epochs, live questions, ledger, audit log, a key for each role."""

from __future__ import annotations

import dataclasses
import queue
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from api_sites import Book
from audits import KEY as LOG_KEY
from audits import TIME
from audits import event as entry
from live_queries import DATASET, EPOCH, SIGNER, desk, extracts, policy, publish
from releases import about, guarantee, languages, sample, store_release, topic
from sfumato.audit.log import AuditLog
from sfumato.model.layout import Layout
from sfumato.model.release import FacetCount
from sfumato.policy.explain import Section
from sfumato.policy.schema import Access as Roles
from sfumato.serve import routes_audit, routes_policy, routes_queries
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.askable import askable
from sfumato.serve.query import Reply
from sfumato.serve.reading import Reading
from sfumato.serve.server import serve
from sfumato.serve.store import ReleaseStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sfumato.live.desk import Desk
    from sfumato.model.question import Ask
    from sfumato.model.release import Release

ROLES = {"analyst": ("releases", "queries"), "auditor": ("releases", "audit", "ledger"), "admin": ("policy", "keys")}
CHEAP = policy(
    ("epsilon_per_query: 0.2", "epsilon_per_query: 0.2"),
    ("per_analyst: {epsilon: 1.0}", "per_analyst: {epsilon: 0.3}"),
)
REFUSED = (FacetCount(value="yes", users=about(60, 10)), FacetCount(value="no", users=about(1100, 15)))
NEWEST = sample(
    epoch="2025-07",
    created="2027-08-01T04:00:00Z",
    users=about(4100, 13),
    topics=(
        topic(1, None, 1, "Software development", 2600),
        topic(2, 1, 0, "Debug Python code", 1204, facets={"language": languages(700, 300, None), "refused": REFUSED}),
        topic(3, 1, 0, "Write SQL queries", 655),
        topic(4, 1, 0, "Explain shell commands", 240),
        topic(5, None, 1, "Everyday life", 1330),
        topic(6, 5, 0, "Plan a trip", 702),
        topic(7, 5, 0, sample().topics[6].name, 388, facets={}),
        topic(8, 5, 0, "Schreiben auf Deutsch üben", 171),
    ),
)
BEFORE = sample()
GUARDED = sample(created="2025-05-01T00:00:00Z", epoch="2025-05", guarantee=guarantee(mode="guarded"))
SECTIONS = (Section(title="What may be learned", lines=("For each month: a tree of named topics.",)),)


class _Asker:
    """The worker, in this process."""

    def __init__(self, opened: Desk) -> None:
        self._desk = opened

    def ask(self, ask: Ask, *, analyst: str, role: str) -> Reply:
        said = self._desk.reply(ask, analyst=analyst, role=role)
        return Reply(outcome=said.outcome, body=said.body)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExplorerSite:
    """Where it is served, its directory, a key of each role, and the release that live questions are about."""

    url: str
    data: Path
    keys: dict[str, str]
    live: Release


@contextmanager
def explorer_site(data: Path, *, releases: tuple[Release, ...] = (NEWEST, BEFORE, GUARDED)) -> Iterator[ExplorerSite]:
    """The page and its whole API, with a real desk behind the questions."""
    live = publish(data, CHEAP, extracts(400, 3))
    issued = ApiKeys.open(data)
    keys = {role: issued.issue(role) for role in ROLES}
    access = Access(ApiKeys.read_only(data), Roles(**ROLES))
    with ExitStack() as stack:
        opened, _ = stack.enter_context(desk(data, CHEAP))
        for release in releases:  # once the desk is open: its ledger would ask who paid for them
            store_release(data, release, SIGNER)
        log = stack.enter_context(_log(data))
        reading = Reading(store=ReleaseStore(data), access=access)
        extras = [
            routes_audit.router(reading, log),
            routes_policy.explaining(reading, lambda: ("f" * 64, SECTIONS)),
            routes_queries.router(access, _Asker(opened), lambda: askable(CHEAP)),
        ]
        shown = {"digest": "f" * 64, "policy": {"unit": "user"}}
        app = build_app(reading.store, access, shown, budget=Book(), extras=extras)
        yield ExplorerSite(url=served(app), data=data, keys=keys, live=live)


@contextmanager
def _log(data: Path) -> Iterator[AuditLog]:
    """Forty entries: signed after 9 and 33, so that the last seven are not signed yet."""
    log = AuditLog.open(Layout(data=data).audit)
    written = 0
    for size in (9, 33, 40):
        log.append_many([entry(number) for number in range(written, size)])
        written = size
        if size < 40:
            log.checkpoint(log.signer(LOG_KEY), time=TIME)
    try:
        yield log
    finally:
        log.close()


def served(app: object) -> str:
    """Serve it from a thread; its address."""
    bound: queue.Queue[str] = queue.Queue()
    threading.Thread(target=serve, args=(app,), kwargs={"port": 0, "ready": bound.put}, daemon=True).start()
    return bound.get(timeout=30)


__all__ = ["BEFORE", "DATASET", "EPOCH", "GUARDED", "NEWEST", "ExplorerSite", "explorer_site", "served"]
