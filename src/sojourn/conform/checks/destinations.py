"""Destinations: the record of a task that is over goes to another function."""

from __future__ import annotations

import json

from sojourn.conform.check import Group
from sojourn.conform.expect import Differs, holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, Source
from sojourn.conform.wire import Document

from .exhibits import LONG_SECONDS, arn_of

destination = Group("destination")
record = Group("destination.record")

QUIET_SECONDS = 2.0
"""How long to look whether something comes that must not come."""


class Post:
    """A function with a destination for each end, and what came there."""

    def __init__(self, on: Site, function: Function, onto: dict[str, Function]) -> None:
        self._on, self.function, self._onto = on, function, onto

    async def came(self, end: str) -> list[Document]:
        """The records that came to an end, `onSuccess` or `onFailure`."""
        tasks = await self._on.tasks(self._onto[end], includePayload="true")
        return [json.loads(task["taskPayload"]) for task in tasks]

    async def record_of(self, end: str, request_id: str) -> Document:
        """The record of one task, as soon as it is there."""

        async def look() -> Document:
            found = [each for each in await self.came(end) if each["requestContext"]["requestId"] == request_id]
            return found[0] if found else {}

        return await self._on.eventually(f"a record of {request_id} at {end}", look)


@exhibit
async def post(on: Site) -> Post:
    """A function whose tasks are tried once more, with a destination for both ends."""
    return await _post(on, "posted", maxAsyncRetryAttempts=1)


async def _post(on: Site, word: str, **settings: object) -> Post:
    ends = {end: await on.tasker(end.lower(), maxAsyncRetryAttempts=0) for end in ("onSuccess", "onFailure")}
    onto = {end: {"destination": await arn_of(on, function)} for end, function in ends.items()}
    return Post(on, await on.tasker(word, destinationConfig=onto, **settings), ends)


@exhibit
async def success(on: Site) -> tuple[Document, Document]:
    """A task that succeeded, and its record."""
    task = await on.ran((await post(on)).function, b"delivered", task_id="t-delivered")
    return task, await (await post(on)).record_of("onSuccess", task["requestId"])


@exhibit
async def failure(on: Site) -> tuple[Document, Document]:
    """A task that failed twice, and its record."""
    task = await on.ran((await post(on)).function, {"do": "fail"})
    return task, await (await post(on)).record_of("onFailure", task["requestId"])


@exhibit
async def stopped(on: Site) -> tuple[Document, Document]:
    """A task that was stopped, and its record."""
    function = (await post(on)).function
    task_id = await on.begin(function, {"do": "sleep", "seconds": LONG_SECONDS})
    await on.until(function, task_id, {"Running"})
    await on.sure("task.stop", function, task=task_id)
    task = await on.ended(function, task_id)
    return task, await (await post(on)).record_of("onFailure", task["requestId"])


@exhibit
async def expired(on: Site) -> tuple[Document, Document]:
    """A task that grew too old, and its record."""
    posted = await _post(on, "aged", maxAsyncEventAgeInSeconds=1)
    await on.cap(posted.function, 0)
    task = await on.ran(posted.function, b"late")
    return task, await posted.record_of("onFailure", task["requestId"])


@destination(DOCUMENTED)
async def a_success_is_told(on: Site) -> None:
    """The record of a task that Succeeded goes to `onSuccess`."""
    holds("a record", (await success(on))[1], "none")


@destination(DOCUMENTED)
async def a_failure_is_told(on: Site) -> None:
    """The record of a task that Failed goes to `onFailure`."""
    holds("a record", (await failure(on))[1], "none")


@destination(DOCUMENTED)
async def a_stop_is_told(on: Site) -> None:
    """The record of a task that was Stopped goes to `onFailure`."""
    holds("a record", (await stopped(on))[1], "none")


@destination(OUR_CHOICE)
async def an_expiry_is_told(on: Site) -> None:
    """The record of a task that is Expired goes to `onFailure`."""
    holds("a record", (await expired(on))[1], "none")


async def _absent(on: Site, end: str, request_id: str) -> None:
    try:
        found = await on.eventually("", lambda: _found(on, end, request_id), QUIET_SECONDS)
    except Differs:
        return
    raise Differs(f"nothing at {end}", found)


async def _found(on: Site, end: str, request_id: str) -> list[Document]:
    return [each for each in await (await post(on)).came(end) if each["requestContext"]["requestId"] == request_id]


@destination(DOCUMENTED)
async def a_success_is_no_failure(on: Site) -> None:
    """The record of a task that Succeeded does not go to `onFailure`."""
    await _absent(on, "onFailure", (await success(on))[0]["requestId"])


@destination(DOCUMENTED)
async def a_failure_is_no_success(on: Site) -> None:
    """The record of a task that Failed does not go to `onSuccess`."""
    await _absent(on, "onSuccess", (await failure(on))[0]["requestId"])


@destination(DOCUMENTED)
async def each_is_told_once(on: Site) -> None:
    """A task that is retried is told once, at its end."""
    same("records", 1, len(await _found(on, "onFailure", (await failure(on))[0]["requestId"])))


@destination(OUR_CHOICE)
async def the_task_tells_the_outcome(on: Site) -> None:
    """`destinationStatus` of the task is Succeeded once its record was taken."""
    await success(on)
    function = (await post(on)).function

    async def outcome() -> bool:
        return bool((await on.task(function, "t-delivered"))["destinationStatus"] == "Succeeded")

    await on.eventually("destinationStatus Succeeded", outcome)


@destination(DOCUMENTED)
async def the_tasks_own_status_stays(on: Site) -> None:
    """The delivery does not change the status of the task."""
    same("the status", "Succeeded", (await success(on))[0]["status"])


@destination(OUR_CHOICE)
async def an_empty_one_is_none(on: Site) -> None:
    """A destination is taken away with an empty one."""
    posted = await _post(on, "removed")
    await on.sure("async.put", posted.function, body={"destinationConfig": {"onSuccess": {"destination": ""}}})
    found = (await on.sure("async.get", posted.function)).document["destinationConfig"]
    same("destinations", ["onFailure"], [end for end, each in found.items() if (each or {}).get("destination")])


# The record -----------------------------------------------------------------------------------------------------------


def _tells(
    word: str, sentence: str, path: str, wanted: tuple[object, object, object], source: Source = DOCUMENTED
) -> None:
    """A field of the record: for a success, a failure, a stop; None is not asked for."""

    async def look(on: Site) -> None:
        for make, value in zip((success, failure, stopped), wanted, strict=True):
            if value is not None:
                seen: object = (await make(on))[1]
                for name in path.split("."):
                    seen = seen.get(name) if isinstance(seen, dict) else None
                same(path, value, seen)

    record.add(word, sentence, source, look)


_tells("a-success-has-no-condition", "`condition` of a success is empty", "requestContext.condition", ("", None, None))
_tells(
    "a-failure-has-a-condition",
    "`condition` of a failure is the error's kind",
    "requestContext.condition",
    (None, "UnhandledInvocationError", None),
    OUR_CHOICE,
)
_tells(
    "a-stop-has-a-condition",
    "`condition` of a stop says so",
    "requestContext.condition",
    (None, None, "Stopped"),
    OUR_CHOICE,
)
_tells(
    "attempts-are-counted",
    "`approximateInvokeCount` is the number of attempts",
    "requestContext.approximateInvokeCount",
    (1, 2, 1),
)
_tells("the-request-is-in-it", "`requestPayload` is the event as text", "requestPayload", ("delivered", None, None))
_tells("the-response-is-in-it", "`responsePayload` is the result as text", "responsePayload", ("delivered", None, None))
_tells(
    "an-error-of-the-function-is-200",
    "`statusCode` is 200, also for an error of the function",
    "responseContext.statusCode",
    (200, 200, None),
)
_tells(
    "a-stop-is-499",
    "`statusCode` of a stop is 499",
    "responseContext.statusCode",
    (None, None, 499),
    OUR_CHOICE,
)
_tells(
    "an-error-of-the-function-is-named",
    "`functionError` is empty for a success, InvocationError for an error of the function",
    "responseContext.functionError",
    ("", "InvocationError", None),
)


@record(DOCUMENTED)
async def its_time_is_a_number(on: Site) -> None:
    """`timestamp` is a whole number of milliseconds."""
    task, seen = await success(on)
    away = abs(seen["timestamp"] - task["endTime"]) if type(seen.get("timestamp")) is int else seen.get("timestamp")
    holds("a number near the task's end", isinstance(away, int) and away < 60_000, away)


@record(DOCUMENTED)
async def the_function_is_named(on: Site) -> None:
    """`functionArn` is the ARN of the function, in 2.0 with its service and qualifier."""
    wanted = await arn_of(on, (await post(on)).function)
    same("functionArn", wanted, (await success(on))[1]["requestContext"]["functionArn"])


@record(DOCUMENTED)
async def an_error_document_is_in_it(on: Site) -> None:
    """`responsePayload` of a failure is the error document as text."""
    seen = json.loads((await failure(on))[1]["responsePayload"])
    same("errorType", "ValueError", seen.get("errorType"))


@record(DOCUMENTED)
async def its_fields_are_these(on: Site) -> None:
    """A record has these fields and no others."""
    names = ("requestContext", "requestPayload", "responseContext", "responsePayload", "timestamp")
    same("the fields", sorted(names), sorted((await success(on))[1]))
