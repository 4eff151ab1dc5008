"""Numbers with their intervals as a table: text for a terminal, escaped HTML for a notebook, three kinds of frames."""

from __future__ import annotations

import html
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from sfumato.client.plain import clean
from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

Cell: TypeAlias = "str | int | float | None"
Row: TypeAlias = "Mapping[str, Cell]"
Kind: TypeAlias = "type[str | int | float]"
MOST_SHOWN = 60  # rows on a screen; frames have all
MOST_LETTERS = 60  # of a string in a column


class Interval(Protocol):
    """A number between the ends of its 95 % interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Table:
    """Rows under a heading. Columns `x`, `x_low` and `x_high` are a number and its 95 % interval."""

    __slots__ = ()
    columns: ClassVar[Mapping[str, Kind]]

    def heading(self) -> str:
        """One line that says what this is, and under which guarantee."""
        raise NotImplementedError

    def rows(self) -> Iterable[Row]:
        """One mapping for each row, with every column."""
        raise NotImplementedError

    def shown(self) -> Iterable[Row]:
        """The rows as the eye gets them."""
        return self.rows()

    def __repr__(self) -> str:
        lines, more = _lines(self)
        widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
        drawn = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join([clean(self.heading()), *(line.rstrip() for line in drawn), *more])

    def _repr_html_(self) -> str:
        lines, more = _lines(self)
        tags = ["th"] + ["td"] * (len(lines) - 1)
        body = "".join(
            f"<tr>{''.join(f'<{tag}>{_inset(html.escape(text))}</{tag}>' for text in line)}</tr>"
            for tag, line in zip(tags, lines, strict=True)
        )
        caption = html.escape(clean(self.heading()))
        return f"<table><caption>{caption}</caption>{body}</table>{''.join(f'<p>{line}</p>' for line in more)}"

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """A `pyarrow.Table` of all rows."""
        arrow = _library("pyarrow")
        kinds = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
        schema = arrow.schema([(name, kinds[kind]) for name, kind in self.columns.items()])
        return arrow.Table.from_pylist([dict(row) for row in self.rows()], schema=schema)

    def to_polars(self) -> Any:  # noqa: ANN401 - polars need not be installed
        """A `polars.DataFrame` of all rows.

        Raises:
            SfumatoError: polars is not installed.
        """
        return _library("polars").from_arrow(self.to_arrow())

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas need not be installed
        """A `pandas.DataFrame` of all rows.

        Raises:
            SfumatoError: pandas is not installed.
        """
        _library("pandas")
        return self.to_arrow().to_pandas()


def spread(name: str, kind: Kind) -> dict[str, Kind]:
    """The columns of a number with its interval."""
    return {name: kind, f"{name}_low": kind, f"{name}_high": kind}


def interval(name: str, number: Interval | None) -> dict[str, Cell]:
    """The cells of a number with its interval; without one where it is withheld."""
    if number is None:
        return dict.fromkeys(spread(name, float))
    return {name: number.value, f"{name}_low": number.low, f"{name}_high": number.high}


def told(number: Interval | None) -> str:
    """A number and its interval in words."""
    return "withheld" if number is None else f"{_figure(number.value)} [{_figure(number.low)}, {_figure(number.high)}]"


def _figure(value: float) -> str:
    return f"{int(value):,}" if isinstance(value, int) or value.is_integer() else f"{value:.4g}"


def _lines(table: Table) -> tuple[list[list[str]], list[str]]:
    names = [name for name in table.columns if not name.endswith(("_low", "_high"))]
    rows = list(table.shown())
    lines = [names] + [[_text(row, name) for name in names] for row in rows[:MOST_SHOWN]]
    return lines, [f"and {len(rows) - MOST_SHOWN} more"] if len(rows) > MOST_SHOWN else []


def _inset(escaped: str) -> str:
    """Spaces at the beginning of a line show how deep a topic lies; HTML drops all but this kind."""
    bare = escaped.lstrip(" ")
    return "&nbsp;" * (len(escaped) - len(bare)) + bare


def _text(row: Row, name: str) -> str:
    value = row[name]
    if isinstance(value, str):
        inset = len(value) - len(value.lstrip(" "))
        plain = " " * inset + clean(value)
        return plain if len(plain) <= MOST_LETTERS else plain[: MOST_LETTERS - 1] + "…"
    if value is None:
        return "withheld" if f"{name}_low" in row else ""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if isinstance(low, int | float) and isinstance(high, int | float):
        return f"{_figure(value)} [{_figure(low)}, {_figure(high)}]"
    return _figure(value)


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise SfumatoError(f"{name} is not installed: pip install {name}") from None
