"""What a run must have gone through before its verdict means anything: load, faults of each kind, in each phase.

A run in which nothing happened breaks no invariant. So each demand that is not met fails the run as a violation does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from .evidence import Evidence
from .nemesis import KILLS, OTHERS
from .phases import HOOKS, PHASES, STATUSES
from .progress import SANDBOX_KILLS, SERVER_FAULTS, recoveries, status_at
from .records import CONFLICT, YES, Fault

TASKS_PER_MINUTE, KILLS_PER_MINUTE = 1_000, 30
SHARE_OF_KIND = 0.7
"""Of each kind of fault, as many of those that are planned; the rest may have found nobody to hit."""
FINISHED_SHARE, SUCCEEDED_SHARE = 0.95, 0.5
HOOK_SECONDS_MAX = 2.0


def missing(evidence: Evidence) -> Iterator[str]:
    """The demands that are not met, in words."""
    minutes, tasks = evidence.minutes, len(evidence.tasks)
    kinds = Counter(fault.kind for fault in evidence.faults)
    kills = len(evidence.kills())
    for what, count, wanted in (
        ("tasks", tasks, math.floor(TASKS_PER_MINUTE * minutes)),
        ("kills", kills, math.floor(KILLS_PER_MINUTE * minutes)),
        ("words in the journal", evidence.begun, tasks // 2),
        ("lives of a server", len(evidence.lives), kinds["kill-server"] + kinds["restart"]),
        ("acknowledged stops", sum(1 for _ in evidence.answered("stop", YES)), 1),
        ("refused duplicates", sum(1 for _ in evidence.answered("submit", CONFLICT)), 1),
        ("records at the webhook", len(evidence.receipts), 1),
        ("samples of the server", len(evidence.samples), 1),
        ("recoveries measured", len(recoveries(evidence)), kills // 4),
    ):
        if count < max(wanted, 1):
            yield f"{what}: {count:,} of {max(wanted, 1):,}"
    for kind, per_minute in {**KILLS, **OTHERS}.items():
        wanted = max(1, math.floor(per_minute * minutes * SHARE_OF_KIND))
        possible = kind in evidence.only if evidence.only else kind != "kill-outer" or evidence.outer
        if possible and kinds[kind] < wanted:
            yield f"faults of the kind {kind}: {kinds[kind]} of {wanted}"
    met = phases(evidence)
    for phase in PHASES:
        if not met[phase] and not evidence.only:
            yield f"no fault while a task was in {phase}"
    statuses = Counter(task.status.value for task in evidence.tasks)
    over = sum(task.over for task in evidence.tasks)
    if over < FINISHED_SHARE * tasks:
        yield f"tasks that finished: {over:,} of {tasks:,}"
    if statuses["Succeeded"] < SUCCEEDED_SHARE * tasks:
        yield f"tasks that succeeded: {statuses['Succeeded']:,} of {tasks:,}"


def phases(evidence: Evidence) -> Counter[str]:
    """How many faults met a task, or an instance, in each phase."""
    met: Counter[str] = Counter()
    for fault in evidence.faults:
        if fault.kind not in (*SERVER_FAULTS, *SANDBOX_KILLS, "kill-instance"):
            continue
        if fault.kind in SERVER_FAULTS:
            found = {status_at(moments, fault.at) for moments in evidence.moments.values()}
            met.update(found & set(STATUSES))
        met.update(_hooks(evidence, fault))
    return met


def _hooks(evidence: Evidence, fault: Fault) -> set[str]:
    """The hooks that were running somewhere when a fault came, in the instance that it was for if it was for one."""
    running: dict[tuple[str, str], int] = {}
    for word in evidence.words:
        name, _, part = word.word.partition("-")
        if (
            name not in HOOKS
            or word.at > fault.at
            or (fault.kind == "kill-instance" and word.instance != fault.instance)
        ):
            continue
        if part == "begin":
            running[word.instance, name] = word.at
        else:
            running.pop((word.instance, name), None)
    return {name for (_, name), at in running.items() if fault.at - at < HOOK_SECONDS_MAX * 1e6}
