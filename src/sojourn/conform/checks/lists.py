"""Lists of tasks: order, filters and pages."""

from __future__ import annotations

import asyncio
from typing import Any

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, Source
from sojourn.conform.wire import Document

from .exhibits import HOUR, refused, worker

listing = Group("task.list")

COUNT = 53
"""More than a page of any generation."""
ROUND = 10
"""How many of them are submitted at the same time."""
STATUSES = (
    "Enqueued",
    "Dequeued",
    "Running",
    "Succeeded",
    "Failed",
    "Stopping",
    "Stopped",
    "Expired",
    "Invalid",
    "Retrying",
)


@exhibit
async def many(on: Site) -> Function:
    """A function with tasks that wait for an hour: n-00, n-01 and so on."""
    function = await on.tasker("many")
    for number in range(0, COUNT, ROUND):
        some = range(number, min(number + ROUND, COUNT))
        await asyncio.gather(*(on.begin(function, b"x", task_id=f"n-{each:02}", delay_seconds=HOUR) for each in some))
    return function


@exhibit
async def few(on: Site) -> Function:
    """A function with tasks a-1, b-2, a-3, in this order: the first two succeeded, the last waits."""
    function = await on.tasker("few", maxAsyncRetryAttempts=0)
    for task_id in ("a-1", "b-2"):
        await on.ran(function, task_id.encode(), task_id=task_id)
    await on.begin(function, b"a-3", task_id="a-3", delay_seconds=HOUR)
    return function


async def _ids(on: Site, function: Function, **query: Any) -> list[str]:
    return [task["taskId"] for task in await on.tasks(function, **query)]


@listing(DOCUMENTED)
async def all_are_there(on: Site) -> None:
    """Tasks of every status are listed."""
    same("the tasks", ["a-1", "a-3", "b-2"], sorted(await _ids(on, await few(on))))


@listing(OUR_CHOICE)
async def the_newest_comes_first(on: Site) -> None:
    """Without an order the newest comes first."""
    same("the tasks", ["a-3", "b-2", "a-1"], await _ids(on, await few(on)))


@listing(DOCUMENTED)
async def descending(on: Site) -> None:
    """`sortOrderByTime=desc`: the newest first."""
    same("the tasks", ["a-3", "b-2", "a-1"], await _ids(on, await few(on), sortOrderByTime="desc"))


@listing(DOCUMENTED)
async def ascending(on: Site) -> None:
    """`sortOrderByTime=asc`: the oldest first."""
    same("the tasks", ["a-1", "b-2", "a-3"], await _ids(on, await few(on), sortOrderByTime="asc"))


@listing(DOCUMENTED)
async def a_prefix_narrows_it(on: Site) -> None:
    """The prefix narrows it to tasks whose ids begin so."""
    found = await _ids(on, await few(on), **{on.generation.task_prefix: "a-"})
    same("the tasks", ["a-1", "a-3"], sorted(found))


@listing(OUR_CHOICE)
async def a_prefix_is_taken_literally(on: Site) -> None:
    """`%`, `_` and `*` in a prefix mean themselves."""
    found = [await _ids(on, await few(on), **{on.generation.task_prefix: text}) for text in ("%", "_", "*", "a_")]
    same("the tasks", [[]] * 4, found)


@listing(DOCUMENTED)
async def a_status_narrows_it(on: Site) -> None:
    """`status` narrows it to tasks that have it."""
    same("the tasks", ["a-1", "b-2"], sorted(await _ids(on, await few(on), status="Succeeded")))


@listing(DOCUMENTED)
async def prefix_and_status_both_narrow(on: Site) -> None:
    """Two filters hold together."""
    query = {on.generation.task_prefix: "a-", "status": "Succeeded"}
    same("the tasks", ["a-1"], await _ids(on, await few(on), **query))


@listing(DOCUMENTED)
async def a_status_of_none_is_an_empty_list(on: Site) -> None:
    """A status that no task has: an empty list, without a token."""
    answer = await on.sure("task.list", await few(on), query={"status": "Invalid"})
    seen = (answer.document[on.generation.tasks_field], answer.document.get("nextToken") or "")
    same("the page", ([], ""), seen)


for _status in STATUSES:

    async def _taken(on: Site, status: str = _status) -> None:
        tasks = await on.tasks(await few(on), status=status)
        same("other statuses", set(), {task["status"] for task in tasks} - {status})

    listing.add(f"status-{_status.lower()}", f"`status={_status}` is a filter", DOCUMENTED, _taken)


@listing(DOCUMENTED)
async def a_limit_is_kept(on: Site) -> None:
    """A page has at most `limit` tasks."""
    same("tasks on a page", 7, len(await on.tasks(await many(on), limit=7)))


@listing(DOCUMENTED)
async def the_page_of_its_generation(on: Site) -> None:
    """Without `limit` a page has 20 tasks, in 2016-08-15 50."""
    same("tasks on a page", on.generation.tasks_limit, len(await on.tasks(await many(on))))


@listing(DOCUMENTED)
async def a_hundred_at_most(on: Site) -> None:
    """A limit of 100 is accepted."""
    same("tasks on a page", COUNT, len(await on.tasks(await many(on), limit=100)))


async def _pages(on: Site, function: Function, **query: object) -> list[list[Document]]:
    pages: list[list[Document]] = []
    token: object = None
    while token != "" and len(pages) < COUNT:
        more = {"nextToken": token} if token else {}
        answer = (await on.sure("task.list", function, query={**query, **more})).document
        pages.append([on.generation.task(each) for each in answer[on.generation.tasks_field]])
        token = answer.get("nextToken") or ""
    return pages


@listing(DOCUMENTED)
async def pages_give_each_task_once(on: Site) -> None:
    """Pages that follow one another give every task once."""
    found = [task["taskId"] for page in await _pages(on, await many(on), limit=20) for task in page]
    same("all tasks", [f"n-{number:02}" for number in range(COUNT)], sorted(found))


@listing(DOCUMENTED)
async def pages_are_full(on: Site) -> None:
    """All pages but the last are full."""
    same("tasks on each page", [20, 20, 13], [len(page) for page in await _pages(on, await many(on), limit=20)])


@listing(DOCUMENTED)
async def pages_keep_the_order(on: Site) -> None:
    """The order holds over pages."""
    pages = await _pages(on, await many(on), limit=20, sortOrderByTime="asc")
    rounds = [int(task["taskId"][2:]) // ROUND for page in pages for task in page]
    holds("what was submitted earlier comes first", rounds == sorted(rounds), rounds)


@listing(DOCUMENTED)
async def filters_hold_over_pages(on: Site) -> None:
    """A filter holds on all pages."""
    pages = await _pages(on, await many(on), limit=3, **{on.generation.task_prefix: "n-1"})
    same(
        "the tasks", [f"n-1{number}" for number in range(10)], sorted(task["taskId"] for page in pages for task in page)
    )


@listing(DOCUMENTED)
async def payloads_are_left_out(on: Site) -> None:
    """Payloads are left out unless `includePayload` is true."""
    same("payloads", {""}, {task.get("taskPayload") or "" for task in await on.tasks(await few(on))})


@listing(DOCUMENTED)
async def payloads_are_there_when_wanted(on: Site) -> None:
    """With `includePayload=true` they are there."""
    tasks = await on.tasks(await few(on), includePayload="true")
    same("payloads", {"a-1", "b-2", "a-3"}, {task["taskPayload"] for task in tasks})


@listing(DOCUMENTED)
async def its_tasks_are_those_of_get(on: Site) -> None:
    """A task in a list is what GetAsyncTask tells."""
    function = await few(on)
    (listed,) = await on.tasks(function, includePayload="true", **{on.generation.task_prefix: "a-1"})
    same("the task", await on.task(function, "a-1"), listed)


@listing(DOCUMENTED)
async def from_a_time_on(on: Site) -> None:
    """`startedTimeBegin` leaves out tasks that started before."""
    function = await few(on)
    began = (await on.task(function, "b-2"))["startedTime"]
    found = await _ids(on, function, startedTimeBegin=began + 1)
    holds("a-3 and not a-1", "a-3" in found and "a-1" not in found, found)


@listing(DOCUMENTED)
async def up_to_a_time(on: Site) -> None:
    """`startedTimeEnd` leaves out tasks that started after."""
    function = await few(on)
    began = (await on.task(function, "b-2"))["startedTime"]
    found = await _ids(on, function, startedTimeEnd=began - 1)
    holds("a-1 and not a-3", "a-1" in found and "a-3" not in found, found)


@listing(OUR_CHOICE)
async def the_times_are_inclusive(on: Site) -> None:
    """A task that started at that very millisecond is in."""
    function = await few(on)
    began = (await on.task(function, "b-2"))["startedTime"]
    found = await _ids(on, function, startedTimeBegin=began, startedTimeEnd=began)
    holds("b-2", "b-2" in found, found)


@listing(OUR_CHOICE)
async def latest_is_no_qualifier(on: Site) -> None:
    """Tasks that were submitted without a qualifier are listed with LATEST."""
    found = await on.tasks(await few(on), qualifier="LATEST")
    same("the tasks", ["a-1", "a-3", "b-2"], sorted(task["taskId"] for task in found))


@listing(OUR_CHOICE)
async def an_unknown_function_is_not_found(on: Site) -> None:
    """A list of a function that does not exist: 404 FunctionNotFound."""
    refused(await on.ask("task.list", Function(on.service, on.name("none"))), 404, "FunctionNotFound")


def _refuses(word: str, sentence: str, source: Source = OUR_CHOICE, **query: object) -> None:
    async def look(on: Site) -> None:
        refused(await on.ask("task.list", await worker(on), query=query), 400, "InvalidArgument")

    listing.add(word, f"{sentence} is refused: 400 InvalidArgument", source, look)


_refuses("a-limit-of-none", "A `limit` of 0", limit=0)
_refuses("a-limit-too-high", "A `limit` of more than 100", limit=101)
_refuses("a-limit-as-text", "A `limit` that is no number", limit="all")
_refuses("an-unknown-status", "A status that does not exist", status="Sleeping")
_refuses("a-status-in-small-letters", "A status in small letters", status="running")
_refuses("an-unknown-order", "An order other than asc and desc", sortOrderByTime="up")
_refuses("an-unknown-token", "A token that no page gave", nextToken="bm8gdG9rZW4")
_refuses("a-time-as-text", "A time that is no number", startedTimeBegin="yesterday")
_refuses("an-end-before-its-beginning", "A beginning after the end", startedTimeBegin=2000, startedTimeEnd=1000)
_refuses("a-flag-that-is-none", "A flag that is neither true nor false", includePayload="perhaps")
