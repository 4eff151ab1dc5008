"""The command line: `sfumato`, one file per command group."""

from sfumato.cli.app import main

__all__ = ["main"]
