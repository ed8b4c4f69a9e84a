"""The control group that a container engine has made for a container: looked at like one of ours, never made.

Its bounds are the engine's. It may go at any moment, because the engine removes it when the container has ended; with
version 1 that looks like an alarm. An alarm comes before anything is ended or counted, and an end after the files are
gone, so the two are told apart by whether there is something to read.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from .groups import Group
from .loop import Loop

_ROOT = "/sys/fs/cgroup"
_MARK = "/libpod-"
"""Part of the names of podman's groups: one without it is not the container's alone."""
_UNIFIED = 2


class EngineGroup(Group):
    """The groups of a container in `directories`."""

    def watch(self, loop: Loop, on_over: Callable[[], None]) -> None:
        """See `Group.watch`; the group's own end is no alarm."""
        super().watch(loop, lambda: on_over() if self._read("memory", self._events) else None)

    def bounded(self, bytes_max: int) -> bool:
        """Whether it holds memory to so much."""
        text = self._read("memory", "memory.limit_in_bytes" if self._version == 1 else "memory.max").strip()
        return text.isdigit() and int(text) <= bytes_max


def adopted(pid: int, memory_bytes_max: int) -> EngineGroup | None:
    """The group of the container whose first process is `pid`.

    None where the engine has made none, and where that does not hold memory to `memory_bytes_max`: then the guard must.
    """
    try:
        with open("/proc/" + str(pid) + "/cgroup", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib is not loaded here
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    first: dict[str, str] = {}
    second = ""
    for _, names, path in lines:
        if _MARK not in path:
            continue
        if not names:
            second = _ROOT + path
        for name in names.split(","):
            place = _ROOT + "/" + name + path
            if name in {"memory", "pids", "cpu", "cpuacct"} and os.path.isdir(place):  # noqa: PTH112 - as above
                first[name] = place
    group: EngineGroup | None = None
    if "memory" in first:
        group = EngineGroup(1, first)
    elif second and os.path.exists(second + "/memory.current"):  # noqa: PTH110 - as above
        group = EngineGroup(_UNIFIED, dict.fromkeys(("memory", "pids", "cpu", "freezer"), second))
    if group is None or not group.bounded(memory_bytes_max):
        return None
    group.look()
    return group
