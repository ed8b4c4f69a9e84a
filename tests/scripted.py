"""A sandbox that does what a test tells it: answer, wait, die, refuse to start, go away.

It keeps the sandbox contract in memory and watches its callers: two calls at once on one instance, or a call of an
instance that is gone, are written down as `offences`. How a function behaves is a coroutine, found by the function's
name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from behaviours import (
    KILLED,
    TERMINATED,
    Behaviour,
    Call,
    Gate,
    HookBehaviour,
    answers,
    dies,
    errs,
    in_turn,
    kills,
    lasts,
    raises,
    takes,
    well,
)
from sojourn.errors import InstanceStartFailed
from sojourn.function import Hook
from sojourn.hook import HOOKS, INITIALIZER, PRE_FREEZE, PRE_STOP
from sojourn.runtime import Interpreter, Resolved
from sojourn.sandbox import (
    Capabilities,
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
from sojourn.task import UNHANDLED

__all__ = [
    "KILLED",
    "TERMINATED",
    "Behaviour",
    "Call",
    "Gate",
    "HookBehaviour",
    "Living",
    "Script",
    "ScriptedRuntime",
    "ScriptedSandbox",
    "answers",
    "dies",
    "errs",
    "in_turn",
    "kills",
    "lasts",
    "raises",
    "takes",
    "well",
]


class Living:
    """An instance of the scripted sandbox."""

    def __init__(self, spec: InstanceSpec) -> None:
        self.spec = spec
        self.died: asyncio.Future[tuple[Exit, bool]] = asyncio.get_running_loop().create_future()
        self.works: dict[str, asyncio.Future[Reply]] = {}
        self.frozen = self.stopping = False
        self.hooks: Counter[str] = Counter()

    @property
    def busy(self) -> bool:
        """Whether a handler runs in it."""
        return bool(self.works)

    @property
    def name(self) -> str:
        """Of its function."""
        return str(self.spec.context["name"])

    def hook(self, name: str) -> Hook | None:
        """What is configured under this name."""
        configured: Hook | None = getattr(self.spec.lifecycle, HOOKS[name].attribute)
        return configured


class ScriptedSandbox:
    """A sandbox of one account."""

    def __init__(self, script: Script, spec: SandboxSpec, on_exit: Callable[[str, Exit], None]) -> None:
        self.script, self.spec, self._on_exit = script, spec, on_exit
        self.id, self.account_id = spec.id, spec.account_id
        self.instances: dict[str, Living] = {}
        self.alive = True
        self.on_lost: Callable[[], None] = lambda: None

    async def create(self, spec: InstanceSpec) -> Mapping[str, float]:
        """Make an instance after the script's delay, unless the script has a failure in store."""
        await asyncio.sleep(self.script.create_seconds)
        if self.script.create_failures:
            raise self.script.create_failures.pop(0)
        if not self.alive:
            raise InstanceStartFailed("SandboxLost", "the sandbox went away", lost=True)
        self.instances[spec.id] = Living(spec)
        self.script.made.append(spec)
        self.script.count()
        return {"fork": 0.1}

    async def invoke(self, instance_id: str, invocation: Invocation, log: LogSink) -> Reply:
        """Behave as the function does, for as long as the instance lives."""
        living = self.instances.get(instance_id)
        fault = "gone" if living is None else self._fault(living)
        if living is None or fault:
            self.script.offences.append(f"call of {instance_id}, which is {fault}")
            raise InstanceDied(KILLED)
        self.script.called(instance_id, invocation)
        call = Call(self, instance_id, invocation, log)
        work = asyncio.ensure_future(self.script.behaviours[living.name](call))
        living.works[invocation.request_id] = work
        try:
            both: list[asyncio.Future[Any]] = [work, living.died]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if living.died.done():
                exit_, lost = living.died.result()
                raise InstanceDied(exit_, lost=lost)
            if work.cancelled():
                return Reply(ok=False, payload=b"{}", kind=UNHANDLED, type="Cancelled", message="given up")
            return work.result()
        finally:
            living.works.pop(invocation.request_id, None)
            work.cancel()

    async def initialize(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome:
        """Run Initializer as the script says."""
        living = self.instances.get(instance_id)
        if living is None:
            raise InstanceDied(KILLED)
        if living.hooks[INITIALIZER] or living.busy or living.frozen:
            self.script.offences.append(f"Initializer of {instance_id} out of place")
        return await self._run_hook(living, INITIALIZER, instance_id, request_id, log)

    async def cancel(self, instance_id: str, request_id: str, grace_seconds: float) -> bool:
        """Give one invocation up after the script's time, where the script says it can be."""
        living, seconds = self.instances.get(instance_id), self.script.cancel_seconds
        if living is None or seconds is None or request_id not in living.works:
            return False
        await asyncio.sleep(min(seconds, grace_seconds))
        if seconds > grace_seconds:
            return False
        if (work := living.works.get(request_id)) is not None:
            work.cancel()
        return True

    async def freeze(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome | None:
        """Run PreFreeze when there is one, then stand still."""
        living = self.instances.get(instance_id)
        if living is None:
            raise InstanceDied(KILLED)
        if living.busy or living.frozen or living.stopping:
            self.script.offences.append(f"freeze of {instance_id}, which is busy, frozen or going")
        came = None
        if living.hook(PRE_FREEZE) is not None:
            came = await self._run_hook(living, PRE_FREEZE, instance_id, request_id, log)
        living.frozen = True
        return came

    def thaw(self, instance_id: str) -> None:
        """It runs again."""
        living = self.instances.get(instance_id)
        if living is None:
            return
        if not living.frozen:
            self.script.offences.append(f"thaw of {instance_id}, which is not frozen")
        living.frozen = False

    async def usage(self, instance_id: str) -> Usage:
        """A little, or nothing when it is gone."""
        if instance_id not in self.instances:
            return Usage()
        await asyncio.sleep(self.script.usage_seconds)
        return Usage(memory_bytes=1 << 20, memory_peak_bytes=2 << 20, cpu_seconds=0.5, processes=1)

    async def stop(self, instance_id: str, order: StopOrder, log: LogSink) -> Exit:
        """Run PreStop when there is one and it was ordered, then end it after the script's time, at most the grace."""
        self.script.stops.append((instance_id, order.reason))
        self.script.orders.append((instance_id, order))
        living = self.instances.get(instance_id)
        if living is None:
            return Exit()
        if living.frozen:
            self.script.offences.append(f"stop of {instance_id}, which is frozen")
        living.stopping = True
        came = None
        if order.pre_stop and living.hook(PRE_STOP) is not None:
            if living.hook(INITIALIZER) is not None and not living.hooks[INITIALIZER]:
                self.script.offences.append(f"PreStop of {instance_id}, which was never initialized")
            if living.hooks[PRE_STOP]:
                self.script.offences.append(f"PreStop of {instance_id} twice")
            with contextlib.suppress(InstanceDied):
                came = await self._run_hook(living, PRE_STOP, instance_id, order.request_id, log)
        await asyncio.sleep(min(self.script.stop_seconds, order.grace_seconds))
        exit_ = msgspec.structs.replace(TERMINATED, pre_stop=came)
        if (living := self.instances.pop(instance_id, None)) is not None and not living.died.done():
            living.died.set_result((exit_, False))
        return exit_

    def _fault(self, living: Living) -> str:
        """Why an instance must not be called now, if so."""
        if len(living.works) >= living.spec.concurrency:
            return "busy"
        if living.frozen:
            return "frozen"
        if living.hook(INITIALIZER) is not None and not living.hooks[INITIALIZER]:
            return "not initialized"
        return ""

    async def _run_hook(
        self, living: Living, name: str, instance_id: str, request_id: str, log: LogSink
    ) -> HookOutcome:
        hook = living.hook(name)
        if hook is None:
            self.script.offences.append(f"{name} of {instance_id}, which has none")
            return HookOutcome(ok=True)
        living.hooks[name] += 1
        self.script.hooks.append((name, instance_id, request_id))
        behaviour = self.script.hook_behaviours.get((living.name, name))
        call = Call(self, instance_id, Invocation(request_id=request_id, payload=b""), log)
        work = asyncio.ensure_future(behaviour(call) if behaviour else well())
        both: list[asyncio.Future[Any]] = [work, living.died]
        await asyncio.wait(both, timeout=hook.timeout, return_when=asyncio.FIRST_COMPLETED)
        if living.died.done():
            work.cancel()
            exit_, lost = living.died.result()
            raise InstanceDied(exit_, lost=lost)
        if not work.done():
            work.cancel()
            return HookOutcome(ok=False, duration_ms=hook.timeout * 1000.0, timed_out=True)
        return work.result()

    async def close(self) -> None:
        """End everything."""
        self.alive = False
        self._end_all(lost=False)

    def kill(self, instance_id: str, exit_: Exit) -> None:
        """An instance ends by itself."""
        living = self.instances.pop(instance_id)
        living.died.set_result((exit_, False))
        self._on_exit(instance_id, exit_)

    def lose(self) -> None:
        """The whole sandbox goes away, as when its agent is killed."""
        self.alive = False
        self._end_all(lost=True)
        self.on_lost()

    def _end_all(self, *, lost: bool) -> None:
        instances, self.instances = self.instances, {}
        for living in instances.values():
            if not living.died.done():
                living.died.set_result((KILLED, lost))


class Script:
    """What all sandboxes of a test do, and what they saw. It is a `SandboxDriver`."""

    name, level = "scripted", 2

    def __init__(self) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        self.create_seconds = 0.0
        self.create_failures: list[InstanceStartFailed] = []
        self.start_failures: list[Exception] = []
        self.stop_seconds = 0.0
        self.made: list[InstanceSpec] = []
        self.stops: list[tuple[str, str]] = []
        self.orders: list[tuple[str, StopOrder]] = []
        self.hooks: list[tuple[str, str, str]] = []
        """Calls of hooks: which, of which instance, under which request id."""
        self.hook_behaviours: dict[tuple[str, str], HookBehaviour] = {}
        """How hooks behave, by function and hook; the others return at once."""
        self.cancel_seconds: float | None = None
        self.usage_seconds = 0.0
        self.calls: list[tuple[str, Invocation]] = []
        self.offences: list[str] = []
        self.sandboxes: list[ScriptedSandbox] = []
        self.memory_peak_mb = self.instances_peak = 0
        self.on_call: Callable[[str, Invocation], None] = lambda *_: None

    async def probe(self) -> Capabilities:
        """It always works."""
        return Capabilities(driver=self.name, level=self.level, works=True, multi_account=True)

    async def start(
        self, spec: SandboxSpec, on_exit: Callable[[str, Exit], None], on_lost: Callable[[], None]
    ) -> ScriptedSandbox:
        """Start a sandbox, unless the script has a failure in store."""
        await asyncio.sleep(0)
        if self.start_failures:
            raise self.start_failures.pop(0)
        sandbox = ScriptedSandbox(self, spec, on_exit)
        sandbox.on_lost = on_lost
        self.sandboxes.append(sandbox)
        return sandbox

    async def reap(self, directory: Path, mark: str) -> int:
        """Nothing is ever left."""
        del directory, mark
        return 0

    def living(self) -> list[Living]:
        """The instances that live, of all sandboxes."""
        return [living for sandbox in self.sandboxes for living in sandbox.instances.values()]

    def count(self) -> None:
        """Keep the high-water marks."""
        self.instances_peak = max(self.instances_peak, len(self.living()))
        self.memory_peak_mb = max(self.memory_peak_mb, sum(living.spec.memory_mb for living in self.living()))

    def called(self, instance_id: str, invocation: Invocation) -> None:
        """User code is being called."""
        self.calls.append((instance_id, invocation))
        self.on_call(instance_id, invocation)


class ScriptedRuntime:
    """A runtime family that knows every name but those of `missing`. It is a `Runtime`."""

    language = "python"

    def __init__(self) -> None:
        self.interpreter = Interpreter(
            language="python", version="3.12.1", executable=Path("/usr/bin/python"), prefix=Path("/usr")
        )
        self.missing: set[str] = set()

    def interpreters(self) -> tuple[Interpreter, ...]:
        """One."""
        return (self.interpreter,)

    def resolve(self, runtime: str) -> Resolved | None:
        """The one, or nothing."""
        return None if runtime in self.missing else Resolved(interpreter=self.interpreter)
