"""Which port a custom runtime's program is to listen on.

Instances that share a network must not be told the same one. The choice is held by an abstract socket named after the
port: such names belong to a network namespace just as ports do, exist once, and go with the process that holds them.
"""

from __future__ import annotations

import os
import socket
import time

_LOWEST, _HIGHEST = 10_000, 32_767
"""Below the ports that the kernel gives to outgoing connections, so that none of those takes a chosen one meanwhile."""
_TRIES = 200
_PAUSE_SECONDS = 0.05


class Port:
    """A port that nobody else is told while this object lives."""

    def __init__(self, number: int, hold: socket.socket) -> None:
        self.number, self._hold = number, hold

    def release(self) -> None:
        """Leave it to others."""
        self._hold.close()


def choose(wanted: int) -> Port:
    """`wanted` when it is free, else some other.

    Raises
    ------
    OSError: none is to be had.

    """
    found = _take(wanted)
    for _ in range(_TRIES):
        if found is not None:
            return found
        found = _take(_LOWEST + int.from_bytes(os.urandom(4), "big") % (_HIGHEST - _LOWEST))
    raise OSError("no port is free for the program to listen on")


def wait_for(number: int, seconds: float) -> Port | None:
    """Port `number` once it is free; None when it is not within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = _take(number)
        if found is not None or time.monotonic() > deadline:
            return found
        time.sleep(_PAUSE_SECONDS)


def _take(number: int) -> Port | None:
    """Port `number`, unless it is held or something listens on it."""
    hold = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        hold.bind("\0sojourn-port-" + str(number))
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("", number))
    except OSError:
        hold.close()
        return None
    return Port(number, hold)
