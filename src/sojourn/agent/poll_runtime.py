"""Compiled runtimes: the function is a program that asks the runtime API for invocations.

It is the file that the handler names, below the code's root.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from .headers import Headers
from .program import Program
from .runtime_api import RuntimeApi
from .shim import Shim, settle
from .starting import wait_until_served


def prepare(channel: socket.socket, root: str, spec: dict[str, Any]) -> Shim:
    """Start the program of the instance of `spec`, whose code is at `root`, and wait until it asks.

    Raises
    ------
    StartFailed: it does not.

    """
    settle()
    api = RuntimeApi(Headers(spec))
    os.environ["FC_RUNTIME_API"] = os.environ["SOJOURN_RUNTIME_API"] = api.address
    program = Program([root + "/" + str(spec["handler"])], root)
    program.start()
    wait_until_served(program, api, None)
    shim = Shim(channel, program, api, None)
    api.reporting = shim.reporting
    return shim
