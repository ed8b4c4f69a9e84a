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
from .ports import Port, choose, wait_for
from .program import EXITED, NOT_STARTED, Program
from .runtime_api import RuntimeApi
from .shim import Shim, settle
from .starting import START_SECONDS_MAX, Health, wait_until_served

_BOOTSTRAP = "/code/bootstrap"
_PORT_VARIABLES = ("FC_SERVER_PORT", "FC_CUSTOM_LISTEN_PORT", "PORT")
_held: list[Port] = []
"""The ports of this instance, the last one in use; held until its end."""


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
    headers = Headers(spec)
    api = RuntimeApi(headers)
    os.environ["FC_RUNTIME_API"] = api.address
    command = [*(custom.get("command") or []), *(custom.get("args") or [])] or [_BOOTSTRAP]
    program, polls = _started(command, root, api, port, wanted)
    if polls:
        return Shim(channel, program, api, None)
    port = _held[-1]
    contract = HttpContract(port.number, headers, program.ended)
    health = None
    if custom.get("health"):
        health = Health(custom["health"], contract, port.number)
        if not (spec.get("lifecycle") or {}).get("initializer"):
            _must_be_healthy(health, program)
    return Shim(channel, program, contract, health)


def _started(command: list[str], root: str, api: RuntimeApi, port: Port, wanted: int) -> tuple[Program, bool]:
    """A program that serves, and whether it does so by asking the runtime API.

    One that ends because it listens on `wanted` whatever it is told is started again once that port is free.

    Raises
    ------
    StartFailed: it does not serve.

    """
    _held.append(port)
    for name in _PORT_VARIABLES:
        os.environ[name] = str(port.number)
    program = Program(command, root)
    program.start()
    try:
        return program, not wait_until_served(program, api, port.number)
    except StartFailed as error:
        if port.number == wanted:
            raise
        free = wait_for(wanted, START_SECONDS_MAX) if error.cause == EXITED else None
        if free is None:
            raise StartFailed(error.cause, error.message + _note(wanted, port.number)) from None
        return _started(command, root, api, free, wanted)


def _must_be_healthy(health: Health, program: Program) -> None:
    try:
        health.must_hold(program)
    except FunctionError as error:
        if program.reap():
            raise StartFailed(EXITED, program.exit_message()) from None
        raise StartFailed(NOT_STARTED, error.message) from None


def _note(wanted: int, given: int) -> str:
    """What explains a failure of a program that does not listen where it was told to."""
    return (
        f"; port {wanted} is in use, and the program was told by FC_SERVER_PORT to listen on {given}: let it do so, "
        "set internetAccess to false to give each instance a network of its own, or let one instance run at a time"
    )
