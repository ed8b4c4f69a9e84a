"""The rows of what `life` measures, and their floors."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from .life import INITIALIZER_SECONDS, Life
from .rows import Row, percentile

THAW_P50_MS_MAX = 1.0
HOOK_P99_MS_MAX = 100.0
STOPPED_P99_MS_MAX = 250.0
CROWD_SECONDS_MAX = 5.0
FAIR_DELAY_MS_MAX = 50.0
IDLE_INSTANCE_MB_MAX = 3.0


def life_rows(life: Life) -> list[Row]:
    """One row per figure; each was measured once, over many samples."""
    freezing, stops, crowd, initialized, fair = life.freezing, life.stops, life.crowd, life.initialized, life.fair
    idle_ms, beside_ms = statistics.median(fair.idle_ms), statistics.median(fair.beside_ms)
    per_initializer = initialized.tasks / max(initialized.initializers, 1)
    return [
        _row("freeze an idle instance p50", "ms", percentile(freezing.freeze_ms, 50)),
        _row("freeze an idle instance p99", "ms", percentile(freezing.freeze_ms, 99)),
        _row(
            "thaw: first call of a frozen one − a warm call p50",
            "ms",
            percentile(freezing.thaw_ms, 50),
            THAW_P50_MS_MAX,
        ),
        _row("thaw: first call of a frozen one − a warm call p99", "ms", percentile(freezing.thaw_ms, 99)),
        _row("memory of an idle Python instance (PSS)", "MiB", freezing.idle_mb, IDLE_INSTANCE_MB_MAX),
        _row("stop → PreStop called p99", "ms", percentile(stops.hook_ms, 99), HOOK_P99_MS_MAX),
        _row("stop → Stopped beyond the hook's time p50", "ms", percentile(stops.stopped_ms, 50)),
        _row("stop → Stopped beyond the hook's time p99", "ms", percentile(stops.stopped_ms, 99), STOPPED_P99_MS_MAX),
        _row(f"1 → {crowd.instances} instances, all running", "s", crowd.seconds, CROWD_SECONDS_MAX),
        _row("memory of each of them (PSS)", "MiB", crowd.pss_mb_each),
        _row(
            "tasks per run of Initializer",
            "tasks",
            per_initializer,
            note=f"{initialized.tasks} in {initialized.seconds:.2f} s, an Initializer takes {INITIALIZER_SECONDS:g} s",
        ),
        _row("first task of a function, idle p50", "ms", idle_ms),
        _row(f"the same beside {fair.queued:,} queued slow tasks p50", "ms", beside_ms),
        _row("delay by the others' line", "ms", max(beside_ms - idle_ms, 0.0), FAIR_DELAY_MS_MAX, note="difference"),
    ]


def _row(name: str, unit: str, value: float, at_most: float | None = None, note: str = "") -> Row:
    runs: Sequence[float] = [value]
    return Row(name=name, unit=unit, median=value, runs=list(runs), at_most=at_most, note=note)
