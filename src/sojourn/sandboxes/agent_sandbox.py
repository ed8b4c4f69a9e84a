"""A sandbox with an agent in it: the contract's verbs in terms of a channel and the sandbox's processes.

The same for every driver that runs an agent on this machine. It keeps which instance id is which number, what ended and
how, and makes sure that when the agent is lost, everything is dead before anybody is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec

from sojourn.answers import Created
from sojourn.channel import Channel
from sojourn.errors import InstanceStartFailed
from sojourn.function import CustomRuntime
from sojourn.sandbox import (
    Exit,
    HookOutcome,
    InstanceDied,
    InstanceSpec,
    Invocation,
    LogSink,
    Reply,
    SandboxSpec,
    StopOrder,
    Usage,
)

from .enclosure import Enclosure

_EXITS_KEPT = 1024
_START_SECONDS_DEFAULT = 20
_START_SECONDS = {"custom": 130, "poll": 130, "container": 150}
"""How long an instance may take to be ready: a program of the user's is given the two minutes of its health check."""
_LATE_SECONDS = 15.0
"""How much longer than it may take an agent has to answer: then it is lost, although its heart beats."""


class _Entry:
    """An instance: its number on the channel, how many calls it takes, how long PreStop may be, and its end."""

    __slots__ = ("concurrency", "gone", "number", "pre_stop_seconds", "stopping")

    def __init__(self, number: int, spec: InstanceSpec, gone: asyncio.Future[Exit]) -> None:
        self.number, self.concurrency, self.gone = number, spec.concurrency, gone
        pre_stop = spec.lifecycle.pre_stop
        self.pre_stop_seconds = pre_stop.timeout if pre_stop is not None else 0
        self.stopping = False
        """Whether it was asked to end."""


class AgentSandbox:
    """A running sandbox of `spec`; its driver attaches the channel and the enclosure."""

    def __init__(
        self,
        spec: SandboxSpec,
        on_exit: Callable[[str, Exit], None],
        on_lost: Callable[[], None],
        *,
        zygotes_seen: bool,
    ) -> None:
        self.id, self.account_id = spec.id, spec.account_id
        self._spec, self._on_exit, self._on_lost = spec, on_exit, on_lost
        self._zygotes_seen = zygotes_seen
        self._numbers = 0
        self._entries: dict[str, _Entry] = {}
        self._ids: dict[int, str] = {}
        self._exits: OrderedDict[str, Exit] = OrderedDict()
        self._channel: Channel | None = None
        self._enclosure: Enclosure | None = None
        self._collapse: asyncio.Task[None] | None = None
        self.reason = ""

    def attach(self, channel: Channel, enclosure: Enclosure) -> None:
        """The agent has said hello."""
        self._channel, self._enclosure = channel, enclosure

    @property
    def alive(self) -> bool:
        """Whether the agent still answers."""
        return self._channel is not None and self._channel.open

    def owns(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with this environment belongs to one of our instances."""
        name = environment.get("FC_INSTANCE_ID", "")
        return name in self._entries or name in self._exits

    async def create(self, spec: InstanceSpec) -> Mapping[str, float]:
        """See the contract."""
        channel = self._channel
        if channel is None or not channel.open:
            raise InstanceStartFailed("SandboxLost", "the sandbox went away", lost=True)
        self._numbers += 1
        number = self._numbers
        entry = _Entry(number, spec, asyncio.get_running_loop().create_future())
        self._entries[spec.id], self._ids[number] = entry, spec.id
        began = asyncio.get_running_loop().time()
        answer = channel.create(number, _specification(spec, self._orders(spec)))
        answer.add_done_callback(lambda done: self._created(number, done.result()))
        seconds = _start_seconds(spec) + _LATE_SECONDS
        try:
            await asyncio.wait([answer], timeout=seconds)
            if not answer.done():
                channel.give_up(f"the agent did not say within {seconds:g} s what became of instance {spec.id}")
            created = await asyncio.shield(answer)
        except asyncio.CancelledError:
            if channel.open:
                channel.stop(number, StopOrder(reason="cancel", grace_seconds=0.0, pre_stop=False), _nowhere)
            raise
        if created.cause:
            raise InstanceStartFailed(created.cause, created.message, lost=created.cause == "SandboxLost")
        total = (asyncio.get_running_loop().time() - began) * 1000
        return {**created.parts, "totalMs": total}

    def _orders(self, spec: InstanceSpec) -> Mapping[str, object]:  # noqa: ARG002 - for sandboxes of other kinds
        """What the agent is told besides the specification."""
        return {}

    async def invoke(self, instance_id: str, invocation: Invocation, log: LogSink) -> Reply:
        """See the contract."""
        entry, channel = self._entries.get(instance_id), self._channel
        if entry is None or channel is None or not channel.open:
            raise await self._death(instance_id)
        return await channel.invoke(entry.number, invocation, log, concurrency=entry.concurrency)

    async def initialize(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome:
        """See the contract."""
        entry, channel = self._entries.get(instance_id), self._channel
        if entry is None or channel is None or not channel.open:
            raise await self._death(instance_id)
        outcome = await channel.initialize(entry.number, request_id, log)
        return outcome or HookOutcome(ok=True)

    async def cancel(self, instance_id: str, request_id: str, grace_seconds: float) -> bool:
        """See the contract."""
        entry, channel = self._entries.get(instance_id), self._channel
        if entry is None:
            return True
        if entry.concurrency == 1 or channel is None or not channel.open:
            return False
        asked = channel.cancel(entry.number, request_id)
        await asyncio.wait([asked], timeout=grace_seconds)
        return asked.done()

    async def freeze(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome | None:
        """See the contract."""
        entry, channel = self._entries.get(instance_id), self._channel
        if entry is None or channel is None or not channel.open:
            raise await self._death(instance_id)
        return await channel.freeze(entry.number, request_id, log)

    def thaw(self, instance_id: str) -> None:
        """See the contract."""
        entry = self._entries.get(instance_id)
        if entry is not None and self._channel is not None:
            self._channel.thaw(entry.number)

    async def usage(self, instance_id: str) -> Usage:
        """See the contract."""
        entry, channel = self._entries.get(instance_id), self._channel
        if entry is None or channel is None or not channel.open:
            return Usage()
        return await channel.usage(entry.number)

    async def _death(self, instance_id: str) -> InstanceDied:
        """What is raised about an instance that is gone, or whose sandbox is going."""
        entry = self._entries.get(instance_id)
        if entry is None or self._channel is None:
            return InstanceDied(self._exits.get(instance_id, Exit()), lost=not self.alive)
        await asyncio.shield(entry.gone)
        return InstanceDied(Exit(), lost=True)

    async def stop(self, instance_id: str, order: StopOrder, log: LogSink) -> Exit:
        """See the contract."""
        entry = self._entries.get(instance_id)
        if entry is None:
            return self._exits.get(instance_id, Exit())
        if not entry.stopping:
            entry.stopping = True
            if self._channel is not None and self._channel.open:
                self._channel.stop(entry.number, order, log)
        elif order.force and self._channel is not None and self._channel.open:
            self._channel.kill(entry.number, order)
        seconds = entry.pre_stop_seconds + order.grace_seconds + _LATE_SECONDS
        await asyncio.wait([entry.gone], timeout=seconds)
        if not entry.gone.done() and self._channel is not None:
            self._channel.give_up(f"the agent did not end instance {instance_id} within {seconds:g} s")
        return await asyncio.shield(entry.gone)

    async def close(self) -> None:
        """See the contract."""
        if self._channel is not None:
            self._channel.close()
        if self._collapse is None:
            self._collapse = asyncio.ensure_future(self._end(tell=False))
        await asyncio.shield(self._collapse)

    def exited(self, number: int, exit_: Exit, lost: bool) -> None:  # noqa: FBT001, ARG002 - a callback of the channel
        """An instance ended, as the agent says."""
        name = self._ids.get(number)
        entry = self._entries.get(name) if name is not None else None
        if name is None or entry is None:
            return
        asked = entry.stopping
        self._forget(number, exit_)
        if not asked:
            self._on_exit(name, exit_)

    def lost(self, reason: str) -> None:
        """The agent does not speak any more: end what is left of the sandbox, then tell."""
        self.reason = reason
        if self._enclosure is not None and self._collapse is None:
            self._collapse = asyncio.ensure_future(self._end(tell=True))

    async def _end(self, *, tell: bool) -> None:
        if self._enclosure is not None:
            await self._enclosure.end(deaf=tell)
        if self._channel is not None:
            self._channel.fail()
        for number in list(self._ids):
            self._forget(number, Exit(signals_sent=("SIGKILL",)))
        if tell:
            self._on_lost()

    def _created(self, number: int, created: Created) -> None:
        """Keep what an answer to a create says, whether or not somebody still waits for it.

        Without namespaces a zygote's number is the host's own: hold it, so that its end can be waited for.
        """
        if created.cause:
            self._forget(number, Exit())
        elif self._zygotes_seen and self._enclosure is not None and created.zygote > 1:
            with contextlib.suppress(OSError):
                if self._enclosure.hold(created.zygote):
                    self._enclosure.record()

    def _forget(self, number: int, exit_: Exit) -> None:
        name = self._ids.pop(number, None)
        if name is None:
            return
        entry = self._entries.pop(name)
        self._exits[name] = exit_
        if len(self._exits) > _EXITS_KEPT:
            self._exits.popitem(last=False)
        if not entry.gone.done():
            entry.gone.set_result(exit_)


def _nowhere(_piece: bytes, _dropped: int) -> None:
    """The sink for what nobody waits for."""


def _specification(spec: InstanceSpec, orders: Mapping[str, object]) -> bytes:
    """What the agent and the instance are told, as JSON."""
    lifecycle = spec.lifecycle
    hooks = {"initializer": lifecycle.initializer, "pre_freeze": lifecycle.pre_freeze, "pre_stop": lifecycle.pre_stop}
    body = {
        "id": spec.id,
        "executable": str(spec.interpreter.executable),
        "code_digest": spec.code_digest,
        "handler": spec.handler,
        "environment": dict(spec.environment),
        "memory_mb": spec.memory_mb,
        "tmp_mb": spec.tmp_mb,
        "context": dict(spec.context),
        "runtime": spec.environment.get("FC_RUNTIME", ""),
        "kind": spec.kind,
        "program": str(spec.program or ""),
        "custom": _custom(spec.custom) if spec.custom is not None else None,
        "lifecycle": {name: _plain(hook) for name, hook in hooks.items() if hook is not None} or None,
        "concurrency": spec.concurrency,
        "cpu": spec.cpu,
        "offline": spec.offline,
        "preload": list(spec.preload),
        "snapshot": spec.snapshot,
        "start_seconds": _start_seconds(spec),
        **orders,
    }
    return msgspec.json.encode(body)


def _start_seconds(spec: InstanceSpec) -> int:
    """How long it may take until an instance is ready; with a snapshot that includes its Initializer."""
    seconds = _START_SECONDS.get(spec.kind, _START_SECONDS_DEFAULT)
    initializer = spec.lifecycle.initializer
    return seconds + initializer.timeout if spec.snapshot and initializer is not None else seconds


def _custom(custom: CustomRuntime) -> dict[str, object]:
    health = custom.health_check_config
    return {
        "command": custom.command,
        "args": custom.args,
        "port": custom.port,
        "health": _plain(health) if health is not None else None,
    }


def _plain(struct: msgspec.Struct) -> dict[str, object]:
    """A struct by the names that its fields have in Python."""
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
