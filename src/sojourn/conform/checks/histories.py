"""The history of a task: its events, in an order that the article's figure allows."""

from __future__ import annotations

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.site import Site, exhibit, history
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE
from sojourn.conform.wire import Document

from .ages import expired
from .exhibits import failed, succeeded, worker
from .retries import exhausted, recovered
from .stops import while_delayed, while_enqueued, while_retrying, while_running

events = Group("task.history")

FOLLOWING: dict[str, set[str]] = {
    "Enqueued": {"Dequeued", "Stopping"},
    "Dequeued": {"Running", "Expired", "Invalid", "Stopping", "Enqueued"},
    "Running": {"Succeeded", "Failed", "Retrying", "Stopping"},
    "Retrying": {"Running", "Dequeued", "Stopping", "Failed"},
    "Stopping": {"Stopped"},
}
"""What may follow a status; nothing follows one that ends a task."""


@exhibit
async def all_of_them(on: Site) -> list[Document]:
    """Tasks that ended in every way the kit can bring about."""
    stopped = [await each(on) for each in (while_enqueued, while_delayed, while_running, while_retrying)]
    others = [await each(on) for each in (succeeded, failed, exhausted, recovered, expired)]
    return others + [task for _, _, task in stopped]


@events(DOCUMENTED)
async def a_success_passes_four(on: Site) -> None:
    """A task that succeeds at once is Enqueued, Dequeued, Running and Succeeded."""
    same("the events", ["Enqueued", "Dequeued", "Running", "Succeeded"], history(await succeeded(on)))


@events(DOCUMENTED)
async def a_failure_passes_four(on: Site) -> None:
    """A task that fails and is not retried is Enqueued, Dequeued, Running and Failed."""
    same("the events", ["Enqueued", "Dequeued", "Running", "Failed"], history(await failed(on)))


@events(DOCUMENTED)
async def it_begins_with_enqueued(on: Site) -> None:
    """Every history begins with Enqueued."""
    same("the first events", {"Enqueued"}, {history(task)[0] for task in await all_of_them(on)})


@events(DOCUMENTED)
async def it_ends_with_the_status(on: Site) -> None:
    """The last event of a task has its status."""
    wrong = [(task["status"], history(task)) for task in await all_of_them(on) if history(task)[-1] != task["status"]]
    same("histories that end otherwise", [], wrong)


@events(DOCUMENTED)
async def every_step_is_legal(on: Site) -> None:
    """No status follows another one that the life of a task does not allow."""
    steps = {step for task in await all_of_them(on) for step in zip(history(task), history(task)[1:], strict=False)}
    same(
        "steps that are not allowed", [], sorted(step for step in steps if step[1] not in FOLLOWING.get(step[0], set()))
    )


@events(OUR_CHOICE)
async def numbers_count_up(on: Site) -> None:
    """`eventId` counts from 1 without a gap."""
    for task in await all_of_them(on):
        ids = [event["eventId"] for event in task["events"]]
        same("the ids of events", list(range(1, len(ids) + 1)), ids)


@events(DOCUMENTED)
async def times_do_not_go_back(on: Site) -> None:
    """The times of events do not go back."""
    for task in await all_of_them(on):
        times = [event["timestamp"] for event in task["events"]]
        holds("times in order", times == sorted(times), times)


@events(DOCUMENTED)
async def details_are_text(on: Site) -> None:
    """`eventDetail` is there, and text."""
    found = {type(event.get("eventDetail")).__name__ for task in await all_of_them(on) for event in task["events"]}
    same("types of eventDetail", {"str"}, found)


@events(OUR_CHOICE)
async def the_end_is_the_last_events(on: Site) -> None:
    """`endTime` is the time of the last event."""
    for task in await all_of_them(on):
        same("endTime", task["events"][-1]["timestamp"], task["endTime"])


@events(OUR_CHOICE)
async def the_start_is_the_first_running(on: Site) -> None:
    """`startedTime` is the time of the first Running."""
    for task in (await succeeded(on), await exhausted(on)):
        began = next(event["timestamp"] for event in task["events"] if event["status"] == "Running")
        same("startedTime", began, task["startedTime"])


@events(OUR_CHOICE)
async def a_failure_says_why(on: Site) -> None:
    """The detail of Failed names the error."""
    detail = (await failed(on))["events"][-1]["eventDetail"]
    holds("UnhandledInvocationError in the detail", "UnhandledInvocationError" in detail, detail)


@events(DOCUMENTED)
async def it_grows(on: Site) -> None:
    """The history of a task that waits is the beginning of the one it has in the end."""
    function = await worker(on)
    task_id = await on.begin(function, b"x", delay_seconds=2)
    before, after = (await on.task(function, task_id))["events"], (await on.ended(function, task_id))["events"]
    same("the beginning of the history", before, after[: len(before)])
