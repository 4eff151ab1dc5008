"""sfumato: a privacy gateway between logs of AI conversations and the people who want to learn from them.

    ingest -> vault -> extract + embed -> topics + privacy -> gate -> serve

`open_gateway` gives the `Gateway` that runs the pipeline in a `Deployment`, on a log file or on `rows` of the program
that calls; `Policy` is the file that decides what it may publish; `Client` and `AsyncClient` read what a server has
published. All load on first use.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfumato.client.client import AsyncClient, Client
    from sfumato.custody import Deployment
    from sfumato.gateway import Gateway
    from sfumato.ingest.rows import rows
    from sfumato.policy.schema import Policy
    from sfumato.wiring import open_gateway

__all__ = ["AsyncClient", "Client", "Deployment", "Gateway", "Policy", "__version__", "open_gateway", "rows"]
__version__ = _version("sfumato")

_HOMES = {
    "AsyncClient": "sfumato.client.client",
    "Client": "sfumato.client.client",
    "Deployment": "sfumato.custody",
    "Gateway": "sfumato.gateway",
    "Policy": "sfumato.policy.schema",
    "open_gateway": "sfumato.wiring",
    "rows": "sfumato.ingest.rows",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'sfumato' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
