"""Stops: a task can be stopped at any point before its end, and ends as Stopped."""

from __future__ import annotations

import asyncio

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, member, same
from sojourn.conform.generations import Function
from sojourn.conform.site import OVER, Site, exhibit, history
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, RECORDED, THIRD_PARTY
from sojourn.conform.wire import Answer, Document

from .exhibits import HOUR, LONG_SECONDS, blocked, failed, refused, succeeded, worker

stop = Group("task.stop")

SLEEP = {"do": "sleep", "seconds": LONG_SECONDS}
Stopped = tuple[Answer, Function, Document]
"""The answer to a stop, the function, and the task at its end."""


async def _stopped(on: Site, function: Function, task_id: str, status: str) -> Stopped:
    await on.until(function, task_id, {status})
    answer = await on.ask("task.stop", function, task=task_id)
    return answer, function, await on.ended(function, task_id)


@exhibit
async def while_enqueued(on: Site) -> Stopped:
    """A task that may not begin, stopped."""
    function = await blocked(on)
    task_id = await on.begin(function, b"x")
    await on.until(function, task_id, {"Enqueued", "Dequeued"})
    answer = await on.ask("task.stop", function, task=task_id)
    return answer, function, await on.ended(function, task_id)


@exhibit
async def while_delayed(on: Site) -> Stopped:
    """A task that waits for its delay, stopped."""
    function = await worker(on)
    return await _stopped(on, function, await on.begin(function, b"x", delay_seconds=HOUR), "Enqueued")


@exhibit
async def while_running(on: Site) -> Stopped:
    """A task that sleeps, stopped."""
    function = await worker(on)
    return await _stopped(on, function, await on.begin(function, SLEEP, task_id="t-stopped"), "Running")


@exhibit
async def while_retrying(on: Site) -> Stopped:
    """A task that waits for a retry, stopped; the waits grow, so that one of them is long enough to be seen."""
    function = await on.tasker("retrying", maxAsyncRetryAttempts=8)
    return await _stopped(on, function, await on.begin(function, {"do": "fail"}), "Retrying")


EXHIBITS = {
    "enqueued": (while_enqueued, "that was not begun"),
    "delayed": (while_delayed, "that waits for its delay"),
    "running": (while_running, "that is Running"),
    "retrying": (while_retrying, "that is Retrying"),
}


def _every(name: str) -> None:
    """The checks that are the same wherever a task is stopped."""
    found, words = EXHIBITS[name]

    async def accepted(on: Site) -> None:
        answer, _, _ = await found(on)
        member("the answer", (200, 204), answer.status)

    async def ends(on: Site) -> None:
        same("the status", "Stopped", (await found(on))[2]["status"])

    async def passes(on: Site) -> None:
        same("the last two events", ["Stopping", "Stopped"], history((await found(on))[2])[-2:])

    async def runs_no_more(on: Site) -> None:
        _, function, task = await found(on)
        await asyncio.sleep(1)
        later = history(await on.task(function, task["taskId"]))
        same("a second later", history(task), later)
        holds("no Running after Stopping", "Running" not in later[later.index("Stopping") :], later)

    async def has_an_end(on: Site) -> None:
        task = (await found(on))[2]
        holds(
            "endTime after startedTime",
            task["endTime"] >= task["startedTime"] > 0,
            (task["startedTime"], task["endTime"]),
        )

    stop.add(f"{name}-is-accepted", f"The stop of a task {words} is answered with 200 or 204", DOCUMENTED, accepted)
    stop.add(f"{name}-ends-stopped", f"A task {words} is Stopped after a stop", DOCUMENTED, ends)
    stop.add(f"{name}-passes-stopping", f"A task {words} passes Stopping on its way", DOCUMENTED, passes)
    stop.add(f"{name}-runs-no-more", f"A task {words} does not run again after a stop", DOCUMENTED, runs_no_more)
    stop.add(f"{name}-has-an-end", f"A task {words} has an `endTime` once it is Stopped", DOCUMENTED, has_an_end)


for _name in EXHIBITS:
    _every(_name)


@stop(OUR_CHOICE)
async def the_answer_is_204(on: Site) -> None:
    """A stop is answered with 204."""
    same("the answer", 204, (await while_running(on))[0].status)


@stop(RECORDED)
async def an_empty_answer_is_no_json(on: Site) -> None:
    """An empty answer to a stop has no Content-Type of JSON, which an official client would read."""
    answer = (await while_running(on))[0]
    kind = answer.headers.get("content-type", "")
    holds("a body, or no type of JSON", answer.body or "json" not in kind, kind)


@stop(DOCUMENTED)
async def a_running_one_does_not_finish(on: Site) -> None:
    """A stop does not wait for the handler: the task ends long before that would return."""
    task = (await while_running(on))[2]
    holds(f"an end well before {LONG_SECONDS} s", task["durationMs"] < LONG_SECONDS * 800, task["durationMs"])


@stop(DOCUMENTED)
async def the_instance_is_not_used_again(on: Site) -> None:
    """The instance of a stopped execution does not get another one."""
    function = await on.tasker("fresh", maxAsyncRetryAttempts=0)
    await on.cap(function, 1)
    _, _, task = await _stopped(on, function, await on.begin(function, SLEEP), "Running")
    after = await on.ran(function, b"x")
    holds(
        "another instance", after["instanceId"] != task["instanceId"] != "", (task["instanceId"], after["instanceId"])
    )


@stop(DOCUMENTED)
async def it_makes_room(on: Site) -> None:
    """A task that waits for one that is stopped begins then."""
    function = await on.tasker("room", maxAsyncRetryAttempts=0)
    await on.cap(function, 1)
    first = await on.begin(function, SLEEP)
    await on.until(function, first, {"Running"})
    second = await on.begin(function, b"x")
    await on.ask("task.stop", function, task=first)
    same("the status of the second", "Succeeded", (await on.ended(function, second))["status"])


async def _completed(on: Site, task: Document) -> Answer:
    function = await worker(on)
    answer = await on.ask("task.stop", function, task=task["taskId"])
    refused(answer, 412, on.generation.code("AsyncTaskAlreadyCompleted"))
    return answer


@stop(OUR_CHOICE, older=THIRD_PARTY)
async def succeeded_is_refused(on: Site) -> None:
    """A task that Succeeded cannot be stopped: 412, and the code of its generation."""
    await _completed(on, await succeeded(on))


@stop(OUR_CHOICE, older=THIRD_PARTY)
async def failed_is_refused(on: Site) -> None:
    """A task that Failed cannot be stopped."""
    await _completed(on, await failed(on))


@stop(OUR_CHOICE, older=THIRD_PARTY)
async def stopped_is_refused(on: Site) -> None:
    """A task that is Stopped cannot be stopped again."""
    await _completed(on, (await while_running(on))[2])


@stop(OUR_CHOICE)
async def a_refused_stop_changes_nothing(on: Site) -> None:
    """A refused stop leaves the task as it was."""
    before = await succeeded(on)
    await _completed(on, before)
    same("the task", before, await on.task(await worker(on), before["taskId"]))


@exhibit
async def lingering(on: Site) -> Function:
    """A function whose PreStop takes two seconds, so that Stopping can be seen."""
    function = await on.create(
        "lingering",
        environmentVariables={"LINGER": "2"},
        instanceLifecycleConfig={"preStop": {"handler": "index.pre_stop", "timeout": 10}},
    )
    await on.configure(function, maxAsyncRetryAttempts=0)
    return function


@stop(OUR_CHOICE)
async def again_while_stopping(on: Site) -> None:
    """A second stop of a task that is Stopping succeeds, and it is Stopped once."""
    function = await lingering(on)
    task_id = await on.begin(function, SLEEP)
    await on.until(function, task_id, {"Running"})
    await on.sure("task.stop", function, task=task_id)
    await on.until(function, task_id, {"Stopping"})
    again = await on.ask("task.stop", function, task=task_id)
    member("the answer to the second stop", (200, 204), again.status)
    seen = history(await on.ended(function, task_id))
    same("events Stopping and Stopped", (1, 1), (seen.count("Stopping"), seen.count("Stopped")))


@stop(OUR_CHOICE)
async def many_at_once(on: Site) -> None:
    """Of many stops at once each is accepted or finds the task over, and it is Stopped once."""
    function = await worker(on)
    task_id = await on.begin(function, SLEEP)
    await on.until(function, task_id, {"Running"})
    answers = await asyncio.gather(*(on.ask("task.stop", function, task=task_id) for _ in range(5)))
    statuses = {answer.status for answer in answers}
    holds("200, 204 or 412", statuses <= {200, 204, 412}, statuses)
    same("events Stopped", 1, history(await on.ended(function, task_id)).count("Stopped"))


@stop(THIRD_PARTY)
async def an_unknown_task_is_not_found(on: Site) -> None:
    """A task that does not exist cannot be stopped: 404."""
    answer = await on.ask("task.stop", await worker(on), task="t-unknown")
    refused(answer, 404, on.generation.code("AsyncTaskNotFound"))


@stop(OUR_CHOICE)
async def others_go_on(on: Site) -> None:
    """A stop ends one task: another one of the same function that runs beside it goes on to its end."""
    function = await worker(on)
    first, second = await on.begin(function, SLEEP), await on.begin(function, {"do": "sleep", "seconds": 3})
    await asyncio.gather(*(on.until(function, each, {"Running", *OVER}) for each in (first, second)))
    await on.sure("task.stop", function, task=first)
    same("the status of the other", "Succeeded", (await on.ended(function, second))["status"])


@stop(DOCUMENTED)
async def a_stopped_id_stays_taken(on: Site) -> None:
    """The id of a Stopped task is not free: 409."""
    await while_running(on)
    answer = await on.submit(await worker(on), b"x", task_id="t-stopped")
    refused(answer, 409, on.generation.code("AsyncTaskAlreadyExists"))
