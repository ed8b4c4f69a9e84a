"""What a process tree uses: memory now, CPU time, processes.

Everything is read from /proc, so it works on a tree that stands still, and on one that is busy.
"""

from __future__ import annotations

import os

from . import tree

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def measure(pid: int) -> dict[str, float]:
    """The use of the tree below and with `pid`.

    Memory counts shared pages by their share. CPU time is that of the living processes and of the children they waited
    for. A process that has ended and was not waited for counts for its CPU time only.
    """
    pids = [pid, *tree.descendants(pid)]
    living = [one for one in pids if tree.start_time(one)]
    memory_bytes = tree.proportional_bytes(living)
    ticks = sum(tree.cpu_ticks(one) for one in pids)
    return {
        "memory_bytes": memory_bytes,
        "memory_peak_bytes": max(memory_bytes, tree.high_water_bytes(pid)),
        "cpu_seconds": ticks / _TICKS_PER_SECOND,
        "processes": len(living),
    }
