"""The program of a custom or compiled runtime: started as a child of the instance's first process, watched to its end.

Whoever starts it stays the first process, so that the end of the program ends the instance. Children that lost their
parents come to us and are waited for too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Sequence

from . import tree
from .failure import StartFailed
from .loop import exited

NOT_FOUND, EXITED, NOT_STARTED = "CAFileNotFound", "CAExited", "FunctionNotStarted"
"""Function Compute's codes for instances that do not start."""
_CODE = "/code/"
_SIGNAL_BASE = 128
_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
"""Signals that Python treats in its own way and other programs expect untouched."""


class Program:
    """`command`, which is started with `start`; a path below /code means one below `root`."""

    def __init__(self, command: Sequence[str], root: str) -> None:
        self.command = [root + "/" + word[len(_CODE) :] if word.startswith(_CODE) else word for word in command]
        self.shown = " ".join(self.command)
        self.pid = 0
        self.code: int | None = None
        """Its exit code once it has ended: 128 and the signal's number when a signal did it."""
        self.ended = threading.Event()
        self._how = ""

    def start(self) -> None:
        """Start it, as `pid`, a child of ours.

        Raises
        ------
        StartFailed: its file is not there or cannot be executed.

        """
        try:
            self.pid = os.posix_spawnp(self.command[0], self.command, os.environ, setsigdef=_RESET)
        except OSError as error:
            raise StartFailed(NOT_FOUND, self._refusal(error)) from None

    def reap(self) -> bool:
        """Wait for what has ended; True when the program has."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self.pid:
                code, number = exited(status)
                self._how = "exit status " + str(code) if number is None else signal.Signals(number).name
                self.code = _SIGNAL_BASE + number if number is not None else code
                self.ended.set()
        return self.code is not None

    def exit_message(self) -> str:
        """How it ended, in Function Compute's words."""
        line = self.shown
        return (
            "Function instance exited unexpectedly(code "
            + str(self.code)
            + ", message:"
            + self._how
            + ") with start command '"
            + line
            + "'"
        )

    def terminate(self) -> None:
        """SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    @property
    def gone(self) -> bool:
        """Whether nothing of it runs any more, although nobody may have been told of its end yet."""
        return runs_no_more(self.pid)

    def peak_bytes(self) -> int:
        """The highest resident memory of it and of its children that were waited for; 0 when it is gone."""
        return tree.high_water_bytes(self.pid)

    def _refusal(self, error: OSError) -> str:
        """Why it could not be executed, as far as its file shows it."""
        name = self.command[0]
        if "/" not in name:
            return "the start command '" + name + "' is not found on PATH (" + os.environ.get("PATH", "") + ")"
        if not os.path.exists(name):  # noqa: PTH110 - as above
            return "the start file " + name + " does not exist"
        if isinstance(error, PermissionError):
            return "the start file " + name + " is not executable: give it mode 755 before it is zipped"
        if isinstance(error, FileNotFoundError):
            return "the start file " + name + " names an interpreter (after #!) that does not exist"
        return "the start file " + name + " cannot be executed: " + str(error.strerror)


def runs_no_more(pid: int) -> bool:
    """Whether `pid` has ended, waited for or not."""
    return not tree.states(pid) - {b"Z", b"X"}
