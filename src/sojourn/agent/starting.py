"""How long to wait for a program of the user's, and what shows that it serves.

A program serves when it accepts connections on its port, or when it asks the runtime API for work. A health check that
is configured must succeed as often as it says; it comes after Initializer, as in Function Compute, and before the first
invocation in any case.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from .failure import FunctionError, StartFailed
from .http_contract import HttpContract
from .program import EXITED, NOT_STARTED, Program
from .runtime_api import RuntimeApi

START_SECONDS_MAX = 120.0
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.002, 0.1


def wait_until_served(program: Program, api: RuntimeApi | None, port: int | None) -> bool:
    """Wait until the program serves; True when it does so on `port`, False when it asks the runtime API.

    Parameters
    ----------
    program: was started just now.
    api: what it may ask, None when there is nothing to ask.
    port: where it may listen; None when it must ask.

    Raises
    ------
    StartFailed: it ended, reported an error, or did not serve within two minutes.

    """
    deadline = time.monotonic() + START_SECONDS_MAX
    pause = _PAUSE_SECONDS_MIN
    while time.monotonic() < deadline:
        ended = program.reap()
        if api is not None and api.init_error:
            raise StartFailed(NOT_STARTED, "The program reported that it cannot start: " + api.init_error)
        if ended:
            raise StartFailed(EXITED, program.exit_message())
        if port is not None and _accepts(port):
            return True
        if api is None:
            time.sleep(pause)
        elif api.asked.wait(pause):
            return False
        pause = min(pause * 1.5, _PAUSE_SECONDS_MAX)
    seconds = str(int(START_SECONDS_MAX))
    if port is None:
        raise StartFailed(NOT_STARTED, "Function instance did not ask for an invocation in " + seconds + " seconds")
    raise StartFailed(NOT_STARTED, health_message(port))


def health_message(port: int) -> str:
    """Function Compute's words for a program that does not serve."""
    return f"Function instance health check failed on port {port} in {int(START_SECONDS_MAX)} seconds"


class Health:
    """The health check `configured` of the program behind `contract`."""

    def __init__(self, configured: dict[str, Any], contract: HttpContract, port: int) -> None:
        self._configured, self._contract, self._port = configured, contract, port
        self._checked_at: float | None = None

    def must_hold(self, program: Program) -> None:
        """Check it unless it held within the last period; a failing program is given its threshold of tries.

        Raises
        ------
        FunctionError: it is not healthy.

        """
        facts, first = self._configured, self._checked_at is None
        now = time.monotonic()
        if self._checked_at is not None and now - self._checked_at < facts["period_seconds"]:
            return
        if first:
            program.ended.wait(facts["initial_delay_seconds"])
        good, bad = 0, 0
        needed = int(facts["success_threshold"]) if first else 1
        while not program.ended.is_set():
            if self._contract.healthy(str(facts["http_get_url"]), float(facts["timeout_seconds"])):
                good, bad = good + 1, 0
                if good >= needed:
                    self._checked_at = time.monotonic()
                    return
            else:
                good, bad = 0, bad + 1
                if bad >= facts["failure_threshold"]:
                    break
            program.ended.wait(facts["period_seconds"])
        path = str(facts["http_get_url"])
        raise FunctionError(NOT_STARTED, f"Function instance health check failed on port {self._port}: GET {path}")


def _accepts(port: int) -> bool:
    """Whether somebody accepts connections on a port of the loopback."""
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex(("127.0.0.1", port)) == 0
