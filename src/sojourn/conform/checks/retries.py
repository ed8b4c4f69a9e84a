"""Retries: how often a task is tried, after which errors, and what is seen of it."""

from __future__ import annotations

from itertools import pairwise

from sojourn.conform.check import Group
from sojourn.conform.expect import Differs, holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit, history
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, THIRD_PARTY
from sojourn.conform.wire import Document

from .exhibits import refused, worker

retry = Group("task.retry")
bounds = Group("async.bounds")


@exhibit
async def twice(on: Site) -> Function:
    """A function whose tasks are tried twice more."""
    return await on.tasker("twice", maxAsyncRetryAttempts=2)


@exhibit
async def exhausted(on: Site) -> Document:
    """A task that failed three times."""
    return await on.ran(await twice(on), {"do": "fail"})


@exhibit
async def recovered(on: Site) -> Document:
    """A task that failed once and succeeded then."""
    return await on.ran(await twice(on), {"do": "flaky", "failures": 1})


@exhibit
async def default(on: Site) -> Document:
    """A task that always fails, of a function whose configuration does not say how often it is tried."""
    return await on.ran(await on.tasker("default"), {"do": "fail"})


@retry(DOCUMENTED)
async def attempts_are_one_more_than_retries(on: Site) -> None:
    """A task whose handler always raises runs once and `maxAsyncRetryAttempts` times more."""
    same("times Running with 2 retries", 3, history(await exhausted(on)).count("Running"))


@retry(DOCUMENTED)
async def exhausted_is_failed(on: Site) -> None:
    """When no retry is left, the task is Failed."""
    same("the status", "Failed", (await exhausted(on))["status"])


@retry(DOCUMENTED)
async def counted(on: Site) -> None:
    """`alreadyRetriedTimes` counts the retries, not the attempts."""
    same("alreadyRetriedTimes", 2, (await exhausted(on))["alreadyRetriedTimes"])


@retry(DOCUMENTED)
async def passes_retrying(on: Site) -> None:
    """Between two attempts a task is Retrying."""
    same("times Retrying with 2 retries", 2, history(await exhausted(on)).count("Retrying"))


@retry(DOCUMENTED)
async def retrying_leads_to_running(on: Site) -> None:
    """After Retrying a task is Running again."""
    seen = history(await exhausted(on))
    after = [seen[place + 1] for place, status in enumerate(seen) if status == "Retrying"]
    same("what follows Retrying", ["Running", "Running"], after)


@retry(DOCUMENTED)
async def success_ends_it(on: Site) -> None:
    """A task whose second attempt returns is Succeeded."""
    same("the status", "Succeeded", (await recovered(on))["status"])


@retry(DOCUMENTED)
async def success_leaves_retries(on: Site) -> None:
    """After a success nothing is tried again, whatever is left."""
    task = await recovered(on)
    same("alreadyRetriedTimes and times Running", (1, 2), (task["alreadyRetriedTimes"], history(task).count("Running")))


@retry(OUR_CHOICE)
async def success_clears_the_error(on: Site) -> None:
    """A task that succeeds at a retry shows no error of the attempts before."""
    same("taskErrorMessage", "", (await recovered(on))["taskErrorMessage"])


@retry(DOCUMENTED)
async def default_is_three(on: Site) -> None:
    """Without `maxAsyncRetryAttempts` a task is tried three times more."""
    task = await default(on)
    same("alreadyRetriedTimes and times Running", (3, 4), (task["alreadyRetriedTimes"], history(task).count("Running")))


@retry(OUR_CHOICE)
async def waits_grow(on: Site) -> None:
    """The wait before a retry is longer than the one before the retry before."""
    waits = _waits(await default(on))
    holds("three waits, each longer than the one before", len(waits) == 3 and sorted(waits) == waits, waits)


@retry(OUR_CHOICE)
async def first_wait_is_about_a_second(on: Site) -> None:
    """The first retry comes after about a second."""
    waits = _waits(await default(on))
    holds("a first wait between 500 and 5000 ms", waits and 500 <= waits[0] <= 5000, waits)


@retry(DOCUMENTED)
async def none_is_none(on: Site) -> None:
    """With 0 retries a task is tried once."""
    task = await on.ran(await worker(on), {"do": "fail"})
    same("alreadyRetriedTimes and times Running", (0, 1), (task["alreadyRetriedTimes"], history(task).count("Running")))


@exhibit
async def once(on: Site) -> Function:
    """A function whose tasks are tried once more, and that has one second for it."""
    function = await on.create("once", timeout=1)
    await on.configure(function, maxAsyncRetryAttempts=1)
    return function


@retry(DOCUMENTED)
async def after_a_timeout(on: Site) -> None:
    """A timeout is an error of the function and tried again."""
    task = await on.ran(await once(on), {"do": "sleep", "seconds": 5})
    same("status and alreadyRetriedTimes", ("Failed", 1), (task["status"], task["alreadyRetriedTimes"]))


@retry(DOCUMENTED)
async def after_a_crash(on: Site) -> None:
    """A process that ends is an error of the function and tried again."""
    task = await on.ran(await once(on), {"do": "exit"})
    same("status and alreadyRetriedTimes", ("Failed", 1), (task["status"], task["alreadyRetriedTimes"]))


@retry(DOCUMENTED)
async def the_request_id_stays(on: Site) -> None:
    """All attempts of a task have one request id, that of the 202."""
    function = await twice(on)
    answer = await on.submit(function, {"do": "flaky", "failures": 1})
    task = await on.ended(function, answer.headers[on.generation.task_header])
    same("requestId after a retry", answer.request_id, task["requestId"])


@retry(OUR_CHOICE)
async def the_function_is_told_the_number(on: Site) -> None:
    """`context.retry_count` is the number of the retry, as the result of the task shows."""
    same("returnPayload", '{"retryCount": 1}', (await recovered(on))["returnPayload"])


@retry(THIRD_PARTY)
async def the_error_is_in_the_history(on: Site) -> None:
    """The detail of a Retrying event names the error."""
    events = (await exhausted(on))["events"]
    (first, *_) = [event for event in events if event["status"] == "Retrying"] or [None]
    if first is None:
        raise Differs("an event Retrying", history(await exhausted(on)))
    holds("a detail that names UnhandledInvocationError", "UnhandledInvocationError" in first["eventDetail"], first)


def _waits(task: Document) -> list[int]:
    """Milliseconds between each Retrying and the Running that follows."""
    events = task["events"]
    return [
        after["timestamp"] - event["timestamp"]
        for event, after in pairwise(events)
        if (event["status"], after["status"]) == ("Retrying", "Running")
    ]


def _bound(field: str, value: object) -> None:
    async def look(on: Site) -> None:
        body = on.generation.async_body({field: value})
        refused(await on.ask("async.put", await worker(on), body=body), 400, "InvalidArgument")

    bounds.add(
        f"{field}-{value}".replace("--", "-minus-").replace(" ", "-"),
        f"`{field}` {value!r} is refused",
        DOCUMENTED,
        look,
    )


for _field, _value in (
    ("maxAsyncRetryAttempts", -1),
    ("maxAsyncRetryAttempts", 9),
    ("maxAsyncRetryAttempts", "two"),
    ("maxAsyncEventAgeInSeconds", 0),
    ("maxAsyncEventAgeInSeconds", 604_801),
):
    _bound(_field, _value)
