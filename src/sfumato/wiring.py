"""The composition root: picks adapters, finds keys, and hands out what commands use."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sfumato import custody
from sfumato.audit.event import utc
from sfumato.custody import Deployment
from sfumato.errors import InputError
from sfumato.model.epochs import epoch_of, span
from sfumato.policy import sign
from sfumato.policy.load import digest, load, located

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import ExitStack
    from decimal import Decimal
    from pathlib import Path

    from sfumato.adapters.roles import PolicyModels
    from sfumato.embed.sentences import SentenceEmbedder
    from sfumato.evaluate.auditor import Layer
    from sfumato.forgetting import Forgetting
    from sfumato.gateway import Gateway
    from sfumato.ingest.report import IngestReport
    from sfumato.ingest.source import Streamed
    from sfumato.model.guarantee import Unit
    from sfumato.model.prompt import Model
    from sfumato.model.strict_json import JsonObject
    from sfumato.planning import Resources
    from sfumato.policy.schema import Policy
    from sfumato.privacy.noise import OpenDPNoise
    from sfumato.retention import Swept
    from sfumato.serve.api_keys import ApiKeys
    from sfumato.vault.followups import FollowUp


def policy(name: str) -> Policy:
    """The policy in a file, or a built-in one by its name."""
    return load(located(name))


def open_gateway(
    deployment: Deployment,
    *,
    policy: str,
    dataset: str = "conversations",
    epoch: str | None = None,
    note: Callable[[str], None] | None = None,
) -> Gateway:
    """A gateway for one dataset's epoch, to be used as a context manager. It measures, names and signs as commands do.

    policy: a policy file, or the name of a built-in one. epoch: such as 2026-11; left out, the current one, whatever
    the records' dates. note: told where a root key was made, where there was none; without it, none is made.

    Noise and vectors are made in processes of their own, which import the program's main module: what that runs stands
    under `if __name__ == "__main__":`. The command line also keeps its memory out of core dumps
    (`sfumato.model.nodump.seal_memory`); a host program decides that for itself.

    Raises:
        PolicyError: the policy can't be read or allows what it may not. Refused: it must be signed and is not.
        InputError: no such name of a dataset or an epoch. KeyMissing: the root key is not where it should be.
    """
    from sfumato import gateway as use_cases
    from sfumato import ports as needs
    from sfumato.audit.checkpoint import PURPOSE
    from sfumato.vault import durable

    loaded = sign.admitted(policy, deployment.trusted_keys)
    scope = needs.Scope(dataset=_dataset(dataset), epoch=_epoch(epoch, loaded), bounded=epoch is not None)
    files = resources(policy, loaded)
    durable.directory(deployment.data)
    root = custody.root_key(deployment, made=note)
    secrets = custody.derived(deployment, root)
    ports = needs.Ports(
        embedder=lambda: embedder(loaded),
        noise=noise,
        now=lambda: datetime.now(UTC),
        epoch_keys=custody.epoch_keys(deployment, root),
        pseudonym_key=secrets.derive("pseudonyms"),
        signer=custody.signer(secrets),
        audit_signer=custody.signer(secrets, PURPOSE),
        models=lambda spent: models(loaded, spent),
        database=deployment.url,
        publish=_table(deployment),
        raw_store=custody.raw_store(deployment),
    )
    return use_cases.Gateway(policy=loaded, layout=deployment.layout, scope=scope, ports=ports, files=files)


def source(name: str) -> str | Streamed:
    """What a command reads: a path as it stands, or the object that a URL of a bucket names."""
    if not name.startswith(("s3://", "gs://", "az://")):
        return name
    from sfumato.adapters import object_input

    return object_input.opened(name, environment=os.environ)


def _table(deployment: Deployment) -> Callable[[str, bytes], None] | None:
    """Where releases go besides the data directory."""
    from sfumato.serve.release_table import ReleaseTable

    return None if deployment.url is None else ReleaseTable(deployment.url).add


load_policy = policy  # `open_gateway` has a parameter of that name


def models(loaded: Policy, spent: Decimal) -> PolicyModels:
    """The language models that a policy names; those it does not name can't be opened."""
    from sfumato.adapters.roles import PolicyModels

    return PolicyModels(loaded, environment=os.environ, spent_before=spent)


def resources(name: str, loaded: Policy) -> Resources:
    """What the policy names in files of their own.

    Raises:
        PolicyError: one of them is not there, or is not what it must be.
    """
    from sfumato.gate import rubric
    from sfumato.planning import Resources
    from sfumato.policy import files

    return Resources(
        taxonomies=files.taxonomies(name, loaded),
        rubric=rubric.load(loaded.auditor.rubric, folder=files.rubric_folder(name)),
    )


def cost(policy: str, *, sample: str | None, let_through: float) -> JsonObject:
    """What extraction under this policy should cost per 100,000 conversations. sample: a log to average over."""
    from functools import partial

    from sfumato.adapters.prices import tariff_of
    from sfumato.evaluate import cost as estimate
    from sfumato.planning import questions_of

    loaded = load_policy(policy)
    section = loaded.extraction
    tariff = None if section.model is None else tariff_of(section.model)
    return estimate.cost(
        questions_of(loaded, resources(policy, loaded).taxonomies),
        price=None if tariff is None else partial(tariff.cost, regional=section.region is not None),
        sample=() if sample is None else estimate.read_sample(loaded, sample),
        batch=section.batch,
        let_through=let_through,
    )


def auditor_layers(policy: str, stack: ExitStack) -> dict[str, Layer]:
    """The layers of this policy's auditor, to be measured; its model stays open as long as `stack`.

    Raises:
        InputError: the policy names no model as auditor. Refused, ModelUnavailable: it can't be asked from here.
    """
    from decimal import Decimal

    from sfumato.evaluate import auditor

    loaded = load_policy(policy)
    if loaded.auditor.provider != "anthropic":
        raise InputError(f"{policy} names no model as auditor; leave --policy out to measure detectors alone")
    model = stack.enter_context(models(loaded, Decimal(0)).open("auditor"))
    return auditor.layers(resources(policy, loaded).rubric, model=model, minimum=loaded.auditor.minimum)


def embedder(loaded: Policy) -> SentenceEmbedder:
    """The policy's sentence model, one process for each CPU."""
    from sfumato.embed.sentences import SentenceEmbedder
    from sfumato.embed.weights import find

    model = loaded.embedding
    return SentenceEmbedder(find(model.path, model=model.model, sha256=model.sha256))


def api_keys(deployment: Deployment) -> ApiKeys:
    """The API keys of a deployment, for issuing and revoking; each change is in the audit log before it holds."""
    from sfumato.audit.log import AuditLog
    from sfumato.recording import key_witness
    from sfumato.serve.api_keys import ApiKeys

    if not deployment.data.is_dir():
        raise InputError(f"{deployment.data}: no data directory here; run a release first")
    keys = ApiKeys.open(deployment.data, url=deployment.url)
    keys.witness = key_witness(
        lambda: AuditLog.open(deployment.layout.audit, url=deployment.log_url), lambda: datetime.now(UTC)
    )
    return keys


def expiry(days: int | None) -> datetime | None:
    """The moment so many days from now."""
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _dataset(name: str) -> str:
    import re

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise InputError("--dataset: letters, digits, dot, dash and underscore only, at most 64")
    return name


def _epoch(name: str | None, loaded: Policy) -> str:
    if name is None:
        return epoch_of(datetime.now(UTC), loaded.epoch)
    span(name, loaded.epoch)
    return name


def noise() -> OpenDPNoise:
    """The only noise that may be published: OpenDP's, in its own processes."""
    from sfumato.privacy.noise import OpenDPNoise

    return OpenDPNoise()


@contextmanager
def stand_in() -> Iterator[Model]:
    """What stands in for a model in `bench`: in a process of its own, a second for each answer, 64 at a time."""
    from sfumato.adapters.anthropic import AnthropicModel
    from sfumato.adapters.endpoint import Endpoint
    from sfumato.evaluate.bench.reading import IN_FLIGHT, LATENCY_S
    from sfumato.standin.process import apart

    with apart(latency=LATENCY_S) as url:
        yield AnthropicModel(Endpoint(model="stand-in", base_url=url, concurrency=IN_FLIGHT), api_key=None)


def worker(deployment: Deployment, *, policy: str, path: Path | None, ready: Callable[[Path], None]) -> None:
    """Answer live questions until told to stop; the root key is let go of before the first."""
    from contextlib import closing

    from sfumato.audit.log import AuditLog
    from sfumato.live import opening
    from sfumato.live.desk import Ports
    from sfumato.live.worker import Worker, until_told
    from sfumato.privacy.ledger import Ledger
    from sfumato.privacy.noise import OpenDPNoise

    loaded, layout, url = sign.admitted(policy, deployment.trusted_keys), deployment.layout, deployment.url
    root = custody.root_key(deployment)
    signer = custody.signer(custody.derived(deployment, root)).public_key()
    with (
        closing(Ledger(url or layout.ledger)) as ledger,
        closing(AuditLog.open(layout.audit, url=deployment.log_url)) as log,
    ):
        ports = Ports(
            ledger=ledger, noise=lambda: OpenDPNoise(workers=1), now=lambda: datetime.now(UTC), log=log.append
        )
        with opening.desk(
            loaded, layout, root=root, signer=signer, files=resources(policy, loaded), ports=ports
        ) as desk:
            del root
            desk.warm()
            until_told(Worker(desk, path or layout.data / "worker.sock"), ready)


def collect(
    deployment: Deployment, gateway: Gateway, *, dataset: str, advance: Callable[[int], None]
) -> dict[str, IngestReport | None]:
    """Take in what the server was sent; what became of each delivery, by its name."""
    from sfumato.collecting import collect as taken
    from sfumato.inbox.folder import Inbox
    from sfumato.vault.opening import PURPOSE, Opener

    secret = custody.derived(deployment, custody.root_key(deployment)).derive(PURPOSE)
    return taken(gateway, Inbox(deployment.data), Opener(secret), dataset=dataset, advance=advance)


def sweep(deployment: Deployment, *, policy: str) -> list[Swept]:
    """Destroy sealed data that is older than the policy allows; which keys these were."""
    from contextlib import closing

    from sfumato.audit.checkpoint import PURPOSE
    from sfumato.audit.log import AuditLog
    from sfumato.recording import About, Recorder
    from sfumato.retention import sweep as past_limits

    loaded = sign.admitted(policy, deployment.trusted_keys)
    root = custody.root_key(deployment)
    secrets = custody.derived(deployment, root)
    sealer = custody.signer(secrets)
    keys = custody.epoch_keys(deployment, root)
    with closing(AuditLog.open(deployment.layout.audit, url=deployment.log_url)) as log:
        recorder = Recorder(
            log, About(policy=digest(loaded)), now=lambda: datetime.now(UTC), signer=custody.signer(secrets, PURPOSE)
        )
        with recorder.use_case("sweep"):
            swept = past_limits(
                deployment.layout,
                keys,
                loaded,
                now=datetime.now(UTC),
                sign=sealer.sign,
                store=custody.raw_store(deployment),
            )
        recorder.swept(swept)
    return swept


def forget(deployment: Deployment, name: str, *, policy: str, named: Unit, dataset: str | None) -> Forgetting:
    """Erase one person from a data directory: see `sfumato.forgetting.forget`."""
    from contextlib import closing

    from sfumato import forgetting
    from sfumato.audit.checkpoint import PURPOSE
    from sfumato.audit.log import AuditLog
    from sfumato.recording import About, Recorder

    loaded = sign.admitted(policy, deployment.trusted_keys)
    also = None if dataset is None else _dataset(dataset)
    if not deployment.data.is_dir():
        raise InputError(f"{deployment.data}: no data directory here")
    root = custody.root_key(deployment)
    secrets = custody.derived(deployment, root)
    with closing(AuditLog.open(deployment.layout.audit, url=deployment.log_url)) as log:
        recorder = Recorder(
            log, About(policy=digest(loaded)), now=lambda: datetime.now(UTC), signer=custody.signer(secrets, PURPOSE)
        )
        reach = forgetting.Reach(
            layout=deployment.layout,
            keys=custody.epoch_keys(deployment, root),
            pseudonym_key=secrets.derive("pseudonyms"),
            now=lambda: datetime.now(UTC),
            audit=recorder,
        )
        with recorder.use_case("forget"):
            return forgetting.forget(name, loaded, reach, named=named, also=also)


def verify_discard(deployment: Deployment, former: Sequence[str] = ()) -> dict[str, Any]:
    """What `vault.discard.verify` finds. former: names of root keys that were in use here before."""
    from sfumato.vault import discard

    root = custody.root_key(deployment)
    holds = custody.holds(custody.derived(deployment, root))
    before = [custody.root_key(Deployment(data=deployment.data, key=name)) for name in former]
    return discard.verify(
        deployment.layout,
        custody.epoch_keys(deployment, root),
        holds=holds,
        former=before,
        store=custody.raw_store(deployment),
    )


def follow_discard(deployment: Deployment, former: Sequence[str]) -> list[FollowUp]:
    """Ask the keepers of former root keys what became of them, and sign it beside the receipts that it concerns.

    Raises:
        InputError: one of them is no key of a key service, or is the one in use.
    """
    from contextlib import closing

    from sfumato.audit.checkpoint import PURPOSE
    from sfumato.audit.log import AuditLog
    from sfumato.recording import About, Recorder
    from sfumato.vault import discard

    root = custody.root_key(deployment)
    secrets = custody.derived(deployment, root)
    asked = [custody.kept(deployment, name) for name in former]
    if root.id in {one.id for one in asked}:
        raise InputError("--former names the root key that is in use: rotate to another first")
    with closing(AuditLog.open(deployment.layout.audit, url=deployment.log_url)) as log:
        recorder = Recorder(log, About(), now=lambda: datetime.now(UTC), signer=custody.signer(secrets, PURPOSE))
        with recorder.use_case("discard"):
            return discard.follow(
                deployment.layout.receipts,
                asked,
                holds=custody.holds(secrets),
                sign=custody.signer(secrets).sign,
                record=lambda one: recorder.done("discard", rule=f"provider.{one.state}", receipt=one.receipt),
                checked=utc(datetime.now(UTC)),
            )
