"""The part `simulation`: thousands of seeds, each a bad day of the real engine in virtual time.

Seeds that ever failed are run first (`regressions.txt`). The generator itself is looked at: what it brought about too
seldom makes the part fail as a violation does. A seed that fails is shrunk, its log is written beside the others'.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from proof.result import Result, Scale

from . import coverage
from .coverage import Key
from .seed import Report
from .seed import run as run_seed
from .shrink import shrink

SEEDS = 2_000
TIMES_AT_CI = 5
"""How often everything in the lists of `coverage` has to be met in as many seeds; fewer ask for less."""
TASKS_PER_SEED, FAULTS_PER_SEED, SPEED_MIN = 20, 10, 1_000
"""What makes a run worth something: 40,000 tasks and 20,000 faults in 2,000 seeds, and the virtual time in them."""
PROCESSES = 2
SHARE_OF_PROCESSES = 0.05
"""From which share on it is worth starting processes."""
REGRESSIONS = Path(__file__).with_name("regressions.txt")
SHRUNK_MAX = 2
EVENTS_SHOWN = 60


def run_all(seeds: list[int], processes: int = PROCESSES) -> Iterator[Report]:
    """The reports of `seeds`, as they come."""
    if processes == 1:
        yield from map(run_seed, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=8)


def regressions() -> list[int]:
    """The seeds that have failed at some time."""
    lines = (line.split("#", 1)[0].strip() for line in REGRESSIONS.read_text("utf-8").splitlines())
    return [int(line) for line in lines if line]


def seeds_of(scale: Scale) -> list[int]:
    """What a scale runs: regressions first, then fresh ones from the scale's seed on."""
    count = scale.count(SEEDS, 6)
    first = (scale.seed - 1) * 1_000_000 + 1
    known = regressions()[:count] if count < SEEDS else regressions()
    fresh = [seed for seed in range(first, first + count + len(known)) if seed not in set(known)]
    return (known + fresh)[: max(count, len(known))]


class Totals:
    """What all runs came to."""

    def __init__(self) -> None:
        self.seeds = self.tasks = self.executions = self.faults = self.violations = 0
        self.seconds = self.cpu_seconds = 0.0
        self.met: Counter[Key] = Counter()
        self.failed: list[Report] = []

    def add(self, report: Report) -> None:
        """One more."""
        self.seeds += 1
        self.tasks += report.tasks
        self.executions += report.executions
        self.faults += report.faults
        self.seconds += report.seconds
        self.cpu_seconds += report.cpu_seconds
        self.violations += bool(report.violations)
        self.met.update(report.met)
        if report.violations:
            self.failed.append(report)


def run(scale: Scale) -> Result:
    """Run the seeds of a scale."""
    totals = Totals()
    for report in run_all(seeds_of(scale), PROCESSES if scale.share >= SHARE_OF_PROCESSES else 1):
        totals.add(report)
    speed = totals.seconds / totals.cpu_seconds  # of one processor, so that a busy machine does not count
    whole = scale.share >= 1.0
    times = round(TIMES_AT_CI * scale.share) if whole else 0
    missing = coverage.missing(totals.met, times)
    poor = whole and (
        totals.tasks < TASKS_PER_SEED * totals.seeds
        or totals.faults < FAULTS_PER_SEED * totals.seeds
        or speed < SPEED_MIN
    )
    line = (
        f"simulation: {totals.seeds:,} seeds, {totals.tasks:,} tasks, {totals.faults:,} faults, "
        f"{totals.violations:,} violations; {totals.executions:,} executions, {speed:,.0f} × real time on a processor, "
        f"{len(coverage.wanted()) - len(missing)}/{len(coverage.wanted())} kinds of event met {times} times"
    )
    details = [text for report in totals.failed[:SHRUNK_MAX] for text in told(report, scale)]
    details += [f"seed {report.seed}: {report.violations[0]}" for report in totals.failed[SHRUNK_MAX:]]
    details += [f"met less than {times} times: {' · '.join(key)}: {totals.met[key]}" for key in missing]
    details += ["met least:", *coverage.least(totals.met)]
    return Result(line=line, ok=not (totals.failed or missing or poor), details=tuple(details))


def told(report: Report, scale: Scale) -> list[str]:
    """A failure as people need it: shrunk, with its faults and the last of its events. The seed is kept."""
    with (scale.directory / "regressions.txt").open("a", encoding="utf-8") as file:
        file.write(f"{report.seed}  # {report.violations[0]}\n")
    remember(report)
    shortest, muted = shrink(report)
    again = run_seed(report.seed, muted, told=True)
    return [
        f"seed {report.seed}: {report.violations[0]}",
        f"  shrunk from {len(report.tape)} faults and acts to {len(shortest.tape)}: {', '.join(shortest.tape)}",
        *(f"  {event}" for event in again.events[-EVENTS_SHOWN:]),
        f"  again: python -m proof.simulation {report.seed}",
    ]


def remember(report: Report) -> None:
    """Add a seed to the list of those that are run first."""
    if report.seed not in regressions() and os.access(REGRESSIONS, os.W_OK):
        with REGRESSIONS.open("a", encoding="utf-8") as file:
            file.write(f"{report.seed}  # {report.violations[0]}\n")
