"""The container runtime: an image that a container engine runs, and that answers HTTP on a port.

This process is ours alone: it stays outside the container, starts it by the words that the host has put together,
walks into its network where that is a network of its own, and then serves like the custom runtime. The container's
processes are descendants of ours, because its monitor comes to us when the engine's command has ended; the monitor
ends with the exit status of the image's program, so it stands for the program here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import Any

from . import kernel, tree
from .failure import StartFailed
from .headers import Headers
from .http_contract import HttpContract
from .program import EXITED, NOT_FOUND, NOT_STARTED, Program, runs_no_more
from .serving import PORT_VARIABLES, serving, started
from .shim import Shim, settle
from .starting import wait_until_served

_NOT_EXECUTABLE, _NOT_THERE = 126, 127
"""What the engine's command ends with when the image's program cannot be executed, or is not there."""
_END_LOOKS_MAX, _END_PAUSE_SECONDS = 200, 0.01
"""How often, and how long in between, to look for the end of the monitor of a container that is gone."""


def prepare(channel: socket.socket, _root: str, spec: dict[str, Any]) -> Shim:
    """Start the container of the instance of `spec`, and wait until it serves.

    Raises
    ------
    StartFailed: it does not.

    """
    settle()
    wanted = int((spec.get("custom") or {}).get("port") or 9000)
    os.environ.clear()
    os.environ.update(spec["engine"]["environment"])

    def make(port: int) -> Container:
        container = Container(spec, port)
        container.start()
        return container

    port: int | None = wanted
    if spec["engine"]["own_network"]:
        container = make(wanted)
        container.enter_network()
        wait_until_served(container, None, wanted)
    else:
        container, port = started(make, None, wanted)
    assert port is not None  # noqa: S101 - only a runtime API could be asked instead, and there is none
    spec["contained_pid"] = container.inside
    contract = HttpContract(port, Headers(spec), container)
    return serving(channel, container, contract, port, spec)


class Container(Program):
    """The container of the instance of `spec`, told to listen on `port`; `inside` is its first process."""

    def __init__(self, spec: dict[str, Any], port: int) -> None:
        self._directory = str(spec["directory"])
        engine = spec["engine"]
        files = {"--pidfile": "pid", "--conmon-pidfile": "monitor", "--env-file": "environment"}
        words = [name + "=" + self._directory + "/" + file for name, file in files.items()]
        self._variables = {**spec["environment"], **dict.fromkeys(PORT_VARIABLES, str(port))}
        words += ["--env=" + name + "=" + value for name, value in self._variables.items() if "\n" in value]
        super().__init__([*engine["command"], *words, *engine["image"]], "/code")
        self.shown = str(engine["shown"])
        self.inside = 0
        self._fd = -1

    def start(self) -> None:
        """Start it, with `pid` its monitor.

        Raises
        ------
        StartFailed: the engine does not make it.

        """
        self._write_variables()
        super().start()
        _, status = os.waitpid(self.pid, 0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        if code in {_NOT_EXECUTABLE, _NOT_THERE}:
            raise StartFailed(NOT_FOUND, "the start command '" + self.shown + "' cannot be executed in the image")
        if code != 0:
            raise StartFailed(NOT_STARTED, "the container of '" + self.shown + "' could not be made")
        self.pid, self.inside = self._number("monitor"), self._number("pid")
        with contextlib.suppress(OSError, AttributeError):  # Python 3.8 has none
            self._fd = os.pidfd_open(self.inside)

    def terminate(self) -> None:
        """SIGTERM for the image's program."""
        with contextlib.suppress(OSError):
            if self._fd >= 0:
                signal.pidfd_send_signal(self._fd, signal.SIGTERM)
            else:
                os.kill(self.inside, signal.SIGTERM)

    @property
    def gone(self) -> bool:
        """Whether the image's program has ended; its monitor tells how, a little later."""
        return runs_no_more(self.inside)

    def peak_bytes(self) -> int:
        """The highest resident memory of the image's program."""
        return tree.high_water_bytes(self.inside)

    def enter_network(self) -> None:
        """Walk into its network, so that its loopback is ours.

        Raises
        ------
        StartFailed: it has ended.

        """
        try:
            if os.geteuid() != 0:  # a network belongs to the user namespace that it was made in
                kernel.enter(self.inside, "user", kernel.CLONE_NEWUSER)
            kernel.enter(self.inside, "net", kernel.CLONE_NEWNET)
        except OSError as error:
            self._await_end()
            if self.code is not None:
                raise StartFailed(EXITED, self.exit_message()) from None
            raise StartFailed(NOT_STARTED, "the container's network cannot be entered: " + str(error)) from None

    def _await_end(self) -> None:
        """Give the monitor the time to tell how a container that is gone went."""
        for _ in range(_END_LOOKS_MAX):
            if self.reap():
                return
            time.sleep(_END_PAUSE_SECONDS)

    def _number(self, file: str) -> int:
        try:
            with open(self._directory + "/" + file, encoding="ascii") as opened:  # noqa: PTH123 - pathlib is not loaded here
                return int(opened.read())
        except (OSError, ValueError):
            raise StartFailed(NOT_STARTED, "the container engine did not say where the container runs") from None

    def _write_variables(self) -> None:
        """Write the variables down for the engine: on its command line everybody can read them.

        A value with a line break is there all the same, because a line cannot hold it.
        """
        lines = [name + "=" + value + "\n" for name, value in self._variables.items() if "\n" not in value]
        fd = os.open(self._directory + "/environment", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.writelines(lines)
