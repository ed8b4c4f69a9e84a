"""What a process tree uses: memory now, CPU time, processes.

Everything is read from /proc, so it works on a tree that stands still, and on one that is busy.
"""

from __future__ import annotations

import os

from . import tree
from .groups import Group

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def measure(pid: int, group: Group | None = None) -> dict[str, float]:
    """The use of the tree below and with `pid`; what its `group` counts comes from there.

    Memory counts shared pages by their share. CPU time is that of the living processes and of the children they waited
    for. A process that has ended and was not waited for counts for its CPU time only.
    """
    pids = [pid, *tree.descendants(pid)]
    living = [one for one in pids if tree.start_time(one)]
    memory_bytes = group.memory_bytes if group is not None else 0
    cpu_seconds = group.cpu_seconds if group is not None else 0.0
    memory_bytes = memory_bytes or tree.proportional_bytes(living)
    high_bytes = group.peak_bytes if group is not None else 0
    return {
        "memory_bytes": memory_bytes,
        "memory_peak_bytes": max(memory_bytes, high_bytes or tree.high_water_bytes(pid)),
        "cpu_seconds": cpu_seconds or sum(tree.cpu_ticks(one) for one in pids) / _TICKS_PER_SECOND,
        "processes": len(living),
    }
