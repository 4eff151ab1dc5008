"""Measurements of sfumato itself: synthetic corpus, accuracy, attacks."""
