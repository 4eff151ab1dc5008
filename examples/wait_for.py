"""Wait until an address answers: `wait_for.py URL`; exit code 1 after 20 seconds without an answer."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request

PATIENCE = 20.0


def main() -> int:
    """Ask until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(sys.argv[1], timeout=2):  # noqa: S310 - the caller's own address
                return 0
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return 1


if __name__ == "__main__":
    sys.exit(main())
