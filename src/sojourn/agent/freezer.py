"""How an instance is frozen: the seam for whatever a machine offers.

A freezer takes the CPU from a whole tree and gives it back. `freeze` may take its time and says when it is done;
`thaw` does not: what is sent to the instance afterwards waits in its socket for the moment it runs again.
"""

from __future__ import annotations

from .resident import Resident


class SignalFreezer:
    """Freezes by SIGSTOP: the zygote walks the tree, because only it may signal its instances."""

    def freeze(self, resident: Resident, request: int) -> None:
        """Freeze it; the zygote's message `frozen` with `request` says that nothing of it runs any more."""
        resident.zygote.send({"number": resident.number, "freeze": request}, [])

    def thaw(self, resident: Resident) -> None:
        """Let it run again."""
        resident.zygote.send({"number": resident.number, "thaw": True}, [])
