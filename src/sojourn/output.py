"""What one attempt writes, bounded: the first and the last part are kept, what falls between is counted.

A function that floods its output costs 64 KiB and not more (Firecracker's warning about consoles applies to every
runner). The pieces come from `sandbox`, the result goes to `store` as a `Log`.
"""

from __future__ import annotations

from .store import Log

HEAD_BYTES_MAX = 16 * 1024
TAIL_BYTES_MAX = 48 * 1024


class Output:
    """A growing piece of text with a hole in the middle."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def write(self, piece: bytes, dropped: int = 0) -> None:
        """Add `piece`, which came after `dropped` bytes that nobody kept."""
        if not dropped and not self._tail and not self._dropped:
            room = HEAD_BYTES_MAX - len(self._head)
            self._head += piece[:room]
            piece = piece[room:]
        if not piece and not dropped:
            return
        self._dropped += dropped
        self._tail += piece
        over = len(self._tail) - TAIL_BYTES_MAX
        if over > 0:
            del self._tail[:over]
            self._dropped += over

    def log(self, attempt: int) -> Log | None:
        """What attempt number `attempt` wrote; None when it was silent."""
        if not self._head and not self._tail and not self._dropped:
            return None
        return Log(attempt, bytes(self._head), bytes(self._tail), self._dropped)
