"""An instance's output: one pipe for both streams, so that their lines keep their order.

User code is never made to wait: everything is read, and what is over the rate is dropped from the middle, with a count.
Up to the rate a piece goes out at once; past it the newest part is held back and goes out when the rate allows or the
execution ends, so the last words before a failure are always there.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable

from .loop import Loop, Timer

READ_BYTES = 64 * 1024
BURST_BYTES = 256 * 1024
BYTES_PER_SECOND = 1024 * 1024
TAIL_BYTES = 64 * 1024
_PAUSE_SECONDS = 0.1
_PIPE_BYTES_MAX = 1024 * 1024
_F_GETPIPE_SZ = 1032


class Output:
    """The pipe `fd`; `forward(dropped, piece)` gets what it is allowed to have."""

    def __init__(self, loop: Loop, fd: int, forward: Callable[[int, bytes], None]) -> None:
        self._loop, self._fd, self._forward = loop, fd, forward
        self._tail = bytearray()
        self._dropped = 0
        self._allowance = float(BURST_BYTES)
        self._counted_at = time.monotonic()
        self._timer: Timer | None = None
        os.set_blocking(fd, False)
        loop.watch(fd, self._readable)

    def begin(self) -> None:
        """An execution begins: what was written before it belongs to nobody."""
        self._empty(keep=False)
        self._tail.clear()
        self._dropped = 0

    def finish(self) -> None:
        """Forward all that was written up to now; the pipe holds no more than its size of it."""
        self._empty(keep=True)
        self._release(len(self._tail))

    def close(self) -> None:
        """Stop reading."""
        if self._fd >= 0:
            self._loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _readable(self, _: int) -> None:
        data = self._read()
        if data is None:
            return
        if data:
            self._take(data)
        else:
            self._loop.unwatch(self._fd)

    def _read(self) -> bytes | None:
        """A piece, b"" at the end, None when there is nothing now."""
        if self._fd < 0:
            return b""
        try:
            return os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return None

    def _empty(self, *, keep: bool) -> None:
        if self._loop.quiet(self._fd):  # what ends an execution arrives after what it wrote, or together with it
            return
        left = 0
        while True:
            data = self._read()
            if not data:
                return
            if keep:
                self._take(data)
            if not left:
                left = self._pipe_bytes()
            left -= len(data)
            if left <= 0:
                return

    def _pipe_bytes(self) -> int:
        try:
            return fcntl.fcntl(self._fd, _F_GETPIPE_SZ)
        except OSError:
            return _PIPE_BYTES_MAX

    def _take(self, data: bytes) -> None:
        if not self._tail:
            self._refill()
            if len(data) <= self._allowance:
                self._allowance -= len(data)
                dropped, self._dropped = self._dropped, 0
                self._forward(dropped, data)
                return
        self._tail += data
        over = len(self._tail) - TAIL_BYTES
        if over > 0:
            del self._tail[:over]
            self._dropped += over
        if self._timer is None:
            self._timer = self._loop.later(_PAUSE_SECONDS, self._pause_over)

    def _pause_over(self) -> None:
        self._timer = None
        self._refill()
        self._release(min(len(self._tail), int(self._allowance)))
        if self._tail:
            self._timer = self._loop.later(_PAUSE_SECONDS, self._pause_over)

    def _release(self, count: int) -> None:
        if not count:
            return
        piece = bytes(self._tail[:count])
        del self._tail[:count]
        self._allowance = max(self._allowance - count, 0.0)
        dropped, self._dropped = self._dropped, 0
        self._forward(dropped, piece)

    def _refill(self) -> None:
        now = time.monotonic()
        earned = (now - self._counted_at) * BYTES_PER_SECOND
        self._allowance = min(self._allowance + earned, float(BURST_BYTES))
        self._counted_at = now
