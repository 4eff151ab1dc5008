"""What a program says to a sfumato server, and what it hears: read `client.py` first. `sfumato.Client` loads lazily."""
