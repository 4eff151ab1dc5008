"""Builders for tests: a gateway on a temporary directory with a stand-in for the vector model, and small corpora."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sfumato.adapters.roles import PolicyModels
from sfumato.extraction import Models
from sfumato.gateway import Gateway
from sfumato.model.layout import Layout
from sfumato.policy.load import builtin_path, parse
from sfumato.policy.schema import Policy
from sfumato.ports import Ports, Scope
from sfumato.privacy.noise import OpenDPNoise
from sfumato.vault import deployment
from sfumato.vault.elsewhere import SegmentStore
from sfumato.vault.keys import KeyWrapper, RootKey
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
MODELS = """\
extraction: {provider: anthropic, model: claude-haiku-4-5}
naming: {provider: anthropic, model: claude-sonnet-4-5}
auditor: {provider: anthropic, model: claude-opus-4-5}
"""
GUARDED = """\
extraction: {provider: anthropic, model: claude-haiku-4-5}
naming: {provider: anthropic, model: claude-sonnet-4-5, evidence: private_summaries}
auditor: {provider: anthropic, model: claude-opus-4-5, on_denial: drop}
"""
SUBJECTS = ("sourdough bread", "tax return", "python traceback", "visa application", "marathon training")
ROOT = RootKey(b"t" * 32)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def policy(change: tuple[str, str] = ("", "")) -> Policy:
    """The testing policy, one piece of its text replaced."""
    return parse(POLICY.replace(*change) if change[0] else POLICY)


def for_a_small_log(builtin: str, *changes: tuple[str, str]) -> str:
    """A built-in policy as text: an epsilon at which 350 users make topics each time, and pieces of it replaced.

    At 8 one release of 25 had none; at 20 all of 25 had at least two.
    """
    text = builtin_path(builtin).read_text()
    for old, new in (("{epsilon: 2.0,", "{epsilon: 20.0,"), ("{epsilon: 8.0,", "{epsilon: 20.0,"), *changes):
        assert old in text
        text = text.replace(old, new)
    return text


def modelled_policy(*changes: tuple[str, str]) -> Policy:
    """The testing policy with a model in every role, pieces of its text replaced."""
    return _changed(POLICY + MODELS, changes)


def guarded_policy(*changes: tuple[str, str]) -> Policy:
    """Clio's way: guarded mode, names from private summaries; pieces of its text replaced."""
    return _changed(POLICY.replace("guarantee:\n", "guarantee:\n  mode: guarded\n") + GUARDED, changes)


def _changed(text: str, changes: Sequence[tuple[str, str]]) -> Policy:
    for old, new in changes:
        if old not in text:
            raise ValueError(f"the testing policy has no such piece: {old}")
        text = text.replace(old, new)
    return parse(text)


def asking(loaded: Policy, url: str) -> Callable[[Decimal], Models]:
    """The models of this policy, all behind one address of this machine."""
    return lambda spent: PolicyModels(loaded, environment={"ANTHROPIC_BASE_URL": url}, spent_before=spent)


def no_models(spent: Decimal) -> Models:
    """The models of a policy that names none."""
    return PolicyModels(policy(), environment={}, spent_before=spent)


@contextmanager
def _stand_in() -> Iterator[HashedEmbedder]:
    yield HashedEmbedder()


@cache
def _worker(_pid: int) -> OpenDPNoise:
    return ExitStack().enter_context(OpenDPNoise(workers=1))


@contextmanager
def one_worker() -> Iterator[OpenDPNoise]:
    """Noise from a process that all gateways of this process share: each that starts loads OpenDP anew."""
    yield _worker(os.getpid())


def gateway(
    data: Path,
    *,
    policy: Policy,
    epoch: str = "2026-11",
    bounded: bool = False,
    noise: Callable[[], AbstractContextManager[OpenDPNoise]] = one_worker,
    models: Callable[[Decimal], Models] = no_models,
    root: KeyWrapper = ROOT,
    now: Callable[[], datetime] = lambda: NOW,
    raw_store: SegmentStore | None = None,
) -> Gateway:
    """A gateway whose root key is always the same, so that a second one can open what the first sealed."""
    layout = Layout(data=data)
    secrets = deployment.secrets(layout.keystore, root)
    ports = Ports(
        models=models,
        embedder=_stand_in,
        noise=noise,
        now=now,
        raw_store=raw_store,
        epoch_keys=EpochKeys(layout.keystore, root),
        pseudonym_key=secrets.derive("pseudonyms"),
        signer=Ed25519PrivateKey.from_private_bytes(secrets.derive("release signing")),
        audit_signer=Ed25519PrivateKey.from_private_bytes(secrets.derive("audit signing")),
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


def write_distinct(path: Path, *, users: int, each: int = 1) -> Path:
    """As `write_corpus`, but no two conversations are alike: each has a word of its own, in letters."""
    with path.open("w") as file:
        for user in range(users):
            for number in range(each):
                subject = SUBJECTS[user % len(SUBJECTS)]
                text = f"tell me about {subject} please, my word is {own_word(user * each + number)}"
                record = {"conversation_id": f"c{user}-{number}", "user_id": f"person-{user:05d}", "text": text}
                file.write(json.dumps(record) + "\n")
    return path


def own_word(number: int) -> str:
    """Letters that stand for a number."""
    return "q" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:06d}") + "x"


def quiet(_count: int) -> None:
    """Progress that nobody watches."""


def stats(url: str) -> dict[str, Any]:
    """What a stand-in has counted."""
    with urllib.request.urlopen(f"{url}/_standin/stats", timeout=30) as answer:  # noqa: S310 - a server of the test's own
        found: dict[str, Any] = json.loads(answer.read())
    return found
