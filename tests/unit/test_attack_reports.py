"""What an attack prints is of what the policy does: it is tried, with a control that runs the attacker, or refused."""

from __future__ import annotations

from typer.testing import CliRunner

from sfumato.cli.app import app
from sfumato.errors import Refused


def attacked(*arguments: object):
    """The exit code of `sfumato attack`, and all that it says."""
    done = CliRunner().invoke(app, ["attack", *map(str, arguments), "--json"])
    told = str(done.exception) if isinstance(done.exception, Refused) else done.output
    return getattr(done.exception, "exit_code", done.exit_code), told


def test_more_accounts_than_chats_are_a_usage_error():
    code, told = attacked("cliopatra", "--poison", 3, "--accounts", 5)
    assert code == 2
    assert "1 <= accounts <= poison" in told
