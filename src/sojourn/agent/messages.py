"""Messages between the agent and what forks instances for it: JSON and descriptors, over a socket of packets.

The kernel says who sent each one. What a message means is left to the two ends.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from .loop import Loop
from .zygote import MESSAGE_BYTES_MAX

_CREDENTIALS = struct.Struct("3i")


class Messages:
    """The agent's end of a pair of sockets; `theirs` is the other end, to be handed on and closed.

    `on_message(message, sender_pid)` is called for each one, `on_end()` once when nobody holds the other end any more,
    or what was said there is no message.
    """

    def __init__(
        self, loop: Loop, on_message: Callable[[dict[str, Any], int], None], on_end: Callable[[], None]
    ) -> None:
        self._loop, self._on_message, self._on_end = loop, on_message, on_end
        self._waiting: list[tuple[bytes, list[int]]] = []
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._ours.setblocking(False)
        self.open = True
        loop.watch(self._ours.fileno(), self._ready)

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Send `message`; the descriptors are closed here once they are on their way.

        Raises
        ------
        ValueError: it is too long for one message.

        """
        data = json.dumps(message).encode()
        if len(data) > MESSAGE_BYTES_MAX:
            for fd in descriptors:
                os.close(fd)
            raise ValueError("the instance's specification has " + str(len(data)) + " bytes")
        self._waiting.append((data, descriptors))
        self._flush()

    def drain(self) -> None:
        """Take what has been said up to now."""
        if self.open:
            self._ready(0)

    def hang_up(self) -> None:
        """Say nothing more, and let the other end see that."""
        if self.open:
            self._loop.unwatch(self._ours.fileno())
            self._ours.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket, and of what did not get away."""
        if self.open:
            self.open = False
            self._loop.unwatch(self._ours.fileno())
            self._ours.close()
        for _, descriptors in self._waiting:
            for fd in descriptors:
                os.close(fd)
        self._waiting.clear()

    def _flush(self) -> None:
        while self._waiting and self.open:
            data, descriptors = self._waiting[0]
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            try:
                self._ours.sendmsg([data], ancillary)
            except BlockingIOError:
                break
            except OSError:
                return  # it is dead; its end is noticed as a child's
            self._waiting.pop(0)
            for fd in descriptors:
                os.close(fd)
        if self.open:
            self._loop.watch(self._ours.fileno(), self._ready, write=bool(self._waiting))

    def _ready(self, _: int) -> None:
        if self._waiting:
            self._flush()
        while self.open:
            try:
                data, ancillary, _flags, _address = self._ours.recvmsg(
                    MESSAGE_BYTES_MAX, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                data, ancillary = b"", []
            message = _read(data)
            if message is None:
                self._loop.unwatch(self._ours.fileno())
                self._on_end()
                return
            self._on_message(message, _sender(ancillary))


def _read(data: bytes) -> dict[str, Any] | None:
    """What was said; None when that is nothing, or no message: a template runs code of the function's."""
    try:
        message = json.loads(data)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The pid of the sender as this process sees it, 0 when the kernel does not say."""
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(content) >= _CREDENTIALS.size:
            return int(_CREDENTIALS.unpack_from(content)[0])
    return 0
