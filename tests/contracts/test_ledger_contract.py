"""What every ledger promises, whichever database keeps it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import sqlalchemy as sql
from sqlalchemy import URL

import postgres
from sfumato.errors import BudgetExhausted, Refused, StorageError
from sfumato.privacy.ledger import Caps, Charge, Ledger
from sfumato.privacy.mending import mend

CAPS = Caps(purpose_rho=100, epoch_rho=100, epoch_delta=10, yearly_rho=150, yearly_delta=15)


def charge(question: str, *, epoch: str = "2026-11", rho: int = 10, delta: int = 1, purpose: str = "release") -> Charge:
    return Charge(
        dataset="chats", epoch=epoch, year=epoch[:4], purpose=purpose, question=question, policy="p" * 64, unit="user",
        rho=rho, delta=delta, created="2026-11-21T00:00:00Z",
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path: Path) -> Path | URL:
    return tmp_path / "ledger.db" if request.param == "sqlite" else postgres.server().database()


@pytest.fixture
def ledger(place: Path | URL):
    made = Ledger(place)
    yield made
    made.close()


def by_hand(place: Path | URL, *statements: str) -> None:
    """Statements of someone who can reach the tables, as their owner."""
    postgres.run(sql.URL.create("sqlite", database=str(place)) if isinstance(place, Path) else place, *statements)


def without_guards(place: Path | URL, statement: str) -> None:
    """A statement of someone who rules the database, and so its triggers too."""
    if isinstance(place, Path):
        guards = ("charges_stay", "charges_settle_once", "charges_begin_reserved", "totals_grow", "totals_stay")
        by_hand(place, *(f"DROP TRIGGER {guard}" for guard in guards), statement)
    else:
        tables = ("charges", "charge_totals")
        by_hand(place, *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in tables), statement)


def test_a_released_question_has_its_answer_and_no_second_charge(ledger: Ledger) -> None:
    ledger.released(ledger.reserve(charge("q", rho=60, delta=4), CAPS), "the bytes")
    assert ledger.answer_to("q") == "the bytes"
    with pytest.raises(Refused, match="stored already"):
        ledger.reserve(charge("q"), CAPS)
    assert ledger.spent(dataset="chats", epoch="2026-11") == (60, 4)


def test_a_question_not_answered_has_no_answer(ledger: Ledger) -> None:
    ledger.reserve(charge("q"), CAPS)
    assert ledger.answer_to("q") is None
    assert ledger.answer_to("another") is None


def test_a_burned_charge_stays_spent_and_its_question_may_be_asked_again(ledger: Ledger) -> None:
    ledger.burned(ledger.reserve(charge("q", rho=30), CAPS))
    ledger.released(ledger.reserve(charge("q", rho=30), CAPS), "second try")
    assert ledger.spent(dataset="chats") == (60, 2)
    assert [entry.state for entry in ledger.entries()] == ["burned", "released"]


@pytest.mark.parametrize(
    "second",
    [
        charge("b", rho=41),
        charge("b", delta=7),
        charge("b", epoch="2026-12", rho=91),
        charge("b", epoch="2026-12", rho=1, delta=12),
    ],
    ids=["epoch rho", "epoch delta", "yearly rho", "yearly delta"],
)
def test_each_cap_refuses_the_charge_that_would_pass_it_and_keeps_nothing_of_it(ledger: Ledger, second: Charge) -> None:
    caps = dataclasses.replace(CAPS, epoch_delta=10 if second.epoch == "2026-11" else 100)
    ledger.reserve(charge("a", rho=60, delta=4), CAPS)
    for ask in (ledger.check, ledger.reserve):
        with pytest.raises(BudgetExhausted):
            ask(second, caps)
    assert ledger.spent(dataset="chats") == (60, 4)
    ledger.reserve(dataclasses.replace(second, rho=1, delta=0), caps)  # a refusal poisons nothing


def test_a_purpose_has_its_own_cap_within_the_epoch(ledger: Ledger) -> None:
    caps = dataclasses.replace(CAPS, purpose_rho=50)
    with pytest.raises(BudgetExhausted, match="for release"):
        ledger.reserve(charge("a", rho=51), caps)
    ledger.reserve(charge("a", rho=50), caps)
    ledger.reserve(charge("b", rho=50, purpose="queries"), caps)


def test_datasets_have_their_own_budgets(ledger: Ledger) -> None:
    ledger.reserve(charge("a", rho=100), CAPS)
    ledger.reserve(dataclasses.replace(charge("b", rho=100), dataset="other"), CAPS)
    assert [ledger.spent(dataset=dataset)[0] for dataset in ("chats", "other")] == [100, 100]


def test_what_is_spent_is_summed_over_an_epoch_a_year_or_all(ledger: Ledger) -> None:
    for number, epoch in enumerate(("2025-12", "2026-11", "2026-12"), 1):
        ledger.reserve(charge(epoch, epoch=epoch, rho=number, delta=0), CAPS)
    found = [ledger.spent(dataset="chats", **where)[0] for where in ({"epoch": "2026-12"}, {"year": "2026"}, {})]
    assert found == [3, 5, 6]


def test_a_question_in_flight_is_not_answered_twice(ledger: Ledger, place: Path | URL) -> None:
    ledger.reserve(charge("q"), CAPS)
    other = Ledger(place)
    with pytest.raises(Refused, match="another process"):
        other.reserve(charge("q"), CAPS)
    assert other.recover() == 0
    other.close()


def test_a_charge_given_up_is_burned_by_whoever_comes_next_and_can_no_longer_be_settled(place: Path | URL) -> None:
    first, second = Ledger(place), Ledger(place)
    reservation = first.reserve(charge("q"), CAPS)
    first.close()
    assert second.recover() == 1
    assert [entry.state for entry in second.entries()] == ["burned"]
    with pytest.raises(StorageError, match="nothing was published"):
        second.released(reservation, "too late")
    assert second.spent(dataset="chats") == (10, 1)
    second.close()


def test_a_charge_is_settled_once(ledger: Ledger) -> None:
    reservation = ledger.reserve(charge("q"), CAPS)
    ledger.released(reservation, "answer")
    for settle in (ledger.burned, lambda again: ledger.released(again, "another")):
        with pytest.raises(StorageError, match="nothing was published"):
            settle(reservation)
    assert ledger.answer_to("q") == "answer"


def test_releases_that_no_charge_paid_for_are_refused(ledger: Ledger) -> None:
    ledger.released(ledger.reserve(charge("q"), CAPS), "answer")
    ledger.burned(ledger.reserve(charge("r", epoch="2026-12"), CAPS))
    ledger.check_accounts_for([("chats", "2026-11")])
    for lost in (("chats", "2026-12"), ("other", "2026-11")):
        with pytest.raises(StorageError, match="does not account"):
            ledger.check_accounts_for([("chats", "2026-11"), lost])


def test_charges_are_numbered_without_a_gap_whatever_was_refused_between(ledger: Ledger, place: Path | URL) -> None:
    for question in ("a", "b", "c"):
        ledger.released(ledger.reserve(charge(question), CAPS), "answer")
        with pytest.raises(Refused):
            ledger.reserve(charge(question), CAPS)
        with pytest.raises(BudgetExhausted):
            ledger.reserve(charge("too much", rho=101), CAPS)
    assert [entry.seq for entry in ledger.entries()] == [1, 2, 3]
    Ledger(place).close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE charges SET rho = 1 WHERE seq = 1",
        "DELETE FROM charges WHERE seq = 1",
        "UPDATE charges SET epoch = 'x' WHERE seq = 2",
    ],
)
def test_an_edited_ledger_is_refused_and_never_read_as_unspent(ledger: Ledger, place: Path | URL, damage: str) -> None:
    for question in "ab":
        ledger.released(ledger.reserve(charge(question), CAPS), "answer")
    without_guards(place, damage)
    with pytest.raises(StorageError, match="changed or removed"):
        Ledger(place)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE charge_totals SET rho = rho - 1 WHERE epoch = '2026-11'",
        "UPDATE charge_totals SET delta = delta + 1 WHERE epoch = '2026-11'",
        "UPDATE charge_totals SET epoch = '2026-10' WHERE epoch = '2026-11'",
        "DELETE FROM charge_totals WHERE epoch = '2026-12'",
        "INSERT INTO charge_totals SELECT 'other', epoch, year, purpose, unit, analyst, rho, delta FROM charge_totals",
    ],
)
def test_a_total_that_is_not_the_sum_of_its_charges_is_refused(ledger: Ledger, place: Path | URL, damage: str) -> None:
    for question, epoch in (("a", "2026-11"), ("b", "2026-11"), ("c", "2026-12")):
        ledger.burned(ledger.reserve(charge(question, epoch=epoch), CAPS))
    Ledger(place).close()
    without_guards(place, damage)
    with pytest.raises(StorageError, match="not the sum of its charges"):
        Ledger(place)


LESS = (
    "UPDATE charge_totals SET rho = rho - 1, delta = 0 WHERE epoch = '2026-11'",
    "DELETE FROM charge_totals WHERE epoch = '2026-12'",
    "DELETE FROM charge_totals",
)
MORE = (
    "UPDATE charge_totals SET delta = delta + 1 WHERE epoch = '2026-11'",
    "UPDATE charge_totals SET epoch = '2026-10' WHERE epoch = '2026-11'",
    "DELETE FROM charges WHERE seq = 3",
)
CHANGED = ("DELETE FROM charges WHERE seq = 1", "UPDATE charges SET rho = 1 WHERE seq = 2")


@pytest.mark.parametrize("damage", LESS)
def test_totals_that_are_less_than_their_charges_are_added_up_again(
    ledger: Ledger, place: Path | URL, damage: str
) -> None:
    for question, epoch in (("a", "2026-11"), ("b", "2026-11"), ("c", "2026-12")):
        ledger.burned(ledger.reserve(charge(question, epoch=epoch), CAPS))
    without_guards(place, damage)
    assert mend(place) > 0
    assert mend(place) == 0
    again = Ledger(place)
    with pytest.raises(BudgetExhausted):
        again.reserve(charge("d", rho=81), CAPS)
    again.close()


@pytest.mark.parametrize(
    ("damage", "why"),
    [*((one, "more than its charges") for one in MORE), *((one, "changed or removed") for one in CHANGED)],
)
def test_where_charges_may_be_missing_or_changed_no_total_is_touched(
    ledger: Ledger, place: Path | URL, damage: str, why: str
) -> None:
    for question, epoch in (("a", "2026-11"), ("b", "2026-11"), ("c", "2026-12")):
        ledger.burned(ledger.reserve(charge(question, epoch=epoch), CAPS))
    without_guards(place, damage)
    with pytest.raises(StorageError, match=why):
        mend(place)
    with pytest.raises(StorageError):
        Ledger(place)


def test_a_charge_whose_epoch_is_new_each_time_is_entered_after_all_others_were_looked_at(ledger: Ledger) -> None:
    for month in range(1, 13):
        ledger.reserve(charge(f"{month}", epoch=f"2026-{month:02}", rho=1, delta=0), CAPS)
    for late, why in (("2026-W47", "shares days with 2026-11"), ("2026", "shares days")):
        with pytest.raises(Refused, match=why):
            ledger.reserve(charge(late, epoch=late, rho=1, delta=0), CAPS)
    with pytest.raises(Refused, match="charges per user"):
        ledger.reserve(dataclasses.replace(charge("talks", rho=1, delta=0), unit="conversation"), CAPS)
    assert ledger.spent(dataset="chats") == (12, 0)


def test_each_analyst_has_a_share_of_their_own(ledger: Ledger) -> None:
    caps = dataclasses.replace(CAPS, analyst_rho=20)
    for number, who in enumerate(("a" * 16, "a" * 16, "b" * 16)):
        ledger.reserve(dataclasses.replace(charge(f"{number}", purpose="queries"), analyst=who), caps)
    with pytest.raises(BudgetExhausted, match="this analyst's share"):
        ledger.reserve(dataclasses.replace(charge("more", purpose="queries"), analyst="a" * 16), caps)
    ledger.reserve(dataclasses.replace(charge("more", purpose="queries"), analyst="b" * 16), caps)


def test_nobody_and_an_empty_name_are_one_account(ledger: Ledger, place: Path | URL) -> None:
    for number, who in enumerate((None, "", None)):
        ledger.burned(ledger.reserve(dataclasses.replace(charge(f"{number}", purpose="queries"), analyst=who), CAPS))
    Ledger(place).close()


COPY = (
    "INSERT INTO charges (seq, dataset, epoch, year, purpose, question, policy, unit, rho, delta, created, chain, "
    "state, answer) SELECT {seq}, dataset, epoch, year, purpose, 'new', policy, unit, rho, delta, created, chain, "
    "{rest} FROM charges WHERE seq = 1"
)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM charges WHERE seq = 1",
        "DELETE FROM charges",
        "UPDATE charges SET rho = 1 WHERE seq = 2",
        "UPDATE charges SET delta = 0 WHERE seq = 2",
        "UPDATE charges SET dataset = 'other' WHERE seq = 2",
        "UPDATE charges SET chain = 'x' WHERE seq = 2",
        "UPDATE charges SET state = 'burned', rho = 1 WHERE seq = 2",
        "UPDATE charges SET state = 'released' WHERE seq = 2",
        "UPDATE charges SET answer = 'early' WHERE seq = 2",
        "UPDATE charges SET state = 'burned', answer = 'x' WHERE seq = 2",
        "UPDATE charges SET answer = 'forged' WHERE seq = 1",
        "UPDATE charges SET state = 'reserved' WHERE seq = 1",
        "UPDATE charges SET state = 'burned', answer = NULL WHERE seq = 1",
        COPY.format(seq=9, rest="'released', 'forged'"),
        COPY.format(seq=9, rest="'burned', NULL"),
        COPY.format(seq=1, rest="'reserved', NULL"),
        "UPDATE charge_totals SET rho = rho - 1",
        "UPDATE charge_totals SET delta = 0",
        "UPDATE charge_totals SET epoch = 'x'",
        "DELETE FROM charge_totals",
    ],
)
def test_the_database_itself_refuses_whatever_is_not_a_charge_or_its_one_settling(
    ledger: Ledger, place: Path | URL, statement: str
) -> None:
    ledger.released(ledger.reserve(charge("q"), CAPS), "answer")
    ledger.reserve(charge("r"), CAPS)
    before = ledger.entries()
    with pytest.raises(sql.exc.DatabaseError):
        by_hand(place, statement)
    assert ledger.entries() == before
    assert ledger.answer_to("q") == "answer"


def test_sqlite_replaces_no_charge_either(tmp_path: Path) -> None:
    """INSERT OR REPLACE deletes without asking the trigger that refuses deletion."""
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.released(ledger.reserve(charge("q"), CAPS), "answer")
    for seq, question in ((1, "'new'"), (9, "question")):
        statement = COPY.format(seq=seq, rest="'reserved', NULL").replace("'new'", question)
        with pytest.raises(sql.exc.DatabaseError, match="of its own"):
            by_hand(tmp_path / "ledger.db", statement.replace("INSERT", "INSERT OR REPLACE"))
    assert ledger.answer_to("q") == "answer"
    ledger.close()
