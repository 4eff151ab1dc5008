"""What Alembic runs: the versions, on the connection and in the transaction that `database.migrate` gives."""

from __future__ import annotations

from alembic import context

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    context.run_migrations()
