"""A real server as a process of its own, on a data directory that outlives it.

It is started as a user would start it, found by its ready line, and talked to over HTTP. Its sandboxes' processes are
found by the data directory's mark in their environment. Whatever a test does, closing it ends all of them, each by its
pid.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from sojourn.client import Client, Connection, Retries

ROOT = Path(__file__).resolve().parent.parent
COMMAND = "from sojourn.cli import main; raise SystemExit(main())"
START_SECONDS_MAX = 30.0
END_SECONDS_MAX = 30.0
GONE_SECONDS_MAX = 10.0
POLL_SECONDS = 0.01


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Look until `condition` holds; fails after `seconds`, which is a bound on patience and not a measurement."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(POLL_SECONDS)


def archive(source: str, name: str = "index.py") -> bytes:
    """A code archive with one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, source)
    return buffer.getvalue()


def program(source: str) -> bytes:
    """A code archive with one program, named as custom runtimes look for it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = (stat.S_IFREG | 0o755) << 16
        file.writestr(entry, source)
    return buffer.getvalue()


class Python:
    """An interpreter and where it finds Sojourn: the tests' own, or one that another user can reach too."""

    def __init__(self, executable: str, path: str = "") -> None:
        self.executable, self.path = executable, path


OWN = Python(sys.executable)


class LiveServer:
    """A server on its own data directory.

    Parameters
    ----------
    sandbox: the isolation to serve with.
    uid: the user to run it as; None means ours. Takes root and a `python` that this user can reach.
    settings: `SOJOURN_…` variables.
    prelude: Python statements that the process runs before the server's own, to plant a fault.

    """

    def __init__(
        self,
        *,
        sandbox: str = "process",
        uid: int | None = None,
        python: Python = OWN,
        settings: Mapping[str, str] | None = None,
        prelude: str = "",
    ) -> None:
        self.sandbox, self._uid, self._python, self._prelude = sandbox, uid, python, prelude
        self.root = Path(tempfile.mkdtemp(prefix="sojourn-live-"))
        self.root.chmod(0o755)
        self.data = self.root / "data"
        self.data.mkdir(mode=0o700)
        if uid is not None:
            os.chown(self.data, uid, uid)
        self.settings = {
            "SOJOURN_DATA_DIR": str(self.data),
            "SOJOURN_PORT": "0",
            "SOJOURN_SANDBOX": sandbox,
            "SOJOURN_RETRY_BASE_SECONDS": "0.05",
            **(settings or {}),
        }
        self.ready_line = ""
        self.said: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Its life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it on its data and wait until it says that it is ready."""
        self.begin()
        until(lambda: bool(self.ready_line) or self.ended, START_SECONDS_MAX, "ready")
        assert self.ready_line, "".join(self.said[-40:])

    def begin(self) -> None:
        """Start it and do not wait."""
        assert self._process is None
        command = [self._python.executable, "-c", self._prelude + COMMAND, "serve"]
        if self._uid is not None:
            user = ["--reuid", str(self._uid), "--regid", str(self._uid), "--clear-groups"]
            command = ["setpriv", *user, *command]
        environment = {"PATH": os.defpath, "HOME": str(self.root), "PYTHONPATH": self._python.path, **self.settings}
        self._process = subprocess.Popen(
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.ready_line = ""
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()

    def kill(self) -> None:
        """SIGKILL; nobody gets a chance to tidy up."""
        process = self._held()
        process.kill()
        self._reap(process)

    def terminate(self) -> int:
        """SIGTERM, and the exit status of the drain."""
        process = self._held()
        process.terminate()
        return self._reap(process)

    def signal(self, number: int) -> None:
        """Send it a signal and do not wait."""
        self._held().send_signal(number)

    def wait(self) -> int:
        """Its exit status once it has gone by itself."""
        return self._reap(self._held())

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self._held().pid

    def close(self) -> None:
        """End whatever is left of it, and remove its directory."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.terminate()
        if self._process is not None:
            self.kill()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)

    # What is known of it ----------------------------------------------------------------------------------------------

    @property
    def credentials(self) -> dict[str, str]:
        """The endpoint and the owner's key pair, as it wrote them down."""
        document: dict[str, str] = json.loads((self.data / "credentials.json").read_text(encoding="utf-8"))
        return document

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return self.credentials["endpoint"]

    def client(self, access_key_id: str = "", access_key_secret: str = "", *, retries: Retries | None = None) -> Client:
        """Our own client with the owner's key, or another one; closed with the server."""
        known = self.credentials
        connection = Connection(
            known["endpoint"],
            access_key_id or known["accessKeyId"],
            access_key_secret or known["accessKeySecret"],
        )
        client = Client(connection, retries=retries)
        self._clients.append(client)
        return client

    def processes(self) -> list[int]:
        """The processes of its sandboxes, by the mark of its data directory."""
        path = self.data / "mark"
        if not path.exists():
            return []
        mark = f"SOJOURN_SANDBOX={path.read_text(encoding='utf-8').strip()}".encode()
        return [pid for pid, variables in _environments() if mark in variables]

    @property
    def ended(self) -> bool:
        """Whether its process is not there, or not any more."""
        return self._process is None or self._process.poll() is not None

    def gone(self) -> None:
        """Wait until no process of its sandboxes is left."""
        until(lambda: not self.processes(), GONE_SECONDS_MAX, f"all gone, left {self.processes()}")

    def log(self) -> str:
        """Everything it said."""
        return "".join(self.said)

    # How --------------------------------------------------------------------------------------------------------------

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.said.append(line)
                if " ready on http://" in line:
                    self.ready_line = line

    def _held(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server is not running"
        return self._process

    def _reap(self, process: subprocess.Popen[str]) -> int:
        status = process.wait(END_SECONDS_MAX)
        self._process = None
        if self._listener is not None:
            self._listener.join(END_SECONDS_MAX)
        return status


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    """The processes of this machine whose environment may be read."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "environ").read_bytes().split(b"\0")
