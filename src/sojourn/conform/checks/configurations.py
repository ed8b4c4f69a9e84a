"""Asynchronous configurations: kept by function and qualifier, changed field by field."""

from __future__ import annotations

from sojourn.conform.check import NEWEST, OLDER, OPEN, Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit, history
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE
from sojourn.conform.wire import Document

from .exhibits import refused

config = Group("async")


@exhibit
async def configured(on: Site) -> tuple[Function, Document]:
    """A function whose configuration is put, and the answer to that."""
    function = await on.create("configured")
    answer = await on.configure(function, maxAsyncRetryAttempts=1, maxAsyncEventAgeInSeconds=300)
    return function, answer.document


@config(DOCUMENTED)
async def put_answers_with_it(on: Site) -> None:
    """A put is answered with the configuration."""
    _, seen = await configured(on)
    names = (on.generation.task_switch, "maxAsyncRetryAttempts", "maxAsyncEventAgeInSeconds")
    same("the configuration", [True, 1, 300], [seen.get(name) for name in names])


@config(DOCUMENTED)
async def get_answers_with_it(on: Site) -> None:
    """A get is answered with what the put was."""
    function, seen = await configured(on)
    same("the configuration", seen, (await on.sure("async.get", function)).document)


@config(DOCUMENTED)
async def it_has_times(on: Site) -> None:
    """It has `createdTime` and `lastModifiedTime`."""
    _, seen = await configured(on)
    holds("texts", all(seen.get(name) for name in ("createdTime", "lastModifiedTime")), seen)


@config(DOCUMENTED, only=(NEWEST,))
async def it_names_the_function(on: Site) -> None:
    """It names its function by the ARN."""
    function, seen = await configured(on)
    holds("functionArn", str(seen.get("functionArn")).endswith(f"functions/{function.name}"), seen)


@config(DOCUMENTED, only=OLDER)
async def it_names_service_and_function(on: Site) -> None:
    """It names its service, its function and the qualifier."""
    function, seen = await configured(on)
    same("whose it is", [*function, "LATEST"], [seen.get(name) for name in ("service", "function", "qualifier")])


@config(DOCUMENTED)
async def defaults_are_three_and_a_day(on: Site) -> None:
    """What was never given is 3 retries and an age of 86400 s."""
    function = await on.tasker("defaults")
    seen = (await on.sure("async.get", function)).document
    same("retries, age", (3, 86_400), (seen["maxAsyncRetryAttempts"], seen["maxAsyncEventAgeInSeconds"]))


@config(DOCUMENTED)
async def a_put_keeps_the_rest(on: Site) -> None:
    """A put changes the fields that it names and keeps the others."""
    function = await on.tasker("kept", maxAsyncRetryAttempts=7, maxAsyncEventAgeInSeconds=500)
    await on.sure("async.put", function, body={"maxAsyncRetryAttempts": 2})
    seen = (await on.sure("async.get", function)).document
    same("retries, age", (2, 500), (seen["maxAsyncRetryAttempts"], seen["maxAsyncEventAgeInSeconds"]))


@config(DOCUMENTED)
async def latest_is_no_qualifier(on: Site) -> None:
    """The configuration of LATEST is the one without a qualifier."""
    function, seen = await configured(on)
    same("the configuration", seen, (await on.sure("async.get", function, qualifier="LATEST")).document)


@config(OUR_CHOICE)
async def none_is_not_found(on: Site) -> None:
    """A get where nothing was put: 404 AsyncConfigNotExists."""
    refused(await on.ask("async.get", await on.create("unconfigured")), 404, "AsyncConfigNotExists")


@config(DOCUMENTED)
async def it_is_deleted(on: Site) -> None:
    """A delete answers 204, and a get does not find it any more."""
    function = await on.tasker("deleted")
    same("the answer", 204, (await on.ask("async.delete", function)).status)
    same("a get then", 404, (await on.ask("async.get", function)).status)


@config(DOCUMENTED)
async def of_an_unknown_function(on: Site) -> None:
    """A put for a function that does not exist: 404 FunctionNotFound."""
    function = Function(on.service, on.name("none"))
    refused(await on.ask("async.put", function, body={"maxAsyncRetryAttempts": 1}), 404, "FunctionNotFound")


@config(DOCUMENTED)
async def it_is_listed(on: Site) -> None:
    """The configuration of a function is listed."""
    function, seen = await configured(on)
    query = {"functionName": function.name} if not on.generation.services else {}
    found = (await on.sure("async.list", function, query=query)).document
    same("the configurations", [seen], found.get("configs"))


@config(DOCUMENTED, only=(OPEN,), needs=("task.functions",))
async def functions_in_task_mode_are_listed(on: Site) -> None:
    """ListStatefulAsyncInvocationFunctions lists the function and its qualifier."""
    function, _ = await configured(on)
    token, names = "", []
    for _ in range(50):
        query = {"limit": 100, **({"nextToken": token} if token else {})}
        found = (await on.sure("task.functions", query=query)).document
        names += [(each["serviceName"], each["functionName"], each["qualifier"]) for each in found["data"]]
        token = found.get("nextToken") or ""
        if not token:
            break
    holds(f"{function.name} with LATEST", (*function, "LATEST") in names, f"{len(names)} others")


@config(OUR_CHOICE)
async def a_change_holds_from_then_on(on: Site) -> None:
    """A change holds for tasks that are submitted from then on."""
    function = await on.tasker("changed", maxAsyncRetryAttempts=1)
    first = await on.begin(function, {"do": "fail"}, delay_seconds=1)
    await on.sure("async.put", function, body={"maxAsyncRetryAttempts": 0})
    second = await on.begin(function, {"do": "fail"})
    runs = [history(await on.ended(function, each)).count("Running") for each in (first, second)]
    same("times Running", [2, 1], runs)


@config(OUR_CHOICE)
async def a_target_that_is_none_is_refused(on: Site) -> None:
    """A destination that is no ARN is refused."""
    body = {"destinationConfig": {"onSuccess": {"destination": "nowhere"}}}
    refused(await on.ask("async.put", (await configured(on))[0], body=body), 400, "InvalidArgument")


@config(OUR_CHOICE)
async def without_one_there_are_tasks(on: Site) -> None:
    """An asynchronous call of a function without a configuration makes a task, too."""
    function = await on.create("bare")
    same("the status", "Succeeded", (await on.ran(function, b"x"))["status"])
