"""The custom runtime: a program of the user's that answers HTTP on a port, or asks the runtime API for work.

This file decides how it is started and what it is told; what is said to it then is `http_contract`'s and
`runtime_api`'s, and `shim` relays.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from .headers import Headers
from .http_contract import HttpContract
from .program import Program
from .runtime_api import RuntimeApi
from .serving import PORT_VARIABLES, serving, started
from .shim import Shim, settle

_BOOTSTRAP = "/code/bootstrap"


def prepare(channel: socket.socket, root: str, spec: dict[str, Any]) -> Shim:
    """Start the program of the instance of `spec`, whose code is at `root`, and wait until it serves.

    Raises
    ------
    StartFailed: it does not.

    """
    settle()
    custom = spec.get("custom") or {}
    wanted = int(custom.get("port") or 9000)
    headers = Headers(spec)
    api = RuntimeApi(headers)
    os.environ["FC_RUNTIME_API"] = os.environ["SOJOURN_RUNTIME_API"] = api.address
    command = [*(custom.get("command") or []), *(custom.get("args") or [])] or [_BOOTSTRAP]

    def make(port: int) -> Program:
        for name in PORT_VARIABLES:
            os.environ[name] = str(port)
        program = Program(command, root)
        program.start()
        return program

    program, port = started(make, api, wanted)
    if port is None:
        shim = Shim(channel, program, api, None)
    else:
        shim = serving(channel, program, HttpContract(port, headers, program), port, spec)
    api.reporting = shim.reporting
    return shim
