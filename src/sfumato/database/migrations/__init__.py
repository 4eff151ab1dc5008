"""The versions of the tables, oldest first; Alembic reads them as files."""
