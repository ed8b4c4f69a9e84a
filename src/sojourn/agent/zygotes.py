"""The agent's view of a zygote: started when first needed, spoken to in messages, noticed when it dies."""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Callable
from typing import Any

from .loop import Loop
from .zygote import MESSAGE_BYTES_MAX

_CONTROL_FD = 3
_WORDS_BYTES_MAX = 4096


class ZygoteHandle:
    """A zygote of `executable`.

    Parameters
    ----------
    loop: where its messages are waited for.
    executable: the interpreter.
    arguments: what follows the interpreter on its command line.
    on_message: gets each message about an instance.

    """

    def __init__(
        self, loop: Loop, executable: str, arguments: list[str], on_message: Callable[[dict[str, Any]], None]
    ) -> None:
        self.executable = executable
        self.ready = False
        self.alive = True
        self._loop, self._on_message = loop, on_message
        self._waiting: list[tuple[bytes, list[int]]] = []
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._words_fd, words = os.pipe()
        empty = os.open(os.devnull, os.O_RDWR)
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), 20),
            (os.POSIX_SPAWN_DUP2, words, 2),
            (os.POSIX_SPAWN_DUP2, empty, 0),
            (os.POSIX_SPAWN_DUP2, empty, 1),
            (os.POSIX_SPAWN_DUP2, 20, _CONTROL_FD),
            (os.POSIX_SPAWN_CLOSE, 20),
        ]
        try:
            command = [executable, "-I", "-S", *arguments]
            self.pid = os.posix_spawn(executable, command, dict(os.environ), file_actions=actions)
        except OSError:
            self._control.close()
            os.close(self._words_fd)
            raise
        finally:
            theirs.close()
            os.close(words)
            os.close(empty)
        self._control.setblocking(False)
        os.set_blocking(self._words_fd, False)
        loop.watch(self._control.fileno(), self._ready)

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

    def last_words(self) -> str:
        """What it wrote before it was ready: why it could not start."""
        try:
            return os.read(self._words_fd, _WORDS_BYTES_MAX).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def hang_up(self) -> None:
        """Tell it to end its instances and go, and wait for its end as a child's."""
        self._loop.unwatch(self._control.fileno())
        self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of one that is dead."""
        self.alive = False
        if self._control.fileno() >= 0:
            self._loop.unwatch(self._control.fileno())
            self._control.close()
            os.close(self._words_fd)
        for _, descriptors in self._waiting:
            for fd in descriptors:
                os.close(fd)
        self._waiting.clear()

    def _flush(self) -> None:
        while self._waiting and self.alive:
            data, descriptors = self._waiting[0]
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            try:
                self._control.sendmsg([data], ancillary)
            except BlockingIOError:
                break
            except OSError:
                return  # it is dead; its end is noticed as a child's
            self._waiting.pop(0)
            for fd in descriptors:
                os.close(fd)
        if self.alive:
            self._loop.watch(self._control.fileno(), self._ready, write=bool(self._waiting))

    def _ready(self, _: int) -> None:
        if self._waiting:
            self._flush()
        while self.alive:
            try:
                data = self._control.recv(MESSAGE_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._loop.unwatch(self._control.fileno())
                return
            message = json.loads(data)
            if "ready" in message:
                self.ready = True
            else:
                self._on_message(message)
