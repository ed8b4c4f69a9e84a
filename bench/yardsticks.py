"""The yardsticks: what this machine can do at best, measured in the same run as the product.

Two are used. `fdatasync_us` is the price of making something durable once; `responder` is the smallest ASGI application
that accepts a request, in a process of its own, under uvicorn as Sojourn's server configures it. Figures of the product
are read as ratios of these, because absolute ones move with the machine and with who else uses it.

`python -m bench.yardsticks` is the responder's process: it prints its port and serves until it is ended.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import uvicorn

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

ROOT = Path(__file__).resolve().parent.parent
BLOCK = bytes(4096)
END_SECONDS_MAX = 10.0
MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})


def fdatasync_us(directory: Path, samples: int) -> list[int]:
    """Microseconds that appending 4 KiB and fdatasync took, `samples` times, in a file that is removed again."""
    times = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(samples):
            start = time.perf_counter_ns()
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter_ns() - start) // 1000)
    return times


def file_system(directory: Path) -> str:
    """The kind of file system that `directory` is on, such as `ext4`; "" when the kernel does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    here, found, kind = directory.resolve(), Path(), ""
    for line in lines:
        _, place, type_, *_ = line.split(" ")
        mounted = Path(place.encode().decode("unicode_escape"))
        if here.is_relative_to(mounted) and len(mounted.parts) >= len(found.parts):
            found, kind = mounted, type_
    return kind


class Running(NamedTuple):
    """A bare responder: where it answers, and its process."""

    host: str
    port: int
    pid: int


@contextmanager
def responder() -> Iterator[Running]:
    """The bare responder, running until the block is left."""
    process = subprocess.Popen([sys.executable, "-m", "bench.yardsticks"], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None  # noqa: S101 - asked for one line above
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise RuntimeError("the bare responder did not start; what it said stands above")
        yield Running("127.0.0.1", int(line), process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=END_SECONDS_MAX)


async def _accept(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read the body and answer 202 with none."""
    assert scope["type"] == "http"  # noqa: S101 - lifespan and web sockets are off
    more = True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message["more_body"]
    await send(
        {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")], "trailers": False}
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def main() -> int:
    """Be the bare responder's process."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setblocking(False)
    settings = uvicorn.Config(
        _accept,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(settings).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
