"""A driver around another one, by which somebody hears what functions write and answer while they do it.

For local development: nothing is kept here, and nothing is changed on the way. Everything that is not listened to goes
straight to the sandbox inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from sojourn.sandbox import (
    Capabilities,
    Exit,
    HookOutcome,
    InstanceDied,
    InstanceSpec,
    Invocation,
    LogSink,
    Reply,
    Sandbox,
    SandboxDriver,
    SandboxSpec,
    StopOrder,
)


class Listener(Protocol):
    """Who hears; `function` is the function's name, `request_id` that of the call or hook."""

    def wrote(self, function: str, request_id: str, piece: bytes) -> None:
        """It wrote `piece`."""
        ...

    def answered(self, function: str, request_id: str, reply: Reply) -> None:
        """The handler came to its end."""
        ...

    def died(self, function: str, request_id: str, exit_: Exit) -> None:
        """The instance ended before its handler did."""
        ...


class OverheardDriver:
    """`inside`, with `listener` at its sandboxes."""

    def __init__(self, inside: SandboxDriver, listener: Listener) -> None:
        self._inside, self._listener = inside, listener
        self.name, self.level = inside.name, inside.level

    async def probe(self) -> Capabilities:
        """See the contract."""
        return await self._inside.probe()

    async def start(
        self, spec: SandboxSpec, on_exit: Callable[[str, Exit], None], on_lost: Callable[[], None]
    ) -> Sandbox:
        """See the contract."""
        inside = await self._inside.start(spec, on_exit, on_lost)
        sandbox: Any = _Overheard(inside, self._listener)
        heard: Sandbox = sandbox  # the verbs that are not here are those of the sandbox inside
        return heard

    async def reap(self, directory: Path, mark: str) -> int:
        """See the contract."""
        return await self._inside.reap(directory, mark)


def overheard(driver: SandboxDriver, listener: Listener | None) -> SandboxDriver:
    """`driver`, heard by `listener` when there is one."""
    return driver if listener is None else OverheardDriver(driver, listener)


class _Overheard:
    def __init__(self, inside: Sandbox, listener: Listener) -> None:
        self._inside, self._listener = inside, listener
        self._functions: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inside, name)

    async def create(self, spec: InstanceSpec) -> Mapping[str, float]:
        self._functions[spec.id] = spec.environment.get("FC_FUNCTION_NAME", "")
        return await self._inside.create(spec)

    async def invoke(self, instance_id: str, invocation: Invocation, log: LogSink) -> Reply:
        function, request_id = self._functions.get(instance_id, ""), invocation.request_id
        try:
            reply = await self._inside.invoke(instance_id, invocation, self._ear(instance_id, request_id, log))
        except InstanceDied as died:
            self._listener.died(function, request_id, died.exit)
            raise
        self._listener.answered(function, request_id, reply)
        return reply

    async def initialize(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome:
        return await self._inside.initialize(instance_id, request_id, self._ear(instance_id, request_id, log))

    async def freeze(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome | None:
        return await self._inside.freeze(instance_id, request_id, self._ear(instance_id, request_id, log))

    async def stop(self, instance_id: str, order: StopOrder, log: LogSink) -> Exit:
        exit_ = await self._inside.stop(instance_id, order, self._ear(instance_id, order.request_id, log))
        self._functions.pop(instance_id, None)
        return exit_

    def _ear(self, instance_id: str, request_id: str, log: LogSink) -> LogSink:
        function = self._functions.get(instance_id, "")

        def sink(piece: bytes, dropped: int) -> None:
            log(piece, dropped)
            self._listener.wrote(function, request_id, piece)

        return sink
