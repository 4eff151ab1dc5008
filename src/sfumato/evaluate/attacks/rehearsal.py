"""A whole deployment in one folder, with throw-away keys: what attacks on the gateway itself are tried on."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sfumato import models_of
from sfumato.errors import Refused
from sfumato.evaluate.attacks.hashed import HashedEmbedder
from sfumato.gateway import Gateway
from sfumato.model.layout import Layout
from sfumato.planning import NO_FILES
from sfumato.ports import Ports, Scope
from sfumato.privacy.ledger import Ledger
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sfumato.model.prompt import Model
    from sfumato.model.release import ModelUse, Role
    from sfumato.model.strict_json import JsonObject
    from sfumato.planning import Resources
    from sfumato.policy.schema import Policy
    from sfumato.privacy.ledger import Entry
    from sfumato.privacy.noise import OpenDPNoise
    from sfumato.vault.journal import Journal

NOW = datetime(2026, 1, 20, 12, 0, tzinfo=UTC)
SUBJECTS = ("sourdough bread", "tax return", "python traceback", "visa application")
DATASET, EPOCH = "attack", "2026-01"
ROOT = RootKey(bytes(32))
SIGNER = Ed25519PrivateKey.from_private_bytes(ROOT.derive("release signing"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A data directory, the noise that all its releases share, and what its policies name in files of their own."""

    data: Path
    noise: OpenDPNoise
    files: Resources = NO_FILES

    def release(self, policy: Policy, records: Sequence[JsonObject], *, epoch: str = EPOCH) -> JsonObject:
        """The stored release, or a new one of these records.

        Raises:
            BudgetExhausted, Refused: what the attack hopes will not come.
        """
        with self.gateway(policy, epoch) as gateway:
            stored = gateway.stored()
            if stored is not None:
                return _decoded(stored)
            source = self.data / "records.jsonl"
            source.write_text("".join(json.dumps(record) + "\n" for record in records))
            gateway.ingest(str(source), advance=_unseen)
            gateway.extract(advance=_unseen)
            return _decoded(gateway.release())

    def entries(self) -> list[Entry]:
        """What the ledger holds."""
        ledger = Ledger(Layout(data=self.data).ledger)
        try:
            return ledger.entries()
        finally:
            ledger.close()

    def keys(self) -> EpochKeys:
        """The keys of its epochs."""
        return EpochKeys(Layout(data=self.data).keystore, ROOT)

    def gateway(self, policy: Policy, epoch: str) -> Gateway:
        """The gateway of one epoch."""
        ports = Ports(
            embedder=_embedder,
            noise=lambda: nullcontext(self.noise),
            now=lambda: NOW,
            epoch_keys=self.keys(),
            pseudonym_key=ROOT.derive("pseudonyms"),
            signer=SIGNER,
            audit_signer=Ed25519PrivateKey.from_private_bytes(ROOT.derive("audit signing")),
            models=lambda _spent: NoModels(),
        )
        scope = Scope(dataset=DATASET, epoch=epoch)
        return Gateway(policy=policy, layout=Layout(data=self.data), scope=scope, ports=ports, files=self.files)


class NoModels:
    """No language model at all."""

    at_most = Decimal(0)

    def open(self, role: Role, *, journal: Journal | None = None) -> AbstractContextManager[Model]:
        """Refused."""
        del role, journal
        raise Refused("the attacks on the gateway ask no model; use a policy that names none")

    def note_to(self, note: Callable[[Decimal], None]) -> None:
        """Nothing to note."""

    def uses(self) -> tuple[ModelUse, ...]:
        """None."""
        return ()


def must_ask_no_model(policy: Policy) -> None:
    """Said before anything is tried: what a deployment refuses for want of a model is no defence.

    Raises:
        Refused: the policy names a model.
    """
    models_of.check(NoModels(), policy)


def records(users: int) -> list[JsonObject]:
    """One conversation of each user about one of a few things."""
    return [
        {
            "conversation_id": f"c{user}",
            "user_id": f"user-{user}",
            "messages": [{"role": "user", "content": f"a question about {SUBJECTS[user % len(SUBJECTS)]}"}],
        }
        for user in range(users)
    ]


def _decoded(canonical: bytes) -> JsonObject:
    found: JsonObject = json.loads(canonical)
    return found


@contextmanager
def _embedder() -> Iterator[HashedEmbedder]:
    yield HashedEmbedder()


def _unseen(_count: int) -> None:
    """Progress that nobody watches."""
