"""A release as tables for other tools, CSV and Parquet: topics, and facets, never without the guarantee."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal, get_args

from sfumato.model.strict_json import Json, JsonObject, dumps
from sfumato.model.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sfumato.model.release import Estimate, FacetCount, Release

Table = Literal["topics", "facets"]
TABLES: tuple[Table, ...] = get_args(Table)
_Cell = str | int | float | list[str] | None
_Rows = list[dict[str, _Cell]]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_parquet(table: Table, release: Release, document: Mapping[str, Json]) -> bytes:
    """The table with the guarantee in the file's own metadata. document: the signed one of the release."""
    return _parquet(table, _ROWS[table](release), _metadata(release, document))


def as_csv(table: Table, release: Release) -> bytes:
    """The table alone: CSV has no place for the guarantee, so put `guarantee_line` beside it.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    return _csv(table, _ROWS[table](release))


def guarantee_line(release: Release) -> str:
    """What every number of the release is worth, in one line."""
    card = release.guarantee
    kind = (
        "differentially private" if card.mode == "formal" else "guarded mode, no formal guarantee for names and topics"
    )
    line = (
        f"{release.id}: {kind}; unit of privacy {card.unit}; epsilon {card.epsilon:.6g}, delta {card.delta:.3g}; "
        f"neighbouring: {card.neighbouring}; dataset {release.dataset}, epoch {release.epoch}; "
        f"policy {release.policy_name} {release.policy_digest}; "
        "numbers are noisy, low and high are 95 % intervals of the noise"
    )
    return visible(line)


_ESTIMATED = ("users", "users_low", "users_high", "conversations", "conversations_low", "conversations_high")
_COLUMNS = {
    "topics": ("id", "parent", "level", "name", "description", "phrases", *_ESTIMATED, "x", "y"),
    "facets": ("topic", "topic_name", "facet", "value", *_ESTIMATED[:3]),
}


def _topics(release: Release) -> _Rows:
    return [
        {
            "id": topic.id,
            "parent": topic.parent,
            "level": topic.level,
            "name": topic.name,
            "description": topic.description,
            "phrases": [phrase.text for phrase in topic.phrases],
            **_estimate("users", topic.users),
            **_estimate("conversations", topic.conversations),
            "x": topic.x,
            "y": topic.y,
        }
        for topic in release.topics
    ]


def _facets(release: Release) -> _Rows:
    """Facets of every topic; rows without a topic are of the whole epoch. Users are empty under the threshold."""
    scopes: list[tuple[str | None, str | None, Mapping[str, Sequence[FacetCount]]]] = [(None, None, release.facets)]
    scopes += [(topic.id, topic.name, topic.facets) for topic in release.topics]
    return [
        {"topic": topic, "topic_name": name, "facet": facet, "value": one.value, **_estimate("users", one.users)}
        for topic, name, facets in scopes
        for facet, counts in facets.items()
        for one in counts
    ]


_ROWS: Mapping[Table, Callable[[Release], _Rows]] = {"topics": _topics, "facets": _facets}


def _estimate(name: str, estimate: Estimate | None) -> dict[str, _Cell]:
    low, value, high = (estimate.low, estimate.value, estimate.high) if estimate else (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _metadata(release: Release, document: Mapping[str, Json]) -> dict[str, str]:
    card: JsonObject = {"release": release.id, "guarantee": document["guarantee"], "policy": document["policy"]}
    return {"sfumato.guarantee": guarantee_line(release), "sfumato.card": dumps(card).decode()}


def _parquet(table: str, rows: _Rows, metadata: Mapping[str, str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def kind(column: str) -> pa.DataType:
        if column == "phrases":
            return pa.list_(pa.string())
        if column in {"x", "y"}:
            return pa.float64()
        return pa.int64() if column == "level" or column in _ESTIMATED else pa.string()

    schema = pa.schema([(column, kind(column)) for column in _COLUMNS[table]], metadata=dict(metadata))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue()


def _csv(table: str, rows: _Rows) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, _COLUMNS[table], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({column: _cell(value) for column, value in row.items()} for row in rows)
    return sink.getvalue().encode()


def _cell(value: _Cell) -> str | int | float | None:
    """Numbers stay numbers; text that a spreadsheet would compute is marked as text."""
    if isinstance(value, list):
        value = "; ".join(value)
    if not isinstance(value, str):
        return value
    formula = value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)
    return ("'" if formula else "") + visible(value)
