"""A small event loop on epoll: descriptors, timers, children, and work at the end of a turn.

Agent and zygotes run on it. It knows nothing of frames or instances. (`asyncio` costs 40 ms of imports in a process
that should be there in less.)
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import signal
import socket
import time
from collections.abc import Callable


class Timer:
    """A call that is due once, unless it is cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Take the call back; cancelling twice is fine."""
        self.callback = None


class Loop:
    """Runs callbacks; `turn` does one round of them."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._ready: frozenset[int] | set[int] = frozenset()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._ends: list[Callable[[], None]] = []
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self.ended = False

    def watch(self, fd: int, callback: Callable[[int], None], *, write: bool = False) -> None:
        """Call `callback(events)` when `fd` is readable, with `write` also when it is writable."""
        events = select.EPOLLIN | (select.EPOLLOUT if write else 0)
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Forget `fd`; do this before closing it."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def quiet(self, fd: int) -> bool:
        """Whether `fd` is watched and had nothing to be read when this turn began: a read would be in vain."""
        return fd in self._callbacks and fd not in self._ready

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` in `seconds`."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` when everything that is ready now has been seen to."""
        self._ends.append(callback)

    def on_children(self, callback: Callable[[], None]) -> None:
        """Call `callback` after a child changed its state."""
        wake_read, wake_write = socket.socketpair()
        wake_read.setblocking(False)
        wake_write.setblocking(False)
        self._wake = (wake_read, wake_write)

        def woken(_: int) -> None:
            try:
                while wake_read.recv(4096):
                    pass
            except BlockingIOError:
                pass
            callback()

        self.watch(wake_read.fileno(), woken)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def time(self) -> float:
        """The clock of timers: seconds that never step back."""
        return time.monotonic()

    def turn(self) -> None:
        """Wait for something to do, and do it."""
        timeout = None
        if self._timers:
            timeout = max(self._timers[0][0] - time.monotonic(), 0.0)
        callbacks = self._callbacks
        found = [(fd, events, callbacks.get(fd)) for fd, events in self._epoll.poll(timeout, len(callbacks) + 1)]
        self._ready = {fd for fd, _, _ in found}
        for fd, events, callback in found:
            if callback is None or callbacks.get(fd) is not callback:
                continue  # an earlier callback of this turn closed it
            callback(events)
            if self.ended:
                return
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            due = heapq.heappop(self._timers)[2].callback
            if due is not None:
                due()
                if self.ended:
                    return
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    def close(self) -> None:
        """Let go of what it waits with; what it watched is its owners' to close."""
        self._epoll.close()

    def run(self) -> None:
        """Turn until `ended`."""
        while not self.ended:
            self.turn()


def exited(status: int) -> tuple[int | None, int | None]:
    """The exit code or else the signal in a wait status."""
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None
