"""Mutants of what may happen to a task: ages, stops, retries, budgets, limits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from sojourn import destination, executor, outcome
from sojourn import task as tasks
from sojourn.attempt import Attempt
from sojourn.clock import MICROSECONDS_PER_SECOND
from sojourn.concurrency import Concurrency
from sojourn.deliveries import Deliveries
from sojourn.destination import Deferred, Delivered, Delivery, DeliveryStatus
from sojourn.dispatcher import Dispatcher
from sojourn.executor import Executor
from sojourn.line import Line
from sojourn.queue import Queue
from sojourn.stopping import Stops
from sojourn.stores.sqlite import writes
from sojourn.task import Aged, Claimed, Ended, Failure, Faltered, Refused, Returned, Status

from .durable import _unguarded
from .mutant import Patch, idle, mutant, nothing, rows_more, swap, wrap

# Ages, and functions that are gone ------------------------------------------------------------------------------------


@mutant("an age is not looked at before a start")
def _() -> Iterable[Patch]:
    def refusal(original: Any, self: Executor, task: tasks.Task) -> Any:
        found = original(self, task)
        return None if isinstance(found, Aged) else found

    yield wrap(Executor, "_refusal", refusal)


@mutant("a function that was deleted is started")
def _() -> Iterable[Patch]:
    def refusal(original: Any, self: Executor, task: tasks.Task) -> Any:
        found = original(self, task)
        return None if isinstance(found, Refused) else found

    yield wrap(Executor, "_refusal", refusal)


@mutant("what grows too old is not looked for")
def _() -> Iterable[Patch]:
    yield swap(Dispatcher, "_take_aged", idle)


@mutant("expiry ignores a start")
def _() -> Iterable[Patch]:
    def take(original: Any, self: Line, now: int) -> Any:
        if not self.has_due(now):
            return None
        expires_at = self._waiting[self._due[0]]
        task_id = original(self, now)
        self._waiting[task_id] = expires_at
        return task_id

    async def age(_: Any, self: Dispatcher, task_id: int) -> None:
        task = await self._queue.read(task_id)
        if task is not None and not task.over:
            await self._queue.apply(task, Claimed(self._queue.incarnation), Aged())

    yield wrap(Line, "take", take)
    yield wrap(Dispatcher, "_age", age)
    yield rows_more((Status.RUNNING, Claimed, Status.DEQUEUED))


@mutant("a due time is not looked at")
def _() -> Iterable[Patch]:
    def add(original: Any, self: Line, task_id: int, due_at: int, *rest: int) -> None:
        original(self, task_id, min(due_at, rest[-1]), *rest)

    yield wrap(Line, "add", add)


@mutant("the dispatcher rests by the wall clock")
def _() -> Iterable[Patch]:
    def take(original: Any, self: Dispatcher, now: int) -> None:
        ahead = (now - self.__dict__.setdefault("_first_now", now)) / MICROSECONDS_PER_SECOND
        passed = self._clock.monotonic() - self.__dict__.setdefault("_first_at", self._clock.monotonic())
        original(self, now)
        if self._aging_at:
            self._aging_at += max(passed - ahead, 0.0)

    yield wrap(Dispatcher, "_take_aged", take)


# Stops ----------------------------------------------------------------------------------------------------------------


@mutant("a stop loses to a retry")
def _() -> Iterable[Patch]:
    async def settle(original: Any, self: Executor, task: tasks.Task, ended: Any, attempt: Any) -> bool:
        if await original(self, task, ended, attempt):
            return True
        now = await self._queue.read(task.id)
        return now is not None and not now.over and bool(await original(self, now, ended, attempt))

    yield wrap(Executor, "settle", settle)
    yield rows_more(
        (Status.STOPPING, Faltered, Status.RETRYING),
        (Status.STOPPING, Returned, Status.SUCCEEDED),
        (Status.STOPPING, tasks.GaveUp, Status.FAILED),
    )


@mutant("a stop proves nothing")
def _() -> Iterable[Patch]:
    async def prove(_: Any, self: Stops, task: tasks.Task, execution: Any) -> None:
        del execution
        await self._executor.insist(task, Ended({"processesLeft": 0}))

    yield wrap(Stops, "_prove", prove)


@mutant("a stop ends nothing")
def _() -> Iterable[Patch]:
    yield swap(Stops, "_prove", nothing)


@mutant("a stop needs somebody who runs the task")
def _() -> Iterable[Patch]:
    async def apply(original: Any, self: Any, task: tasks.Task, *facts: Any, log: Any = None) -> Any:
        kept = [fact for fact in facts if not (isinstance(fact, Ended) and len(facts) > 1)]
        return await original(self, task, *kept, log=log)

    yield wrap(Queue, "apply", apply)


@mutant("a stop is undone by a caller that goes away")
def _() -> Iterable[Patch]:
    async def stop(_: Any, self: Stops, *arguments: Any, **named: Any) -> Any:
        return await self._stop(*arguments, **named)

    yield wrap(Stops, "stop", stop)


@mutant("a stopped task stays in its line, and is not looked at")
def _() -> Iterable[Patch]:
    async def run(_: Any, self: Executor, execution: Any, function: Any) -> None:
        task = await self._queue.read(execution.task_id)
        assert task is not None  # noqa: S101 - it was submitted
        started = await self._start(execution, task)
        if started is not None:
            ended = await self._attempt(execution, started, function)
            await self.settle(started, ended, execution.attempt)

    yield wrap(Executor, "run", run)
    yield swap(Line, "remove", idle)


# Retries and budgets --------------------------------------------------------------------------------------------------


def _charging(attribute: str) -> Patch:
    def failed(original: Any, task: tasks.Task, fact: Any) -> Any:
        changes, detail = original(task, fact)
        if isinstance(fact, Faltered):
            changes.pop("losses", None)
            changes.pop("retries", None)
            changes[attribute] = getattr(task, attribute) + 1
        return changes, detail

    return wrap(tasks, "_failed", failed)


@mutant("losses are charged to retries")
def _() -> Iterable[Patch]:
    yield _charging("retries")


@mutant("retries are charged to losses")
def _() -> Iterable[Patch]:
    yield _charging("losses")


@mutant("one retry too many")
def _() -> Iterable[Patch]:
    def judge(original: Any, task: tasks.Task, *rest: Any) -> Any:
        return original(msgspec.structs.replace(task, retries_max=task.retries_max + 1), *rest)

    yield wrap(executor, "judge", judge)


@mutant("losses without end")
def _() -> Iterable[Patch]:
    yield swap(tasks, "LOSSES_MAX", 1_000)


@mutant("an error that is final is retried")
def _() -> Iterable[Patch]:
    def judge(original: Any, task: tasks.Task, ended: Any, *rest: Any) -> Any:
        if isinstance(ended, Failure):
            ended = msgspec.structs.replace(ended, retryable=True)
        return original(task, ended, *rest)

    yield wrap(executor, "judge", judge)


@mutant("a crash is called a loss")
def _() -> Iterable[Patch]:
    yield swap(outcome, "of_exit", lambda *_: outcome.of_loss("a process ended"))


@mutant("a loss is called an error")
def _() -> Iterable[Patch]:
    def loss(original: Any, why: str) -> Any:
        return msgspec.structs.replace(original(why), lost=False)

    yield wrap(outcome, "of_loss", loss)


@mutant("an error is called a success")
def _() -> Iterable[Patch]:
    def reply(original: Any, answer: Any, memory_mb: int) -> Any:
        return original(msgspec.structs.replace(answer, ok=True), memory_mb)

    yield wrap(outcome, "of_reply", reply)


@mutant("all logs are of the first attempt")
def _() -> Iterable[Patch]:
    def init(original: Any, self: Attempt, *given: Any) -> None:
        original(self, *given[:2], 1, *given[3:])

    yield wrap(Attempt, "__init__", init)


@mutant("no timeout")
def _() -> Iterable[Patch]:
    yield swap(Attempt, "_time_out", idle)


# Limits ---------------------------------------------------------------------------------------------------------------


@mutant("concurrency off by one")
def _() -> Iterable[Patch]:
    def allows(_: Any, self: Concurrency, function: Any) -> bool:
        limit = function.reserved_concurrency
        return limit is None or self.held(function) <= limit

    yield wrap(Concurrency, "allows", allows)


@mutant("a limit is lifted while its calls are being ended")
def _() -> Iterable[Patch]:
    yield swap(Concurrency, "take", idle)
    yield swap(Concurrency, "give", idle)


@mutant("what is over still counts")
def _() -> Iterable[Patch]:
    yield swap(Concurrency, "give", idle)


# Destinations ---------------------------------------------------------------------------------------------------------


@mutant("a delivery is not retried")
def _() -> Iterable[Patch]:
    def attempted(original: Any, delivery: Delivery, verdict: Any, *rest: Any) -> Delivery:
        after: Delivery = original(delivery, verdict, *rest)
        if isinstance(verdict, Deferred):
            return msgspec.structs.replace(after, status=DeliveryStatus.FAILED, due_at=0, ended_at=1)
        return after

    yield wrap(destination, "attempted", attempted)


@mutant("a delivery is not made after a restart")
def _() -> Iterable[Patch]:
    yield swap(Deliveries, "_sweep", nothing)


@mutant("a delivery is called done before it is sent")
def _() -> Iterable[Patch]:
    async def send(*_: Any) -> Delivered:
        return Delivered()

    yield swap(Deliveries, "_send", send)


@mutant("a record differs from one attempt to the next")
def _() -> Iterable[Patch]:
    count = iter(range(1_000_000_000))

    def record(original: Any, *arguments: Any) -> bytes:
        return bytes(original(*arguments)) + b" " * (next(count) % 7)

    yield wrap(destination, "record_of", record)


@mutant("no record of a stop")
def _() -> Iterable[Patch]:
    def delivery(original: Any, task: tasks.Task, *rest: Any) -> Any:
        return None if task.status is Status.STOPPED else original(task, *rest)

    yield wrap(destination, "delivery_of", delivery)


@mutant("no epoch check in the outbox")
def _() -> Iterable[Patch]:
    yield swap(writes, "_UPDATE_DELIVERY", _unguarded(writes._UPDATE_DELIVERY, "task_id"))  # noqa: SLF001 - as above
