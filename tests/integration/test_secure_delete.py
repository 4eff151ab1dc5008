"""What is overwritten or deleted in a database of ours is overwritten on the disk too, in every file that is made."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from sfumato.audit.database import Database
from sfumato.model.layout import Layout
from sfumato.privacy.ledger_sqlite import SqliteBook
from sfumato.serve.api_keys import ApiKeys

SECRET = "a word that must not stay"


def audit(folder):
    opened = Database.sqlite(folder / "log.db", create=True)
    return folder / "log.db", opened.writing, opened.close


def ledger(folder):
    opened = SqliteBook(folder / "ledger.db")
    return folder / "ledger.db", opened._engine.begin, opened.close


def keys(folder):
    opened = ApiKeys.open(folder)
    return Layout(data=folder).access, opened._engine.begin, opened.close


@pytest.mark.parametrize("store", [audit, ledger, keys])
def test_a_deleted_row_is_gone_from_the_file(tmp_path, store):
    path, writing, close = store(tmp_path)
    with writing() as db:
        db.exec_driver_sql("CREATE TABLE trial (word TEXT)")
        db.exec_driver_sql("INSERT INTO trial VALUES (?)", (SECRET,))
    with writing() as db:
        db.exec_driver_sql("DELETE FROM trial")
    close()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() not in path.read_bytes()


def test_without_it_the_row_would_be_there(tmp_path):
    """The control."""
    with closing(sqlite3.connect(tmp_path / "plain.db")) as plain:
        plain.execute("PRAGMA secure_delete=OFF")
        plain.execute("CREATE TABLE trial (word TEXT)")
        plain.execute("INSERT INTO trial VALUES (?)", (SECRET,))
        plain.commit()
        plain.execute("DELETE FROM trial")
        plain.commit()
    assert SECRET.encode() in (tmp_path / "plain.db").read_bytes()
