"""Log files to conversations: connectors, pseudonyms at the door."""
