"""The ledger: what it grants, what it refuses, and that what is spent never shrinks."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pytest

from sfumato.errors import BudgetExhausted, Refused, StorageError
from sfumato.privacy.ledger import Caps, Charge, Ledger

CAPS = Caps(purpose_rho=100, epoch_rho=100, epoch_delta=10, yearly_rho=150, yearly_delta=15)


def charge(question: str, *, epoch: str = "2026-11", rho: int = 60, delta: int = 4, purpose: str = "release") -> Charge:
    return Charge(
        dataset="chats", epoch=epoch, year=epoch[:4], purpose=purpose, question=question, policy="p" * 64, unit="user",
        rho=rho, delta=delta, created="2026-11-21T00:00:00Z",
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.db")


def test_a_released_question_has_its_answer_and_no_second_charge(ledger: Ledger) -> None:
    ledger.released(ledger.reserve(charge("q"), CAPS), "the bytes")
    assert ledger.answer_to("q") == "the bytes"
    with pytest.raises(Refused, match="stored already"):
        ledger.reserve(charge("q"), CAPS)
    assert ledger.spent(dataset="chats", epoch="2026-11") == (60, 4)


def test_a_burned_charge_stays_spent_and_its_question_may_be_asked_again(ledger: Ledger) -> None:
    ledger.burned(ledger.reserve(charge("q", rho=30), CAPS))
    ledger.released(ledger.reserve(charge("q", rho=30), CAPS), "second try")
    assert ledger.spent(dataset="chats", epoch="2026-11") == (60, 8)


@pytest.mark.parametrize(
    "second",
    [
        charge("b", rho=41),
        charge("b", rho=10, delta=7),
        charge("b", epoch="2026-12", rho=91),
        charge("b", epoch="2026-12", rho=1, delta=12),
    ],
    ids=["epoch rho", "epoch delta", "yearly rho", "yearly delta"],
)
def test_each_cap_refuses_the_charge_that_would_pass_it_and_keeps_nothing_of_it(ledger: Ledger, second: Charge) -> None:
    caps = dataclasses.replace(CAPS, epoch_delta=10 if second.epoch == "2026-11" else 100)
    ledger.reserve(charge("a"), CAPS)
    with pytest.raises(BudgetExhausted):
        ledger.reserve(second, caps)
    assert ledger.spent(dataset="chats") == (60, 4)
    ledger.reserve(dataclasses.replace(second, rho=1, delta=0), caps)  # a refusal poisons nothing


def test_a_purpose_has_its_own_cap_within_the_epoch(ledger: Ledger) -> None:
    caps = dataclasses.replace(CAPS, purpose_rho=50)
    with pytest.raises(BudgetExhausted, match="for release"):
        ledger.reserve(charge("a", rho=51), caps)
    ledger.reserve(charge("a", rho=50), caps)
    ledger.reserve(charge("b", rho=50, purpose="query"), caps)


def test_datasets_have_their_own_budgets(ledger: Ledger) -> None:
    ledger.reserve(charge("a", rho=100), CAPS)
    ledger.reserve(dataclasses.replace(charge("b", rho=100), dataset="other"), CAPS)
    assert [ledger.spent(dataset=dataset)[0] for dataset in ("chats", "other")] == [100, 100]


def test_a_question_in_flight_is_not_answered_twice(ledger: Ledger, tmp_path: Path) -> None:
    ledger.reserve(charge("q", rho=10), CAPS)
    with pytest.raises(Refused, match="another process"):
        Ledger(tmp_path / "ledger.db").reserve(charge("q", rho=10), CAPS)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE charges SET rho = 1 WHERE seq = 1",
        "DELETE FROM charges WHERE seq = 1",
        "UPDATE charges SET epoch = 'x' WHERE seq = 2",
    ],
)
def test_an_edited_ledger_is_refused_and_never_read_as_unspent(ledger: Ledger, tmp_path: Path, damage: str) -> None:
    for question in "ab":
        ledger.released(ledger.reserve(charge(question, rho=20), CAPS), "answer")
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        for (guard,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {guard}")  # as someone can who rules the file
        raw.execute(damage)
    raw.close()
    with pytest.raises(StorageError, match="changed or removed"):
        Ledger(tmp_path / "ledger.db")


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database, by any reading of it" * 400)
    with pytest.raises(StorageError):
        Ledger(tmp_path / "ledger.db")


def test_a_year_holds_charges_of_one_unit_only(ledger: Ledger) -> None:
    """Per conversation and per user can't be added: of a user with c conversations, the first costs up to c * c."""
    of_talks = dataclasses.replace(charge("a", epoch="2026-10", rho=10), unit="conversation")
    ledger.released(ledger.reserve(of_talks, CAPS), "x")
    with pytest.raises(Refused, match="year 2026 has charges per conversation"):
        ledger.reserve(charge("b", rho=10), CAPS)
    ledger.reserve(charge("b", epoch="2027-01", rho=10), CAPS)
    ledger.reserve(dataclasses.replace(charge("c", rho=10), dataset="others"), CAPS)


def test_two_epochs_that_share_days_are_not_both_charged_even_by_processes_that_began_together(ledger: Ledger) -> None:
    ledger.reserve(charge("a", epoch="2026-11", rho=10), CAPS)
    for other in ("2026-W47", "2026", "2026-11-03"):
        with pytest.raises(Refused, match="shares days with 2026-11"):
            ledger.reserve(charge("b", epoch=other, rho=10), CAPS)
    ledger.reserve(charge("b", epoch="2026-12", rho=10), CAPS)
