"""How functions and hooks of a scripted sandbox behave: they answer, wait, raise, or take their process down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from sojourn.sandbox import Exit, HookOutcome, Invocation, LogSink, Reply
from sojourn.task import UNHANDLED


class Killer(Protocol):
    """What a sandbox has to offer to a behaviour."""

    def kill(self, instance_id: str, exit_: Exit) -> None:
        """An instance ends by itself."""
        ...

    def lose(self) -> None:
        """The whole sandbox goes away."""
        ...


TERMINATED = Exit(signal=15, signals_sent=("SIGTERM",), processes_left=0, elapsed_ms=1.0)
KILLED = Exit(signal=9, processes_left=0)


class Call:
    """What a behaviour gets to see of the invocation it answers."""

    def __init__(self, sandbox: Killer, instance_id: str, invocation: Invocation, log: LogSink) -> None:
        self.sandbox, self.instance_id, self.invocation, self.log = sandbox, instance_id, invocation, log

    def die(self, exit_: Exit = KILLED) -> None:
        """End this instance by itself, as a crash does."""
        self.sandbox.kill(self.instance_id, exit_)


Behaviour = Callable[[Call], Awaitable[Reply]]
HookBehaviour = Callable[[Call], Coroutine[Any, Any, HookOutcome]]


async def well(_: Call | None = None) -> HookOutcome:
    """A hook that returns at once."""
    return HookOutcome(ok=True, duration_ms=1.0)


def lasts(seconds: float) -> HookBehaviour:
    """A hook that returns after `seconds`."""

    async def behave(call: Call) -> HookOutcome:
        call.log(b"hook", 0)
        await asyncio.sleep(seconds)
        return HookOutcome(ok=True, duration_ms=seconds * 1000)

    return behave


def errs(type_: str = "ValueError", message: str = "no") -> HookBehaviour:
    """A hook that raises."""

    async def behave(_: Call) -> HookOutcome:
        document = msgspec.json.encode({"errorMessage": message, "errorType": type_})
        return HookOutcome(ok=False, duration_ms=1.0, payload=document, type=type_, message=message)

    return behave


def kills(exit_: Exit) -> HookBehaviour:
    """A hook that takes its process down."""

    async def behave(call: Call) -> HookOutcome:
        call.die(exit_)
        forever: asyncio.Future[HookOutcome] = asyncio.get_running_loop().create_future()
        return await forever

    return behave


def answers(result: bytes = b"done") -> Behaviour:
    """It returns `result` at once."""

    async def behave(_: Call) -> Reply:
        return Reply(ok=True, payload=result, duration_us=10, memory_peak_bytes=1 << 20)

    return behave


def takes(seconds: float, result: bytes = b"done") -> Behaviour:
    """It returns after `seconds`."""

    async def behave(_: Call) -> Reply:
        await asyncio.sleep(seconds)
        return Reply(ok=True, payload=result)

    return behave


def raises(type_: str = "ValueError", message: str = "no", *, kind: str = UNHANDLED) -> Behaviour:
    """It answers a function error."""

    async def behave(_: Call) -> Reply:
        document = msgspec.json.encode({"errorMessage": message, "errorType": type_})
        return Reply(ok=False, payload=document, kind=kind, type=type_, message=message)

    return behave


def dies(exit_: Exit = KILLED) -> Behaviour:
    """It takes its process down before it answers."""

    async def behave(call: Call) -> Reply:
        call.die(exit_)
        forever: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        return await forever

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first call behaves as the first one, and so on; the last one holds from then on."""
    left = list(behaviours)

    async def behave(call: Call) -> Reply:
        return await (left.pop(0) if len(left) > 1 else left[0])(call)

    return behave


class Gate:
    """A behaviour that waits to be let on: `leave` answers the calls that wait and all later ones."""

    def __init__(self, result: bytes = b"done") -> None:
        self.result = result
        self.arrived = 0
        self.calls: list[Call] = []
        self._came = asyncio.Event()
        self._open = asyncio.Event()

    async def __call__(self, call: Call) -> Reply:
        """Wait, then answer."""
        self.arrived += 1
        self.calls.append(call)
        self._came.set()
        await self._open.wait()
        return Reply(ok=True, payload=self.result)

    def leave(self) -> None:
        """Let the calls end."""
        self._open.set()

    async def busy(self, count: int = 1) -> None:
        """Wait until `count` calls have come."""
        while self.arrived < count:
            self._came.clear()
            await self._came.wait()
