"""The bare responders: servers that accept a request and do nothing, each in a process of its own.

nginx is what the machine can do at best; uvicorn is the smallest ASGI application, configured as Sojourn's server
configures its own. `python -m bench.responders` is the latter's process: it prints its port and serves until it is
ended.
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

from . import processes, programs
from .failure import NotMeasured
from .load import ROOT

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

START_SECONDS_MAX = 30.0
END_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02
NGINX = """daemon off;
master_process on;
worker_processes 1;
{user}
pid {place}/pid;
error_log {place}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 16m;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 202; }}
  }}
}}
"""


class Running(NamedTuple):
    """A bare responder: where it answers, and its process."""

    host: str
    port: int
    pid: int


@contextmanager
def nginx(directory: Path) -> Iterator[Running]:
    """A server of nginx with one worker that answers 202, running until the block is left.

    Raises
    ------
    NotMeasured: it is not installed, or does not start.

    """
    program = programs.found("nginx")
    with tempfile.TemporaryDirectory(prefix="bench-nginx-", dir=directory) as name:
        place, port = Path(name), _free_port()
        configuration = place / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        configuration.write_text(NGINX.format(place=place, port=port, user=user))
        process = subprocess.Popen(
            [program, "-p", str(place), "-c", str(configuration), "-e", str(place / "error.log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await_port(process, port, place / "error.log")
            yield Running("127.0.0.1", port, process.pid)
        finally:
            processes.end(process, END_SECONDS_MAX)


@contextmanager
def responder() -> Iterator[Running]:
    """The bare ASGI application under uvicorn, running until the block is left."""
    process = subprocess.Popen([sys.executable, "-m", "bench.responders"], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None  # noqa: S101 - asked for one line above
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise NotMeasured("the bare responder did not start; what it said stands above")
        yield Running("127.0.0.1", int(line), process.pid)
    finally:
        processes.end(process, END_SECONDS_MAX)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
    told = log.read_text(errors="replace")[-1000:] if log.exists() else ""
    raise NotMeasured(f"nginx did not start: {told}")


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
