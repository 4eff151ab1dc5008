"""Ports against real things, one adapter for each: so far, language models behind the Messages API."""
