"""A data directory of sample releases, the application over it, and a key for every role."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from api_clients import inside
from audits import log_of
from releases import about, languages, pin, sample, store_release, topic
from sfumato.audit.log import AuditLog
from sfumato.inbox.folder import Inbox
from sfumato.model.layout import Layout
from sfumato.policy.explain import Section
from sfumato.policy.schema import Access as Roles
from sfumato.serve import routes_audit, routes_ingest, routes_mcp, routes_policy, routes_queries
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.askable import AskableShape
from sfumato.serve.ports import Account, Amount, Budget, Spend
from sfumato.serve.query import Reply
from sfumato.serve.reading import Reading
from sfumato.serve.store import ReleaseStore
from sfumato.vault.keys import RootKey
from sfumato.vault.opening import PURPOSE, Opener

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import APIRouter

    from sfumato.model.question import Ask
    from sfumato.model.release import Release
    from sfumato.serve.ports import Gatekeeper
    from sfumato.serve.query import Asker

ROLES = {
    "analyst": ("releases", "queries"),
    "auditor": ("audit", "ledger"),
    "admin": ("policy", "keys"),
    "ingester": ("ingest",),
}
RECIPIENT = Opener(RootKey(b"t" * 32).derive(PURPOSE)).public_key()
RELEASE = sample()
LATER = sample(
    epoch="2025-07",
    created="2025-08-01T04:00:00Z",
    users=about(4100, 13),
    topics=(
        topic(1, None, 1, "Software development", 2600),
        topic(2, 1, 0, "Debug Python code", 1204, facets={"language": languages(700, 300, None)}),
        topic(9, None, 1, "Everyday life", 900),
    ),
)
HERE = f"/v1/releases/{RELEASE.id}"


class Book:
    """A ledger that has charges of one dataset in one epoch."""

    def charges(self) -> tuple[Spend, ...]:
        """A release, and a question of one analyst."""
        made = Spend(
            seq=1, dataset="assistant-logs", epoch="2025-06", purpose="release", rho=0.04, delta=4e-8, state="released",
            policy="sha256:" + "5f" * 32, created="2025-07-01T04:00:00Z", analyst=None,
        )  # fmt: skip
        return (made, dataclasses.replace(made, seq=2, purpose="queries", rho=0.01, delta=1e-8, analyst="a" * 16))

    def budget(self, dataset: str, epoch: str) -> Budget | None:
        if (dataset, epoch) != ("assistant-logs", "2025-06"):
            return None
        whole, half = (
            Amount(rho=rho, delta=delta, epsilon=epsilon)
            for rho, delta, epsilon in ((0.1, 1e-7, 2.0), (0.05, 5e-8, 1.4))
        )
        account = Account(allowed=whole, spent=half, left=half)
        return Budget(epoch=account, year=account)


FORM = AskableShape(live=True, unit="user", measures=["users"], parts=[], epsilon=0.1, analyst=0.5)


class Site:
    """One deployment in a directory of its own."""

    def __init__(self, data: Path, releases: tuple[Release, ...] = (RELEASE,), **ports: object) -> None:
        self.data = data
        pin(data)
        for release in releases:
            store_release(data, release)
        keys = ApiKeys.open(data)
        self.tokens = {role: keys.issue(role) for role in ROLES}
        self.access = Access(ApiKeys.read_only(data), Roles(**ROLES))
        more = ports.pop("more", lambda _site: [])
        self.app = build_app(
            ports.pop("store", None) or ReleaseStore(data),
            ports.pop("access", None) or self.access,
            {"unit": "user"},
            **{"budget": Book(), "extras": more(self), **ports},
        )
        self.client = inside(self.app)

    def ask(
        self, method: str, address: str, role: str | None = "analyst", *, headers: dict[str, str] | None = None, **rest
    ):
        """Any request, with the key of a role."""
        sent = dict(headers or {})
        if role:
            sent["Authorization"] = f"Bearer {self.tokens[role]}"
        return self.client.request(method, address, headers=sent, **rest)

    def get(self, address: str, role: str | None = "analyst", **headers: str):
        """A read."""
        return self.ask("GET", address, role, headers=headers)

    def post(self, address: str, question: object, role: str | None = "analyst"):
        """A question."""
        return self.ask("POST", address, role, json=question)


def the_rest(data: Path, access: Gatekeeper, asker: Asker) -> list[APIRouter]:
    """The routers that a server has besides those over releases: audit log, policy, deliveries, questions, agents."""
    directory = Layout(data=data).audit
    if not directory.exists():
        log_of(directory, 12, checkpoints=(8,))
        Inbox(data).offer(RECIPIENT)
    reading = Reading(store=ReleaseStore(data), access=access)
    return [
        routes_audit.router(reading, AuditLog.open(directory)),
        routes_ingest.router(reading, Inbox(data)),
        routes_policy.explaining(reading, lambda: ("f" * 64, (Section(title="Who", lines=("Analysts.",)),))),
        routes_queries.router(access, asker, lambda: FORM),
        routes_mcp.router(access, routes_mcp.Agents()),
    ]


class Desk:
    """A desk of live questions in the place of the worker's socket."""

    def __init__(self, opened: object) -> None:
        self._desk = opened

    def ask(self, ask: Ask, *, analyst: str, role: str) -> Reply:
        found = self._desk.reply(ask, analyst=analyst, role=role)
        return Reply(outcome=found.outcome, body=found.body)


def many_topics(count: int) -> Release:
    """A release of many leaves."""
    one = topic(1, None, 0, "Debug Python code", 1210)
    return sample(topics=tuple(dataclasses.replace(one, id=f"x{number:04}") for number in range(count)))
