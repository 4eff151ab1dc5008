"""The file that decides: its schema, its loading, its digest. What it does not allow is refused."""
