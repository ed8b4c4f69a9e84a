"""The memory peak of one attempt, where the kernel lets a process forget an earlier one.

A process's high-water mark covers its life. The kernel takes it back to what is resident now when `5` is written to the
process's own `clear_refs`; where that is not possible the mark stays what it was, which is never too low. Children that
were waited for have one mark for all of them that cannot be taken back: it counts for the attempt that raised it.
"""

from __future__ import annotations

import os
import resource


class Peak:
    """The high-water mark since `begin`."""

    def __init__(self) -> None:
        self._used = False
        self._children = 0
        self._possible = True

    def begin(self) -> None:
        """An attempt begins; the first one has the start of the process for its own."""
        if not self._used:
            self._used = True
        elif self._possible:
            try:
                fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(fd, b"5")
                finally:
                    os.close(fd)
            except OSError:
                self._possible = False

    def bytes(self) -> int:
        """The highest resident memory since then, of this process or of a child that was waited for."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        if children > self._children:
            self._children = children
            own = max(own, children)
        return own * 1024
