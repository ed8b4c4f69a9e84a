"""A stream: frames over a non-blocking socket, written in batches.

It keeps what the other side does not take yet and says how much that is; whether to go on producing is left to the
caller.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from . import frames
from .loop import Loop

READ_BYTES = 256 * 1024


class Stream:
    """The frames on `sock`.

    `on_frame(kind, request, instance, body)` gets each one, `on_end(reason)` is called once when the other side is gone
    or says something that is not a frame.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        on_frame: Callable[[int, int, int, bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._loop, self._sock, self._on_frame, self._on_end = loop, sock, on_frame, on_end
        self._parser = frames.Parser()
        self._out: list[bytes | memoryview] = []
        self._planned = False
        self._stuck = False
        self.waiting_bytes = 0
        self.open = True
        sock.setblocking(False)
        loop.watch(sock.fileno(), self._ready)

    def send(self, frame: bytes) -> None:
        """Write `frame`, at the latest at the end of this turn."""
        if not self.open:
            return
        self._out.append(frame)
        self.waiting_bytes += len(frame)
        if not self._planned and not self._stuck:
            self._planned = True
            self._loop.at_turn_end(self.flush)

    def flush(self) -> None:
        """Write as much as the socket takes."""
        self._planned = False
        while self._out and self.open:
            data = self._batch()
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._end(str(error))
                return
            self.waiting_bytes -= sent
            if sent < len(data):
                self._out.insert(0, memoryview(data)[sent:])
                break
        if self.open and self._stuck != bool(self._out):
            self._stuck = bool(self._out)
            self._loop.watch(self._sock.fileno(), self._ready, write=self._stuck)

    def close(self) -> None:
        """Stop listening and close the socket; nothing is called after this."""
        if self.open:
            self.open = False
            self._loop.unwatch(self._sock.fileno())
            self._sock.close()
            self._out.clear()

    def _batch(self) -> bytes | memoryview:
        """What is written next in one piece: small frames together, a big one without copying it."""
        taken, size = 0, 0
        while taken < len(self._out) and size < READ_BYTES:
            size += len(self._out[taken])
            taken += 1
        data = self._out[0] if taken == 1 else b"".join(self._out[:taken])
        del self._out[:taken]
        return data

    def _ready(self, _: int) -> None:
        if self._stuck:
            self.flush()
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(str(error))
            return
        if not data:
            self._end("")
            return
        try:
            found = self._parser.feed(data)
        except frames.Malformed as error:
            self._end("not a frame: " + str(error))
            return
        for kind, request, instance, body in found:
            self._on_frame(kind, request, instance, body)
            if not self.open:
                return

    def _end(self, reason: str) -> None:
        if self.open:
            self.close()
            self._on_end(reason)
