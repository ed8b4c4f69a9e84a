"""The pool: warm instances, and the sandboxes they live in.

It decides which instance an execution gets, when a new one is made, and which one has to go; it walks the instance
table for each of them. It keeps three bounds at all times: the sum of instance memory, the number of instances, and a
function's reserved concurrency. Which task runs next is the `dispatcher`'s business; how a process is made or
ended is the sandbox's.

An account has one sandbox, started when its first instance is needed. An instance belongs to one function at one
revision; when the function changes, its instances finish what they run and go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from . import identity, instance, machine, outcome
from .clock import Clock
from .errors import IllegalFact, InstanceStartFailed, InvalidArgument, SandboxUnavailable
from .function import Function
from .homes import Homes
from .sandbox import Exit, InstanceDied, InstanceSpec, Invocation, LogSink, Reply, Sandbox, StopOrder
from .specification import instance_spec

log = logging.getLogger(__name__)

T = TypeVar("T")

STARTS_PER_FUNCTION_MAX = 4
"""Instances of one function that are made at the same time: more would only slow each other down."""


class Instance:
    """One instance: what it is for, where it lives, and its status."""

    def __init__(self, id_: str, function: Function, now: int) -> None:
        self.id, self.function = id_, function
        self.status = instance.Status.CREATING
        self.since = now
        self.sandbox: Sandbox | None = None
        self.start_parts: dict[str, float] = {}
        self.started: asyncio.Task[None] | None = None
        self.gone: asyncio.Future[Exit] | None = None
        self.retired = False

    @property
    def warm(self) -> bool:
        """Whether it can be invoked at once."""
        return self.status is instance.Status.INVOKING

    def serves(self, function: Function) -> bool:
        """Whether it runs `function` as it is now: same code and configuration; other changes need no new one."""
        mine = self.function
        return mine is function or (mine.config is function.config and mine.code is function.code)

    def note(self, fact: object, now: int) -> None:
        """Walk the table."""
        self.status = machine.step(instance.TRANSITIONS, self.status, fact)
        self.since = now


class Pool:
    """All instances of this server.

    `on_free()` is called whenever capacity may have become available.
    """

    def __init__(
        self,
        homes: Homes,
        clock: Clock,
        numbers: identity.Numbers,
        *,
        memory_mb: int,
        instances_max: int,
        idle_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._homes, self._clock, self._numbers = homes, clock, numbers
        self._memory_mb, self._instances_max = memory_mb, instances_max
        self._idle_seconds, self._grace_seconds = idle_seconds, grace_seconds
        self._instances: dict[str, Instance] = {}
        self._by_function: dict[int, dict[str, Instance]] = {}
        self._idle: dict[int, list[Instance]] = {}
        self._memory_used_mb = 0
        self._background: set[asyncio.Task[Any]] = set()
        self.closing = False
        self._sweep_handle: asyncio.TimerHandle | None = None
        self.on_free: Callable[[], None] = lambda: None
        homes.on_exit, homes.on_lost = self._exited, self._lost

    def __len__(self) -> int:
        return len(self._instances)

    def instances(self) -> list[Instance]:
        """All instances that are not destroyed."""
        return list(self._instances.values())

    def acquire(self, function: Function) -> Instance | None:
        """An instance for one execution: warm, or being made; None when there is no capacity now.

        The caller waits for `ready` when it is not warm, and gives it back with `release` or `stop` either way.
        """
        if self.closing:
            return None
        idle = self._idle.get(function.id)
        while idle:
            found = idle.pop()
            if found.status is not instance.Status.IDLE or found.gone is not None:
                continue
            if found.serves(function):
                found.note(instance.Invoked(), self._clock.now())
                return found
            self._send_away(found, "update")
        if not self._may_start(function):
            return None
        return self._begin(function)

    async def ready(self, made: Instance) -> None:
        """Wait until an instance that `acquire` began can be invoked.

        Raises
        ------
        InstanceStartFailed: it cannot be made, or its sandbox went away.

        """
        if made.started is not None:
            await asyncio.shield(made.started)
        if not made.warm:
            raise InstanceStartFailed("InstanceLost", f"instance {made.id} went away while it started", lost=True)

    async def invoke(self, used: Instance, invocation: Invocation, sink: LogSink) -> Reply:
        """Call the handler; raises `InstanceDied` when the instance ends first."""
        if used.sandbox is None or not used.warm:
            raise InstanceDied(Exit(), lost=True)
        return await used.sandbox.invoke(used.id, invocation, sink)

    def release(self, used: Instance) -> None:
        """Give an instance back, whether or not it was used; one that starts, is dead or outdated is taken care of."""
        if used.status is instance.Status.CREATING and used.started is not None and not used.started.done():
            used.started.add_done_callback(lambda _: self.release(used))
            return
        if used.status is instance.Status.INVOKING and used.gone is None:
            used.note(instance.Released(), self._clock.now())
            if used.retired or self.closing:
                self._send_away(used, "update")
            elif self._idle_seconds <= 0:
                self._send_away(used, "idle")
            else:
                self._idle.setdefault(used.function.id, []).append(used)
                self._plan_sweep()
        self.on_free()

    async def stop(self, used: Instance, reason: str) -> Exit:
        """End an instance, busy or not; on return its process tree is gone. Stopping twice waits for the same end."""
        return await asyncio.shield(self._send_away(used, reason))

    def retire(self, function: Function) -> None:
        """Let the instances go that do not serve `function` as it is now: idle ones at once, busy ones when done."""
        for each in list(self._by_function.get(function.id, {}).values()):
            if each.serves(function) and not function.deleted:
                continue
            each.retired = True
            if each.status is instance.Status.IDLE:
                self._send_away(each, "update")

    async def close(self, reason: str = "shutdown") -> None:
        """End every instance and every sandbox."""
        self.closing = True
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
        starting = [each.started for each in self._instances.values() if each.started and not each.started.done()]
        if starting:
            await asyncio.wait(starting)
        ends = [self.stop(each, reason) for each in list(self._instances.values())]
        await asyncio.gather(*ends, return_exceptions=True)
        await self._homes.close()

    def _may_start(self, function: Function) -> bool:
        mine = self._by_function.get(function.id, {})
        starting = sum(each.status is instance.Status.CREATING for each in mine.values())
        if starting >= STARTS_PER_FUNCTION_MAX:
            return False
        need = function.config.memory_size
        if self._memory_used_mb + need <= self._memory_mb and len(self._instances) < self._instances_max:
            return True
        self._evict(need)
        return False

    def _evict(self, need_mb: int) -> None:
        """Ask the longest idle instances to go until `need_mb` would fit; their end calls `on_free`."""
        going = [each for each in self._instances.values() if each.gone is not None]
        free = self._memory_mb - self._memory_used_mb + sum(each.function.config.memory_size for each in going)
        count = len(self._instances) - len(going)
        for each in sorted(self._idle_instances(), key=lambda idle: idle.since):
            if free >= need_mb and count < self._instances_max:
                return
            free += each.function.config.memory_size
            count -= 1
            self._send_away(each, "memory")

    def _begin(self, function: Function) -> Instance:
        id_ = f"c-{identity.request_id(self._numbers.next(self._clock.now()))[2:]}"
        made = Instance(id_, function, self._clock.now())
        self._instances[id_] = made
        self._by_function.setdefault(function.id, {})[id_] = made
        self._memory_used_mb += function.config.memory_size
        made.started = self._spawn(self._start(made))
        return made

    async def _start(self, made: Instance) -> None:
        function = made.function
        try:
            made.sandbox = await self._homes.sandbox(function.account_id)
            parts = await made.sandbox.create(self._spec(made))
        except SandboxUnavailable as error:
            self._forget(made)
            raise InstanceStartFailed("SandboxUnavailable", str(error), lost=True) from error
        except InvalidArgument as error:  # the interpreter that was there at deployment is gone
            self._forget(made)
            raise InstanceStartFailed("RuntimeMissing", str(error)) from error
        except InstanceStartFailed:
            self._forget(made)
            raise
        except Exception as error:  # a full disk, no more processes: ours, and it may pass
            log.exception("no instance of function %s could be made", function.name)
            self._forget(made)
            raise InstanceStartFailed("SandboxUnavailable", f"{type(error).__name__}: {error}", lost=True) from error
        if made.status is not instance.Status.CREATING:  # its sandbox went while the answer was on its way
            return
        made.start_parts = dict(parts)
        # Initializer is the next issue's: its passage is taken at once.
        for fact in (instance.Created(), instance.Initialized(), instance.Invoked()):
            made.note(fact, self._clock.now())
        self.on_free()

    def _spec(self, made: Instance) -> InstanceSpec:
        function, homes = made.function, self._homes
        offline = homes.network_of(function.account_id) == "none"
        resolved = homes.resolve(function.config.runtime)
        return instance_spec(made.id, function, resolved, region=homes.region, offline=offline)

    def _send_away(self, used: Instance, reason: str) -> asyncio.Future[Exit]:
        """Begin the end of an instance, once; from this moment on nobody gets it."""
        if used.gone is None:
            used.gone = asyncio.get_running_loop().create_future()
            self._spawn(self._end(used, reason, used.gone))
        return used.gone

    async def _end(self, used: Instance, reason: str, gone: asyncio.Future[Exit]) -> None:
        if used.started is not None and not used.started.done():
            await asyncio.wait([used.started])
        exit_ = Exit()
        try:
            used.note(instance.StopBegun(reason), self._clock.now())
            if used.sandbox is not None:
                order = StopOrder(reason=reason, grace_seconds=self._grace_seconds)
                exit_ = await used.sandbox.stop(used.id, order, lambda *_: None)
        except IllegalFact:
            log.debug("instance %s was gone before it was stopped", used.id)
        except InstanceDied as died:
            exit_ = died.exit
        finally:
            self._forget(used)
            if not gone.done():
                gone.set_result(exit_)

    def _exited(self, instance_id: str, exit_: Exit) -> None:
        """An instance ended without having been asked to."""
        found = self._instances.get(instance_id)
        if found is not None and found.gone is None:
            log.info("instance %s ended by itself: %s", instance_id, outcome.evidence_of(exit_))
            self._forget(found)

    def _lost(self, account_id: str) -> None:
        """A sandbox went away, and every instance in it."""
        for each in list(self._instances.values()):
            if each.function.account_id == account_id and each.gone is None and each.sandbox is not None:
                self._forget(each)

    def _forget(self, used: Instance) -> None:
        if self._instances.pop(used.id, None) is None:
            return
        used.note(instance.Died(), self._clock.now())
        self._memory_used_mb -= used.function.config.memory_size
        function_id = used.function.id
        mine = self._by_function.get(function_id, {})
        mine.pop(used.id, None)
        if not mine:
            self._by_function.pop(function_id, None)
        self._idle[function_id] = [each for each in self._idle.get(function_id, ()) if each is not used]
        if not self._idle[function_id]:
            del self._idle[function_id]
        self.on_free()

    def _idle_instances(self) -> Iterable[Instance]:
        return (each for each in self._instances.values() if each.status is instance.Status.IDLE and each.gone is None)

    def _plan_sweep(self) -> None:
        if self._sweep_handle is None and not self.closing:
            loop = asyncio.get_running_loop()
            self._sweep_handle = loop.call_later(max(self._idle_seconds, 0.05), self._sweep)

    def _sweep(self) -> None:
        """Let instances go that have idled long enough."""
        self._sweep_handle = None
        limit = self._clock.now() - int(self._idle_seconds * 1_000_000)
        idle = list(self._idle_instances())
        for each in idle:
            if each.since <= limit:
                self._send_away(each, "idle")
        if any(each.since > limit for each in idle):
            self._plan_sweep()

    def _spawn(self, coroutine: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._settled)
        return task

    def _settled(self, task: asyncio.Task[T]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, InstanceStartFailed):
                log.error("the pool failed at its edge", exc_info=error)
            self.on_free()
