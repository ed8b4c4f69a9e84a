"""The server under test and who looks after it: started at once whenever it is gone, and every life written down.

Only processes that were started here are ended, by pid. The database is made by an entry of `DATABASES`: what a store
needs to be served with, and how its records are read afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from pathlib import Path

from sojourn.client import AsyncClient, Connection, Retries
from sojourn.store import Records

from . import records
from .records import Life, Writer

COMMAND = (
    "import ctypes, sys; ctypes.CDLL(None).prctl(1, 9); sys.path.append({root!r}); from proof.chaos import plants; "
    "plants.plant({plant!r}); from sojourn.cli import main; raise SystemExit(main())"
)
"""It goes with us (PR_SET_PDEATHSIG), whatever becomes of us, and may have a mistake planted."""
PLAIN = "import ctypes; ctypes.CDLL(None).prctl(1, 9); from sojourn.cli import main; raise SystemExit(main())"
ROOT = Path(__file__).resolve().parents[2]
LINES_KEPT = 400
START_SECONDS_MAX = 40.0
END_SECONDS_MAX = 40.0
AGAIN_SECONDS = 0.2
"""The wait after a server that could not start: its disk may be full."""


class Database:
    """Where a store keeps what a run does: in the data directory itself."""

    def __init__(self, store: str, directory: Path) -> None:
        self._store, self._directory = store, directory

    @property
    def environment(self) -> Mapping[str, str]:
        """What the server is told about it."""
        return {}

    def records(self) -> AbstractContextManager[Records]:
        """All that it holds; it is read beside a server or without one."""
        (entry,) = entry_points(group="sojourn.stores", name=self._store)
        found: AbstractContextManager[Records] = entry.load()(self._directory).records()
        return found


DATABASES: Mapping[str, Callable[[Path], Database]] = {"sqlite": lambda directory: Database("sqlite", directory)}
"""By the name of the store's entry point."""


class Supervisor:
    """Keeps a server running on `data`.

    Parameters
    ----------
    data: its data directory.
    settings: further `SOJOURN_…` variables.
    log: the file that gets everything it says.
    lives: where its lives are written down.
    plant: the mistake that it is to have, see `plants`; "" for none.

    """

    def __init__(self, data: Path, settings: Mapping[str, str], log: Path, lives: Writer, *, plant: str = "") -> None:
        self.data = data
        self._command = COMMAND.format(root=str(ROOT), plant=plant) if plant else PLAIN
        self._environment = {
            "PATH": os.defpath,
            "HOME": str(data.parent),
            "SOJOURN_DATA_DIR": str(data),
            "SOJOURN_PORT": "0",
            **settings,
        }
        self._log, self._lives = log, lives
        self._words: deque[str] = deque(maxlen=LINES_KEPT)
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._ours = False
        self.up = asyncio.Event()
        self.down = asyncio.Event()
        self.down.set()
        self.count = 0
        self.on_ready: Callable[[], None] = lambda: None
        self.on_death: Callable[[], None] = lambda: None
        self._clients: dict[int, AsyncClient] = {}
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The server's process, 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def mark(self) -> str:
        """What its sandboxes' processes carry."""
        path = self.data / "mark"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    async def start(self) -> None:
        """Begin to look after it; returns once it is ready."""
        self._watch = asyncio.ensure_future(self._keep())
        up = asyncio.ensure_future(self.up.wait())
        await asyncio.wait([up, self._watch], timeout=START_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if not self.up.is_set():
            raise RuntimeError("the server did not start: " + "".join(list(self._words)[-8:]))

    def kill(self, number: int) -> int:
        """Send it a signal that ends it; returns its pid, 0 when there is none."""
        return self._signal(number, ends=True)

    def signal(self, number: int) -> int:
        """Send it a signal that it survives."""
        return self._signal(number, ends=False)

    async def stop(self) -> int:
        """End it for good, gracefully; its exit status."""
        self._ending = True
        if self._process is None:
            return 0
        process = self._process
        self.kill(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS_MAX):
                await process.wait()
        await self.close()
        return process.returncode if process.returncode is not None else -1

    async def close(self) -> None:
        """End it for good, however."""
        self._ending = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._watch is not None:
            await self._watch
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    def client(self) -> AsyncClient:
        """A client of the server as it listens now, that never sends anything twice by itself."""
        if self.count not in self._clients:
            known = json.loads((self.data / "credentials.json").read_text(encoding="utf-8"))
            connection = Connection(known["endpoint"], known["accessKeyId"], known["accessKeySecret"])
            self._clients[self.count] = AsyncClient(connection, retries=Retries(connection=0), timeout_seconds=10.0)
        return self._clients[self.count]

    async def rival(self) -> int:
        """Start a second server on the same data; its exit status, or 0 when it had to be ended since it ran."""
        process = await self._begin()
        output = process.stdout
        assert output is not None  # noqa: S101 - asked for
        while line := await output.readline():
            if b" ready on http://" in line:
                process.kill()
                await process.wait()
                return 0
        return await process.wait()

    # How --------------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while not self._ending:
            began, ready = records.now(), 0
            self._ours = False
            process = self._process = await self._begin()
            assert process.stdout is not None  # noqa: S101 - asked for
            self.down.clear()
            with self._log.open("ab") as log:
                while line := await process.stdout.readline():
                    log.write(line)
                    self._words.append(line.decode("utf-8", "replace"))
                    if b" ready on http://" in line:
                        ready = records.now()
                        self.count += 1
                        self.up.set()
                        self.on_ready()
            status = await process.wait()
            self._process = None
            self.up.clear()
            self.down.set()
            words = "" if self._ours else "".join(list(self._words)[-12:])
            self._lives.write(
                Life(
                    pid=process.pid,
                    began=began,
                    ready=ready,
                    ended=records.now(),
                    status=status,
                    ours=self._ours,
                    last_words=words,
                )
            )
            self.on_death()
            if not ready:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _begin(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            self._command,
            "serve",
            cwd="/",
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    def _signal(self, number: int, *, ends: bool) -> int:
        process = self._process
        if process is None or process.returncode is not None:
            return 0
        self._ours = self._ours or ends
        try:
            process.send_signal(number)
        except ProcessLookupError:
            return 0
        return process.pid
