"""Who may do what in a PostgreSQL database: three roles without a login, of which the operator's users are members.

    sfumato_owner     owns the tables; migrates, issues API keys, backs up. Members: administrators.
    sfumato_pipeline  enters and settles charges, adds releases, appends to the audit log. Members: the gateway.
    sfumato_serving   reads releases and API keys, enters and settles queries' charges, appends to the audit log.

Conversations, extracts and keys are in no database. The empty schema `sfumato_private` is the place for whatever a
later version keeps for itself: nobody but its owner can look inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from sfumato.database import server
from sfumato.database.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import URL

MIGRATION_LOCK = 0x5F_0D_B0_01  # any number, the same for all who migrate
OWNER, PIPELINE, SERVING = ROLES = ("sfumato_owner", "sfumato_pipeline", "sfumato_serving")
_HERE = "quote_ident(current_database())"
_PUBLISHED = "purpose = 'release'"


def create(admin: URL, *, in_database: bool = True) -> None:
    """Make the roles, and the private schema unless `in_database` is false, where they are not there.

    Raises:
        StorageError: the user may not, or the server can't be reached.
    """
    engine = server.engine(admin)
    try:
        with translated("the database"), engine.begin() as db:
            db.execute(sql.select(sql.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            for statement in [*roles(), *schemas()] if in_database else roles():
                db.exec_driver_sql(statement)
    finally:
        engine.dispose()


def roles() -> list[str]:
    """The statements that an administrator runs once on the server."""
    made = [
        f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$" for role in ROLES
    ]
    return [*made, f"GRANT {OWNER} TO CURRENT_USER"]


def schemas() -> list[str]:
    """The statements that an administrator runs once in the database."""
    return [
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER}",
        f"GRANT USAGE ON SCHEMA public TO {PIPELINE}, {SERVING}",
        f"CREATE SCHEMA IF NOT EXISTS sfumato_private AUTHORIZATION {OWNER}",
        "REVOKE ALL ON SCHEMA sfumato_private FROM PUBLIC",
        # No part needs a table of its own to work with, and triggers of one could be tried on what is here.
        f"DO $$ BEGIN EXECUTE 'REVOKE TEMPORARY ON DATABASE ' || {_HERE} || ' FROM PUBLIC'; END $$",
    ]


def rights() -> list[str]:
    """The statements that the owner runs after each change of the tables; running them again changes nothing.

    Row security keeps releases' charges out of the server's hands: it can neither enter nor settle one.
    """
    tables = (
        "charges, charge_totals, api_keys, releases, audit_entries, audit_nodes, audit_checkpoints, alembic_version"
    )
    both = f"{PIPELINE}, {SERVING}"
    return [
        f"REVOKE ALL ON {tables} FROM PUBLIC, {both}",
        f"GRANT SELECT ON alembic_version, releases, charge_totals TO {both}",
        f"GRANT INSERT ON releases TO {PIPELINE}",
        f"GRANT SELECT ON api_keys TO {SERVING}",
        f"GRANT SELECT, INSERT ON audit_entries, audit_nodes TO {both}",
        f"GRANT SELECT ON audit_checkpoints TO {both}",
        f"GRANT INSERT ON audit_checkpoints TO {PIPELINE}",  # who serves holds no key to sign one with
        f"GRANT SELECT, INSERT, UPDATE (state, answer) ON charges TO {both}",
        # A trigger fires whoever may call its function; who may call it could put it on another table.
        f"REVOKE ALL ON FUNCTION charges_guard, append_only, charges_summed, totals_guard FROM PUBLIC, {both}",
        "REVOKE ALL ON PROCEDURE enter_charge FROM PUBLIC",
        f"GRANT EXECUTE ON PROCEDURE enter_charge TO {both}",  # which does what they may do themselves
        "ALTER TABLE charges ENABLE ROW LEVEL SECURITY",
        *_policy("charges_of_the_gateway", f"FOR ALL TO {PIPELINE} USING (true) WITH CHECK (true)"),
        *_policy("charges_as_read", f"FOR SELECT TO {SERVING} USING (true)"),
        *_policy("charges_of_queries", f"FOR INSERT TO {SERVING} WITH CHECK (NOT ({_PUBLISHED}))"),
        *_policy(
            "settling_of_queries",
            f"FOR UPDATE TO {SERVING} USING (NOT ({_PUBLISHED})) WITH CHECK (NOT ({_PUBLISHED}))",
        ),
    ]


def _policy(name: str, rule: str) -> tuple[str, str]:
    return f"DROP POLICY IF EXISTS {name} ON charges", f"CREATE POLICY {name} ON charges {rule}"
