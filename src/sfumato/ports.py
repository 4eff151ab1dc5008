"""What the gateway needs from outside, and what a budget belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from decimal import Decimal

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy import URL

    from sfumato.embed.sentences import Embedder
    from sfumato.extraction import Models
    from sfumato.privacy.noise import OpenDPNoise
    from sfumato.vault.elsewhere import SegmentStore
    from sfumato.vault.keystore import EpochKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a budget belongs to. `bounded`: the operator named the epoch, so dates outside it are wrong."""

    dataset: str
    epoch: str
    bounded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the gateway needs from outside: sentence vectors, noise, the time, keys, signers, language models.

    models: those the policy names, given what earlier runs of the epoch may have cost. database: where ledger and audit
    log lie; None for files under the data directory. publish: told the id and bytes of each release, to put it where
    readers look besides the data directory. raw_store: where sealed conversations lie if not in the data directory.
    """

    embedder: Callable[[], AbstractContextManager[Embedder]]
    noise: Callable[[], AbstractContextManager[OpenDPNoise]]
    now: Callable[[], datetime]
    epoch_keys: EpochKeys
    pseudonym_key: bytes
    signer: Ed25519PrivateKey
    audit_signer: Ed25519PrivateKey
    models: Callable[[Decimal], Models]
    database: URL | None = None
    publish: Callable[[str, bytes], None] | None = None
    raw_store: SegmentStore | None = None
