"""What the comparison must show: Sojourn's figures against the best of the peers that are named. Pure.

Ratios are formed within a round, as peers take turns in it. A peer without figures in a round is left out of the
"best", and the row says so; when none is left there is no ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.figures import HIGH, LOW, Figure
from bench.group import Seen
from bench.row import Row, row

OWN = "sojourn_sqlite"
DURABLE = ("restate", "dbos_postgres", "dbos_sqlite", "procrastinate_postgres", "huey_sqlite")
"""Peers that sync what they acknowledge: only with these is a rate comparable."""
BATCHING = (*DURABLE, "pgqueuer_postgres")
QUICK = ("saq_redis",)
BODIES = ("sleep", "grandchild", "loop")
FIGURES = (
    Figure(
        "peers.single", "sojourns/s, single calls / best of Restate, DBOS, Procrastinate, Huey", "ratio", HIGH, 4, 8
    ),
    Figure("peers.batch", "sojourns/s, batch / best of those and PgQueuer", "ratio", HIGH, 2, 3),
    Figure("peers.result", "submit → result seen by the client p50 / SAQ's", "ratio", LOW, 2, 1),
    Figure("peers.again", "run again after SIGKILL of the server", "s", LOW, 2, 0.5),
    Figure("peers.stops", "stopped, PreStop run, nothing left: busy loop, sleep, grandchild", "of 3", HIGH, 3),
    Figure("peers.past_hook", "these stops, the longest, beyond the hook's time", "ms", LOW, None, 8),
)
BY_KEY = {figure.key: figure for figure in FIGURES}
Turn = Mapping[str, Any]


def rows(turns: Mapping[str, Sequence[Turn]]) -> list[Row]:
    """The rows of a comparison: `turns` has for each peer what it did in each round."""
    rounds = [{name: each[number] for name, each in turns.items()} for number in range(len(turns[OWN]))]
    seen = [_seen(each) for each in rounds]
    return [row(figure, seen) for figure in FIGURES]


def _seen(turns: Mapping[str, Turn]) -> Seen:
    own = turns[OWN]
    if "rates" not in own:
        return Seen(missing={figure.key: str(own.get("error", "it gave no figures")) for figure in FIGURES})
    seen = Seen()
    _against(seen, "peers.single", turns, DURABLE, lambda turn: turn["rates"]["single"])
    _against(seen, "peers.batch", turns, BATCHING, lambda turn: turn["rates"]["batch"])
    _against(seen, "peers.result", turns, QUICK, lambda turn: turn["latency"]["p50_ms"])
    if own["again_seconds"] is None:
        seen.miss("it did not run again while that was waited for", "peers.again")
    else:
        seen.add("peers.again", own["again_seconds"])
    stops = [own["stops"][body] for body in BODIES]
    seen.add("peers.stops", float(sum(map(_proved, stops))))
    past = [stop.get("past_hook_ms") for stop in stops]
    if None in past:
        seen.miss("not every stop tells of its hook", "peers.past_hook")
    else:
        seen.add("peers.past_hook", max(past))
    return seen


def _against(
    seen: Seen,
    key: str,
    turns: Mapping[str, Turn],
    names: Sequence[str],
    figure: Callable[[Turn], float | None],
) -> None:
    """The ratio of our `figure` and the best one among `names`, with a note that says whose that is."""
    own = figure(turns[OWN])
    found = {name: value for name in names if "rates" in (turn := turns.get(name, {})) and (value := figure(turn))}
    if own is None or not found:
        seen.miss(f"none of {', '.join(names)} has this figure", key)
        return
    value = (max if BY_KEY[key].better == HIGH else min)(found.values())
    absent = [name for name in names if "rates" not in turns.get(name, {})]
    without = f"; without {', '.join(absent)}" if absent else ""
    seen.add(key, own / value, f"best: {next(name for name, each in found.items() if each == value)}{without}")


def _proved(stop: Turn) -> bool:
    return bool(stop["stopped"] and stop.get("hooked") and not stop["orphans"])
