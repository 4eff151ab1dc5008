"""The composition root: picks adapters, finds keys, and hands out what commands use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.errors import InputError, KeyMissing
from sfumato.model.epochs import epoch_of, span
from sfumato.model.layout import Layout
from sfumato.policy import sign
from sfumato.policy.load import digest, load, located

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from sfumato.adapters.roles import PolicyModels
    from sfumato.embed.sentences import SentenceEmbedder
    from sfumato.gateway import Gateway
    from sfumato.model.strict_json import JsonObject
    from sfumato.planning import Resources
    from sfumato.policy.schema import Policy
    from sfumato.privacy.noise import OpenDPNoise
    from sfumato.serve.api_keys import ApiKeys
    from sfumato.vault.keys import RootKey


def policy(name: str) -> Policy:
    """The policy in a file, or a built-in one by its name."""
    return load(located(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where a deployment keeps what it needs. trusted_keys: public keys that may sign its policies."""

    data: Path
    key_file: Path | None = None
    trusted_keys: Path | None = None


def gateway(
    deployment: Deployment, *, policy: str, dataset: str, epoch: str | None, note: Callable[[str], None]
) -> Gateway:
    """A gateway for one dataset's epoch. Without a root key one is made, and `note` is told where.

    Raises:
        Refused: the policy must be signed and is not.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato import gateway as use_cases
    from sfumato.vault.keystore import EpochKeys

    loaded, data = sign.admitted(policy, deployment.trusted_keys), deployment.data
    layout = Layout(data=data)
    scope = use_cases.Scope(dataset=_dataset(dataset), epoch=_epoch(epoch, loaded), bounded=epoch is not None)
    root = _root_key(deployment.key_file, data, note)
    ports = use_cases.Ports(
        embedder=lambda: embedder(loaded),
        noise=noise,
        now=lambda: datetime.now(UTC),
        epoch_keys=EpochKeys(layout.keystore, root),
        pseudonym_key=root.derive("pseudonyms"),
        signer=Ed25519PrivateKey.from_private_bytes(root.derive("release signing")),
        models=lambda spent: models(loaded, spent),
    )
    return use_cases.Gateway(policy=loaded, layout=layout, scope=scope, ports=ports, files=_files(policy, loaded))


load_policy = policy  # `gateway` has a parameter of that name


def models(loaded: Policy, spent: Decimal) -> PolicyModels:
    """The language models that a policy names; those it does not name can't be opened."""
    from sfumato.adapters.roles import PolicyModels

    return PolicyModels(loaded, environment=os.environ, spent_before=spent)


def _files(name: str, loaded: Policy) -> Resources:
    """What the policy names in files of their own."""
    from sfumato.gate import rubric
    from sfumato.planning import Resources
    from sfumato.policy import files

    return Resources(
        taxonomies=files.taxonomies(name, loaded),
        rubric=rubric.load(loaded.auditor.rubric, folder=files.rubric_folder(name)),
    )


def cost(policy: str, *, sample: str | None, let_through: float) -> JsonObject:
    """What extraction under this policy is expected to cost per 100,000 conversations. sample: a log to average over."""
    from functools import partial

    from sfumato.adapters.prices import tariff_of
    from sfumato.evaluate import cost as estimate
    from sfumato.planning import questions_of

    loaded = load_policy(policy)
    section = loaded.extraction
    tariff = None if section.model is None else tariff_of(section.model)
    return estimate.cost(
        questions_of(loaded, _files(policy, loaded).taxonomies),
        price=None if tariff is None else partial(tariff.cost, regional=section.region is not None),
        sample=() if sample is None else estimate.read_sample(loaded, sample),
        batch=section.batch,
        let_through=let_through,
    )


def embedder(loaded: Policy) -> SentenceEmbedder:
    """The policy's sentence model, one process for each CPU."""
    from sfumato.embed.sentences import SentenceEmbedder
    from sfumato.embed.weights import find

    return SentenceEmbedder(find(loaded.embedding.path, sha256=loaded.embedding.sha256))


def key_path(key_file: Path | None) -> Path:
    """Where the root key lies: where the caller says, else in the user's configuration folder."""
    if key_file is not None:
        return key_file
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "sfumato" / "root.key"


def create_root_key(key_file: Path | None) -> Path:
    """Make the root key; refuses to replace one.

    Raises:
        KeyMissing: one is there already, or it can't be written there.
    """
    from sfumato.vault.keys import RootKey

    path = key_path(key_file)
    if key_file is None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    RootKey.create(path)
    return path


def api_keys(data: Path) -> ApiKeys:
    """The API keys of a deployment, for issuing and revoking."""
    from sfumato.serve.api_keys import ApiKeys

    if not data.is_dir():
        raise InputError(f"{data}: no data directory here; run a release first")
    return ApiKeys.open(data)


def expiry(days: int | None) -> datetime | None:
    """The moment so many days from now."""
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _root_key(key_file: Path | None, data: Path, note: Callable[[str], None]) -> RootKey:
    from sfumato.vault.keys import RootKey

    path = key_path(key_file)
    if not os.path.lexists(path):
        if key_file is not None:
            raise KeyMissing(f"{path}: no root key there; make one with `sfumato keys init --key-file {path}`")
        create_root_key(None)
        note(f"no root key yet: made {path}; keep a copy offline")
    return RootKey.load(path, data=data)


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


def serve(deployment: Deployment, *, policy: str, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the releases of a data directory until told to stop."""
    from sfumato.serve.access import Access
    from sfumato.serve.api import build_app
    from sfumato.serve.api_keys import ApiKeys
    from sfumato.serve.server import serve as run
    from sfumato.serve.store import ReleaseStore

    loaded, data = sign.admitted(policy, deployment.trusted_keys), deployment.data
    app = build_app(
        ReleaseStore(data),
        Access(ApiKeys.read_only(data), loaded.access),
        {"digest": digest(loaded), "policy": loaded.model_dump(mode="json")},
    )
    run(app, host=host, port=port, ready=ready)


def sweep(deployment: Deployment, *, policy: str) -> list[tuple[str, str, str]]:
    """Destroy sealed data that is older than the policy allows; (dataset, part, zone) of each."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.retention import sweep as past_limits
    from sfumato.vault.keys import RootKey
    from sfumato.vault.keystore import EpochKeys

    loaded, layout = sign.admitted(policy, deployment.trusted_keys), Layout(data=deployment.data)
    root = RootKey.load(key_path(deployment.key_file), data=deployment.data)
    signer = Ed25519PrivateKey.from_private_bytes(root.derive("release signing"))
    keys = EpochKeys(layout.keystore, root)
    return past_limits(layout, keys, loaded, now=datetime.now(UTC), sign=signer.sign)


def verify_discard(data: Path, key_file: Path | None) -> dict[str, Any]:
    """What `vault.discard.verify` finds, with the signer and the key store of this deployment."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.vault import discard
    from sfumato.vault.keys import RootKey
    from sfumato.vault.keystore import EpochKeys

    root = RootKey.load(key_path(key_file), data=data)
    public = Ed25519PrivateKey.from_private_bytes(root.derive("release signing")).public_key()

    def holds(signed: bytes, mark: bytes) -> bool:
        try:
            public.verify(mark, signed)
        except InvalidSignature:
            return False
        return True

    layout = Layout(data=data)
    return discard.verify(layout.receipts, layout.raw, EpochKeys(layout.keystore, root), holds=holds)
