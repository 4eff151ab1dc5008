"""What an attack prints is of what the policy does: it is tried, with a control that runs the attacker, or refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from sfumato.cli.app import app
from sfumato.errors import InputError, Refused
from sfumato.evaluate.attacks.telling_apart import told_apart


def attacked(*arguments: object):
    """The exit code of `sfumato attack`, and all that it says."""
    done = CliRunner().invoke(app, ["attack", *map(str, arguments), "--json"])
    told = str(done.exception) if isinstance(done.exception, Refused) else done.output
    return getattr(done.exception, "exit_code", done.exit_code), told


@pytest.mark.parametrize("name", ["membership", "differencing", "oracle", "timing"])
def test_too_few_trials_to_train_on_are_a_usage_error(name):
    code, told = attacked(name, "--trials", 7)
    assert code == 2
    assert "'--trials'" in told


def test_more_accounts_than_chats_are_a_usage_error():
    code, told = attacked("cliopatra", "--poison", 3, "--accounts", 5)
    assert code == 2
    assert "1 <= accounts <= poison" in told


def test_a_rule_without_runs_to_train_on_tells_nothing_apart():
    """It said 1.0 of a threshold that was no number."""
    runs = np.ones((4, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="at least 8 trials"):
            told_apart(runs[:1], runs)
        with pytest.raises(ValueError, match="finite"):
            told_apart(runs, runs * np.nan)
