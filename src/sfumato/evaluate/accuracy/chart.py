"""Line charts as SVG text: the same bytes for the same numbers, no dependency, readable as a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 168, 40, 48
COLOURS = ("#1b6ca8", "#c2452d", "#5a7d2a", "#8a4fa3", "#b8860b", "#444444")  # told apart by most eyes, and by dashes
DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 2", "4 4")
TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series: points (x, y), left to right, and where known the range of each y over runs."""

    name: str
    points: Sequence[tuple[float, float]]
    ranges: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the axes say. log_x: x in equal steps of ratio. top: the largest y drawn; 0 is the smallest."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    log_x: bool = False
    top: float = 1.0


def svg(chart: Chart) -> str:
    """The chart as one SVG document.

    Raises:
        ValueError: nothing to draw, or an x that has no logarithm.
    """
    xs = sorted({x for line in chart.lines for x, _ in line.points})
    if not xs or (chart.log_x and xs[0] <= 0):
        raise ValueError("a chart needs points, and positive ones where its axis is logarithmic")
    middle = (LEFT + WIDTH - RIGHT) // 2
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            f'font-size="11" role="img" aria-label="{escape(chart.title)}">'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="14" fill="#222222">{escape(chart.title)}</text>',
        *_grid(chart, xs),
        f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle" fill="#222222">{escape(chart.x_label)}</text>',
        (
            f'<text transform="translate(14 {(TOP + HEIGHT - BOTTOM) // 2}) rotate(-90)" text-anchor="middle" '
            f'fill="#222222">{escape(chart.y_label)}</text>'
        ),
    ]
    for number, line in enumerate(chart.lines):
        parts += _series(chart, xs, line, number)
    return "\n".join([*parts, "</svg>", ""])


def _grid(chart: Chart, xs: Sequence[float]) -> list[str]:
    parts = []
    for tick in range(TICKS + 1):
        value = chart.top * tick / TICKS
        y = _y(chart, value)
        parts += [
            f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#dddddd"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#444444">{value:.2g}</text>',
        ]
    parts += [
        f'<text x="{_x(chart, xs, x)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#444444">{x:,g}</text>'
        for x in xs
    ]
    return parts


def _series(chart: Chart, xs: Sequence[float], line: Line, number: int) -> list[str]:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    style = f'stroke="{colour}" stroke-width="2"' + (f' stroke-dasharray="{dash}"' if dash else "")
    spots = [(_x(chart, xs, x), _y(chart, y)) for x, y in line.points]
    path = " ".join(f"{x},{y}" for x, y in spots)
    legend, right = TOP + 6 + 20 * number, WIDTH - RIGHT + 14
    return [
        f'<polyline points="{path}" fill="none" {style}/>',
        *(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in spots),
        *(
            f'<line x1="{x}" y1="{_y(chart, low)}" x2="{x}" y2="{_y(chart, high)}" stroke="{colour}"/>'
            for (x, _), (low, high) in zip(spots, line.ranges, strict=False)
        ),
        f'<line x1="{right}" y1="{legend}" x2="{right + 24}" y2="{legend}" {style}/>',
        f'<text x="{right + 30}" y="{legend + 4}" fill="#222222">{escape(line.name)}</text>',
    ]


def _x(chart: Chart, xs: Sequence[float], x: float) -> float:
    low, high, here = (math.log(v) if chart.log_x else v for v in (xs[0], xs[-1], x))
    share = (here - low) / (high - low) if high > low else 0.5
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(chart: Chart, y: float) -> float:
    return round(HEIGHT - BOTTOM - min(max(y / chart.top, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM), 1)
