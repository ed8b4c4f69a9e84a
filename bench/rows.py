"""The rows of the table: what each figure is called, how it follows from the rounds, and the floor it must keep.

A figure is computed in every round from that round's own measurements, ratios and bounds too; what is shown and judged
is the median over the rounds. Floors are ratios where a ratio says more than a number: a slow disk or a busy machine
moves both sides.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import msgspec

from .round import Round

SOJOURNS_OF_BARE_MIN = 0.10
SYNCS_PER_SOJOURN = 3
LATENCY_SYNCS_FACTOR = 6
LATENCY_EXTRA_MS = 1.0
COLD_INSTANCE_MS_MAX = 15.0
IDLE_RSS_MB_MAX = 100.0
IDLE_CPU_PERCENT_MAX = 1.0

Figure = Callable[[Round], float]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: the rounds' values and their median, and the floor with whether it is kept."""

    name: str
    unit: str
    median: float
    runs: list[float]
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the floor is kept; None when there is none."""
        if self.at_least is not None:
            return self.median >= self.at_least
        return self.median <= self.at_most if self.at_most is not None else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that `percent` of them do not exceed (nearest rank); 0 for none."""
    if not values:
        return 0.0
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(int(rank) - 1, 0)]


def rows(rounds: Sequence[Round]) -> list[Row]:
    """The whole table."""
    return [*_yardsticks(rounds), *_throughput(rounds), *_latency(rounds), *_cold(rounds), *_idle(rounds)]


def _yardsticks(rounds: Sequence[Round]) -> list[Row]:
    return [
        _row(rounds, "yardstick: append 4 KiB + fdatasync p50", "ms", _sync_ms),
        _row(rounds, "yardstick: append 4 KiB + fdatasync p99", "ms", lambda r: percentile(r.disk_us, 99) / 1000),
        _row(rounds, "yardstick: bare uvicorn 202 responder", "requests/s", lambda r: r.bare_per_second),
        _row(rounds, "yardstick: its CPU per request", "µs", lambda r: r.bare_cpu_us),
    ]


def _throughput(rounds: Sequence[Round]) -> list[Row]:
    return [
        _row(rounds, "accepted, single POSTs", "tasks/s", lambda r: r.loaded.accepted_per_second),
        _row(
            rounds,
            "accepted / bare responder",
            "ratio",
            lambda r: r.loaded.accepted_per_second / r.bare_per_second,
        ),
        _row(
            rounds,
            "full sojourns, single POSTs",
            "tasks/s",
            lambda r: r.loaded.sojourns_per_second,
            note="first POST to the last task's end, every task checked to be Succeeded",
        ),
        _row(
            rounds,
            "full sojourns / bare responder",
            "ratio",
            lambda r: r.loaded.sojourns_per_second / r.bare_per_second,
            at_least=lambda _: SOJOURNS_OF_BARE_MIN,
        ),
        _row(rounds, "202 under that load p50", "ms", lambda r: percentile(r.loaded.accepted_us, 50) / 1000),
        _row(rounds, "202 under that load p99", "ms", lambda r: percentile(r.loaded.accepted_us, 99) / 1000),
        _row(
            rounds, "Enqueued → Succeeded under that load p50", "ms", lambda r: _recorded(r, 50), note="by its history"
        ),
        _row(
            rounds, "Enqueued → Succeeded under that load p99", "ms", lambda r: _recorded(r, 99), note="by its history"
        ),
        _row(rounds, "CPU per task, server", "µs", lambda r: r.loaded.server_cpu_us_per_task),
        _row(rounds, "CPU per task, server and instances", "µs", lambda r: r.loaded.cpu_us_per_task),
    ]


def _latency(rounds: Sequence[Round]) -> list[Row]:
    single = "one connection: submit →"
    return [
        _row(rounds, f"{single} 202 p50", "ms", lambda r: percentile(r.single.accepted_us, 50) / 1000),
        _row(
            rounds,
            f"{single} Succeeded p50",
            "ms",
            lambda r: percentile(r.single.succeeded_us, 50) / 1000,
            at_most=_latency_bound_ms,
            note="seen by a client that polls without a pause",
        ),
        _row(rounds, f"{single} Succeeded p99", "ms", lambda r: percentile(r.single.succeeded_us, 99) / 1000),
        _row(
            rounds,
            "one connection: Enqueued → Succeeded mean",
            "ms",
            lambda r: statistics.fmean(r.single.recorded_us) / 1000,
            note="by its history, which is in whole milliseconds",
        ),
        _row(
            rounds,
            "one connection: Enqueued → Succeeded p99",
            "ms",
            lambda r: percentile(r.single.recorded_us, 99) / 1000,
            note="by its history",
        ),
    ]


def _cold(rounds: Sequence[Round]) -> list[Row]:
    above = "first call − warm call"
    found = [
        _row(
            rounds,
            "new instance, running sandbox p50",
            "ms",
            lambda r: percentile(r.instance_us, 50) / 1000,
            at_most=lambda _: COLD_INSTANCE_MS_MAX,
            note=above,
        ),
        _row(
            rounds,
            "new instance, running sandbox max",
            "ms",
            lambda r: percentile(r.instance_us, 100) / 1000,
            note=above,
        ),
        _row(rounds, "warm synchronous call p50", "ms", lambda r: r.warm_call_us / 1000),
        _row(rounds, "new sandbox, first call of a server", "ms", lambda r: r.first_sandbox_us / 1000, note=above),
    ]
    if all(each.sandbox_us for each in rounds):
        name = "new sandbox, first call of an account p50"
        found.append(_row(rounds, name, "ms", lambda r: percentile(r.sandbox_us, 50) / 1000, note=above))
    found.append(_row(rounds, "server start to ready", "ms", lambda r: r.ready_seconds * 1000))
    return found


def _idle(rounds: Sequence[Round]) -> list[Row]:
    return [
        _row(
            rounds,
            "idle CPU, server and children",
            "% of a core",
            lambda r: r.idle.cpu_percent,
            at_most=lambda _: IDLE_CPU_PERCENT_MAX,
        ),
        _row(
            rounds,
            "idle RSS, server process",
            "MiB",
            lambda r: r.idle.server_rss_mb,
            at_most=lambda _: IDLE_RSS_MB_MAX,
        ),
        _row(rounds, "idle PSS, server and children", "MiB", lambda r: r.idle.tree_pss_mb),
        _row(rounds, "after the load RSS, server process", "MiB", lambda r: r.loaded.server_rss_mb),
        _row(rounds, "after the load PSS, server and children", "MiB", lambda r: r.loaded.tree_pss_mb),
    ]


def _row(
    rounds: Sequence[Round],
    name: str,
    unit: str,
    figure: Figure,
    *,
    at_least: Figure | None = None,
    at_most: Figure | None = None,
    note: str = "",
) -> Row:
    runs = [figure(each) for each in rounds]
    return Row(
        name=name,
        unit=unit,
        median=statistics.median(runs),
        runs=runs,
        at_least=statistics.median(map(at_least, rounds)) if at_least else None,
        at_most=statistics.median(map(at_most, rounds)) if at_most else None,
        note=note,
    )


def _sync_ms(measured: Round) -> float:
    return percentile(measured.disk_us, 50) / 1000


def _latency_bound_ms(measured: Round) -> float:
    return LATENCY_SYNCS_FACTOR * SYNCS_PER_SOJOURN * _sync_ms(measured) + LATENCY_EXTRA_MS


def _recorded(measured: Round, percent: float) -> float:
    return percentile(measured.loaded.recorded_us, percent) / 1000
