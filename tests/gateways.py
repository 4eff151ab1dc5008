"""Builders for tests: a gateway on a temporary directory with a stand-in for the vector model, and small corpora."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sfumato.adapters.roles import PolicyModels
from sfumato.extraction import Models
from sfumato.gateway import Gateway, Ports, Scope
from sfumato.model.layout import Layout
from sfumato.policy.load import parse
from sfumato.policy.schema import Policy
from sfumato.privacy.noise import OpenDPNoise
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys
from stand_ins import HashedEmbedder

POLICY = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: testing}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 8.0, delta: 1.0e-5}
  yearly: {epsilon: 16.0, delta: 1.0e-4}
thresholds: {min_users: 10, min_conversations: 10}
facets: [{name: turns}]
"""
SUBJECTS = ("sourdough bread", "tax return", "python traceback", "visa application", "marathon training")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def policy(change: tuple[str, str] = ("", "")) -> Policy:
    """The testing policy, one piece of its text replaced."""
    return parse(POLICY.replace(*change) if change[0] else POLICY)


def no_models(spent: Decimal) -> Models:
    """The models of a policy that names none."""
    return PolicyModels(policy(), environment={}, spent_before=spent)


@contextmanager
def _stand_in() -> Iterator[HashedEmbedder]:
    yield HashedEmbedder()


def gateway(
    data: Path,
    *,
    policy: Policy,
    epoch: str = "2026-11",
    bounded: bool = False,
    noise: Callable[[], AbstractContextManager[OpenDPNoise]] = OpenDPNoise,
) -> Gateway:
    """A gateway whose root key is always the same, so that a second one can open what the first sealed."""
    root = RootKey(b"t" * 32)
    layout = Layout(data=data)
    ports = Ports(
        models=no_models,
        embedder=_stand_in,
        noise=noise,
        now=lambda: NOW,
        epoch_keys=EpochKeys(layout.keystore, root),
        pseudonym_key=root.derive("pseudonyms"),
        signer=Ed25519PrivateKey.from_private_bytes(root.derive("release signing")),
    )
    scope = Scope(dataset="chats", epoch=epoch, bounded=bounded)
    return Gateway(policy=policy, layout=layout, scope=scope, ports=ports)


def write_corpus(path: Path, *, users: int = 400, each: int = 2) -> Path:
    """Conversations about five subjects, `each` of every user."""
    with path.open("w") as file:
        for user in range(users):
            for number in range(each):
                subject = SUBJECTS[(user + number * (user % 3)) % len(SUBJECTS)]
                turns = [
                    {"role": "user", "content": f"question {number} of mine about {subject}, what do people do"},
                    {"role": "assistant", "content": "people do it slowly"},
                ]
                record = {"conversation_id": f"c{user}-{number}", "user_id": f"person-{user:05d}", "messages": turns}
                file.write(json.dumps(record) + "\n")
    return path


def quiet(_count: int) -> None:
    """Progress that nobody watches."""
