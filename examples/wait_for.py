"""Wait until a server that logs its address answers: `wait_for.py LOG` prints the address, or exits with 1."""

from __future__ import annotations

import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE = 30.0


def main() -> int:
    """Look for the address, then ask until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = re.search(r"http://\S+", Path(sys.argv[1]).read_text())
        try:
            if found:
                with urllib.request.urlopen(found.group() + "healthz", timeout=2):  # noqa: S310 - our own server
                    print(found.group())
                    return 0
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    return 1


if __name__ == "__main__":
    sys.exit(main())
