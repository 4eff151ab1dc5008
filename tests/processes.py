"""Processes to race or to kill: forked from one that has loaded the libraries and run nothing, or spawned off Linux."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver

LOADED = [
    "sfumato.embed.ahead", "sfumato.gateway", "sfumato.live.worker", "sfumato.wiring", "alembic.command",
    "opendp.measurements", "sklearn.cluster", "sklearn.manifold", "sqlalchemy.dialects.sqlite",
]  # fmt: skip


LINUX = sys.platform == "linux"
APART = multiprocessing.get_context("forkserver" if LINUX else "spawn")


def start() -> None:
    """Before the embedder has such a server made, with less in it."""
    if LINUX:
        APART.set_forkserver_preload(LOADED)
        forkserver.ensure_running()
