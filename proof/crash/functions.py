"""The functions that cases deploy: real code that tells the journal where it is, and does what its event says."""

from __future__ import annotations

import io
import stat
import sys
import zipfile

from programs import SHEBANG

RUNTIME = f"python3.{sys.version_info.minor}"
HANDLER = "index.handler"
BIG_BYTES = 5_000
"""More than what a store keeps beside the row."""

_SOURCE = """
import os, socket, time

VERSION = "{version}"

def tell(context, word):
    line = f"{{context.request_id}} {{getattr(context, 'retry_count', 0)}} {{word}} {{time.monotonic_ns()}}\\n"
    with socket.create_connection(("127.0.0.1", int(os.environ["JOURNAL"]))) as wire:
        wire.sendall(line.encode())
        wire.makefile().readline()

def handler(event, context):
    tell(context, "begin")
    kind, _, rest = event.decode().partition(":")
    print("at work", flush=True)
    if kind == "hold":
        tell(context, "hold")
    if kind == "flaky" and context.retry_count == 0:
        raise ConnectionError("not yet")
    if kind == "die" and context.retry_count == 0:
        os._exit(3)
    tell(context, "end")
    return VERSION if kind == "version" else kind * ({big} if kind == "big" else 1)

def initialize(context):
    print("initialized", flush=True)

def pre_freeze(context):
    print("freezing", flush=True)

def pre_stop(context):
    print("going", flush=True)
"""
PROGRAM = """#!the interpreter
import os, socket, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

waiting, given_up = {}, set()

def tell(headers, word):
    line = f"{headers['x-fc-request-id']} {headers['x-fc-retry-count'] or 0} {word} {time.monotonic_ns()}\\n"
    with socket.create_connection(("127.0.0.1", int(os.environ["JOURNAL"]))) as wire:
        wire.sendall(line.encode())
        wire.makefile().readline()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        kind = self.rfile.read(int(self.headers["content-length"])).decode().partition(":")[0]
        request = self.headers["x-fc-request-id"]
        tell(self.headers, "begin")
        if kind in ("hold", "deaf"):
            over = threading.Event()
            waiting[request] = kind, over
            threading.Thread(target=lambda: (tell(self.headers, "hold"), over.set()), daemon=True).start()
            over.wait()
        if request not in given_up:
            tell(self.headers, "end")
        self.answer(kind.encode())

    def do_DELETE(self):
        kind, over = waiting[self.headers["x-fc-request-id"]]
        if kind == "hold":
            given_up.add(self.headers["x-fc-request-id"])
            over.set()
        self.answer(b"", 200 if kind == "hold" else 404)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"""
"""The same as a program of a custom runtime or an image: it gives an invocation up when asked, but for a `deaf` one."""
HOOKS = {
    "instanceLifecycleConfig": {
        "initializer": {"handler": "index.initialize", "timeout": 20},
        "preFreeze": {"handler": "index.pre_freeze", "timeout": 20},
        "preStop": {"handler": "index.pre_stop", "timeout": 20},
    }
}


def code(version: str = "1") -> bytes:
    """An archive whose handler answers `version` when it is asked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, text in (("index.py", _SOURCE.format(version=version, big=BIG_BYTES)), ("data/version", version)):
            file.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def program() -> bytes:
    """An archive with the program."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = (stat.S_IFREG | 0o755) << 16
        file.writestr(entry, SHEBANG + PROGRAM.partition("\n")[2])
    return buffer.getvalue()


def answer_to(kind: str) -> str:
    """What the handler returns for an event of this kind, in the end."""
    return kind * BIG_BYTES if kind == "big" else kind
