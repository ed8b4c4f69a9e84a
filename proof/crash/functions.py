"""The functions that cases deploy: real code that tells the journal where it is, and does what its event says."""

from __future__ import annotations

import io
import sys
import zipfile

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


def answer_to(kind: str) -> str:
    """What the handler returns for an event of this kind, in the end."""
    return kind * BIG_BYTES if kind == "big" else kind
