"""The age of a message: a task that was not begun in time is Expired, and never runs."""

from __future__ import annotations

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.site import Site, exhibit, history
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, THIRD_PARTY
from sojourn.conform.wire import Document

from .exhibits import refused

age = Group("task.age")


@exhibit
async def expired(on: Site) -> Document:
    """A task of a function of which nothing may run, a second later."""
    function = await on.tasker("aged", maxAsyncRetryAttempts=2, maxAsyncEventAgeInSeconds=1)
    await on.cap(function, 0)
    return await on.ran(function, b"late")


@age(DOCUMENTED)
async def over_it_is_expired(on: Site) -> None:
    """A task that waits for longer than `maxAsyncEventAgeInSeconds` is Expired."""
    same("the status", "Expired", (await expired(on))["status"])


@age(DOCUMENTED)
async def an_expired_task_never_ran(on: Site) -> None:
    """An Expired task was never Running."""
    holds("no event Running", "Running" not in history(await expired(on)), history(await expired(on)))


@age(DOCUMENTED)
async def expired_comes_last(on: Site) -> None:
    """The last event of an Expired task is Expired, after Enqueued."""
    seen = history(await expired(on))
    same("the first and the last event", ["Enqueued", "Expired"], [seen[0], seen[-1]])


@age(DOCUMENTED)
async def expiry_passes_dequeued(on: Site) -> None:
    """The age is looked at when a task is taken from the queue: Dequeued comes before Expired."""
    same("the event before Expired", "Dequeued", history(await expired(on))[-2])


@age(DOCUMENTED)
async def expired_is_not_retried(on: Site) -> None:
    """An Expired task was not retried."""
    same("alreadyRetriedTimes", 0, (await expired(on))["alreadyRetriedTimes"])


@age(DOCUMENTED)
async def expired_has_an_end(on: Site) -> None:
    """The end of an Expired task is a second or more after its submit."""
    task = await expired(on)
    waited = task["endTime"] - task["events"][0]["timestamp"]
    holds("endTime 1000 ms or more after Enqueued", waited >= 1000, waited)


@age(OUR_CHOICE)
async def the_delay_counts(on: Site) -> None:
    """The delay counts toward the age: a task that is delayed for longer than that is Expired."""
    function = await on.tasker("delayed", maxAsyncEventAgeInSeconds=1)
    same("the status", "Expired", (await on.ran(function, b"x", delay_seconds=3))["status"])


@age(DOCUMENTED)
async def in_time_is_not_expired(on: Site) -> None:
    """A task that is begun in time runs to its end, however long that takes."""
    function = await on.tasker("young", maxAsyncRetryAttempts=0, maxAsyncEventAgeInSeconds=2)
    same("the status", "Succeeded", (await on.ran(function, {"do": "sleep", "seconds": 3}))["status"])


@age(OUR_CHOICE)
async def after_an_attempt_it_is_failed(on: Site) -> None:
    """A task that has run and is too old for its retry is Failed, because Expired means that it never ran."""
    function = await on.tasker("old", maxAsyncRetryAttempts=8, maxAsyncEventAgeInSeconds=2)
    same("the status", "Failed", (await on.ran(function, {"do": "fail"}))["status"])


@age(OUR_CHOICE, older=THIRD_PARTY)
async def stopping_it_is_refused(on: Site) -> None:
    """An Expired task is over: it cannot be stopped."""
    function = await on.tasker("gone", maxAsyncEventAgeInSeconds=1)
    await on.cap(function, 0)
    task = await on.ran(function, b"x", task_id="t-gone")
    same("the status", "Expired", task["status"])
    refused(await on.ask("task.stop", function, task="t-gone"), 412, on.generation.code("AsyncTaskAlreadyCompleted"))
