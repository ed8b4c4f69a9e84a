"""The lives of instances, each measured once over many samples: see `bench.life` for how."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from bench.group import Bench, Group, Round, Seen
from bench.life import INITIALIZER_SECONDS, Life, measure_life
from bench.row import percentile


@contextmanager
def life(bench: Bench) -> Iterator[Round]:
    """Servers of its own."""
    yield lambda: seen_of(measure_life(bench.options, bench.say))


def seen_of(life: Life) -> Seen:
    """The figures of what was measured."""
    seen = Seen()
    freezing, stops, initialized, fair = life.freezing, life.stops, life.initialized, life.fair
    seen.add("life.freeze", percentile(freezing.freeze_ms, 50))
    seen.add("life.freeze_p99", percentile(freezing.freeze_ms, 99))
    seen.add("life.thaw", percentile(freezing.thaw_ms, 50))
    seen.add("life.thaw_p99", percentile(freezing.thaw_ms, 99))
    seen.add("life.instance_memory", freezing.idle_mb)
    seen.add("life.hook_p99", percentile(stops.hook_ms, 99))
    seen.add("life.stopped", percentile(stops.stopped_ms, 50))
    seen.add("life.stopped_p99", percentile(stops.stopped_ms, 99))
    seen.add(
        "life.per_initializer",
        initialized.tasks / max(initialized.initializers, 1),
        f"{initialized.tasks} in {initialized.seconds:.2f} s, an Initializer takes {INITIALIZER_SECONDS:g} s",
    )
    idle_ms, beside_ms = statistics.median(fair.idle_ms), statistics.median(fair.beside_ms)
    seen.add("life.first_idle", idle_ms)
    seen.add("life.first_beside", beside_ms, f"{fair.queued:,} queued slow tasks")
    seen.add("life.delay", max(beside_ms - idle_ms, 0.0), "difference of the two")
    return seen


GROUP = Group("life", life, seconds_max=300, rounds_max=1)
