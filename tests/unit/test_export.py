"""Exports: every number with its guarantee, nothing a spreadsheet would run, nothing half written."""

from __future__ import annotations

import csv
import json
import stat

import pyarrow.parquet as pq
import pytest

from releases import KEY, guarantee, languages, sample, topic
from sfumato.cli.export_files import export
from sfumato.errors import InputError, StorageError
from sfumato.model.document import encode
from sfumato.model.signature import sign, verify
from sfumato.model.strict_json import dumps, loads
from sfumato.serve.tables import guarantee_line

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", '=HYPERLINK("x")', "\u00a0=1"]


def signed(**changes: object) -> dict:
    return loads(dumps(sign(encode(sample(**changes)), KEY)))


def rows(path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_format_has_its_files_and_csv_its_guarantee(tmp_path):
    names = {"topics.parquet", "facets.parquet", "topics.csv", "facets.csv", "GUARANTEE.txt", "release.json"}
    assert {path.name for path in export(signed(), tmp_path / "new" / "folder")} == names
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == names


@pytest.mark.parametrize(
    ("one", "names"),
    [
        ("json", {"release.json"}),
        ("parquet", {"topics.parquet", "facets.parquet"}),
        ("csv", {"topics.csv", "facets.csv", "GUARANTEE.txt"}),
    ],
)
def test_one_format_writes_its_own_files_only(tmp_path, one, names):
    export(signed(), tmp_path, [one])
    assert {path.name for path in tmp_path.iterdir()} == names


def test_the_exported_json_still_verifies(tmp_path):
    export(signed(), tmp_path, ["json"])
    verify(loads((tmp_path / "release.json").read_bytes()), KEY.public_key())


def test_parquet_holds_every_topic_with_typed_columns_and_the_guarantee(tmp_path):
    export(signed(), tmp_path, ["parquet"])
    table = pq.read_table(tmp_path / "topics.parquet")
    assert table.num_rows == len(sample().topics)
    assert table.column("name").to_pylist() == [one.name for one in sample().topics]
    assert table.column("phrases").to_pylist()[1] == ["debug", "python", "code"]
    assert (str(table.schema.field("users").type), str(table.schema.field("x").type)) == ("int64", "double")
    metadata = table.schema.metadata
    assert b"epsilon 1.48273" in metadata[b"sfumato.guarantee"]
    assert json.loads(metadata[b"sfumato.card"])["guarantee"] == signed()["guarantee"]


def test_facets_of_the_whole_epoch_and_of_topics_stand_in_one_table(tmp_path):
    export(signed(), tmp_path, ["csv", "parquet"])
    table = rows(tmp_path / "facets.csv")
    assert [row["value"] for row in table if not row["topic"]] == ["en", "de", "pt-BR"]
    (hidden,) = [row for row in table if row["topic"] == "t002" and row["value"] == "pt-BR"]
    assert (hidden["users"], hidden["users_low"], hidden["users_high"]) == ("", "", "")
    (shown,) = [row for row in table if row["topic"] == "t002" and row["value"] == "de"]
    assert (shown["users"], shown["users_low"], shown["users_high"]) == ("302", "288", "316")
    assert len(table) == pq.read_table(tmp_path / "facets.parquet").num_rows == 24


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_cell_can_be_taken_for_a_formula(tmp_path, formula):
    bad = topic(1, None, 0, "x", 100, name=formula, description=formula, facets={formula: languages(60, 20, None)})
    export(signed(topics=(bad,)), tmp_path, ["csv"])
    cells = [cell for name in ("topics", "facets") for row in rows(tmp_path / f"{name}.csv") for cell in row.values()]
    marked = [cell for cell in cells if cell.startswith("'")]
    assert len(marked) == 2 + 3 + 3
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "@"))]


def test_negative_noisy_numbers_stay_numbers(tmp_path):
    bad = topic(1, None, 0, "Rare thing", 3)
    export(signed(topics=(bad,)), tmp_path, ["csv"])
    assert rows(tmp_path / "topics.csv")[0]["users_low"] == "-6"


def test_control_characters_do_not_reach_a_csv(tmp_path):
    export(signed(topics=(topic(1, None, 0, "x", 100, name="a\x1b[31mb\u202ec\nd"),)), tmp_path, ["csv"])
    assert rows(tmp_path / "topics.csv")[0]["name"] == "a\ufffd[31mb\ufffdc\ufffdd"


def test_the_guarantee_is_one_line_and_names_mode_unit_and_numbers(tmp_path):
    export(signed(), tmp_path, ["csv"])
    text = (tmp_path / "GUARANTEE.txt").read_text(encoding="utf-8")
    assert text.count("\n") == 1
    assert "differentially private; unit of privacy user; epsilon 1.48273, delta 1e-07" in text
    assert "no formal guarantee" in guarantee_line(sample(guarantee=guarantee(mode="guarded")))


def test_a_release_without_topics_exports_empty_tables_with_their_columns(tmp_path):
    export(signed(topics=(), facets={}), tmp_path)
    assert rows(tmp_path / "topics.csv") == rows(tmp_path / "facets.csv") == []
    assert pq.read_table(tmp_path / "topics.parquet").column_names[:4] == ["id", "parent", "level", "name"]


def test_exporting_again_replaces_files_and_leaves_no_others(tmp_path):
    export(signed(), tmp_path, ["csv"])
    export(signed(topics=()), tmp_path, ["csv"])
    assert rows(tmp_path / "topics.csv") == []
    assert len(list(tmp_path.iterdir())) == 3
    assert stat.S_IMODE((tmp_path / "topics.csv").stat().st_mode) == 0o644


@pytest.mark.parametrize("formats", [[], ["xlsx"], ["csv", "pickle"]])
def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path, formats):
    with pytest.raises(InputError, match="parquet, csv, json"):
        export(signed(), tmp_path / "out", formats)
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_written_is_our_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="can't export"):
        export(signed(), tmp_path / "file")
