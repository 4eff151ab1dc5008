"""Print the OpenAPI document of everything that `sfumato serve` answers, from which the page's types are made."""

from __future__ import annotations

import json
import sys
from typing import Any, cast

from sfumato.serve import routes_audit, routes_ingest, routes_policy, routes_queries
from sfumato.serve.api import build_app
from sfumato.serve.reading import Reading


def document() -> dict[str, Any]:
    """The document; nothing is served, so what the routes would ask of is not there."""
    nothing = cast("Any", None)
    reading = Reading(store=nothing, access=nothing)
    extras = [
        routes_audit.router(reading, nothing),
        routes_policy.explaining(reading, lambda: nothing),
        routes_ingest.router(reading, nothing),
        routes_queries.router(nothing, None, lambda: nothing),
    ]
    app = build_app(nothing, nothing, {}, budget=cast("Any", object()), extras=extras)
    return app.openapi()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
