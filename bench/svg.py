"""Plots as SVG text: as much of it as the page of results needs.

A plot brings its own background and takes its colours from what the reader prefers, light or dark; so it can be read on
a page of either kind. Text is text, so that it can be searched and scaled. Pure: what is plotted is decided in `page`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH = 820
MARGIN = 16
LINE_HEIGHT = 22
STYLE = """
  text { font: 12px system-ui, sans-serif; } .title { font-weight: 600; font-size: 14px; }
  .mark { stroke-width: 1.5; } .curve { fill: none; stroke-width: 2; }
  .back { fill: #ffffff; } text { fill: #24292f; }
  .faint { fill: #57606a; } .grid { stroke: #d0d7de; } .mark { stroke: #24292f; }
  .good { fill: #1a7f37; } .fair { fill: #0969da; } .bad { fill: #cf222e; }
  .line0 { stroke: #0969da; } .line1 { stroke: #bc4c00; } .line2 { stroke: #8250df; }
  .dot0 { fill: #0969da; } .dot1 { fill: #bc4c00; } .dot2 { fill: #8250df; }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117; } text { fill: #e6edf3; }
    .faint { fill: #9198a1; } .grid { stroke: #30363d; } .mark { stroke: #e6edf3; }
    .good { fill: #3fb950; } .fair { fill: #4493f8; } .bad { fill: #f85149; }
    .line0 { stroke: #4493f8; } .line1 { stroke: #f0883e; } .line2 { stroke: #ab7df8; }
    .dot0 { fill: #4493f8; } .dot1 { fill: #f0883e; } .dot2 { fill: #ab7df8; }
  }
"""


class Bar(NamedTuple):
    """One bar: how many times better than the target a figure is (below 1: worse), and how many the ambition asks."""

    label: str
    times: float
    told: str
    ambitious: float | None
    look: str


Point = tuple[float, float]


def bars(title: str, rows: Sequence[Bar], times_max: float = 20.0) -> str:
    """Bars from the target's line to both sides, on a logarithmic scale that ends at `times_max` either way."""
    left, right = 380, WIDTH - 180
    top = MARGIN + 44
    bottom = top + LINE_HEIGHT * len(rows)

    def across(times: float) -> float:
        bounded = min(max(times, 1 / times_max), times_max)
        return (left + right) / 2 + (right - left) / 2 * math.log(bounded) / math.log(times_max)

    found = [_text(MARGIN, MARGIN + 10, title, "title")]
    for times in (1 / 10, 1 / 3, 1, 3, 10):
        x = across(times)
        found.append(_text(x, top - 8, f"{times:g}×" if times >= 1 else f"1/{round(1 / times)}×", "faint", "middle"))
        found.append(f'<line class="{"mark" if times == 1 else "grid"}" {_ends(x, top, x, bottom)}/>')
    for number, row in enumerate(rows):
        y = top + LINE_HEIGHT * number
        begin, end = sorted((across(1), across(row.times)))
        size = f'width="{max(end - begin, 3):.1f}" height="{LINE_HEIGHT - 8}"'
        found.append(_text(left - 10, y + 15, row.label, "", "end"))
        found.append(f'<rect class="{row.look}" x="{begin:.1f}" y="{y + 4}" {size} rx="2"/>')
        if row.ambitious is not None:
            x = across(row.ambitious)
            found.append(f'<line class="mark" {_ends(x, y + 2, x, y + LINE_HEIGHT - 2)} stroke-dasharray="2 2"/>')
        found.append(_text(right + 10, y + 15, row.told, "faint"))
    return _drawing(title, bottom + MARGIN, found)


def curves(title: str, x_label: str, y_label: str, series: Mapping[str, Sequence[Point]]) -> str:
    """Lines through points, over a logarithmic x axis and a y axis that begins at 0."""
    height, left, right, top = 300, 80, WIDTH - 190, MARGIN + 50
    bottom = height - 56
    points = [point for each in series.values() for point in each]
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    y_high = _round_up(max(y for _, y in points))

    def across(x: float) -> float:
        return left + (right - left) * (math.log10(x / x_low) / (math.log10(x_high / x_low) or 1.0))

    def up(y: float) -> float:
        return bottom - (bottom - top) * y / y_high

    found = [_text(MARGIN, MARGIN + 10, title, "title"), _text(MARGIN, top - 14, y_label, "faint")]
    for part in range(5):
        y = up(y_high * part / 4)
        found.append(f'<line class="grid" {_ends(left, y, right, y)}/>')
        found.append(_text(left - 8, y + 4, f"{y_high * part / 4:,.4g}", "faint", "end"))
    found += [_text(across(x), bottom + 20, f"{x:,.0f}", "faint", "middle") for x in sorted({x for x, _ in points})]
    found.append(_text((left + right) / 2, bottom + 40, x_label, "faint", "middle"))
    ends: list[float] = []
    for number, (name, each) in enumerate(series.items()):
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in each)
        found.append(f'<polyline class="curve line{number % 3}" points="{path}"/>')
        found += [f'<circle class="dot{number % 3}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.5"/>' for x, y in each]
        y = _apart(up(each[-1][1]) + 4, ends)
        ends.append(y)
        found.append(_text(right + 14, y, name, ""))
    return _drawing(title, height, found)


def _apart(y: float, others: Sequence[float]) -> float:
    """`y`, or the next place below at which a line of text touches none of `others`."""
    while any(abs(y - other) < LINE_HEIGHT - 6 for other in others):
        y += 2
    return y


def _round_up(value: float) -> float:
    """The next number that divides well by four; 1 for nothing."""
    if value <= 0:
        return 1.0
    step = 10.0 ** math.floor(math.log10(value))
    return next(step * each for each in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * each >= value)


def _text(x: float, y: float, text: str, look: str, anchor: str = "start") -> str:
    kind = f' class="{look}"' if look else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _ends(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'


def _drawing(title: str, height: float, parts: Sequence[str]) -> str:
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    back = f'<rect class="back" width="{WIDTH}" height="{height:.0f}" rx="6"/>'
    body = "\n".join(["", f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", back, *parts, ""])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{body}</svg>\n'
