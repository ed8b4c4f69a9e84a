"""The agent's view of a zygote: started when first needed, spoken to in messages, noticed when it dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, Protocol

from .loop import Loop
from .messages import Messages

_CONTROL_FD = 3
_WORDS_BYTES_MAX = 4096


class Parent(Protocol):
    """What instances are forked from, as the agent sees it: a zygote, or a template that a zygote made."""

    pid: int
    ready: bool
    alive: bool

    @property
    def root(self) -> ZygoteHandle:
        """The zygote that it stands or falls with."""
        ...

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Send `message`; the descriptors are closed once they are on their way."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def last_words(self) -> str:
        """Why it could not start."""
        ...


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
        self._on_message = on_message
        self._messages = Messages(loop, self._said, lambda: None)
        theirs = self._messages.theirs
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
            self._messages.close()
            os.close(self._words_fd)
            raise
        finally:
            theirs.close()
            os.close(words)
            os.close(empty)
        os.set_blocking(self._words_fd, False)

    @property
    def root(self) -> ZygoteHandle:
        """Itself."""
        return self

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Send `message`, see `Messages.send`."""
        self._messages.send(message, descriptors)

    def last_words(self) -> str:
        """What it wrote before it was ready: why it could not start."""
        try:
            return os.read(self._words_fd, _WORDS_BYTES_MAX).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def hang_up(self) -> None:
        """Tell it to end its instances and go, and wait for its end as a child's."""
        self._messages.hang_up()

    def kill(self) -> None:
        """End it at once; what it leaves behind becomes ours."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of one that is dead."""
        if self.alive:
            self.alive = False
            self._messages.close()
            os.close(self._words_fd)

    def _said(self, message: dict[str, Any], _sender: int) -> None:
        if "ready" in message:
            self.ready = True
        else:
            self._on_message(message)
