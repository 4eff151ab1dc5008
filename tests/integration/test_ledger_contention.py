"""Processes and the ledger: racing for one budget, killed, cut off, and a server that crashes under them."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sql
from sqlalchemy import URL

import postgres
from processes import APART
from sfumato.errors import BudgetExhausted, Refused, StorageError
from sfumato.privacy.ledger import Caps, Charge, Ledger
from sfumato.privacy.ledger_postgres import IN_FLIGHT

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

# A connection whose server was killed under it may be collected before it is closed, which psycopg complains of.
pytestmark = pytest.mark.filterwarnings("ignore:.*psycopg.*:pytest.PytestUnraisableExceptionWarning")
RACERS, EACH, FIT = 8, 15, 100
CAPS = Caps(purpose_rho=FIT * 10, epoch_rho=FIT * 10, epoch_delta=10**6, yearly_rho=10**6, yearly_delta=10**6)


def charge(question: str, purpose: str = "queries") -> Charge:
    return Charge(
        dataset="chats", epoch="2026-11", year="2026", purpose=purpose, question=question, policy="p", unit="user",
        rho=10, delta=1, created="2026-11-21T00:00:00Z",
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path: Path) -> Path | URL:
    return tmp_path / "ledger.db" if request.param == "sqlite" else postgres.server().database()


def race(place: Path | URL, name: str, start: Barrier, results: object) -> None:
    """One question that all ask, then many of one's own; burns every fifth."""
    ledger = Ledger(place)
    start.wait(60)
    granted = []
    for question in ("shared", *(f"{name}-{number}" for number in range(EACH))):
        try:
            reservation = ledger.reserve(charge(question), CAPS)
        except (BudgetExhausted, Refused):
            continue
        granted.append(question)
        if question.endswith("-4"):
            ledger.burned(reservation)
        else:
            ledger.released(reservation, f"answer of {name}")
    ledger.close()
    results.put(granted)  # type: ignore[attr-defined]


def test_eight_processes_on_one_budget_spend_it_exactly_and_answer_each_question_once(place: Path | URL) -> None:
    Ledger(place).close()
    start, results = APART.Barrier(RACERS), APART.Queue()
    racers = [APART.Process(target=race, args=(place, f"p{one}", start, results)) for one in range(RACERS)]
    for racer in racers:
        racer.start()
    granted = [question for _ in racers for question in results.get(timeout=90)]
    for racer in racers:
        racer.join(60)
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    ledger = Ledger(place)
    entries = ledger.entries()
    assert len(granted) == len(set(granted)) == FIT
    assert sorted(entry.question for entry in entries) == sorted(granted)
    assert ledger.spent(dataset="chats") == (FIT * 10, FIT)
    assert {entry.state for entry in entries} == {"released", "burned"}
    assert all((ledger.answer_to(one.question) is not None) == (one.state == "released") for one in entries)
    ledger.close()


def killed_at(place: URL, state: str) -> None:
    ledger = Ledger(place)
    reservation = ledger.reserve(charge("q"), CAPS)
    if state == "released":
        ledger.released(reservation, "answer")
    if state == "inside":  # somebody holds what its turn waits for, after the row and before the commit
        ledger.reserve(charge("r"), CAPS)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("state", "afterwards"), [("reserved", ["burned"]), ("released", ["released"]), ("inside", ["burned", "burned"])]
)
def test_kill_9_on_postgres_burns_what_was_reserved_and_loses_nothing(state: str, afterwards: list[str]) -> None:
    url = postgres.server().database()
    Ledger(url).close()
    victim = APART.Process(target=killed_at, args=(url, state))
    with postgres.connected(url) as other:
        other.exec_driver_sql(f"SELECT pg_advisory_lock({IN_FLIGHT}, 2)")
        victim.start()
        if state == "inside":
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not other.exec_driver_sql(waits).scalar():
                time.sleep(0.02)
            victim.kill()
        victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    postgres.wait_until_no_charge_is_held(url)
    ledger = Ledger(url)
    ledger.recover()
    assert ledger.spent(dataset="chats") == (10 * len(afterwards), len(afterwards))
    assert [entry.state for entry in ledger.entries()] == afterwards
    ledger.released(ledger.reserve(charge("after"), CAPS), "goes on")
    ledger.close()


def test_a_process_cut_off_from_the_server_finds_its_charge_burned(tmp_path: Path) -> None:
    url = postgres.server().database()
    cut, other = Ledger(url), Ledger(url)
    reservation = cut.reserve(charge("q"), CAPS)
    postgres.run(
        url, "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    )
    assert other.recover() == 1
    with pytest.raises(StorageError, match="nothing was published"):
        cut.released(reservation, "too late")
    cut.released(cut.reserve(charge("r"), CAPS), "on a new connection")
    assert other.spent(dataset="chats") == (20, 2)
    for ledger in (cut, other):
        ledger.close()


@pytest.mark.parametrize("at", ["its turn", "its lock", "settling"])
def test_a_connection_lost_in_the_middle_of_a_call_is_one_line_and_the_next_call_has_another(at: str) -> None:
    url = postgres.server().database()
    ledger, other = Ledger(url), Ledger(url)
    open_charge = ledger.reserve(charge("q"), CAPS)
    blocks = {
        "its turn": f"SELECT pg_advisory_lock({0x5F_1ED_6E5})",
        "its lock": f"SELECT pg_advisory_lock({IN_FLIGHT}, 2)",
        "settling": "SELECT 1 FROM charges WHERE seq = 1 FOR UPDATE",
    }
    with sql.create_engine(url).connect() as blocker:
        blocker.execute(sql.text(blocks[at]))
        killer = threading.Thread(target=terminate_who_waits, args=(url,))
        killer.start()
        with pytest.raises(StorageError, match="the ledger can't be"):
            ledger.released(open_charge, "answer") if at == "settling" else ledger.reserve(charge("r"), CAPS)
        killer.join()
        blocker.invalidate()
    assert other.recover() == 1, "what the lost connection held is burned"
    assert other.spent(dataset="chats") == (10, 1)
    ledger.released(ledger.reserve(charge("r"), CAPS), "on a new connection")
    assert [entry.state for entry in other.entries()] == ["burned", "released"]
    for each in (ledger, other):
        each.close()


def terminate_who_waits(url: URL) -> None:
    """End the backend of whoever waits for a lock."""
    waiting = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE NOT granted"
    with postgres.connected(url) as db:
        while not db.exec_driver_sql(waiting).all():
            time.sleep(0.02)


def test_a_server_that_crashes_has_every_committed_charge_when_it_is_back() -> None:
    server = postgres.server()
    url = server.database()
    ledger = Ledger(url)
    for number in range(20):
        ledger.released(ledger.reserve(charge(f"q{number}"), CAPS), f"answer {number}")
    for number in range(20):  # their turns end before they are on disk; `reserve` may not return before
        ledger.reserve(charge(f"in flight {number}"), CAPS)
    server.crash()
    after = Ledger(url)
    assert after.recover() == 20
    assert after.spent(dataset="chats") == (400, 40)
    assert [after.answer_to(f"q{number}") for number in range(20)] == [f"answer {number}" for number in range(20)]
    ledger.released(ledger.reserve(charge("again"), CAPS), "the old ledger finds the server again")
    for each in (ledger, after):
        each.close()


def test_a_server_that_is_gone_is_an_error_and_charges_nothing() -> None:
    server = postgres.server()
    ledger = Ledger(server.database())
    with server.stopped(), pytest.raises(StorageError, match="can't be reached"):
        ledger.reserve(charge("q"), CAPS)
    assert ledger.spent(dataset="chats") == (0, 0)
    ledger.close()
