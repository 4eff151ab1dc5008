"""A served data directory for tests: a release, a key for every role, a policy in a file, the audit log's entries."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from api_clients import inside
from releases import pin, sample, store_release
from sfumato.audit.log import AuditLog
from sfumato.model.layout import Layout
from sfumato.policy.load import load
from sfumato.serve import routes_audit, routes_mcp
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.operated import PolicySource, Surroundings, operated
from sfumato.serve.policy_watch import stamps_of
from sfumato.serve.reading import Reading
from sfumato.serve.recent import RecentReleases, file_stamp
from sfumato.serve.store import ReleaseStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi.testclient import TestClient

    from sfumato.audit.event import Event
    from sfumato.serve.limits import Rates

RELEASE = sample()
HERE = f"/v1/releases/{RELEASE.id}"
POLICY = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: serving}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 8.0, delta: 1.0e-5}
  yearly: {epsilon: 16.0, delta: 1.0e-4}
access:
  analyst: [releases]
  auditor: [audit]
  admin: [policy, keys]
"""


class Site:
    """What tests ask of a served directory."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.policy = data.parent / "policies" / "policy.yaml"
        self.policy.parent.mkdir(exist_ok=True)
        self.policy.write_text(POLICY)
        pin(data)
        store_release(data, RELEASE)
        with closing(ApiKeys.open(data)) as keys:
            self.tokens = {role: keys.issue(role) for role in ("analyst", "auditor", "ingester", "admin")}

    def bearer(self, role: str) -> dict[str, str]:
        """The header that shows this role's key."""
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    def log(self) -> AuditLog:
        """The audit log, for appending."""
        return AuditLog.open(Layout(data=self.data).audit)

    def events(self) -> list[Event]:
        """All that the log holds."""
        with closing(AuditLog.read_only(Layout(data=self.data).audit)) as log:
            return [event for _, event in log.events()]

    def written(self, operation: str) -> list[Event]:
        """The entries of one operation."""
        return [event for event in self.events() if event.operation == operation]

    @contextmanager
    def app(self, *, log: AuditLog | None = None, rates: Rates | None = None, **more: object) -> Iterator[object]:
        """The application as it is run."""
        keys = ApiKeys.read_only(self.data)
        stamps = stamps_of(str(self.policy), None)
        source = PolicySource(load=lambda: load(self.policy), stamps=stamps)
        surroundings = Surroundings(
            keys=keys,
            log=lambda: log or self.log(),
            rates=rates,
            keys_stamp=file_stamp(Layout(data=self.data).access),
            **more,
        )

        def build(keeper, view):
            store = RecentReleases(ReleaseStore(self.data))
            audit = routes_audit.router(Reading(store=store, access=keeper), log or self.log())
            return build_app(store, keeper, view, extras=[audit, routes_mcp.router(keeper, agents)])

        agents = routes_mcp.Agents()
        with closing(keys), operated(source, surroundings, build) as made:
            agents.over(made)
            yield made

    @contextmanager
    def client(self, **more: object) -> Iterator[TestClient]:
        """A client of the application as it is run."""
        with self.app(**more) as made:
            yield inside(made, client=("203.0.113.9", 50000))
