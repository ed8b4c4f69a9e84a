"""The record of a task: what GetAsyncTask tells, while it runs and when it is over."""

from __future__ import annotations

import time

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, RECORDED, THIRD_PARTY
from sojourn.conform.wire import Document

from .exhibits import PAYLOAD, failed, refused, succeeded, worker

record = Group("task.record")

TEXTS = (
    "taskId",
    "qualifier",
    "status",
    "destinationStatus",
    "taskErrorMessage",
    "taskPayload",
    "returnPayload",
    "requestId",
    "instanceId",
)
NUMBERS = ("startedTime", "endTime", "durationMs", "alreadyRetriedTimes")
CLOCKS_MS = 60_000
"""How far the endpoint's clock may be from ours."""


@exhibit
async def running(on: Site) -> Document:
    """A task while it runs."""
    function = await worker(on)
    return await on.until(function, await on.begin(function, {"do": "sleep", "seconds": 8}), {"Running"})


def _typed(field: str, kind: type, words: str) -> None:
    async def look(on: Site) -> None:
        task = await succeeded(on)
        holds(f"{field}: {words}", type(task.get(field)) is kind, repr(task.get(field)))

    record.add(f"{field}-is-there", f"`{field}` is there, and {words}", DOCUMENTED, look)


for _field in TEXTS:
    _typed(_field, str, "text")
for _field in NUMBERS:
    _typed(_field, int, "a whole number")


@record(DOCUMENTED)
async def events_are_a_list(on: Site) -> None:
    """`events` is a list of objects."""
    events = (await succeeded(on)).get("events")
    holds("a list of objects", isinstance(events, list) and all(isinstance(each, dict) for each in events), events)


@record(DOCUMENTED, needs=("functionArn",))
async def the_arn_names_the_function(on: Site) -> None:
    """`functionArn` ends with the function's name."""
    arn, function = (await succeeded(on))["functionArn"], await worker(on)
    holds(f"acs:fc:…:functions/{function.name}", arn.startswith("acs:fc:") and arn.endswith(f"/{function.name}"), arn)


@record(DOCUMENTED, needs=("services",))
async def service_and_function_are_named(on: Site) -> None:
    """`serviceName` and `functionName` are those of the call."""
    task, function = await succeeded(on), await worker(on)
    same("serviceName, functionName", (function.service, function.name), (task["serviceName"], task["functionName"]))


@record(DOCUMENTED)
async def the_qualifier_is_latest(on: Site) -> None:
    """The qualifier of a call that gave none is LATEST."""
    same("qualifier", "LATEST", (await succeeded(on))["qualifier"])


@record(OUR_CHOICE)
async def the_payload_is_told(on: Site) -> None:
    """The payload is told as text."""
    same("taskPayload", PAYLOAD.decode(), (await succeeded(on))["taskPayload"])


@record(OUR_CHOICE)
async def a_payload_of_bytes_is_base64(on: Site) -> None:
    """A payload that is no text is told in base64, and a field beside it says so."""
    task = await on.ran(await worker(on), b"\xff\xfe\xfd")
    encoding = task.get("taskPayloadEncoding") or task.get("invocationPayloadEncoding")
    same("taskPayload and its encoding", ("//79", "base64"), (task["taskPayload"], encoding))


@record(OUR_CHOICE)
async def the_result_is_told(on: Site) -> None:
    """`returnPayload` is what the handler returned."""
    same("returnPayload", PAYLOAD.decode(), (await succeeded(on))["returnPayload"])


@record(DOCUMENTED)
async def a_success_has_no_error(on: Site) -> None:
    """A task that Succeeded has no error."""
    same("taskErrorMessage", "", (await succeeded(on))["taskErrorMessage"])


@record(DOCUMENTED)
async def a_failure_names_its_error(on: Site) -> None:
    """`taskErrorMessage` of a task whose handler raised is `UnhandledInvocationError`."""
    same("taskErrorMessage", "UnhandledInvocationError", (await failed(on))["taskErrorMessage"])


@record(OUR_CHOICE)
async def a_failure_tells_its_error(on: Site) -> None:
    """`returnPayload` of a task whose handler raised holds the error."""
    told = (await failed(on))["returnPayload"]
    holds("an error document", "ValueError" in told and "as ordered" in told, told)


@record(THIRD_PARTY)
async def without_an_end_it_is_zero(on: Site) -> None:
    """`endTime` is there and 0 while a task is not over."""
    same("endTime", 0, (await running(on))["endTime"])


@record(DOCUMENTED)
async def the_end_follows_the_start(on: Site) -> None:
    """`endTime` is not before `startedTime`."""
    task = await succeeded(on)
    holds("endTime >= startedTime", task["endTime"] >= task["startedTime"], (task["startedTime"], task["endTime"]))


@record(DOCUMENTED)
async def times_are_milliseconds(on: Site) -> None:
    """Times are milliseconds since 1970."""
    away = abs((await running(on))["startedTime"] - time.time() * 1000)
    holds("startedTime near our clock", away < CLOCKS_MS + 60_000, f"{away:.0f} ms away")


@record(DOCUMENTED)
async def the_duration_is_the_executions(on: Site) -> None:
    """`durationMs` is the time of the execution."""
    task = await on.ran(await worker(on), {"do": "sleep", "seconds": 1})
    holds("durationMs between 1000 and 20000", 990 <= task["durationMs"] < 20_000, task["durationMs"])


@record(DOCUMENTED)
async def a_task_that_runs_has_an_instance(on: Site) -> None:
    """`instanceId` names the instance as soon as a task is Running."""
    holds("instanceId", (await running(on))["instanceId"], await running(on))


@record(OUR_CHOICE)
async def a_task_that_waits_has_none(on: Site) -> None:
    """`instanceId` is empty before."""
    function = await worker(on)
    same("instanceId", "", (await on.task(function, await on.begin(function, b"x", delay_seconds=3600)))["instanceId"])


@record(OUR_CHOICE)
async def started_is_the_submit_before(on: Site) -> None:
    """`startedTime` is the time of the submit until the task starts."""
    function = await worker(on)
    task = await on.task(function, await on.begin(function, b"x", delay_seconds=3600))
    same("startedTime", task["events"][0]["timestamp"], task["startedTime"])


@record(OUR_CHOICE)
async def without_a_destination_there_is_no_outcome(on: Site) -> None:
    """`destinationStatus` is empty when there is no destination."""
    same("destinationStatus", "", (await succeeded(on))["destinationStatus"])


@record(THIRD_PARTY)
async def an_unknown_one_is_not_found(on: Site) -> None:
    """A task that does not exist: 404, and the code of its generation."""
    answer = await on.ask("task.get", await worker(on), task="t-unknown")
    refused(answer, 404, on.generation.code("AsyncTaskNotFound"))


@record(DOCUMENTED)
async def one_of_an_unknown_function(on: Site) -> None:
    """A task of a function that does not exist: 404 FunctionNotFound."""
    answer = await on.ask("task.get", Function(on.service, on.name("none")), task="t-unknown")
    refused(answer, 404, "FunctionNotFound")


@record(DOCUMENTED)
async def latest_is_no_qualifier(on: Site) -> None:
    """A task that was submitted without a qualifier is found with LATEST."""
    task = await succeeded(on)
    answer = await on.ask("task.get", await worker(on), task=task["taskId"], qualifier="LATEST")
    same("the task", task, on.generation.task(answer.document))


@record(RECORDED)
async def numbers_are_no_text(on: Site) -> None:
    """Numbers are numbers in JSON: an official client drops an answer that has text instead."""
    task = await succeeded(on)
    wrong = [field for field in NUMBERS if type(task.get(field)) is not int]
    wrong += [str(event) for event in task["events"] if type(event.get("timestamp")) is not int]
    same("numbers that are none", [], wrong)


@record(OUR_CHOICE)
async def a_deleted_functions_stay(on: Site) -> None:
    """The tasks of a deleted function can still be asked for."""
    function = await on.tasker("deleted", maxAsyncRetryAttempts=0)
    task = await on.ran(function, b"x")
    await on.sure("function.delete", function)
    same("GetAsyncTask", 200, (await on.ask("task.get", function, task=task["taskId"])).status)
