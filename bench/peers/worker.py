"""A peer's worker as a process: started, and ended with everything below it. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from .peer import Peer

REAP_SECONDS_MAX = 10.0


class Worker:
    """The worker of `peer`; what it prints is kept in `log`."""

    def __init__(self, peer: Peer, log: Path) -> None:
        self._peer, self._log = peer, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it in a session of its own."""
        environment = os.environ | {"PYTHONPATH": str(Path.cwd()), **self._peer.environment}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._peer.worker(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether its first process is there."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL for it and all below it, at once."""
        if self._process is None:
            return
        for pid in (self._process.pid, *descendants(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(REAP_SECONDS_MAX)
        self._process = None


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, as they stand now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found


def gone(pid: int) -> bool:
    """Whether a process is there no more, or only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True
