"""The product as a user runs it: `sojourn serve` in a process of its own, on a data directory of its own.

It decides how the server is started and ended and how functions get into it; what is asked of it and timed is left to
`groups`. Control calls go through `sojourn.client`.
"""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from sojourn.client import Client, Connection

from . import processes, wire
from .failure import NotMeasured
from .wire import Answer, Line, Target

READY_SECONDS_MAX = 120.0
END_SECONDS_MAX = 60.0
WARMING_ROUNDS_MAX = 8
RUNTIME = f"python3.{sys.version_info.minor}"
MEMORY_MB = 128
METRICS_TOKEN = "the-benchmark-reads-this"  # noqa: S105 - of a server that only this run sees
ALONE = {"SOJOURN_HEADROOM": "0"}
"""Settings of a server with one busy function: it may use every instance there is."""
ROOM = {"SOJOURN_MEMORY_MB": "262144", "SOJOURN_INSTANCES_MAX": "2000", "SOJOURN_DRAIN_SECONDS": "0"}
"""Settings for many instances: their sizes add up to more than the machine has, none of them uses its share."""
HANDLER = """import time


def handler(event, context):
    if event.startswith(b"sleep "):
        time.sleep(float(event[6:]))
    if event == b"fail":
        raise ValueError("as it was told")
    return event
"""


class Served:
    """A running server; use it in a `with`.

    Parameters
    ----------
    directory: where its home is made, and removed again.
    sandbox: as in `sojourn serve --sandbox`.
    settings: environment variables of the server.
    home: a home that exists already and stays: it holds the data directory.

    """

    def __init__(
        self, directory: Path, sandbox: str, settings: Mapping[str, str] | None = None, home: Path | None = None
    ) -> None:
        self._settings = settings or {}
        self._own: AbstractContextManager[str] = (
            nullcontext(str(home))
            if home is not None
            else tempfile.TemporaryDirectory(prefix="sojourn-bench-", dir=directory)
        )
        self._sandbox = sandbox
        self.ready_line = ""
        self.ready_seconds = 0.0
        self.begun_at = 0.0

    def __enter__(self) -> Self:
        place = Path(self._own.__enter__())
        self._log, self.data_dir = place / "log", place / "data"
        try:
            self._start()
            self.ready_line = self._first_line()
            self.ready_seconds = time.time() - self.begun_at
            self.owner = self._connection()
            self.client = Client(self.owner)
        except BaseException as error:
            if hasattr(self, "_process"):
                processes.end(self._process, END_SECONDS_MAX)
            self._own.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._own.__exit__(kind, error, trace)

    def stop(self) -> None:
        """End the server; its home stays until the `with` is left. Stopping twice is fine."""
        self.client.close()
        processes.end(self._process, END_SECONDS_MAX)

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @property
    def isolation(self) -> str:
        """What keeps accounts apart, in the server's words."""
        return self.ready_line.partition("isolation ")[2]

    @property
    def metrics_url(self) -> str:
        """Where the server tells what it counts."""
        return f"{self.owner.endpoint}/metrics"

    def target(self, connection: Connection | None = None) -> Target:
        """The server, with the key pair of `connection` or else the owner's."""
        of = connection or self.owner
        return wire.target(of.endpoint, of.access_key_id, of.access_key_secret)

    def deploy(
        self,
        name: str,
        client: Client | None = None,
        reserved: int | None = None,
        retries: int | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Make the echo function `name`, its code unlike that of any other so that nothing of another's is reused."""
        (client or self.client).deploy(
            name,
            archive(f"{HANDLER}\n# {name}\n"),
            handler="index.handler",
            runtime=RUNTIME,
            memory=MEMORY_MB,
            timeout=60,
            retries=retries,
            reserved_concurrency=reserved,
            settings=settings,
        )

    def warm(self, function: str, instances: int, connection: Connection | None = None) -> None:
        """Make `instances` instances of `function` warm, by as many calls that overlap, of `connection` or the owner.

        Raises
        ------
        NotMeasured: fewer came to be.

        """
        target, seen = self.target(connection), set[bytes]()
        refused = ""
        for number in range(WARMING_ROUNDS_MAX):
            payload = b"sleep %.1f" % (0.5 * 2**number)
            with ThreadPoolExecutor(instances) as callers:
                calls = [callers.submit(_called, target, function, payload) for _ in range(instances)]
                answers = [call.result() for call in calls]
            seen |= {answer.headers.get(b"x-fc-instance-id", b"") for answer in answers if answer.status == 200}
            refused = next(
                (f": {answer.status} {answer.body[:300]!r}" for answer in answers if answer.status != 200), ""
            )
            if len(seen) >= instances:
                return
        raise NotMeasured(f"{len(seen)} instances of {function} became warm, not {instances}{refused}")

    def _start(self) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("SOJOURN_")}
        environment |= {"SOJOURN_METRICS_TOKEN": METRICS_TOKEN, **self._settings}
        command = [str(Path(sys.executable).with_name("sojourn")), "serve", "--data-dir", str(self.data_dir)]
        with self._log.open("wb") as log:
            self.begun_at = time.time()
            self._process = subprocess.Popen(
                [*command, "--listen", "127.0.0.1:0", "--sandbox", self._sandbox],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )

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


def _called(target: Target, function: str, payload: bytes) -> Answer:
    """What one call was answered."""
    line = Line(target)
    answer = line.exchange(wire.invocation(target, function, payload, wait=True))
    line.close()
    return answer


def archive(source: str) -> bytes:
    """A zip archive with `source` as index.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()
