"""The `audit` commands: what they print, what they refuse, and that the first bad entry is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from audits import log_of, tamper
from sfumato.cli.audit import group
from sfumato.errors import InputError, KeyMissing, StorageError
from sfumato.vault.keys import RootKey

APP = typer.Typer()
APP.add_typer(group)
RUNNER = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose log has five entries, three of them signed."""
    log_of(tmp_path / "data" / "audit", 5, checkpoints=(3,))
    return tmp_path / "data"


def run(*words: object, code: int = 0) -> str:
    result = RUNNER.invoke(APP, ["audit", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_verify_says_what_it_proves_and_what_it_can_t(data: Path) -> None:
    text = " ".join(run("verify", "--data", data).split())
    assert "5 entries, 3 of them signed, 1 checkpoints" in text
    assert "Proves: Entries 0 to 2 are, in number, order and every byte" in text
    assert "Does not prove: Entries 3 to 4 are signed by no checkpoint" in text
    assert "Does not prove: Who signed" in text
    report = json.loads(run("verify", "--data", data, "--json"))
    assert (report["good"], report["entries"], report["signed"], report["first_bad"]) == (True, 5, 3, None)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_verify_names_the_first_bad_entry_and_fails(data: Path, form: tuple[str, ...]) -> None:
    tamper(data / "audit", "UPDATE audit_entries SET body = CAST(replace(body, 'allow', 'deny') AS BLOB) WHERE seq = 2")
    with pytest.raises(StorageError, match=r"^audit log, entry 2: changed since it was written[^\n]*$") as failure:
        run("verify", "--data", data, *form)
    assert failure.value.exit_code == 1


def test_show_lists_the_last_entries_oldest_first(data: Path) -> None:
    shown = json.loads(run("show", "--data", data, "--last", 2, "--json"))
    assert [(one["seq"], one["operation"], one["charge"]["rho"]) for one in shown] == [(3, "query", 3), (4, "query", 4)]
    lines = run("show", "--data", data).splitlines()
    assert [line.split()[0] for line in lines] == list("01234")
    assert lines[4].endswith("users  by language  topics t001  rho 0.000000004  delta 0.000000001")


def test_an_exported_log_verifies_on_its_own_and_an_altered_one_does_not(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    run("export", "--data", data, file)
    with pytest.raises(StorageError, match="File exists"):
        run("export", "--data", data, file)
    (data / "audit" / "log.db").unlink()
    assert json.loads(run("verify", "--file", file, "--json"))["signed"] == 3
    file.write_bytes(file.read_bytes().replace(b'"rho":1}', b'"rho":9}'))
    with pytest.raises(StorageError, match="one of entries 0 to 2 is not the one that was signed"):
        run("verify", "--file", file)


def test_a_checkpoint_is_printed_pinned_and_verified_against(data: Path, tmp_path: Path) -> None:
    key, pinned, keys = tmp_path / "root.key", tmp_path / "elsewhere" / "pinned", tmp_path / "keys"
    RootKey.create(key)
    (data / "audit" / "log.db").unlink()
    (data / "audit" / "keys").unlink()
    pinned.parent.mkdir()
    with pytest.raises(InputError, match="no audit log here yet"):
        run("checkpoint", "--data", data, "--key-file", key)
    log_of(data / "audit", 4)
    note = run("checkpoint", "--data", data, "--key-file", key, "--pin", pinned)
    assert note.encode() == pinned.read_bytes()
    assert note.splitlines()[1] == "4"
    keys.write_bytes((data / "audit" / "keys").read_bytes())
    text = " ".join(run("verify", "--data", data, "--checkpoint", pinned, "--public-key", keys).split())
    assert "Proves: The log continues the checkpoint you gave" in text
    assert "Who signed" not in text
    (data / "audit" / "log.db").unlink()
    log_of(data / "audit", 4)  # rebuilt, and so without its checkpoints
    tamper(data / "audit", "DELETE FROM audit_entries WHERE seq = 3", "DELETE FROM audit_nodes WHERE upto = 4")
    with pytest.raises(StorageError, match="entry 3: missing"):
        run("verify", "--data", data, "--checkpoint", pinned)
    with pytest.raises(StorageError, match="entry 3: missing"):
        run("checkpoint", "--data", data, "--key-file", key, "--pin", pinned)
    assert pinned.read_bytes() == note.encode()


def test_a_pinned_checkpoint_must_lie_elsewhere_and_signing_needs_the_root_key(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must not lie inside the data directory"):
        run("checkpoint", "--data", data, "--pin", data / "pinned")
    with pytest.raises(KeyMissing):
        run("checkpoint", "--data", data, "--key-file", tmp_path / "none.key")


@pytest.mark.parametrize("command", ["show", "verify"])
def test_where_there_is_no_log_the_command_says_so_and_makes_none(tmp_path: Path, command: str) -> None:
    with pytest.raises(InputError, match="no audit log here yet"):
        run(command, "--data", tmp_path)
    assert not list(tmp_path.iterdir())


def test_verify_wants_one_of_a_directory_and_a_file(data: Path) -> None:
    run("verify", code=2)
    run("verify", "--data", data, "--file", data, code=2)


@pytest.mark.parametrize("option", ["--checkpoint", "--public-key", "--file"])
def test_a_file_that_can_t_be_read_is_our_error(data: Path, tmp_path: Path, option: str) -> None:
    where = () if option == "--file" else ("--data", data)
    with pytest.raises(InputError, match="none"):
        run("verify", *where, option, tmp_path / "none")
