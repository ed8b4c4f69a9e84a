"""Getting a program of the user's to serve: on which port, how often it is started, what speaks with it then.

Shared by custom runtimes and custom containers. How a program is started is theirs; how long it is waited for is
`starting`'s.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeVar

from .failure import FunctionError, StartFailed
from .http_contract import HttpContract
from .ports import Port, choose, wait_for
from .program import EXITED, NOT_STARTED, Program
from .runtime_api import RuntimeApi
from .shim import Shim
from .starting import Health, wait_until_served

_PORT_SECONDS_MAX = 30.0
"""How long a program that insists on a port waits for it: one that fails for another reason fails so much later."""
PORT_VARIABLES = ("FC_SERVER_PORT", "FC_CUSTOM_LISTEN_PORT", "PORT")
"""How a program is told its port."""
_P = TypeVar("_P", bound=Program)
_held: list[Port] = []
"""The ports of this instance, the last one in use; held until its end."""


def started(make: Callable[[int], _P], api: RuntimeApi | None, wanted: int) -> tuple[_P, int | None]:
    """A program that serves, and its port, None when it asks the runtime API.

    `make(port)` is a program that was started and told the port. One that ends because it listens on `wanted` whatever
    it is told is started again once that port is free.

    Raises
    ------
    StartFailed: it does not serve.

    """
    try:
        port = choose(wanted)
    except OSError as error:
        raise StartFailed(NOT_STARTED, str(error)) from None
    _held.append(port)
    try:
        return _served(make(port.number), api, port.number)
    except StartFailed as error:
        if port.number == wanted:
            raise
        _held.pop().release()
        free = wait_for(wanted, _PORT_SECONDS_MAX) if error.cause == EXITED else None
        if free is None:
            raise StartFailed(error.cause, error.message + _note(wanted, port.number)) from None
        _held.append(free)
        return _served(make(wanted), api, wanted)


def _served(program: _P, api: RuntimeApi | None, port: int) -> tuple[_P, int | None]:
    return program, port if wait_until_served(program, api, port) else None


def _note(wanted: int, given: int) -> str:
    """What explains a failure of a program that does not listen where it was told to."""
    return (
        f"; port {wanted} is in use, and the program was told by FC_SERVER_PORT to listen on {given}: let it do so, "
        "set internetAccess to false to give each instance a network of its own, or let one instance run at a time"
    )


def serving(channel: socket.socket, program: Program, contract: HttpContract, port: int, spec: dict[str, Any]) -> Shim:
    """The shim of a program that answers HTTP on `port`; healthy by now, unless Initializer comes first.

    Raises
    ------
    StartFailed: it is not healthy.

    """
    configured = (spec.get("custom") or {}).get("health")
    if not configured:
        return Shim(channel, program, contract, None)
    health = Health(configured, contract, port)
    if not (spec.get("lifecycle") or {}).get("initializer"):
        try:
            health.must_hold(program)
        except FunctionError as error:
            if program.reap():
                raise StartFailed(EXITED, program.exit_message()) from None
            raise StartFailed(NOT_STARTED, error.message) from None
    return Shim(channel, program, contract, health)
