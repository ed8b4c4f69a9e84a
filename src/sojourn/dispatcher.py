"""The dispatcher: the one place where tasks meet instances. It reads top to bottom.

    claim → check → acquire → run → judge → apply

Claims are bounded by free capacity: a task leaves its line only when an instance is warm or being made for it, so that
waiting for capacity costs no attempt and shows as Enqueued. `Running` is durable before user code is called. Every
write is fenced by the task's epoch: when one does not hold, somebody else (a stop) moved the task, and the execution
lets go. What must happen after a crash is read from the rows by `recover`.

It leaves to `queue` what is durable, to `pool` which instance, to `outcome` what an end means, to `task` what follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine, Iterable

import msgspec

from . import identity, outcome
from .attempt import Attempt
from .call import Answer, Calls
from .clock import MICROSECONDS_PER_SECOND, Clock
from .concurrency import Concurrency
from .errors import InstanceStartFailed, StoreFailed, TaskAlreadyCompleted
from .function import Function
from .pool import Instance, Pool
from .queue import Queue
from .sandbox import Invocation
from .store import Log, OpenTask
from .task import (
    INSTANCE_LOST,
    Aged,
    Backoff,
    Claimed,
    Ended,
    Fact,
    Faltered,
    Outcome,
    Refused,
    Started,
    Status,
    StopRequested,
    Task,
    judge,
)

log = logging.getLogger(__name__)

AGING_SECONDS = 0.5
"""How often the lines are searched for tasks that grew too old: within 1 s of their age, as promised."""
AGED_PER_ROUND_MAX = 1_000
"""Tasks of one function that are found too old at a time, so that a flood of them leaves room for others."""
EXECUTIONS_MAX = 2_000
"""Executions in hand at a time: the window of Little's law, far above rate × loop time, far below memory's end."""
STARTS_LOST_MAX = 3
"""Times an instance may be lost while it starts before its task is refused."""
START_RETRY_SECONDS = 0.5
STORE_RETRY_SECONDS = 1.0


class Execution:
    """A task in the dispatcher's hands, from its claim to the write that ends its attempt."""

    __slots__ = ("attempt", "instance", "task_id")

    def __init__(self, task_id: int, instance: Instance | None) -> None:
        self.task_id, self.instance = task_id, instance
        self.attempt: Attempt | None = None


class Dispatcher:
    """Runs tasks.

    Parameters
    ----------
    queue, pool, clock: what it stands on; it listens to both for new work and free capacity.
    function_of: the function of an id as it stands now, also a deleted one.
    backoff: the waits before retries.
    rng: gives the jitter of those waits.

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
    ) -> None:
        self._queue, self._pool, self._clock = queue, pool, clock
        self._function_of, self._backoff, self._rng = function_of, backoff, rng
        self._concurrency = Concurrency()
        self._calls = Calls(pool, self._concurrency, clock)
        self._executions: dict[int, Execution] = {}
        self._starts_lost: dict[int, int] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._freed = asyncio.Event()
        self._draining = False
        self._loop: asyncio.Task[None] | None = None
        self._turn = 0
        queue.on_due = lambda _: self._wake.set()
        pool.on_free = self.look_again

    def look_again(self) -> None:
        """Something changed that may let a task run: capacity, a function, a limit."""
        self._wake.set()
        self._freed.set()
        self._calls.freed.set()

    # The loop: who is next --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to dispatch; starting twice is fine."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())

    async def drain(self, seconds: float) -> None:
        """Start nothing new and give what runs `seconds` to end. Draining twice is fine."""
        self._draining = self._queue.closed = self._calls.closed = True
        self.look_again()
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
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                waiting = not self._draining and self._round()
            except Exception:  # a fault of ours in one round must not end all that would follow
                log.exception("a round of the dispatcher failed")
                waiting = True
            if not waiting:
                await self._wake.wait()
                continue
            try:
                async with asyncio.timeout(self._rest_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _round(self) -> bool:
        """Give every function its turn, beginning with another one each time; says whether anything waits."""
        now = self._clock.now()
        lines = list(self._queue.lines())
        for line in lines:
            for task_id in line.take_aged(now, AGED_PER_ROUND_MAX):
                self._spawn(self._age(task_id))
        self._turn += 1
        first = self._turn % len(lines) if lines else 0
        turning = lines[first:] + lines[:first]
        while turning:
            turning = [line for line in turning if line.has_due(now) and self._begin(line.function_id, now)]
        return any(len(line) for line in lines)

    def _rest_seconds(self) -> float:
        """How long nothing happens unless somebody wakes the loop."""
        moments = [moment for line in self._queue.lines() if (moment := line.next_moment()) is not None]
        if not moments:
            return AGING_SECONDS
        return min(max((min(moments) - self._clock.now()) / MICROSECONDS_PER_SECOND, 0.001), AGING_SECONDS)

    def _begin(self, function_id: int, now: int) -> bool:
        """Take one due task of a function if there is capacity for it."""
        if len(self._executions) >= EXECUTIONS_MAX:
            return False
        function = self._function_of(function_id)
        used: Instance | None = None
        if not function.deleted:
            if not self._concurrency.allows(function):
                return False
            used = self._pool.acquire(function)
            if used is None:
                return False
        task_id = self._queue.line(function_id).take(now)
        assert task_id is not None  # noqa: S101 - the caller has just asked
        execution = self._executions[task_id] = Execution(task_id, used)
        self._concurrency.take(function_id)
        self._spawn(self._execute(execution, function))
        return True

    # One execution ----------------------------------------------------------------------------------------------------

    async def _execute(self, execution: Execution, function: Function) -> None:
        """One task from its claim to the end of its attempt."""
        try:
            task = await self._queue.read(execution.task_id)
            if task is None or task.over or task.status is Status.STOPPING:
                return
            started = await self._start(execution, task)
            if started is None:
                return
            ended = await self._attempt(execution, started, function)
            settled = await self._settle(started, ended, execution.attempt)
            if not settled and execution.instance is not None:  # a stop was first, and the instance goes with it
                await self._pool.stop(execution.instance, "stop")
        except StoreFailed as error:
            self._spawn(self._put_back(execution.task_id, error))
        finally:
            self._let_go(execution, function.id)

    async def _start(self, execution: Execution, task: Task) -> Task | None:
        """Claim, check, and make Running durable; None when the task is not to be run now."""
        claim, used = Claimed(self._queue.incarnation), execution.instance
        refusal = self._refusal(task)
        if refusal is not None or used is None:
            await self._queue.apply(task, claim, refusal or Refused("FunctionDeleted", "the function was deleted"))
            return None
        if used.warm:
            return await self._queue.apply(task, claim, Started(used.id))
        claimed = await self._queue.apply(task, claim)
        if claimed is None or not await self._made(claimed, used):
            return None
        return await self._queue.apply(claimed, Started(used.id))

    async def _made(self, task: Task, used: Instance) -> bool:
        """Wait for the instance that is made for a claimed task; False when the task is not to start on it now."""
        try:
            await self._pool.ready(used)
        except InstanceStartFailed as error:
            await self._not_started(task, error)
            return False
        refusal = self._refusal(task)  # making an instance took time, in which it may have grown too old
        if refusal is not None:
            await self._queue.apply(task, refusal)
            return False
        return not self._draining  # then it stays Dequeued, and the next start of the server takes it over

    def _refusal(self, task: Task) -> Fact | None:
        """Why a claimed task cannot be triggered, if so."""
        function = self._function_of(task.function_id)
        if function.deleted or function.generation != task.generation:
            return Refused("FunctionDeleted", f"function '{function.name}' was deleted after the task was submitted")
        if task.expires_at and self._clock.now() > task.expires_at:
            return Aged()
        return None

    async def _not_started(self, task: Task, error: InstanceStartFailed) -> None:
        """No instance could be made: what was lost is tried again, what cannot work makes the task Invalid."""
        lost = self._starts_lost.get(task.id, 0) + 1
        if error.lost and (lost <= STARTS_LOST_MAX or self._draining):
            self._starts_lost[task.id] = lost
            due = self._clock.now() + int(START_RETRY_SECONDS * MICROSECONDS_PER_SECOND)
            self._queue.wait(msgspec.structs.replace(task, due_at=due))
            return
        self._starts_lost.pop(task.id, None)
        await self._queue.apply(task, Refused(error.cause, error.message))

    async def _attempt(self, execution: Execution, task: Task, function: Function) -> Outcome:
        """Call the handler of a task whose Running is durable."""
        used = execution.instance
        assert used is not None  # noqa: S101 - `_start` answers with a task only when there is one
        self._starts_lost.pop(task.id, None)
        execution.attempt = Attempt(self._pool, used, task.attempts)
        invocation = Invocation(
            request_id=identity.request_id(task.id),
            payload=task.payload,
            retry_count=task.retries + task.losses,
        )
        return await execution.attempt.run(function, invocation)

    async def _settle(self, task: Task, ended: Outcome, attempt: Attempt | None) -> bool:
        """Judge what an attempt came to and make it durable; False when somebody else moved the task first."""
        fact = judge(task, ended, self._clock.now(), self._backoff, self._rng.uniform(-1.0, 1.0))
        after = await self._insist(task, fact, log=attempt.output.log(attempt.number) if attempt else None)
        if after is not None and isinstance(fact, Faltered):
            self._queue.wait(after)
        return after is not None

    async def _insist(self, task: Task, fact: Fact, log: Log | None = None) -> Task | None:
        """Make durable what has happened already, for as long as the store needs to take it."""
        while True:
            try:
                return await self._queue.apply(task, fact, log=log)
            except StoreFailed:
                if self._pool.closing:
                    raise
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def _put_back(self, task_id: int, error: StoreFailed) -> None:
        """The store did not take a claim: nothing has happened, so the task waits again."""
        log.error("task %s: %s", identity.request_id(task_id), error)
        while not self._pool.closing:
            await asyncio.sleep(STORE_RETRY_SECONDS)
            with contextlib.suppress(StoreFailed):
                task = await self._queue.read(task_id)
                if task is not None and not task.over and task.status not in (Status.RUNNING, Status.STOPPING):
                    self._queue.wait(task)
                return

    def _let_go(self, execution: Execution, function_id: int) -> None:
        del self._executions[execution.task_id]
        self._concurrency.give(function_id)
        if execution.instance is not None:
            self._pool.release(execution.instance)
        self.look_again()

    # What is not a normal run -----------------------------------------------------------------------------------------

    async def recover(self, orphans: Iterable[OpenTask]) -> None:
        """Judge the tasks that an earlier incarnation was busy with; its processes are dead by now."""
        for row in orphans:
            task = await self._queue.read(row.id)
            if task is None:
                continue
            if task.status is Status.STOPPING:
                await self._queue.apply(task, Ended({"cause": INSTANCE_LOST, "processesLeft": 0}))
            elif task.status is Status.RUNNING:
                await self._settle(task, outcome.of_loss("the server ended while the task was running"), None)

    async def _age(self, task_id: int) -> None:
        """Claim a task that grew too old, for the purpose of saying so."""
        try:
            task = await self._queue.read(task_id)
            if task is not None and not task.over and task.status is not Status.STOPPING:
                await self._queue.apply(task, Claimed(self._queue.incarnation), Aged())
        except StoreFailed as error:
            await self._put_back(task_id, error)

    async def stop(self, function: Function, name: str, actor: str) -> Task:
        """Stop a task wherever it is in its life; on return that is durable.

        Raises
        ------
        TaskNotFound: the function has no such task.
        TaskAlreadyCompleted: it is over already, in whatever way; stopping one that is Stopping succeeds again.

        """
        while True:
            task = await self._queue.find(function, name)
            if task.status is Status.STOPPING:
                return task
            if task.over:
                raise TaskAlreadyCompleted(name, task.status.value)
            execution = self._executions.get(task.id) if task.status is Status.RUNNING else None
            facts: list[Fact] = [StopRequested(actor)]
            if execution is None:  # no user code of it runs, so that the stop is over as soon as it is asked for
                facts.append(Ended({"ran": task.attempts > 0, "processesLeft": 0}))
            after = await self._queue.apply(task, *facts)
            if after is None:
                continue  # it moved meanwhile: look where it is now
            self._queue.line(function.id).remove(task.id)
            self._starts_lost.pop(task.id, None)
            if execution is not None:
                self._spawn(self._prove(after, execution))
            return after

    async def _prove(self, task: Task, execution: Execution) -> None:
        """End what a stopped task runs on, and record that nothing of it is left."""
        used, attempt = execution.instance, execution.attempt
        evidence: dict[str, object] = {"processesLeft": 0}
        if used is not None:
            evidence = outcome.evidence_of(await self._pool.stop(used, "stop")) | {"instanceId": used.id}
        log = attempt.output.log(attempt.number) if attempt is not None else None
        await self._insist(task, Ended(evidence), log)

    async def invoke(self, function: Function, payload: bytes, request_id: str) -> Answer:
        """Call a function and wait for its answer, see `call.Calls.invoke`."""
        return await self._calls.invoke(function, payload, request_id)

    def attempt(self, task_id: int) -> Attempt | None:
        """The attempt of a task that is in progress here, if one is."""
        execution = self._executions.get(task_id)
        return execution.attempt if execution is not None else None

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an execution failed at the edge of its loop", exc_info=error)
