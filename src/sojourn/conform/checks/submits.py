"""Submits: an asynchronous call is accepted once its task is kept, and an id is taken once."""

from __future__ import annotations

import asyncio

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, RECORDED, THIRD_PARTY
from sojourn.conform.wire import Answer, How

from .exhibits import HOUR, blocked, refused, worker

submit = Group("task.submit")
name = Group("task.id")
once = Group("task.deduplication")

LIMIT_BYTES = 128 * 1024
HEADERS = ("x-fc-async-task-id", "x-fc-stateful-async-invocation-id")


@exhibit
async def accepted(on: Site) -> Answer:
    """The answer to an asynchronous call with an id."""
    return await on.submit(await worker(on), b"accepted", task_id="t-accepted")


@exhibit
async def unnamed(on: Site) -> Answer:
    """The answer to one without an id."""
    return await on.submit(await worker(on), b"unnamed")


@submit(DOCUMENTED)
async def the_answer_is_202(on: Site) -> None:
    """An asynchronous call is answered with 202."""
    same("the answer", 202, (await accepted(on)).status)


@submit(OUR_CHOICE)
async def the_body_is_empty(on: Site) -> None:
    """The 202 has no body."""
    same("the body", b"", (await accepted(on)).body)


@submit(RECORDED)
async def an_empty_body_is_no_json(on: Site) -> None:
    """The 202 has no Content-Type of JSON, which an official client would read."""
    kind = (await accepted(on)).headers.get("content-type", "")
    holds("no type of JSON", "json" not in kind, kind)


@submit(DOCUMENTED)
async def the_answer_names_the_request(on: Site) -> None:
    """The 202 has X-Fc-Request-Id."""
    holds("a request id", (await accepted(on)).request_id, (await accepted(on)).headers)


@submit(OUR_CHOICE)
async def the_request_id_is_the_tasks(on: Site) -> None:
    """The request id of the 202 is that of the task."""
    task = await on.task(await worker(on), "t-accepted") if (await accepted(on)) else {}
    same("requestId", (await accepted(on)).request_id, task["requestId"])


@submit(DOCUMENTED)
async def it_is_there_at_once(on: Site) -> None:
    """A task can be asked for as soon as its 202 is there."""
    function = await worker(on)
    task_id = await on.begin(function, b"x")
    same("GetAsyncTask", 200, (await on.ask("task.get", function, task=task_id)).status)


@submit(DOCUMENTED)
async def it_comes_before_the_execution(on: Site) -> None:
    """The 202 does not wait for the function: a task of one of which nothing may run is accepted."""
    same("the answer", 202, (await on.submit(await blocked(on), b"x")).status)


@submit(DOCUMENTED)
async def the_type_is_read_in_any_case(on: Site) -> None:
    """Header names are read in any case, and `Async` as the official clients write it."""
    answer = await on.invoke(await worker(on), b"x", headers={"X-FC-Invocation-Type": "Async"})
    same("the answer", 202, answer.status)


@submit(DOCUMENTED)
async def an_unknown_type_is_refused(on: Site) -> None:
    """An invocation type other than Sync and Async is refused."""
    answer = await on.invoke(await worker(on), b"x", headers={"x-fc-invocation-type": "Later"})
    refused(answer, 400, "InvalidArgument")


@submit(DOCUMENTED)
async def an_unknown_function_is_not_found(on: Site) -> None:
    """A call of a function that does not exist: 404 FunctionNotFound."""
    answer = await on.submit(Function(on.service, on.name("none")), b"x")
    refused(answer, 404, "FunctionNotFound")


@submit(DOCUMENTED, needs=("services",))
async def an_unknown_service_is_not_found(on: Site) -> None:
    """A call of a function of a service that does not exist: 404 ServiceNotFound."""
    refused(await on.submit(Function(on.name("none"), "f"), b"x"), 404, "ServiceNotFound")


@submit(OUR_CHOICE)
async def an_unknown_qualifier_is_not_found(on: Site) -> None:
    """A call of a version that was never published: 404."""
    same("the status", 404, (await on.submit(await worker(on), b"x", qualifier="77")).status)


@submit(DOCUMENTED)
async def an_event_has_any_bytes(on: Site) -> None:
    """An event is bytes, of whatever type it is said to be."""
    function = await worker(on)
    answer = await on.submit(function, bytes(range(256)), headers={"content-type": "application/json"})
    same("the answer", 202, answer.status)
    task = await on.ended(function, answer.headers[on.generation.task_header])
    same("the status", "Succeeded", task["status"])


@submit(DOCUMENTED)
async def the_largest_event_is_accepted(on: Site) -> None:
    """An event of 131072 bytes is accepted."""
    same("the answer", 202, (await on.submit(await blocked(on), b"e" * LIMIT_BYTES)).status)


@submit(THIRD_PARTY)
async def a_larger_event_is_refused(on: Site) -> None:
    """An event of more than 131072 bytes is refused: 400 EntityTooLarge."""
    refused(await on.submit(await blocked(on), b"e" * (LIMIT_BYTES + 1)), 400, "EntityTooLarge")


@submit(DOCUMENTED)
async def a_refused_one_leaves_nothing(on: Site) -> None:
    """A call that is refused makes no task."""
    function = await worker(on)
    await on.submit(function, b"e" * (LIMIT_BYTES + 1), task_id="t-refused")
    answer = await on.ask("task.get", function, task="t-refused")
    refused(answer, 404, on.generation.code("AsyncTaskNotFound"))


@submit(RECORDED)
async def chunked_events_are_read(on: Site) -> None:
    """An event that comes in chunks without a length is read whole."""
    function = await worker(on)
    sent = {"x-fc-invocation-type": "Async", on.generation.task_header: "t-chunked"}
    await on.sure("invoke", function, body=b"in two pieces", headers=sent, how=How(chunked=True))
    same("taskPayload", "in two pieces", (await on.task(function, "t-chunked"))["taskPayload"])


# The id -------------------------------------------------------------------------------------------------------------


@name(DOCUMENTED)
async def the_callers_is_kept(on: Site) -> None:
    """The id that the caller chose is the task's."""
    same("the header of the 202", "t-accepted", (await accepted(on)).headers.get(on.generation.task_header))


@name(THIRD_PARTY)
async def both_headers_tell_it(on: Site) -> None:
    """The 202 tells the id under the header names of all generations."""
    headers = (await accepted(on)).headers
    same("the headers of the 202", ["t-accepted"] * 2, [headers.get(header) for header in HEADERS])


@name(OUR_CHOICE)
async def both_headers_are_taken(on: Site) -> None:
    """The id is taken under the header name of another generation, too."""
    (other,) = [header for header in HEADERS if header != on.generation.task_header]
    answer = await on.submit(await worker(on), b"x", headers={other: "t-other-header"})
    same("the header of the 202", "t-other-header", answer.headers.get(on.generation.task_header))


@name(OUR_CHOICE)
async def without_one_it_is_the_request_id(on: Site) -> None:
    """Without an id the request id is the task's."""
    answer = await unnamed(on)
    same("the id in the 202", answer.request_id, answer.headers.get(on.generation.task_header))


@name(DOCUMENTED)
async def a_made_one_can_be_asked_for(on: Site) -> None:
    """A task that was given an id can be asked for by it."""
    answer = await unnamed(on)
    task = await on.task(await worker(on), answer.headers[on.generation.task_header])
    same("taskId", answer.headers[on.generation.task_header], task["taskId"])


@name(DOCUMENTED)
async def made_ones_differ(on: Site) -> None:
    """Two tasks without an id get two."""
    function = await worker(on)
    ids = await asyncio.gather(*(on.begin(function, b"x") for _ in range(3)))
    same("different ids of three", 3, len(set(ids)))


def _id(word: str, value: str, sentence: str, *, taken: bool) -> None:
    async def look(on: Site) -> None:
        answer = await on.submit(await blocked(on), b"x", task_id=value)
        if taken:
            same("the answer", 202, answer.status if answer.status == 202 else str(answer))
        else:
            same("the status", 400, answer.status)

    name.add(word, sentence, DOCUMENTED, look)


_id("a-letter-begins", "Task-1_a", "An id of a letter and then letters, digits, `_` and `-` is taken", taken=True)
_id("an-underscore-begins", "_task", "An id may begin with `_`", taken=True)
_id("the-longest", "t" * 128, "An id of 128 characters is taken", taken=True)
_id("too-long", "t" * 129, "An id of more than 128 characters is refused", taken=False)
_id("a-digit-begins", "1task", "An id that begins with a digit is refused", taken=False)
_id("a-dash-begins", "-task", "An id that begins with `-` is refused", taken=False)
_id("a-dot", "ta.sk", "An id with `.` is refused", taken=False)
_id("a-space", "ta sk", "An id with a space is refused", taken=False)
_id("a-slash", "ta/sk", "An id with `/` is refused", taken=False)


# Deduplication ------------------------------------------------------------------------------------------------------


@exhibit
async def doubled(on: Site) -> tuple[Answer, Answer]:
    """Two calls with one id; the first task is kept from running."""
    function = await blocked(on)
    first = await on.submit(function, b"first", task_id="t-doubled")
    return first, await on.submit(function, b"second", task_id="t-doubled")


@once(DOCUMENTED)
async def the_second_is_409(on: Site) -> None:
    """A second call with the id of a task is answered with 409."""
    same("the two answers", (202, 409), tuple(answer.status for answer in await doubled(on)))


@once(OUR_CHOICE, older=THIRD_PARTY)
async def the_code_of_the_second(on: Site) -> None:
    """The 409 has the code of its generation."""
    same("the code", on.generation.code("AsyncTaskAlreadyExists"), (await doubled(on))[1].code)


@once(DOCUMENTED)
async def the_first_stays(on: Site) -> None:
    """The first task is not changed by a second call with its id."""
    await doubled(on)
    same("taskPayload", "first", (await on.task(await blocked(on), "t-doubled"))["taskPayload"])


@once(DOCUMENTED)
async def nothing_is_enqueued(on: Site) -> None:
    """The second call makes no task: one is listed under the id."""
    await doubled(on)
    found = await on.tasks(await blocked(on), **{on.generation.task_prefix: "t-doubled"})
    same("tasks of that id", 1, len(found))


@once(DOCUMENTED)
async def also_after_the_end(on: Site) -> None:
    """The id of a task that is over is still taken."""
    function = await worker(on)
    await on.ran(function, b"x", task_id="t-over")
    same("the answer", 409, (await on.submit(function, b"x", task_id="t-over")).status)


@once(DOCUMENTED)
async def of_many_at_once_one_is_taken(on: Site) -> None:
    """Of many calls with one id at the same time one is accepted."""
    function = await blocked(on)
    answers = await asyncio.gather(*(on.submit(function, b"x", task_id="t-raced") for _ in range(8)))
    same("the answers", [202] + [409] * 7, sorted(answer.status for answer in answers))


@once(THIRD_PARTY)
async def functions_are_apart(on: Site) -> None:
    """An id belongs to its function: another one takes it, too."""
    await doubled(on)
    same("the answer", 202, (await on.submit(await worker(on), b"x", task_id="t-doubled", delay_seconds=HOUR)).status)


@once(DOCUMENTED)
async def synchronous_calls_are_not_tasks(on: Site) -> None:
    """A synchronous call with an id makes no task and takes no id."""
    function, header = await worker(on), on.generation.task_header
    answers = [await on.invoke(function, b"x", headers={header: "t-synchronous"}) for _ in range(2)]
    same("the answers", [200, 200], [answer.status for answer in answers])
    same("GetAsyncTask", 404, (await on.ask("task.get", function, task="t-synchronous")).status)
