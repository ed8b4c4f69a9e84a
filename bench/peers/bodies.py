"""What the tasks of the comparison do: the same code in every peer's worker. Standard library only.

Each body but `noop` is given a directory of its own and leaves signs of life there, so that whoever stops a task, or
kills its worker, can see from outside what is left of it, whatever the peer says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

BEAT_SECONDS = 0.01
LIFE_SECONDS = 120.0
"""No body outlives this, whatever goes wrong."""


def perform(body: str, place: str) -> str:
    """Do `body`, leaving signs in the directory `place`."""
    if body != "noop":
        {"loop": _loop, "sleep": _sleep, "grandchild": _grandchild, "once": _once}[body](Path(place))
    return "done"


def _loop(place: Path) -> None:
    """Compute without ever pausing; a beat is written now and then."""
    _started(place)
    end, beat = time.monotonic() + LIFE_SECONDS, 0.0
    try:
        while time.monotonic() < end:
            if time.monotonic() >= beat:
                (place / "beat").write_text(str(time.monotonic()))
                beat = time.monotonic() + BEAT_SECONDS
    finally:
        (place / "ended").touch()


def _sleep(place: Path) -> None:
    """Wait in one system call."""
    _started(place)
    try:
        time.sleep(LIFE_SECONDS)
    finally:
        (place / "ended").touch()


def _grandchild(place: Path) -> None:
    """Wait for a child that has left the session."""
    command = [sys.executable, "-c", f"import time; time.sleep({LIFE_SECONDS})"]
    with subprocess.Popen(command, start_new_session=True) as child:
        (place / "child").write_text(str(child.pid))
        _started(place)
        try:
            child.wait()
        finally:
            (place / "ended").touch()


def _once(place: Path) -> None:
    """Hang at the first start, be done at once at any later one."""
    first = not (place / "started").exists()
    _started(place)
    if first:
        time.sleep(LIFE_SECONDS)


def _started(place: Path) -> None:
    with (place / "started").open("a") as file:
        file.write(f"{os.getpid()} {time.time()}\n")
