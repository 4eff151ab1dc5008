"""How a database is named, and that its password is nowhere repeated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.database import url
from sfumato.errors import InputError, SfumatoError, StorageError
from sfumato.privacy.ledger import Ledger

SECRET = "hunter2secret"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_names_a_database_and_shows_no_password(scheme: str) -> None:
    made = url.parse(f"{scheme}://gate:{SECRET}@db.example:5433/sfumato?sslmode=require")
    assert made.drivername == "postgresql+psycopg"
    assert made.password == SECRET
    assert (made.host, made.port, made.database, made.query["sslmode"]) == ("db.example", 5433, "sfumato", "require")
    for said in (url.shown(made), str(made), repr(made)):
        assert SECRET not in said
        assert "***" in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        f"mysql://gate:{SECRET}@host/name",
        f"sqlite:///{SECRET}.db",
        f"postgresql+psycopg2://gate:{SECRET}@host/name",
        f"postgresql://gate:{SECRET}@host",
        f"postgresql://gate:x@{SECRET}@host/name",
        f"postgresql://gate:x@y/{SECRET}@host/name",
        f"postgresql://gate@host:{SECRET}/name",
        f"postgresql://gate@host/name?password={SECRET}",
    ],
    ids=[
        "nothing", "a word", "another server", "sqlite", "another driver", "no database", "at sign", "at sign, slash",
        "port", "password as an option",
    ],
)  # fmt: skip
def test_what_is_no_such_url_is_refused_in_one_line_that_repeats_nothing_of_it(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        url.parse(text)
    assert SECRET not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_an_error_of_ours(text: str) -> None:
    try:
        url.parse(f"postgresql://{text}")
    except InputError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017 - either is right, a traceback is not


@pytest.mark.parametrize(
    "place",
    [f"gate:{SECRET}@127.0.0.1:1/name", f"gate:{SECRET}@no.such.host.invalid/name", f"gate:{SECRET}@/name?host=/none"],
    ids=["nobody listens", "no such host", "no such socket"],
)
def test_a_server_out_of_reach_is_said_without_the_password(place: str) -> None:
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL")
    with pytest.raises(StorageError, match=r"the ledger can't be reached .*no connection") as refusal:
        Ledger(url.parse(f"postgresql://{place}"))
    assert SECRET not in str(refusal.value)
    assert isinstance(refusal.value, SfumatoError)
    assert refusal.value.__suppress_context__  # nothing of the driver's own message comes along


def test_without_the_driver_all_but_postgres_works_and_that_says_what_to_install(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    Ledger(tmp_path / "ledger.db").close()
    with pytest.raises(InputError, match=r"sfumato\[postgres\]"):
        Ledger(url.parse("postgresql://gate@host/name"))
