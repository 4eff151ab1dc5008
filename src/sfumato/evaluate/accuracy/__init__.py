"""How right a release is: topics, counts and categories against truth that is known."""
