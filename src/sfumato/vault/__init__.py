"""Sealed bytes at rest: envelope, keys, segments, receipts. Nothing leaves in clear but to extraction."""
