"""Mutants of what may be done to an instance: hooks, freezing, ends, reuse, room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from sojourn import ending
from sojourn.capacity import Capacity
from sojourn.channel import Channel
from sojourn.ending import Ending
from sojourn.fleet import Fleet, Instance
from sojourn.homes import Homes
from sojourn.initializing import Initializing
from sojourn.instance import Status
from sojourn.pool import Pool
from sojourn.resting import Resting
from sojourn.sandbox import Exit, HookOutcome, InstanceDied, Sandbox
from sojourn.sandboxes.agent_sandbox import AgentSandbox

from .mutant import Patch, idle, mutant, nothing, swap, wrap

# Hooks and freezing ---------------------------------------------------------------------------------------------------


@mutant("freeze without thaw")
def _() -> Iterable[Patch]:
    yield swap(AgentSandbox, "thaw", idle)


@mutant("a thaw that comes after the call")
def _() -> Iterable[Patch]:
    def thaw(original: Any, self: Channel, number: int) -> None:
        self._loop.call_later(0.05, original, self, number)

    yield wrap(Channel, "thaw", thaw)


@mutant("a freeze of what is in use")
def _() -> Iterable[Patch]:
    def rest(original: Any, self: Resting, used: Instance) -> None:
        original(self, used)
        if used.sandbox is not None and used.gone is None:
            self._background.spawn(used.sandbox.freeze(used.id, "x", lambda *_: None))

    yield wrap(Resting, "rest", rest)


@mutant("PreStop twice")
def _() -> Iterable[Patch]:
    def stop(original: Any, self: Channel, *arguments: Any) -> None:
        original(self, *arguments)
        original(self, *arguments)

    yield wrap(Channel, "stop", stop)


def _ordering(*, pre_stop: bool) -> Patch:
    def order(original: Any, **settings: Any) -> Any:
        return original(**{**settings, "pre_stop": pre_stop})

    return wrap(ending, "StopOrder", order)


@mutant("PreStop of what was never initialized")
def _() -> Iterable[Patch]:
    yield _ordering(pre_stop=True)


@mutant("no PreStop")
def _() -> Iterable[Patch]:
    yield _ordering(pre_stop=False)


@mutant("Initializer twice")
def _() -> Iterable[Patch]:
    async def run(original: Any, self: Initializing, used: Instance, request_id: str, sink: Any, *more: Any) -> Any:
        if used.sandbox is not None and used.status is Status.INITIALIZING:
            await used.sandbox.initialize(used.id, request_id, sink)
        return await original(self, used, request_id, sink, *more)

    yield wrap(Initializing, "run", run)


@mutant("no Initializer")
def _() -> Iterable[Patch]:
    async def initialize(_: Any, self: AgentSandbox, *arguments: Any) -> Any:
        del self, arguments
        return HookOutcome(ok=True)

    yield wrap(AgentSandbox, "initialize", initialize)


@mutant("a failed Initializer is taken for a good one")
def _() -> Iterable[Patch]:
    async def initialize(original: Any, self: AgentSandbox, *arguments: Any) -> Any:
        came = await original(self, *arguments)
        return msgspec.structs.replace(came, ok=True)

    yield wrap(AgentSandbox, "initialize", initialize)


# Ends and reuse -------------------------------------------------------------------------------------------------------


@mutant("an instance is used again after its stop")
def _() -> Iterable[Patch]:
    def send_away(_: Any, self: Fleet, used: Instance) -> None:
        self.groups[used.function.id].going += 1
        self.going += 1
        self.going_mb += used.memory_mb

    yield wrap(Fleet, "send_away", send_away)


@mutant("what timed out runs on")
def _() -> Iterable[Patch]:
    async def give_up(_: Any, self: Pool, used: Instance, request_id: str, *rest: Any) -> Any:
        del request_id, rest
        channel = used.sandbox._channel  # type: ignore[union-attr]  # noqa: SLF001 - as above
        entry = used.sandbox._entries.get(used.id)  # type: ignore[union-attr]  # noqa: SLF001 - as above
        if entry is not None and channel is not None:
            for request in list(channel._current.get(entry.number, ())):  # noqa: SLF001 - as above
                call = channel._calls[request]  # noqa: SLF001 - as above
                if not call.answer.done():
                    call.answer.set_exception(InstanceDied(Exit()))
        del self
        return Exit()

    yield wrap(Pool, "give_up", give_up)


@mutant("an instance of old code serves on")
def _() -> Iterable[Patch]:
    yield swap(Instance, "serves", lambda *_: True)


@mutant("a sandbox that collapses takes its successor's instances off the books")
def _() -> Iterable[Patch]:
    def lost(_: Any, self: Pool, sandbox: Sandbox) -> None:
        for each in self.fleet.of_account(sandbox.account_id):
            if each.gone is None and each.sandbox is not None:
                self._forget(each, {"why": "mutant"})

    yield wrap(Pool, "_lost", lost)


@mutant("a sandbox that is gone takes the instances of one that still collapses off the books")
def _() -> Iterable[Patch]:
    def lost(_: Any, self: Pool, sandbox: Sandbox) -> None:
        for each in self.fleet.of_account(sandbox.account_id):
            if each.gone is None and each.sandbox is not None and not each.sandbox.alive:
                self._forget(each, {"why": "mutant"})

    yield wrap(Pool, "_lost", lost)


@mutant("an instance that ended by itself is kept")
def _() -> Iterable[Patch]:
    yield swap(Ending, "by_itself", idle)


@mutant("the loss of a sandbox is not told")
def _() -> Iterable[Patch]:
    yield swap(Pool, "_lost", idle)


@mutant("a sandbox is called lost before its processes are gone")
def _() -> Iterable[Patch]:
    def lost(original: Any, self: AgentSandbox, reason: str) -> None:
        if self._channel is not None:
            self._channel.fail()
        original(self, reason)

    yield wrap(AgentSandbox, "lost", lost)


@mutant("heartbeats are not counted")
def _() -> Iterable[Patch]:
    def beat(original: Any, self: Channel) -> None:
        self._heard = True
        original(self)

    yield wrap(Channel, "_beat", beat)
    yield swap(Channel, "connection_lost", idle)


@mutant("accounts share a sandbox")
def _() -> Iterable[Patch]:
    async def sandbox(original: Any, self: Homes, account_id: str, **more: Any) -> Any:
        del account_id
        return await original(self, next(iter(self._places)), **more)

    yield wrap(Homes, "sandbox", sandbox)


@mutant("a server ends before its instances do")
def _() -> Iterable[Patch]:
    yield swap(Pool, "close", nothing)
    yield swap(Homes, "close", nothing)


# Room -----------------------------------------------------------------------------------------------------------------


@mutant("memory is counted late")
def _() -> Iterable[Patch]:
    def add(original: Any, self: Fleet, made: Instance) -> None:
        original(self, made)
        self.memory_mb -= made.memory_mb

    def up(original: Any, self: Fleet, made: Instance) -> None:
        original(self, made)
        self.memory_mb += made.memory_mb

    yield wrap(Fleet, "add", add)
    yield wrap(Fleet, "up", up)


@mutant("what is on its way out counts no more")
def _() -> Iterable[Patch]:
    def send_away(original: Any, self: Fleet, used: Instance) -> None:
        original(self, used)
        self.memory_mb -= used.memory_mb

    def remove(original: Any, self: Fleet, used: Instance) -> bool:
        known = used.id in self.instances
        removed = bool(original(self, used))
        if known and used.gone is not None:
            self.memory_mb += used.memory_mb
        return removed

    yield wrap(Fleet, "send_away", send_away)
    yield wrap(Fleet, "remove", remove)


@mutant("one instance too many")
def _() -> Iterable[Patch]:
    def init(original: Any, self: Capacity, fleet: Any, *, instances_max: int, **settings: Any) -> None:
        original(self, fleet, instances_max=instances_max + 1, **settings)

    yield wrap(Capacity, "__init__", init)


@mutant("one invocation too many")
def _() -> Iterable[Patch]:
    def share(original: Any, self: Fleet, used: Instance) -> None:
        holders, used.holders = used.holders, used.holders - 1
        try:
            original(self, used)
        finally:
            used.holders = holders

    yield wrap(Fleet, "share", share)


@mutant("an instance is not given back")
def _() -> Iterable[Patch]:
    yield swap(Pool, "release", idle)


@mutant("an instance that stops is called stopped")
def _() -> Iterable[Patch]:
    async def stop(original: Any, self: AgentSandbox, *arguments: Any) -> Any:
        asyncio.get_running_loop().create_task(original(self, *arguments))
        return Exit()

    yield wrap(AgentSandbox, "stop", stop)
