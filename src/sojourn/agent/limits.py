"""What holds instances to their limits: a group of their own where there is one, else the guard that looks.

Whoever holds them also counts for them. What a group has counted is put in the place of what an instance says about
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import frames
from .engine_group import adopted
from .groups import Group, Groups
from .guard import Guard
from .loop import Loop
from .resident import Resident

_PEAK = slice(9, 17)
"""Where a RESULT or HOOKED body says the memory peak."""


class Limits:
    """Of all instances of an agent; `on_over(number)` is called for one that is over its memory."""

    def __init__(self, loop: Loop, groups: Groups, on_over: Callable[[int], None]) -> None:
        self._loop, self._groups, self._on_over = loop, groups, on_over
        self._guard = Guard(loop, on_over)

    def impose(self, resident: Resident, spec: dict[str, Any]) -> None:
        """Make a group for an instance that is about to be made; `spec` tells it."""
        cpu = spec.get("cpu")
        group = self.enclose(resident.memory.limit_bytes, float(cpu) if cpu is not None else None, spec)
        if group is not None:
            resident.group = group
            group.watch(self._loop, lambda: self._filled(resident))

    def enclose(self, memory_bytes: int, cpu: float | None, spec: dict[str, Any]) -> Group | None:
        """A group for what is about to be made of `spec`, which is told; None where there is none to be had."""
        group = self._groups.make(memory_bytes, cpu)
        if group is not None:
            spec["groups"] = group.entries
            spec["held"] = [one for one in ("memory", "pids") if group.holds(one)]
            self._loop.at_turn_end(self._groups.prepare)
        return group

    def _filled(self, resident: Resident) -> None:
        if resident.group is not None:
            resident.files_bytes = resident.group.files_bytes
            self._on_over(resident.number)

    def adopt(self, resident: Resident) -> None:
        """Look at the group that a container engine holds the process of `resident` with, if it does."""
        resident.group = group = adopted(resident.memory.pid, resident.memory.limit_bytes)
        if group is not None:
            group.watch(self._loop, lambda: self._filled(resident))

    def outside(self, resident: Resident) -> None:
        """It could not walk into its group: do without."""
        if resident.group is not None:
            resident.group.destroy()
            resident.group = None

    def begin(self, resident: Resident) -> None:
        """It runs something from now on; counts begin anew unless something ran already."""
        busy = resident.requests or resident.hooks.running
        if resident.group is not None and not busy:
            resident.group.begin()
        if resident.group is None or not resident.group.holds("memory"):
            self._guard.begin(resident.number, resident.memory)

    def end(self, resident: Resident) -> None:
        """It runs nothing any more."""
        self._guard.end(resident.number)

    def counted(self, resident: Resident, body: bytes) -> bytes:
        """A RESULT or HOOKED body with the peak that was counted, where somebody counts."""
        peak_bytes = resident.group.peak_bytes if resident.group is not None else 0
        if not peak_bytes:
            return body
        return b"".join((body[: _PEAK.start], peak_bytes.to_bytes(8, "big"), memoryview(body)[_PEAK.stop :]))

    def refused(self, resident: Resident, body: bytes) -> int:
        """How many processes a failed execution was not allowed to start; not looked at for one that went well."""
        return resident.group.refused if resident.group is not None and body[0] != frames.OK else 0

    def settle(self, resident: Resident) -> None:
        """Nothing of it is left: take the last counts, and its group away."""
        self._guard.end(resident.number)
        group = resident.group
        if group is None:
            return
        resident.oom = resident.oom or group.oom_kills > 0
        resident.refused = group.refused
        resident.memory.peak_bytes = group.peak_bytes or resident.memory.peak_bytes
        resident.peak_bytes = max(resident.peak_bytes, resident.memory.peak_bytes)
        resident.group = None
        group.destroy()
