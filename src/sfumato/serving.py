"""The server put together: releases, keys, policy, audit log, budget, live questions and the inbox behind one port."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sfumato.audit.log import AuditLog
from sfumato.errors import InputError, StorageError
from sfumato.inbox.folder import Inbox
from sfumato.policy import sign
from sfumato.policy.load import digest
from sfumato.serve import oidc_config, routes_audit, routes_ingest, routes_mcp, routes_policy, routes_queries
from sfumato.serve.ahead import Ahead
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.askable import askable
from sfumato.serve.oidc import Tokens
from sfumato.serve.operated import PolicySource, Surroundings, operated
from sfumato.serve.policy_watch import stamps_of
from sfumato.serve.query import WorkerSocket
from sfumato.serve.reading import Reading
from sfumato.serve.recent import RecentReleases, file_stamp
from sfumato.serve.server import serve as answer
from sfumato.serve.store import ReleaseStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

    from sfumato.custody import Deployment
    from sfumato.policy.explain import Section
    from sfumato.serve.audited import Audited
    from sfumato.serve.policy_watch import PolicyView
    from sfumato.serve.ports import BudgetPort, EmbedPort
    from sfumato.serve.routes_policy import Explain
    from sfumato.serve.server import Place

LOOPBACK = "127.0.0.1"
SOCKET = "worker.sock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How a deployment is served.

    oidc: file that says whose tokens count besides API keys. metrics_port: of /metrics, on this machine only. worker:
    socket of the process that answers live questions; left out, DIR/worker.sock. sweep_every: hours between two
    `sfumato sweep`, each in a process of its own, which finds the root key as that command does; 0 for none. semantic:
    search by meaning too, with the policy's model in a process of its own, started by the first search.
    """

    deployment: Deployment
    policy: str
    place: Place
    oidc: Path | None = None
    metrics_port: int | None = None
    worker: Path | None = None
    sweep_every: float = 0.0
    semantic: bool = False


def serve(serving: Serving, *, ready: Callable[[str], None]) -> None:
    """Answer until told to stop. The process holds no key to any data.

    Raises:
        InputError: it is to sweep beside a database.
        SfumatoError: the policy, the keys, the audit log or the address can't be had.
    """
    deployment, layout = serving.deployment, serving.deployment.layout
    url = deployment.log_url
    if serving.sweep_every and url is not None:
        raise InputError(
            "--sweep-every: the server's user may sign nothing on a database; run `sfumato sweep` as the gateway's"
        )
    with ExitStack() as stack:
        keys = stack.enter_context(closing(ApiKeys.read_only(deployment.data, url=deployment.url)))
        read = stack.enter_context(closing(AuditLog.open(layout.audit, url=url)))
        source = PolicySource(
            load=lambda: sign.admitted(serving.policy, deployment.trusted_keys),
            stamps=stamps_of(serving.policy, deployment.trusted_keys),
        )
        around = Surroundings(
            keys=keys,
            log=lambda: AuditLog.open(layout.audit, url=url),
            keys_stamp=file_stamp(layout.access) if url is None else lambda: None,
            tokens=None if serving.oidc is None else Tokens.of(oidc_config.load(serving.oidc)),
            metrics_at=None if serving.metrics_port is None else (LOOPBACK, serving.metrics_port),
        )

        agents = routes_mcp.Agents() if find_spec("mcp") is not None and find_spec("httpx2") is not None else None

        def build(keeper: Audited, view: PolicyView) -> ASGIApp:
            store = RecentReleases(_releases(deployment), ahead=Ahead())
            reading = Reading(store=store, access=keeper)
            asker = WorkerSocket(serving.worker or deployment.data / SOCKET)
            extras = [
                routes_audit.router(reading, read),
                routes_policy.explaining(reading, _explained(serving.policy, view)),
                routes_ingest.router(reading, Inbox(deployment.data)),
                routes_queries.router(keeper, asker, lambda: askable(view.policy)),
                *([] if agents is None else [routes_mcp.router(keeper, agents)]),
            ]
            search = _by_meaning(source, stack) if serving.semantic else None
            budget = _budget(deployment, source, stack)
            made = build_app(store, keeper, view, search=search, budget=budget, extras=extras)
            made.openapi()  # now, and not while callers wait
            return made

        app = stack.enter_context(operated(source, around, build))
        if agents is not None:
            agents.over(app)
        if serving.sweep_every:
            stack.enter_context(_sweeping(serving))
        answer(app, place=serving.place, ready=ready)


@contextmanager
def _sweeping(serving: Serving) -> Iterator[None]:
    """Sweep now and every few hours, as long as the server runs; what it says goes where this process writes errors."""
    deployment, over = serving.deployment, threading.Event()
    command = [sys.executable, "-m", "sfumato", "sweep", serving.policy, "--data", str(deployment.data)]
    command += ["--key-file", str(deployment.key_file)] if deployment.key_file else []
    command += ["--key", deployment.key] if deployment.key else []
    command += ["--trusted-keys", str(deployment.trusted_keys)] if deployment.trusted_keys else []

    def sweep() -> None:
        while True:
            if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:  # noqa: S603 - our own command
                _log.error("a sweep failed: sealed data past its limit may still be there")
            if over.wait(serving.sweep_every * 3600):
                return

    sweeper = threading.Thread(target=sweep, name="sweep", daemon=True)
    sweeper.start()
    try:
        yield
    finally:
        over.set()


def _explained(name: str, view: PolicyView) -> Explain:
    """The policy in force in plain words; worked out when it is first asked for, and again when the policy changed."""
    told: dict[str, tuple[Section, ...]] = {}

    def explain() -> tuple[str, tuple[Section, ...]]:
        from sfumato.forecast import forecast
        from sfumato.policy import files
        from sfumato.policy.explain import explain as explained

        policy = view.policy
        mark = digest(policy)
        if mark not in told:
            sections = explained(policy, forecast(policy, files.taxonomies(name, policy, missing=True)))
            told.clear()
            told[mark] = sections
        return mark, told[mark]

    return explain


def _by_meaning(source: PolicySource, stack: ExitStack) -> EmbedPort:
    """Sentence vectors of released strings and of what is searched for; a missing model shows as the server starts."""
    from sfumato.embed.sentences import SentenceEmbedder
    from sfumato.embed.weights import find

    model = source.load().embedding
    weights = find(model.path, model=model.model, sha256=model.sha256)
    return stack.enter_context(SentenceEmbedder(weights, workers=1)).embed


def _releases(deployment: Deployment) -> ReleaseStore:
    from sfumato.serve.release_table import ReleaseTable

    return ReleaseStore(deployment.data, None if deployment.url is None else ReleaseTable(deployment.url))


def _budget(deployment: Deployment, source: PolicySource, stack: ExitStack) -> BudgetPort | None:
    """The ledger as the API shows it; none where this process may not open it, as under the systemd unit."""
    from sfumato.budget_view import LedgerBudget
    from sfumato.privacy.ledger import Ledger

    place = deployment.url or deployment.layout.ledger
    if deployment.url is None and not deployment.layout.ledger.exists():
        return None
    try:
        ledger = stack.enter_context(closing(Ledger(place)))
    except StorageError:
        _log.warning("the ledger can't be opened from here: budgets are not shown")
        return None
    return LedgerBudget(source.load, ledger)
