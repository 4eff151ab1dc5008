"""Frozen values. Private: conversation, extract. Public: guarantee, release."""
