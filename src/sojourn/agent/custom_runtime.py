"""The custom runtime: a program of the user's that answers HTTP on a port, or asks the runtime API for work.

This file decides how it is started and what it is told; what is said to it then is `http_contract`'s and
`runtime_api`'s, and `shim` relays.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from .failure import FunctionError, StartFailed
from .headers import Headers
from .http_contract import HttpContract
from .ports import Port, choose
from .program import EXITED, NOT_STARTED, Program
from .runtime_api import RuntimeApi
from .shim import Shim, settle
from .starting import Health, wait_until_served

_BOOTSTRAP = "/code/bootstrap"
_PORT_VARIABLES = ("FC_SERVER_PORT", "FC_CUSTOM_LISTEN_PORT", "PORT")
_held: list[Port] = []
"""The port of this instance, held until its end."""


def prepare(channel: socket.socket, root: str, spec: dict[str, Any]) -> Shim:
    """Start the program of the instance of `spec`, whose code is at `root`, and wait until it serves.

    Raises
    ------
    StartFailed: it does not.

    """
    settle()
    custom = spec.get("custom") or {}
    wanted = int(custom.get("port") or 9000)
    try:
        port = choose(wanted)
    except OSError as error:
        raise StartFailed(NOT_STARTED, str(error)) from None
    _held.append(port)
    headers = Headers(spec)
    api = RuntimeApi(headers)
    os.environ["FC_RUNTIME_API"] = api.address
    for name in _PORT_VARIABLES:
        os.environ[name] = str(port.number)
    program = Program([*(custom.get("command") or []), *(custom.get("args") or [])] or [_BOOTSTRAP], root)
    program.start()
    if not wait_until_served(program, api, port.number, _note(wanted, port.number)):
        return Shim(channel, program, api, None)
    contract = HttpContract(port.number, headers, program.ended)
    health = None
    if custom.get("health"):
        health = Health(custom["health"], contract, port.number)
        if not (spec.get("lifecycle") or {}).get("initializer"):
            _must_be_healthy(health, program)
    return Shim(channel, program, contract, health)


def _must_be_healthy(health: Health, program: Program) -> None:
    try:
        health.must_hold(program)
    except FunctionError as error:
        if program.reap():
            raise StartFailed(EXITED, program.exit_message()) from None
        raise StartFailed(NOT_STARTED, error.message) from None


def _note(wanted: int, given: int) -> str:
    """What explains a failure of a program that does not listen where it was told to."""
    if wanted == given:
        return ""
    return (
        f"; port {wanted} is in use, and the program was told by FC_SERVER_PORT to listen on {given}: let it do so, "
        "set internetAccess to false to give each instance a network of its own, or let one instance run at a time"
    )
