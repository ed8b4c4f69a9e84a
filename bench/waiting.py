"""Waiting for what a server does by itself, and giving up."""

from __future__ import annotations

import time
from collections.abc import Callable

from .failure import NotMeasured

WAIT_SECONDS_MAX = 120.0
POLL_SECONDS = 0.002


def until(holds: Callable[[], bool], what: str) -> None:
    """Ask again and again until `holds` is true; `what` names it.

    Raises
    ------
    NotMeasured: it did not come about in time.

    """
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        if time.monotonic() > deadline:
            raise NotMeasured(f"{what}: not within {WAIT_SECONDS_MAX:g} s")
        time.sleep(POLL_SECONDS)
