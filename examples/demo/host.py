"""The server as the demo sees it: a process that is started, killed with SIGKILL, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sojourn.client import Connection, from_environment

RETRY_SECONDS = "0.5"
"""The first wait before a retry; the default of 1 s doubles the waiting and shows nothing more."""


class Host:
    """One server on `directory`; its own log goes to `server.log` there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start the server and wait until it answers; returns its ready line."""
        command = [str(Path(sys.executable).with_name("sojourn")), "serve", "--listen", "127.0.0.1:0"]
        with (self.directory / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(self.directory / "data")],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"SOJOURN_RETRY_BASE_SECONDS": RETRY_SECONDS},
            )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for above
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"the server did not start:\n{(self.directory / 'server.log').read_text()}")
        return line

    def connection(self) -> Connection:
        """How to reach it: from the credentials file in its data directory."""
        return from_environment({"SOJOURN_DATA_DIR": str(self.directory / "data")})

    def kill(self) -> str:
        """SIGKILL: no chance to tidy up."""
        process = self._alive()
        process.kill()
        process.wait()
        return f"server process {process.pid} killed with SIGKILL, exit status {process.returncode}"

    def stop(self) -> int:
        """SIGTERM: drain and end; returns the exit status."""
        process = self._alive()
        process.send_signal(signal.SIGTERM)
        return process.wait()

    def kill_quietly(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            raise SystemExit("the server ended by itself, see server.log")
        return self._process
