"""The Node.js runtime's Python half: the instance makes way for `node`.

The program of the runtime (`node/runtime.cjs`) is read while the agent's files can still be seen and handed over in an
anonymous file, so that it needs no place in the sandbox. Everything after the exec is that program's business, the
READY frame too.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any, NoReturn

from .failure import StartFailed

_NAME = "/sojourn/runtime.cjs"
"""What stack traces would call the program; there is no such file."""
_LOAD = (
    "const f=require('fs'),g=JSON.parse(f.readFileSync(4,'utf8'));f.closeSync(4);"
    "const m=new(module.constructor)(g.name);m.filename=g.name;m.paths=[];m._compile(g.source,g.name);"
    "m.exports(g.settings)"
)
_HANDED_FD = 4
_HEAP_OPTION = "--max-old-space-size"


def _source() -> str:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is not loaded here
    with open(here + "/node/runtime.cjs", encoding="utf-8") as file:  # noqa: PTH123 - as above
        return file.read()


_SOURCE = _source()


def _heap(memory_mb: int) -> list[str]:
    """Bounds of V8's heap, which else goes by the size of the machine and meets the memory limit before any collection.

    Node.js itself, its code and stacks need about 50 MB beside it.
    """
    old = max(memory_mb // 2, memory_mb * 9 // 10 - 64)
    young = max(1, min(16, memory_mb // 64))
    return [_HEAP_OPTION + "=" + str(old), "--max-semi-space-size=" + str(young)]


def prepare(channel: socket.socket, root: str, spec: dict[str, Any]) -> NoReturn:
    """Become `node`, which serves the instance of `spec` with its code at `root`.

    Raises
    ------
    StartFailed: it cannot be executed.

    """
    settings = {"root": root, "handler": spec["handler"], "context": spec["context"]}
    handed = {"name": _NAME, "source": _SOURCE, "settings": settings}
    fd = os.memfd_create("runtime")
    with open(fd, "wb", closefd=False) as file:
        file.write(json.dumps(handed).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    if fd != _HANDED_FD:
        os.dup2(fd, _HANDED_FD)
        os.close(fd)
    os.set_inheritable(_HANDED_FD, True)
    channel.set_inheritable(True)
    program = str(spec["program"])
    heap = [] if _HEAP_OPTION in os.environ.get("NODE_OPTIONS", "") else _heap(int(spec["memory_mb"]))
    try:
        os.execv(program, [program, *heap, "-e", _LOAD])  # noqa: S606 - executing the program is the point
    except OSError as error:
        raise StartFailed("RuntimeMissing", program + " does not start: " + str(error)) from None
