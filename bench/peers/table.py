"""The comparison as a table for people: medians of the rounds, and what each peer promises. Pure."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Turn = Mapping[str, Any]
HEADS = (
    "peer",
    "submits/s",
    "sojourns/s, single",
    "sojourns/s, batch",
    "result p50 / p99 ms",
    "again after SIGKILL, s",
    "stops sleep · grandchild · loop",
    "durable at the acknowledgement",
    "every status kept and shown",
)
BODIES = ("sleep", "grandchild", "loop")
NONE = "–"


def of(peers: Mapping[str, Sequence[Turn]]) -> str:
    """A Markdown table, a row for each peer."""
    rows = [HEADS, tuple("---" for _ in HEADS)]
    rows += [_row(name, [turn for turn in turns if "rates" in turn]) for name, turns in peers.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, turns: Sequence[Turn]) -> tuple[str, ...]:
    durable, statuses = _promises(name)
    if not turns:
        return (name, *([NONE] * 6), durable, statuses)
    return (
        name,
        _median(turns, lambda turn: turn["rates"]["submits"]),
        _median(turns, lambda turn: turn["rates"]["single"]),
        _median(turns, lambda turn: turn["rates"]["batch"]),
        " / ".join((_median(turns, _p50, "{:.1f}"), _median(turns, _p99, "{:.1f}"))),
        _median(turns, lambda turn: turn["again_seconds"], "{:.2f}"),
        " · ".join(_stops([turn["stops"][body] for turn in turns]) for body in BODIES),
        durable,
        statuses,
    )


def _p50(turn: Turn) -> float:
    return float(turn["latency"]["p50_ms"])


def _p99(turn: Turn) -> float:
    return float(turn["latency"]["p99_ms"])


def _median(turns: Sequence[Turn], figure: Callable[[Turn], float | None], form: str = "{:,.0f}") -> str:
    """The median of the rounds; a dash when some had none."""
    found = [value for value in map(figure, turns) if value is not None]
    return form.format(statistics.median(found)) if len(found) == len(turns) else NONE


def _stops(stops: Sequence[Turn]) -> str:
    """In how many milliseconds; `no`, or a dash when there is no such verb; orphans are told."""
    if all(stop["stopped"] for stop in stops):
        orphans = sum(stop["orphans"] for stop in stops)
        shown = f"{statistics.median(stop['ms'] for stop in stops):.1f} ms"
        return shown + (f", {orphans} left" if orphans else "")
    return NONE if all(stop["stopped"] is None for stop in stops) else "no"


def _promises(name: str) -> tuple[str, str]:
    """`Facts.durable` and `Facts.statuses` of an adapter, read from its source: its packages are not in this venv."""
    source = (Path(__file__).parent / "adapters" / f"{name}.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Facts":
            given = [ast.literal_eval(each) for each in (*node.args, *(word.value for word in node.keywords))]
            return given[1], given[2]
    return "", ""
