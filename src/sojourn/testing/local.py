"""A server for tests: a process of its own, a free port, a temporary data directory, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from .ready import Ready

if TYPE_CHECKING:
    from sojourn.client import Client, Connection

START_SECONDS_MAX = 30.0
END_SECONDS_MAX = 20.0
DEFAULTS: Mapping[str, str] = {
    "host": "127.0.0.1",
    "port": "0",
    "sandbox": "auto",
    "drain_seconds": "0",
    "grace_seconds": "0.2",
    "retry_base_seconds": "0.05",
    "retry_cap_seconds": "1",
}
"""What makes tests quick; any of it, and every other setting of the server, may be given otherwise."""


class LocalServer:
    """A server that is started by `start` or by entering it, and ended by `close` or by leaving it.

    Parameters
    ----------
    settings: settings of the server by their names without SOJOURN_, such as `{"time_scale": 60}`; see
        docs/operating.md.

    """

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        self.settings = {**DEFAULTS, **{name: str(value) for name, value in (settings or {}).items()}}
        self.directory = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = Ready("", "", "", "")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return self._ready.endpoint

    @property
    def account_id(self) -> str:
        """The owner's account."""
        return self._ready.account_id

    @property
    def connection(self) -> Connection:
        """The endpoint and the owner's key pair."""
        from sojourn.client import Connection  # noqa: PLC0415 - see `start`

        return Connection(self.endpoint, self._ready.access_key_id, self._ready.access_key_secret)

    @property
    def environ(self) -> dict[str, str]:
        """Variables that lead the command line, `sojourn.client` and the official SDKs' key lookup to it."""
        return {
            "SOJOURN_ENDPOINT": self.endpoint,
            "SOJOURN_ACCESS_KEY_ID": self._ready.access_key_id,
            "SOJOURN_ACCESS_KEY_SECRET": self._ready.access_key_secret,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": self._ready.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": self._ready.access_key_secret,
            "FC_CLIENT_CUSTOM_ENDPOINT": self.endpoint,
        }

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")

    def client(self) -> Client:
        """A client with the owner's key; it is the caller's to close."""
        from sojourn.client import Client  # noqa: PLC0415 - see `start`

        return Client(self.connection)

    def start(self) -> None:
        """Start it; on return it answers.

        Raises
        ------
        RuntimeError: it did not start; the message holds what it said.

        """
        self.directory = Path(tempfile.mkdtemp(prefix="sojourn-pytest-"))
        given = {f"SOJOURN_{name.upper()}": value for name, value in self.settings.items()}
        rest = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sojourn.testing.child"],
                env={**rest, "SOJOURN_DATA_DIR": str(self.directory / "data"), **given},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # an interrupt in the terminal is for the tests; this ends with its input
            )
        import sojourn.client  # noqa: F401, PLC0415 - it is needed next, and takes as long as the server's start

        line = self._first_line()
        try:
            self._ready = msgspec.json.decode(line, type=Ready)
        except msgspec.DecodeError:
            said = self.log
            self.close()
            raise RuntimeError(f"the server did not start; it said:\n{said}") from None

    def close(self) -> None:
        """End it and everything in it. Closing twice is fine."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None  # noqa: S101 - it was asked for
            assert process.stdout is not None  # noqa: S101 - as above
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:  # its sandboxes' agents end when it goes
                process.kill()
                process.wait()
            process.stdout.close()
        if self.directory != Path():
            shutil.rmtree(self.directory, ignore_errors=True)

    def _first_line(self) -> bytes:
        assert self._process is not None  # noqa: S101 - the caller has just started it
        assert self._process.stdout is not None  # noqa: S101 - as above
        pipe, deadline, line = self._process.stdout.fileno(), time.monotonic() + START_SECONDS_MAX, b""
        while not line.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
            if not select.select([pipe], [], [], left)[0]:
                break
            piece = os.read(pipe, 65536)
            if not piece:
                break
            line += piece
        return line
