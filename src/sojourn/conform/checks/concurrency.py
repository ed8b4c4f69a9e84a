"""Concurrency: how many executions of a function there are at a time, and what becomes of the others."""

from __future__ import annotations

import asyncio

from sojourn.conform import programs
from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, Source
from sojourn.conform.wire import Document

from .exhibits import blocked, refused, worker

cap = Group("concurrency")
shared = Group("instance.concurrency")

ROUNDS = 4
"""How often calls are made at the same time: one that meets an instance about to rest may get another one."""
SLEEP = {"do": "sleep", "seconds": 1}


def _most(tasks: list[Document]) -> int:
    """How many of these tasks ran at the same time at the most."""
    changes = []
    for task in tasks:
        for event in task["events"]:
            if event["status"] == "Running":
                changes.append((event["timestamp"], 1))
            elif event["status"] in ("Succeeded", "Failed", "Retrying"):
                changes.append((event["timestamp"], -1))
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


async def _ran(on: Site, function: Function, count: int) -> list[Document]:
    ids = await asyncio.gather(*(on.begin(function, SLEEP) for _ in range(count)))
    return list(await asyncio.gather(*(on.ended(function, each) for each in ids)))


@exhibit
async def one_at_a_time(on: Site) -> list[Document]:
    """Three tasks of a function that may run one at a time."""
    function = await on.tasker("one", maxAsyncRetryAttempts=0)
    await on.cap(function, 1)
    return await _ran(on, function, 3)


@cap(DOCUMENTED)
async def one_is_one(on: Site) -> None:
    """Of a function that may run one at a time never two tasks run."""
    same("tasks at the same time", 1, _most(await one_at_a_time(on)))


@cap(DOCUMENTED)
async def those_that_wait_run_then(on: Site) -> None:
    """Tasks over the bound are not lost: each runs when there is room."""
    same("statuses", {"Succeeded"}, {task["status"] for task in await one_at_a_time(on)})


@cap(DOCUMENTED)
async def waiting_is_no_retry(on: Site) -> None:
    """Waiting for room does not count as a retry."""
    same("alreadyRetriedTimes", {0}, {task["alreadyRetriedTimes"] for task in await one_at_a_time(on)})


@cap(DOCUMENTED)
async def two_are_two(on: Site) -> None:
    """Of a function that may run two at a time never three tasks run."""
    function = await on.tasker("two", maxAsyncRetryAttempts=0)
    await on.cap(function, 2)
    most = _most(await _ran(on, function, 5))
    holds("at most 2 at the same time", most <= 2, most)


@cap(DOCUMENTED)
async def without_one_they_run_beside_each_other(on: Site) -> None:
    """Tasks of a function without a bound run at the same time."""
    most = _most(await _ran(on, await worker(on), 3))
    holds("2 or more at the same time", most >= 2, most)


@cap(DOCUMENTED, older=OUR_CHOICE)
async def none_lets_no_call_in(on: Site) -> None:
    """With a bound of 0 a synchronous call is answered with 429 ResourceExhausted."""
    refused(await on.invoke(await blocked(on), b"x"), 429, "ResourceExhausted")


@cap(DOCUMENTED, older=OUR_CHOICE)
async def none_lets_no_task_begin(on: Site) -> None:
    """With a bound of 0 no task begins."""
    function = await blocked(on)
    task_id = await on.begin(function, b"x")
    await asyncio.sleep(1)
    task = await on.task(function, task_id)
    holds("Enqueued or Dequeued after a second", task["status"] in ("Enqueued", "Dequeued"), task["status"])


@cap(DOCUMENTED)
async def over_it_a_call_is_refused(on: Site) -> None:
    """A synchronous call while the bound is taken is answered with 429 ResourceExhausted."""
    function = await on.tasker("full", maxAsyncRetryAttempts=0)
    await on.cap(function, 1)
    task_id = await on.begin(function, {"do": "sleep", "seconds": 20})
    await on.until(function, task_id, {"Running"})
    refused(await on.invoke(function, b"x"), 429, "ResourceExhausted")
    await on.sure("task.stop", function, task=task_id)


@cap(DOCUMENTED)
async def without_it_those_that_wait_begin(on: Site) -> None:
    """Tasks that wait begin when the bound is taken away."""
    function = await on.tasker("freed", maxAsyncRetryAttempts=0)
    await on.cap(function, 0)
    task_id = await on.begin(function, b"x")
    same("the delete", 204, (await on.ask("cap.delete", function)).status)
    same("the status", "Succeeded", (await on.ended(function, task_id))["status"])


@cap(DOCUMENTED)
async def put_answers_with_it(on: Site) -> None:
    """A put is answered with the bound."""
    answer = await on.sure("cap.put", await on.create("put"), body=on.generation.cap_body(5))
    same(on.generation.cap_field, 5, answer.document.get(on.generation.cap_field))


@cap(DOCUMENTED)
async def get_answers_with_it(on: Site) -> None:
    """A get is answered with the bound."""
    found = (await on.sure("cap.get", await blocked(on))).document
    same(on.generation.cap_field, 0, found.get(on.generation.cap_field))


@cap(OUR_CHOICE)
async def none_is_not_found(on: Site) -> None:
    """A get where nothing was put: 404."""
    same("the status", 404, (await on.ask("cap.get", await worker(on))).status)


@cap(DOCUMENTED)
async def it_is_listed(on: Site) -> None:
    """The bound of a function is listed."""
    function = await blocked(on)
    query: Document = {"limit": 100}
    if not on.generation.services:
        query["functionName"] = function.name
    found = (await on.sure("cap.list", query=query)).document["configs"]
    holds(f"one of {function.name}", any(function.name in str(each) for each in found), f"{len(found)} others")


def _refuses(word: str, value: object, source: Source = DOCUMENTED) -> None:
    async def look(on: Site) -> None:
        answer = await on.ask("cap.put", await worker(on), body={on.generation.cap_field: value})
        refused(answer, 400, "InvalidArgument")

    cap.add(word, f"A bound of {value!r} is refused: 400 InvalidArgument", source, look)


_refuses("less-than-none", -1)
_refuses("half-of-one", 1.5)
_refuses("as-text", "many")


# Many in one instance -----------------------------------------------------------------------------------------------


@exhibit
async def together(on: Site) -> list[Document]:
    """Four calls at the same time of a program that takes four at a time."""
    function = await on.create(
        "together",
        programs.SERVER,
        runtime="custom",
        instanceConcurrency=4,
        customRuntimeConfig={"command": ["python3", "index.py"], "port": 9000},
    )
    await on.eventually("a program that answers", lambda: _asked(on, function))
    for _ in range(ROUNDS):
        answers = await asyncio.gather(*(on.invoke(function, b"2") for _ in range(4)))
        same("the answers", [200] * 4, [answer.status for answer in answers])
        found = [answer.document for answer in answers]
        if len({each["born"] for each in found}) == 1 and max(each["most"] for each in found) == 4:
            break
    return found


async def _asked(on: Site, function: Function) -> bool:
    answer = await on.invoke(function, b"0")
    return answer.status == 200 and "x-fc-error-type" not in answer.headers


@shared(DOCUMENTED)
async def one_instance_takes_many(on: Site) -> None:
    """With `instanceConcurrency` 4, four calls at the same time run in one instance."""
    same("instances", 1, len({each["born"] for each in await together(on)}))


@shared(DOCUMENTED)
async def they_run_at_the_same_time(on: Site) -> None:
    """They run at the same time, not one after another."""
    same("the most at a time", 4, max(each["most"] for each in await together(on)))


@shared(DOCUMENTED)
async def a_program_is_told_what_it_is_asked(on: Site) -> None:
    """A custom runtime gets an event at `/invoke`, named in `x-fc-control-path`."""
    same("x-fc-control-path", {"/invoke"}, {each["path"] for each in await together(on)})
