"""A server to talk to, an environment that leads to it and nowhere else, and two ways to run a command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from client.fake_server import FakeServer
from end_to_end.functions import RUNTIME
from live import LiveServer, archive
from sojourn.cli import main
from sojourn.client import Client

# A job in the background of a shell ignores SIGINT, and so would all its children: tests interrupt theirs.
_MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from sojourn.cli import main; sys.exit(main())"
)
PROGRAM = [sys.executable, "-c", _MAIN]


@dataclass
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The words of each line of standard output, joined by one space."""
        return [" ".join(line.split()) for line in self.out.splitlines()]


Run = Callable[..., Ran]
HOLD = "import time\ndef handler(event, context):\n    print('holding', flush=True)\n    time.sleep(3600)\n"
QUICK = "def handler(event, context):\n    return event\n"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server with one function, `hello`."""
    with FakeServer() as running:
        running.add_function("hello")
        yield running


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of this machine leads anywhere."""
    for name in os.environ:
        if name.startswith(("SOJOURN_", "ALIBABA_CLOUD_", "XDG_", "FORCE_COLOR", "NO_COLOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, wherever the environment leads."""

    def run(*words: str) -> Ran:
        code = main(words)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def sojourn(cli: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process that talks to the fake server."""
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return cli


@pytest.fixture
def spawn(server: FakeServer) -> Callable[..., subprocess.Popen[bytes]]:
    """Start a command as a process of its own that talks to the fake server."""

    def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
        environ = dict(os.environ) | server.environ | options.pop("environ", {})
        return subprocess.Popen([*PROGRAM, *words], env=environ, **options)

    return start


@pytest.fixture(scope="module")
def live() -> Iterator[LiveServer]:
    """A real server with two functions."""
    with LiveServer() as server:
        client = server.client()
        for name, source in (("hold", HOLD), ("quick", QUICK)):
            client.deploy(name, archive(source), handler="index.handler", runtime=RUNTIME, timeout=600)
        client.put_concurrency("hold", 1)
        yield server


@pytest.fixture
def client(live: LiveServer) -> Client:
    """The owner's."""
    return live.client()


@pytest.fixture
def steer(cli: Run, live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command that talks to the real server."""
    known = live.credentials
    monkeypatch.setenv("SOJOURN_ENDPOINT", known["endpoint"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_ID", known["accessKeyId"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_SECRET", known["accessKeySecret"])
    return cli
