"""The ledger among processes: killed at each state, and racing for the last of the budget."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from processes import APART
from sfumato.errors import BudgetExhausted, Refused
from sfumato.privacy.ledger import Caps, Charge, Ledger

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

CAPS = Caps(purpose_rho=1000, epoch_rho=1000, epoch_delta=100, yearly_rho=1000, yearly_delta=100)


def charge(question: str, rho: int) -> Charge:
    return Charge(
        dataset="chats", epoch="2026-11", year="2026", purpose="release", question=question, policy="p", unit="user",
        rho=rho, delta=1, created="2026-11-21T00:00:00Z",
    )  # fmt: skip


def killed_at(path: Path, state: str) -> None:
    ledger = Ledger(path)
    reservation = ledger.reserve(charge("q", 400), CAPS)
    if state == "released":
        ledger.released(reservation, "answer")
    elif state == "burned":
        ledger.burned(reservation)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("state", "afterwards"), [("reserved", "burned"), ("released", "released"), ("burned", "burned")]
)
def test_kill_9_at_each_state_never_lowers_what_is_spent(tmp_path: Path, state: str, afterwards: str) -> None:
    victim = APART.Process(target=killed_at, args=(tmp_path / "ledger.db", state))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.recover()
    assert ledger.spent(dataset="chats") == (400, 1)
    assert [entry.state for entry in ledger.entries()] == [afterwards]
    ledger.close()


def race(path: Path, name: str, rho: int, start: Barrier, results: object) -> None:
    ledger = Ledger(path)
    start.wait(30)
    granted = 0
    for attempt in range(8):
        try:
            ledger.released(ledger.reserve(charge(f"{name}-{attempt}", rho), CAPS), "answer")
            granted += 1
        except (BudgetExhausted, Refused):
            pass
    results.put(granted)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("rho", "fit"), [(700, 1), (100, 10)], ids=["the last of it", "ten shares"])
def test_processes_racing_for_the_budget_get_exactly_what_there_is(tmp_path: Path, rho: int, fit: int) -> None:
    Ledger(tmp_path / "ledger.db").close()
    start, results = APART.Barrier(4), APART.Queue()
    racers = [APART.Process(target=race, args=(tmp_path / "ledger.db", f"p{i}", rho, start, results)) for i in range(4)]
    for racer in racers:
        racer.start()
    granted = sum(results.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join(60)
    assert granted == fit
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.spent(dataset="chats")[0] == rho * fit
    ledger.close()
