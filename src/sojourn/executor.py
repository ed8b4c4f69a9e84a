"""The executor: one task from its claim to the end of its attempt. It reads top to bottom.

    claim → check → start → run → judge → apply

`Running` is durable before user code is called, and so before Initializer is. Every write is fenced by the task's
epoch: when one does not hold, somebody else (a stop) moved the task, and the execution lets go. What must happen after
a crash is read from the rows. Whose turn it is and on which instance is decided before, by `dispatcher` and `gate`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable

import msgspec

from . import identity
from .attempt import Attempt
from .background import Background
from .clock import MICROSECONDS_PER_SECOND, Clock
from .crashpoint import crashpoint
from .errors import InstanceStartFailed, StoreFailed
from .function import Function
from .pool import Instance, Pool
from .queue import Queue, wire_name
from .reports import Reports
from .sandbox import Exit, Invocation
from .store import Log
from .task import (
    Aged,
    Backoff,
    Claimed,
    Fact,
    Faltered,
    Outcome,
    Refused,
    Started,
    Status,
    Task,
    judge,
)

log = logging.getLogger(__name__)

STARTS_LOST_MAX = 3
"""Times an instance may be lost while it starts before its task is refused."""
START_RETRY_SECONDS = 0.5
STORE_RETRY_SECONDS = 1.0
DELETED = Refused("FunctionDeleted", "the function was deleted")


class Execution:
    """A task in our hands, from its claim to the write that ends its attempt.

    `refusal` says why it cannot be triggered when there is no instance for it, `forced` that its end is to come at
    once.
    """

    __slots__ = ("attempt", "forced", "instance", "refusal", "task_id")

    def __init__(self, task_id: int, instance: Instance | None, refusal: Refused = DELETED) -> None:
        self.task_id, self.instance, self.refusal = task_id, instance, refusal
        self.attempt: Attempt | None = None
        self.forced = False


class Executor:
    """Runs claimed tasks.

    Parameters
    ----------
    queue, pool, clock: what it stands on.
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
        self._reports = reports
        self._queue, self._pool, self._clock = queue, pool, clock
        self._function_of, self._backoff, self._rng = function_of, backoff, rng
        self.starts_lost: dict[int, int] = {}
        self.background = Background("an execution")
        self.draining = False

    async def run(self, execution: Execution, function: Function) -> None:
        """One task from its claim to the end of its attempt; its instance is the caller's to release."""
        try:
            task = await self._queue.read(execution.task_id)
            if task is None or task.over or task.status is Status.STOPPING:
                return
            crashpoint("task.claim.before")
            started = await self._start(execution, task)
            if started is None:
                return
            crashpoint("task.start.durable")
            ended = await self._attempt(execution, started, function)
            await self._reports.settle(task.id)
            crashpoint("task.settle.before")
            settled = await self.settle(started, ended, execution.attempt)
            if not settled and execution.attempt is not None:  # a stop was first, and the instance goes with it
                await execution.attempt.end("stop")
        except StoreFailed as error:
            self.background.spawn(self.put_back(execution.task_id, error))

    async def end(self, execution: Execution, task: Task, reason: str) -> Exit | None:
        """End what a task runs on; None when its instance lives on, see `Pool.give_up`."""
        assert execution.instance is not None  # noqa: S101 - the caller has looked
        if execution.attempt is not None:
            return await execution.attempt.end(reason, force=execution.forced)
        return await self._pool.stop(execution.instance, reason, wire_name(task), force=execution.forced)

    async def settle(self, task: Task, ended: Outcome, attempt: Attempt | None) -> bool:
        """Judge what an attempt came to and make it durable; False when somebody else moved the task first."""
        backoff = self._backoff_of(self._function_of(task.runs), task.qualifier)
        fact = judge(task, ended, self._clock.now(), backoff, self._rng.uniform(-1.0, 1.0))
        after = await self.insist(task, fact, log=attempt.output.log(attempt.number) if attempt else None)
        crashpoint("task.settle.durable")
        if after is not None and isinstance(fact, Faltered):
            crashpoint("task.retry.durable")
            self._queue.wait(after)
        return after is not None

    async def insist(self, task: Task, fact: Fact, log: Log | None = None) -> Task | None:
        """Make durable what has happened already, for as long as the store needs to take it."""
        while True:
            try:
                return await self._queue.apply(task, fact, log=log)
            except StoreFailed:
                if self._pool.closing:
                    raise
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def put_back(self, task_id: int, error: StoreFailed) -> None:
        """The store did not take a claim: nothing has happened, so the task waits again."""
        log.error("task %s: %s", identity.request_id(task_id), error)
        while not self._pool.closing:
            await asyncio.sleep(STORE_RETRY_SECONDS)
            with contextlib.suppress(StoreFailed):
                task = await self._queue.read(task_id)
                if task is not None and not task.over and task.status not in (Status.RUNNING, Status.STOPPING):
                    self._queue.wait(task)
                return

    async def _start(self, execution: Execution, task: Task) -> Task | None:
        """Claim, check, and make Running durable; None when the task is not to be run now."""
        claim, used = Claimed(self._queue.incarnation), execution.instance
        refusal = self._refusal(task)
        if refusal is not None or used is None:
            crashpoint("task.refuse.before")
            await self._queue.apply(task, claim, refusal or execution.refusal)
            crashpoint("task.refuse.durable")
            return None
        if used.up:
            return await self._queue.apply(task, claim, Started(used.id))
        claimed = await self._queue.apply(task, claim)
        crashpoint("task.claim.durable")
        if claimed is None or not await self._made(claimed, used):
            return None
        crashpoint("task.start.before")
        return await self._queue.apply(claimed, Started(used.id))

    async def _made(self, task: Task, used: Instance) -> bool:
        """Wait for the instance that is made for a claimed task; False when the task is not to start on it now."""
        try:
            await self._pool.ready(used)
        except InstanceStartFailed as error:
            refusal = self._refusal(task)
            if refusal is not None:
                await self._queue.apply(task, refusal)
            else:
                await self._not_started(task, error, counts=not used.retired)
            return False
        refusal = self._refusal(task)  # making an instance took time, in which it may have grown too old
        if refusal is not None:
            await self._queue.apply(task, refusal)
            return False
        return not self.draining  # then it stays Dequeued, and the next start of the server takes it over

    def _refusal(self, task: Task) -> Fact | None:
        """Why a claimed task cannot be triggered, if so."""
        function = self._function_of(task.runs)
        if function.deleted or function.generation != task.generation:
            return Refused("FunctionDeleted", f"function '{function.name}' was deleted after the task was submitted")
        if task.expires_at and self._clock.now() > task.expires_at:
            return Aged()
        return None

    async def _not_started(self, task: Task, error: InstanceStartFailed, *, counts: bool) -> None:
        """No instance could be made: what was lost is tried again, what cannot work makes the task Invalid.

        A start that was cut short because the function changed does not count: the next one is of the new code.
        """
        lost = self.starts_lost.get(task.id, 0) + counts
        if error.lost and (lost <= STARTS_LOST_MAX or self.draining):
            self.starts_lost[task.id] = lost
            due = self._clock.now() + int(START_RETRY_SECONDS * MICROSECONDS_PER_SECOND)
            self._queue.wait(msgspec.structs.replace(task, due_at=due))
            return
        self.starts_lost.pop(task.id, None)
        await self._queue.apply(task, Refused(error.cause, error.message))

    async def _attempt(self, execution: Execution, task: Task, function: Function) -> Outcome:
        """Call the handler of a task whose Running is durable."""
        used = execution.instance
        assert used is not None  # noqa: S101 - `_start` answers with a task only when there is one
        self.starts_lost.pop(task.id, None)
        execution.attempt = Attempt(self._pool, used, task.attempts, wire_name(task))
        invocation = Invocation(
            request_id=identity.request_id(task.id),
            payload=task.payload,
            retry_count=task.retries + task.losses,
            checkpoint=await self._reports.checkpoint(task.id) if task.attempts > 1 else b"",
            on_report=lambda body: self._reports.take(task, task.attempts, body),
        )
        return await execution.attempt.run(function, invocation)

    def _backoff_of(self, function: Function, qualifier: str) -> Backoff:
        """The waits before retries of a function: its own where it has them, else the server's."""
        mine, config = self._backoff, function.async_config_of(qualifier)
        if config is None:
            return mine
        base, cap = config.retry_interval_seconds, config.retry_interval_max_seconds
        if base is None and cap is None:
            return mine
        base_seconds = mine.base_seconds if base is None else float(base)
        cap_seconds = max(mine.cap_seconds, base_seconds) if cap is None else float(cap)
        return Backoff(base_seconds=base_seconds, cap_seconds=cap_seconds, jitter=mine.jitter)
