"""Process trees: who descends from whom, how much memory a tree holds, and how to end one that resists.

Without a pid namespace a tree is what /proc says it is. Ending it: stop every process of it until no new one appears
(a stopped process can neither fork nor hide behind a dead parent), then kill them all.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """The living and unreaped children of `pid`; none when it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib is not loaded here
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
                found += [int(child) for child in file.read().split()]
        except FileNotFoundError:
            if not os.path.exists("/proc/self/task/" + str(os.getpid()) + "/children"):  # noqa: PTH110 - as above
                return _children_by_search(pid)
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """Everything below `pid`, parents before children."""
    found: list[int] = []
    frontier = [pid]
    while frontier:
        below = children(frontier.pop(0))
        found += below
        frontier += below
    return found


def parent(pid: int) -> int:
    """The parent of `pid`, 0 when it is gone or a zombie."""
    fields = _stat(pid)
    return 0 if not fields or fields[0] == b"Z" else int(fields[1])


def start_time(pid: int) -> int:
    """When `pid` started, in clock ticks since boot; with the pid this names a process for ever. 0 when it is gone."""
    fields = _stat(pid)
    return 0 if not fields or fields[0] == b"Z" else int(fields[19])


def resident_bytes(pids: Iterable[int]) -> int:
    """The sum of resident memory: cheap, and never below the real use, because shared pages count more than once."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
                total += int(file.read().split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            continue
    return total


def proportional_bytes(pids: Iterable[int]) -> int:
    """The sum of memory with shared pages divided among those who share them (PSS); exact, and dearer."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
                for line in file:
                    if line.startswith((b"Pss:", b"SwapPss:")):
                        total += int(line.split()[1]) * 1024
        except OSError:
            total += resident_bytes([pid])
    return total


def high_water_bytes(pid: int) -> int:
    """The most resident memory that `pid` itself has had; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def kill_tree(pid: int) -> None:
    """SIGKILL `pid` and everything below it. `pid` must be a child of ours, or certain not to be reused meanwhile."""
    send(pid, signal.SIGSTOP)
    stopped = [pid]
    known = {pid}
    grown = True
    while grown:
        grown = False
        for one in list(stopped):
            for child in children(one):
                if child in known:
                    continue
                known.add(child)
                send(child, signal.SIGSTOP)
                if parent(child) in known:
                    stopped.append(child)
                    grown = True
                else:  # it ended between our look and our signal, and its number may be somebody else's by now
                    send(child, signal.SIGCONT)
    for one in stopped:
        send(one, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """A signal for `pid`, if it is still there; who calls makes sure that the number is still the same process's."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def states(pid: int) -> set[bytes]:
    """The states of its threads as the letters of /proc (R, S, D, T, Z …); nothing when it is gone."""
    found: set[bytes] = set()
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib is not loaded here
    except OSError:
        return found
    for thread in threads:
        fields = _stat(str(pid) + "/task/" + thread)
        if fields:
            found.add(fields[0])
    return found


def cpu_ticks(pid: int) -> int:
    """The CPU time of `pid` and of the children that were waited for, in clock ticks; 0 when it is gone."""
    return sum(int(field) for field in _stat(pid)[11:15])


def _stat(pid: int | str) -> list[bytes]:
    """The fields of /proc/<pid>/stat after the name, from state and parent on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _children_by_search(pid: int) -> list[int]:
    """Children on a kernel without the `children` file."""
    names = os.listdir("/proc")  # noqa: PTH208 - pathlib is not loaded here
    return [int(name) for name in names if name.isdigit() and _parent_or_zombie(int(name)) == pid]


def _parent_or_zombie(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0
