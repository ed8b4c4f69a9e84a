"""How an instance is frozen: the seam for whatever a machine offers.

A freezer takes the CPU from a whole tree and gives it back. `freeze` may take its time and says when it is done;
`thaw` does not: what is sent to the instance afterwards waits in its socket for the moment it runs again.
"""

from __future__ import annotations

from collections.abc import Callable

from .loop import Loop
from .resident import Resident

_LOOK_SECONDS = 0.0005
_LOOKS_MAX = 1000
"""How often a group is looked at before it counts as frozen although some thread does not reach its stop."""


class Freezer:
    """Freezes by the instance's group where that can be, else by signals.

    `on_frozen(resident, request)` is called when an instance that has a group stands still.
    """

    def __init__(self, loop: Loop, on_frozen: Callable[[Resident, int], None]) -> None:
        self._loop, self._on_frozen = loop, on_frozen
        self._signals = SignalFreezer()

    def freeze(self, resident: Resident, request: int) -> None:
        """Freeze it, and say so with `request` when nothing of it runs any more."""
        if resident.group is not None and resident.group.freeze():
            self._look(resident, request, 0)
        else:
            self._signals.freeze(resident, request)

    def thaw(self, resident: Resident) -> None:
        """Let it run again."""
        if resident.group is None or not resident.group.thaw():
            self._signals.thaw(resident)

    def _look(self, resident: Resident, request: int, looks: int) -> None:
        if resident.group is None or resident.group.stands or looks >= _LOOKS_MAX:
            self._on_frozen(resident, request)
        else:
            self._loop.later(_LOOK_SECONDS, lambda: self._look(resident, request, looks + 1))


class SignalFreezer:
    """Freezes by SIGSTOP: the zygote walks the tree, because only it may signal its instances."""

    def freeze(self, resident: Resident, request: int) -> None:
        """Freeze it; the zygote's message `frozen` with `request` says that nothing of it runs any more."""
        resident.zygote.send({"number": resident.number, "freeze": request}, [])

    def thaw(self, resident: Resident) -> None:
        """Let it run again."""
        resident.zygote.send({"number": resident.number, "thaw": True}, [])
