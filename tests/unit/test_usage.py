"""Options that do not go together, or take a value they do not know: exit code 2, before anything is opened."""

import pytest
from typer.testing import CliRunner

from sfumato.cli.app import app


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bench", "--only", "everything"], "serving, live or ledger"),
        (["serve", "standard", "--data", "nowhere", "--tls-cert", "a.pem"], "give both"),
        (["serve", "standard", "--data", "nowhere", "--tls-key", "a.pem"], "give both"),
        (["export", "--data", "nowhere"], "say where to"),
        (["export", "--data", "nowhere", "--out", "x", "--formats", "json,xml"], "parquet, csv, json"),
        (["export", "--data", "nowhere", "--out", "x", "--formats", ","], "parquet, csv, json"),
        (["audit", "checkpoint", "--data", "nowhere", "--anchor", "sh -c 'cat"], "quotation mark is not closed"),
        (["db", "backup", "x", "--data", "nowhere"], "say which"),
    ],
)
def test_what_can_not_be_meant_is_a_usage_error(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SFUMATO_DATABASE", raising=False)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert not any(tmp_path.iterdir())
