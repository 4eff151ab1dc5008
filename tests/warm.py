"""A process that has loaded the command and forks for each run of it: to start it anew takes two seconds a time.

Each run is a process of its own all the same, with its own words, environment, streams and exit code. What matters at a
start (what is imported when, a kill, a terminal) is tested with the command itself.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

LOADED = (
    "sfumato.adapters.roles", "sfumato.audit.log", "sfumato.cli.discard", "sfumato.cli.pipeline", "sfumato.gateway",
    "sfumato.serve.release_table", "sfumato.wiring", "alembic.command", "alembic.context", "opendp.measurements",
    "sklearn.cluster", "sklearn.manifold", "sqlalchemy.dialects.sqlite",
)  # fmt: skip


class Warm:
    """The process, started at first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def run(
        self, words: list[str], environment: dict[str, str], stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """`sfumato WORDS` to its end, or to the end of its time: then it is killed."""
        with self._turn, TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "0").write_bytes(stdin)
            asked = {"words": words, "environment": environment, "folder": folder, "cwd": str(Path.cwd())}
            process = self._started()
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            late = threading.Timer(timeout, os.kill, (child, 9))
            late.start()
            status = int(process.stdout.readline())
            late.cancel()
            return subprocess.CompletedProcess(
                words, os.waitstatus_to_exitcode(status), (place / "1").read_bytes(), (place / "2").read_bytes()
            )

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True)
            atexit.register(self._end)
        return self._process

    def _end(self) -> None:
        self._process.communicate()


def serve() -> None:
    """Fork for every line; returns in each child, and at the end of the input exits."""
    for name in LOADED:
        import_module(name)
    line, told = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for asked in map(json.loads, line):
        child = os.fork()
        if child == 0:
            become(**asked)
            return
        told.write(f"{child}\n")
        told.flush()
        told.write(f"{os.waitpid(child, 0)[1]}\n")
        told.flush()
    sys.exit()


def become(*, words: list[str], environment: dict[str, str], folder: str, cwd: str) -> None:
    """The command as it finds itself when it is started."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["sfumato", *words]
    for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)):
        opened = os.open(f"{folder}/{number}", flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)


if __name__ == "__main__":
    serve()
    from sfumato.cli import main

    main()
