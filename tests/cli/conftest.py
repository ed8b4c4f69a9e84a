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
from sojourn.cli import main

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
