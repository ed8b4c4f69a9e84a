"""The dispatcher: the one place where tasks meet instances.

Claims are bounded by free capacity: a task leaves its line only when an instance is up or being made for it, so that
waiting for capacity costs no attempt and shows as Enqueued. A round looks only at functions of which something could
start: one whose own limit is reached comes back when it has room again, one whose tasks wait for their moment comes
back then.

It leaves to `queue` what is durable, to `gate` whose turn it is, to `pool` which instance, to `executor` what happens
to a task that was claimed, and to `stopping` the stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from . import outcome
from .attempt import Attempt
from .background import Background, cancel
from .call import Answer, Calls
from .clock import MICROSECONDS_PER_SECOND, Clock, real_seconds
from .concurrency import Concurrency
from .crashpoint import crashpoint
from .errors import StoreFailed, TaskAlreadyCompleted, TaskNotFound
from .executor import DELETED, Execution, Executor
from .explanation import Situation
from .function import Function
from .gate import Begun, Gate
from .pool import Pool
from .queue import Queue
from .reports import Reports
from .stopping import Stops
from .store import OpenTask
from .task import INSTANCE_LOST, Aged, Backoff, Claimed, Ended, Refused, Status, Task

log = logging.getLogger(__name__)

AGING_SECONDS = 0.5
"""How often the lines are searched for tasks that grew too old: within 1 s of their age, as promised."""
AHEAD_MAX = 20_000
"""Tasks of a line that are counted to tell another one its position."""
AGED_PER_ROUND_MAX = 1_000
"""Tasks of one function that are found too old at a time, so that a flood of them leaves room for others."""
EXECUTIONS_MAX = 2_000
"""Executions in hand at a time: the window of Little's law, far above rate × loop time, far below memory's end."""
EXECUTIONS_OF_FUNCTION_MAX = EXECUTIONS_MAX * 3 // 4
"""Of one function, so that one whose instances take many at a time leaves room for others."""


class Dispatcher:
    """Runs tasks.

    Parameters
    ----------
    queue, pool, clock: what it stands on; it listens to both for new work and free capacity.
    function_of: the function of an id as it stands now, also a deleted one.
    backoff: the waits before retries, where a function has none of its own.
    rng: gives the jitter of those waits.
    reports: take what tasks say of how far they are.

    """

    def __init__(
        self,
        queue: Queue,
        pool: Pool,
        clock: Clock,
        *,
        function_of: Callable[[int], Function],
        backoff: Backoff,
        rng: random.Random,
        reports: Reports,
    ) -> None:
        self._queue, self._pool, self._clock = queue, pool, clock
        self._function_of = function_of
        self._concurrency = Concurrency()
        self._gate = Gate(pool, clock, function_of)
        self._calls = Calls(pool, self._concurrency, self._gate)
        self._executions: dict[int, Execution] = {}
        self._executor = Executor(
            queue, pool, clock, function_of=function_of, backoff=backoff, rng=rng, reports=reports
        )
        self._stops = Stops(queue, self._executor, self._executions)
        self._moments: list[tuple[int, int]] = []
        self._moment_of: dict[int, int] = {}
        self._aging_at = 0.0
        self._wake = asyncio.Event()
        self._freed = asyncio.Event()
        self._draining = False
        self._loop: asyncio.Task[None] | None = None
        self.background = Background("the dispatcher")
        queue.on_due = self._due
        pool.on_free = self._free
        self._concurrency.on_give = self._due
        self._calls.on_wait = self._wake.set

    def look_again(self) -> None:
        """Something changed that may let tasks of any function run: a function, a limit."""
        for line in self._queue.lines():
            self._due(line.function_id)
        self._free()

    def _free(self) -> None:
        """Capacity may have become available."""
        self._wake.set()
        self._freed.set()

    def _due(self, function_id: int) -> None:
        """A task of this function may have become due, or may start although the last one could not."""
        line = self._queue.line(function_id)
        if line.has_due(self._clock.now()) or self._calls.wait_of(function_id):
            self._gate.want(function_id)
        moment = line.next_due()
        if moment is not None and moment < self._moment_of.get(function_id, moment + 1):
            self._moment_of[function_id] = moment
            heappush(self._moments, (moment, function_id))
        self._wake.set()

    # The loop: who is next --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to dispatch; starting twice is fine."""
        if self._loop is None:
            self.look_again()
            self._loop = asyncio.create_task(self._run())

    async def drain(self, seconds: float) -> None:
        """Start nothing new and give what runs `seconds` to end. Draining twice is fine."""
        self._draining = self._queue.closed = self._executor.draining = True
        self._calls.close()
        self._free()
        deadline = self._clock.monotonic() + seconds
        while self._concurrency.total and (left := deadline - self._clock.monotonic()) > 0:
            self._freed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._freed.wait()
            except TimeoutError:
                return

    async def close(self) -> None:
        """Stop dispatching and wait for the last writes. Close the pool first: then nothing runs any more."""
        self._draining = True
        await cancel(self._loop)
        backgrounds = (self.background, self._executor.background, self._calls.background)
        while any(backgrounds):
            for each in backgrounds:
                await each.finish()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            rest: float | None
            try:
                rest = None if self._draining else self._round()
            except Exception:  # a fault of ours in one round must not end all that would follow
                log.exception("a round of the dispatcher failed")
                rest = AGING_SECONDS
            if rest is None:
                await self._wake.wait()
                continue
            try:
                async with asyncio.timeout(real_seconds(self._clock, rest)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _round(self) -> float | None:
        """Give everybody their turns; how long nothing happens unless somebody wakes the loop, None for ever."""
        now = self._clock.now()
        while self._moments and self._moments[0][0] <= now:
            moment, function_id = heappop(self._moments)
            if self._moment_of.get(function_id) == moment:
                del self._moment_of[function_id]
                self._due(function_id)
        # By the monotonic clock: a wall clock that is set back must not put off the next look, nor make it a long rest.
        if self._clock.monotonic() >= self._aging_at:
            self._take_aged(now)
        self._gate.round(self._begin)
        rests = [each for each in (self._gate.rest_seconds(),) if each is not None]
        if self._aging_at:
            rests.append(self._aging_at - self._clock.monotonic())
        if self._moments:
            rests.append((self._moments[0][0] - now) / MICROSECONDS_PER_SECOND)
        return max(min(rests), 0.001) if rests else None

    def _take_aged(self, now: int) -> None:
        """Find the tasks that grew too old, and say when to look again: never, when nothing waits."""
        more, self._aging_at = False, 0.0
        for line in self._queue.lines():
            aged = line.take_aged(now, AGED_PER_ROUND_MAX)
            for task_id in aged:
                self.background.spawn(self._age(task_id))
            more = more or len(aged) == AGED_PER_ROUND_MAX
            self._aging_at = self._clock.monotonic() + (0.001 if more else AGING_SECONDS)

    def _begin(self, function_id: int) -> Begun:
        """Let a function take one turn: a call that waits goes first, then the task that has been due longest."""
        if self._calls.wait_of(function_id):
            return self._calls.begin(function_id)
        line, now = self._queue.line(function_id), self._clock.now()
        if not line.has_due(now):
            return Begun.NOTHING
        if len(self._executions) >= EXECUTIONS_MAX:
            return Begun.FULL
        function = self._function_of(function_id)
        used, refusal = None, DELETED
        if not function.deleted:
            held = self._concurrency.held(function)
            if function.paused_at or not self._concurrency.allows(function) or held >= EXECUTIONS_OF_FUNCTION_MAX:
                return Begun.LIMITED
            if self._pool.capacity.possible(function):
                used = self._pool.acquire(function)
                if used is None:
                    return Begun.STARTING if self._pool.capacity.starts_enough(function) else Begun.FULL
            else:
                need, have = function.config.memory_size, self._pool.capacity.memory_mb
                refusal = Refused("ResourceThrottled", f"an instance of {need} MB never fits this server's {have} MB")
        task_id = line.take(now)
        assert task_id is not None  # noqa: S101 - it has just been asked
        execution = self._executions[task_id] = Execution(task_id, used, refusal)
        self._concurrency.take(function)
        self.background.spawn(self._execute(execution, function))
        return Begun.STARTED

    async def _execute(self, execution: Execution, function: Function) -> None:
        try:
            await self._executor.run(execution, function)
        finally:
            del self._executions[execution.task_id]
            if execution.instance is not None:
                self._pool.release(execution.instance)
            self._concurrency.give(function)
            self._free()

    # What is not a normal run -----------------------------------------------------------------------------------------

    async def recover(self, orphans: Iterable[OpenTask]) -> None:
        """Judge the tasks that an earlier incarnation was busy with; its processes are dead by now."""
        for row in orphans:
            task = await self._queue.read(row.id)
            if task is None:
                continue
            crashpoint("server.recover.before")
            if task.status is Status.STOPPING:
                await self._queue.apply(task, Ended({"cause": INSTANCE_LOST, "processesLeft": 0}))
            elif task.status is Status.RUNNING:
                await self._executor.settle(task, outcome.of_loss("the server ended while the task was running"), None)
            crashpoint("server.recover.after")

    async def _age(self, task_id: int) -> None:
        """Claim a task that grew too old, for the purpose of saying so."""
        try:
            task = await self._queue.read(task_id)
            if task is not None and not task.over and task.status is not Status.STOPPING:
                crashpoint("task.age.before")
                await self._queue.apply(task, Claimed(self._queue.incarnation), Aged())
                crashpoint("task.age.durable")
        except StoreFailed as error:
            await self._executor.put_back(task_id, error)

    async def stop(self, function: Function, name: str, actor: str, *, force: bool = False) -> Task:
        """Stop a task wherever it is in its life, see `stopping.Stops.stop`."""
        return await self._stops.stop(function, name, actor, force=force)

    def waits(self, task: Task) -> bool:
        """Whether nothing works on a task here, see `stopping.Stops.waits`."""
        return self._stops.waits(task)

    def situation(self, task: Task, function: Function) -> Situation:
        """What stands in the way of a task, and what does not; `function` is what runs it."""
        execution = self._executions.get(task.id)
        used = execution.instance if execution is not None else None
        group, capacity = self._pool.fleet.groups.get(function.id), self._pool.capacity
        mine = [each for each in self._pool.instances() if each.function.account_id == function.account_id]
        in_hand = {each.id: sorted(filter(None, each.in_flight.values())) for each in mine}
        free = group is not None and bool(group.idle or group.frozen or group.sharing)
        return Situation(
            now=self._clock.now(),
            working=execution is not None,
            instance=used.status.value if used is not None else "",
            held=self._concurrency.held(function),
            holders=tuple(name for each in mine if each.function.root == function.root for name in in_hand[each.id]),
            others=tuple(name for each in mine if each.function.root != function.root for name in in_hand[each.id]),
            position=self._queue.line(task.runs).ahead(task.id, AHEAD_MAX),
            starting=group.starting if group is not None else 0,
            room=free or (capacity.fits(function) and len(self._executions) < EXECUTIONS_MAX),
            possible=capacity.possible(function),
            memory_mb=capacity.memory_mb,
            instances_max=capacity.instances_max,
            draining=self._draining,
        )

    async def abort(self, function: Function, actor: str) -> None:
        """End what runs of a function, whatever version: its running tasks are stopped, its calls are cut off."""
        for execution in list(self._executions.values()):
            used, attempt = execution.instance, execution.attempt
            if attempt is not None and used is not None and used.function.root == function.id:
                with contextlib.suppress(TaskNotFound, TaskAlreadyCompleted):
                    await self._stops.stop(function, attempt.task_name, actor)
        for used in self._pool.instances():
            if used.function.root == function.id and "" in used.in_flight.values():
                self.background.spawn(self._pool.stop(used, "disable"))

    async def invoke(self, function: Function, payload: bytes, request_id: str, *, http: bool = False) -> Answer:
        """Call a function and wait for its answer, see `call.Calls.invoke`."""
        return await self._calls.invoke(function, payload, request_id, http=http)

    def attempt(self, task_id: int) -> Attempt | None:
        """The attempt of a task that is in progress here, if one is."""
        execution = self._executions.get(task_id)
        return execution.attempt if execution is not None else None
