"""The product as a user runs it: `sojourn serve` in a process of its own, on a fresh data directory.

It decides how the server is started and ended and how functions get into it; what is asked of it and timed is left to
`measures`. Control calls go through `sojourn.client`.
"""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from sojourn.client import Client, Connection

from . import wire
from .wire import Line, Target

READY_SECONDS_MAX = 30.0
END_SECONDS_MAX = 30.0
WARMING_ROUNDS_MAX = 8
RUNTIME = f"python3.{sys.version_info.minor}"
MEMORY_MB = 128
HANDLER = """import time


def handler(event, context):
    if event.startswith(b"sleep "):
        time.sleep(float(event[6:]))
    return event
"""


class NotMeasured(Exception):
    """The server did not do what has to be done before something can be measured."""


class Served:
    """A running server; use it in a `with`.

    Parameters
    ----------
    directory: where its data directory is made, and removed again.
    sandbox: as in `sojourn serve --sandbox`.
    settings: environment variables of the server.

    """

    def __init__(self, directory: Path, sandbox: str, settings: Mapping[str, str] | None = None) -> None:
        self._settings = settings or {}
        self._home = tempfile.TemporaryDirectory(prefix="sojourn-bench-", dir=directory)
        self._sandbox = sandbox
        self._log = Path(self._home.name, "log")
        self.data_dir = Path(self._home.name, "data")
        self.ready_line = ""
        self.ready_seconds = 0.0

    def __enter__(self) -> Self:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("SOJOURN_")}
        environment |= self._settings
        command = [str(Path(sys.executable).with_name("sojourn")), "serve", "--data-dir", str(self.data_dir)]
        start = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--listen", "127.0.0.1:0", "--sandbox", self._sandbox],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        try:
            self.ready_line = self._first_line()
            self.ready_seconds = time.perf_counter() - start
            self.owner = self._connection()
            self.client = Client(self.owner)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self._end()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def target(self, connection: Connection | None = None) -> Target:
        """The server, with the key pair of `connection` or else the owner's."""
        of = connection or self.owner
        return wire.target(of.endpoint, of.access_key_id, of.access_key_secret)

    def deploy(self, name: str, client: Client | None = None, reserved: int | None = None) -> None:
        """Make the echo function `name`, its code unlike that of any other so that nothing of another's is reused."""
        (client or self.client).deploy(
            name,
            archive(f"{HANDLER}\n# {name}\n"),
            handler="index.handler",
            runtime=RUNTIME,
            memory=MEMORY_MB,
            timeout=60,
            reserved_concurrency=reserved,
        )

    def warm(self, function: str, instances: int) -> None:
        """Make `instances` instances of `function` warm, by as many calls that overlap.

        Raises
        ------
        NotMeasured: fewer came to be.

        """
        seen: set[bytes] = set()
        for number in range(WARMING_ROUNDS_MAX):
            payload = b"sleep %.1f" % (0.5 * 2**number)
            with ThreadPoolExecutor(instances) as callers:
                seen |= set(callers.map(lambda _, event=payload: self._instance(function, event), range(instances)))
            seen.discard(b"")
            if len(seen) >= instances:
                return
        raise NotMeasured(f"{len(seen)} instances of {function} became warm, {instances} are wanted: use --instances")

    def _instance(self, function: str, payload: bytes) -> bytes:
        """The instance that ran one call; empty when the call was turned away."""
        line, target = Line(self.target()), self.target()
        answer = line.exchange(wire.invocation(target, function, payload, wait=True))
        line.close()
        return answer.headers.get(b"x-fc-instance-id", b"") if answer.status == 200 else b""

    def _first_line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - asked for when it was started
        ready, _, _ = select.select([self._process.stdout], [], [], READY_SECONDS_MAX)
        line = self._process.stdout.readline().decode() if ready else ""
        if " ready on " not in line:
            raise NotMeasured(f"the server did not become ready; its log ends in:\n{self._log.read_text()[-4000:]}")
        return line.strip()

    def _connection(self) -> Connection:
        document = msgspec.json.decode((self.data_dir / "credentials.json").read_bytes(), type=dict[str, str])
        return Connection(document["endpoint"], document["accessKeyId"], document["accessKeySecret"])

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._home.cleanup()


def archive(source: str) -> bytes:
    """A zip archive with `source` as index.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()
