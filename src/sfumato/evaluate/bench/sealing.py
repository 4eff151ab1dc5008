"""Sealing: envelopes of 2 KB against bare AES-256-GCM on the same bytes, as ratios that a busy machine leaves alone."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sfumato.vault.envelope import ID_BYTES, KEY_BYTES, Sealer, context_of

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD_BYTES = 2048
HEADER_BYTES = 46
NONCE_BYTES = 12
CALLS = 40  # short, so that among many there are some that nothing disturbs
ROUNDS = 300


def measure() -> dict[str, Any]:
    """Records a second, and the speed as a share of bare AES-256-GCM.

    `of_bare`: against a fresh key for each record, which is what an envelope has. `of_bare_one_key`: against one key
    for all, which no envelope has: what is over is the price of a key of its own that is committed to.
    """
    key, plaintext, nonce = os.urandom(KEY_BYTES), os.urandom(RECORD_BYTES), os.urandom(NONCE_BYTES)
    context = context_of("raw segment", "bench", "2026-01", "raw")
    sealer = Sealer(key, key_id=os.urandom(ID_BYTES), segment=os.urandom(ID_BYTES), context=context)
    sealed, one = sealer.seal(1, plaintext), AESGCM(key)
    associated = sealed[:HEADER_BYTES] + context  # as the envelope has it
    bare = one.encrypt(nonce, plaintext, associated)
    seconds = _fastest(
        {
            "seal": lambda: sealer.seal(1, plaintext),
            "bare seal": lambda: AESGCM(key).encrypt(nonce, plaintext, associated),
            "one key seal": lambda: one.encrypt(nonce, plaintext, associated),
            "open": lambda: sealer.open_into(1, sealed),
            "bare open": lambda: AESGCM(key).decrypt(nonce, bare, associated),
            "one key open": lambda: one.decrypt(nonce, bare, associated),
        }
    )
    return {"record_bytes": RECORD_BYTES} | {
        name: {
            "per_second": round(1 / seconds[name]),
            "of_bare": round(seconds[f"bare {name}"] / seconds[name], 2),
            "of_bare_one_key": round(seconds[f"one key {name}"] / seconds[name], 2),
        }
        for name in ("seal", "open")
    }


def _fastest(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of one call, of each the fastest of many short turns; they take turns, so all meet the same machine."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            started = time.perf_counter()
            for _ in range(CALLS):
                call()
            best[name] = min(best[name], (time.perf_counter() - started) / CALLS)
    return best
