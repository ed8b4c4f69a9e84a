"""What a process tree costs, as Linux counts it in /proc: CPU seconds, resident memory, proportional memory.

Resident memory (RSS) counts a page that several processes share in each of them. Proportional memory (PSS) divides it
among them, so that a tree's PSS is what the machine would get back if the tree ended.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """`root` and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(pids: list[int]) -> float:
    """CPU seconds that `pids` have used, those of their ended and awaited children included."""
    return sum(sum(map(int, fields[11:15])) for pid in pids if (fields := _stat(pid))) / TICKS_PER_SECOND


def rss_mb(pid: int) -> float:
    """Resident memory of one process in MiB."""
    return _kilobytes(PROC / str(pid) / "status", "VmRSS:") / 1024


def pss_mb(pids: list[int]) -> float:
    """Proportional memory of `pids` together in MiB."""
    return sum(_kilobytes(PROC / str(pid) / "smaps_rollup", "Pss:") for pid in pids) / 1024


def end(process: subprocess.Popen[Any], seconds_max: float) -> None:
    """End a process of ours: ask it, and kill it when it has not ended within `seconds_max`."""
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (state) on; empty when the process is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="latin-1")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _kilobytes(path: Path, name: str) -> int:
    """The kB that `path` gives for `name`; 0 when the process is gone."""
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
