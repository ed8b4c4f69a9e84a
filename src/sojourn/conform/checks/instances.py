"""Instances: their hooks, as far as they can be seen from outside, and their lists."""

from __future__ import annotations

import base64

from sojourn.conform import programs
from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE
from sojourn.conform.wire import Document

from .exhibits import LONG_SECONDS, refused, worker
from .triggers import address_of, http_trigger

initializer = Group("hook.initializer")
pre_freeze = Group("hook.preFreeze", needs=("preFreeze",))
pre_stop = Group("hook.preStop")
hook = Group("hook")
instance = Group("instance")

SECONDS = 5


def _hook(name: str, handler: str) -> Document:
    return {name: {"handler": f"index.{handler}", "timeout": SECONDS}}


@exhibit
async def initialized(on: Site) -> list[Document]:
    """What calls see on instances that have an Initializer."""
    function = await on.create("initialized", instanceLifecycleConfig=_hook("initializer", "initialize"))
    return [(await on.invoke(function, {"do": "tell"})).document for _ in range(5)]


@exhibit
async def unready(on: Site) -> Function:
    """A function whose Initializer fails."""
    lifecycle = _hook("initializer", "initialize")
    function = await on.create(
        "unready", instanceLifecycleConfig=lifecycle, environmentVariables={"INITIALIZER": "fails"}
    )
    await on.configure(function, maxAsyncRetryAttempts=1)
    return function


@initializer(DOCUMENTED)
async def it_comes_before_the_handler(on: Site) -> None:
    """The Initializer runs before the first handler."""
    same("what ran first", ["initialize", "handler"], (await initialized(on))[0]["seen"]["order"][:2])


@initializer(DOCUMENTED)
async def it_runs_once_an_instance(on: Site) -> None:
    """The Initializer runs once, however many calls an instance gets."""
    seen = await initialized(on)
    holds("an instance with more than one call", len({each["born"] for each in seen}) < len(seen), len(seen))
    same("Initializers of each instance", {1}, {each["seen"]["initialized"] for each in seen})


@initializer(DOCUMENTED)
async def its_section_is_in_the_log(on: Site) -> None:
    """The log of the call that caused the start has the section of the Initializer."""
    function = await on.create("logged", instanceLifecycleConfig=_hook("initializer", "initialize"))
    answer = await on.invoke(function, {"do": "print", "text": "x"}, headers={"x-fc-log-type": "Tail"})
    text = base64.b64decode(answer.headers["x-fc-log-result"]).decode()
    holds(f"FC Initialize Start RequestId: {answer.request_id}", "FC Initialize Start RequestId" in text, text)


@initializer(DOCUMENTED)
async def a_failure_is_an_error_of_the_call(on: Site) -> None:
    """A failing Initializer is an error of the call: 200 with the body's type InitializationError or its own."""
    answer = await on.invoke(await unready(on), b"x")
    same("the status", 200, answer.status)
    holds("x-fc-error-type", answer.headers.get("x-fc-error-type"), dict(answer.headers))


@initializer(DOCUMENTED)
async def a_failure_is_an_initialization_error(on: Site) -> None:
    """X-Fc-Error-Type of it is InitializationError."""
    answer = await on.invoke(await unready(on), b"x")
    same("x-fc-error-type", "InitializationError", answer.headers.get("x-fc-error-type"))


@initializer(DOCUMENTED)
async def a_task_is_tried_again(on: Site) -> None:
    """A task whose Initializer fails is tried again as after any error of the function, and Failed then."""
    task = await on.ran(await unready(on), b"x")
    same("status, alreadyRetriedTimes", ("Failed", 1), (task["status"], task["alreadyRetriedTimes"]))


@pre_freeze(DOCUMENTED)
async def it_runs_between_calls(on: Site) -> None:
    """PreFreeze runs after a call when the instance is frozen, as the next call sees."""
    function = await on.create("frozen", instanceLifecycleConfig=_hook("preFreeze", "pre_freeze"))

    async def frozen() -> bool:
        return bool((await on.invoke(function, {"do": "tell"})).document["seen"]["frozen"])

    await on.eventually("a PreFreeze", frozen)


@hook(DOCUMENTED)
async def one_that_is_not_configured_never_runs(on: Site) -> None:
    """A hook that is not configured is never called, even if the code defines it."""
    function = await on.create("unhooked")
    for _ in range(3):
        seen = (await on.invoke(function, {"do": "tell"})).document["seen"]["order"]
    same("what ran", {"handler"}, set(seen))


@hook(DOCUMENTED)
async def they_are_shown(on: Site) -> None:
    """A function shows its hooks."""
    function = await on.create("hooks", instanceLifecycleConfig=_hook("preStop", "pre_stop"))
    seen = (await on.sure("function.get", function)).document["instanceLifecycleConfig"]["preStop"]
    same("handler, timeout", ("index.pre_stop", SECONDS), (seen["handler"], seen["timeout"]))


@hook(DOCUMENTED)
async def a_limit_is_kept(on: Site) -> None:
    """A PreStop of more than 90 s is refused."""
    lifecycle = {"preStop": {"handler": "index.pre_stop", "timeout": 91}}
    _, answer = await on.try_create(on.name("late"), on.body(instanceLifecycleConfig=lifecycle))
    refused(answer, 400, "InvalidArgument")


@hook(DOCUMENTED)
async def the_initializers_limit_is_kept(on: Site) -> None:
    """An Initializer of more than 300 s is refused."""
    lifecycle = {"initializer": {"handler": "index.initialize", "timeout": 301}}
    _, answer = await on.try_create(on.name("late"), on.body(instanceLifecycleConfig=lifecycle))
    refused(answer, 400, "InvalidArgument")


@exhibit
async def collector(on: Site) -> tuple[Function, str]:
    """A function that anybody may send to, and its address: what PreStop sends there becomes a task of it."""
    function = await on.create("collector", programs.WEB)
    answer = await on.sure("trigger.create", function, body=http_trigger("web", "anonymous"))
    return function, address_of(answer.document)


@pre_stop(DOCUMENTED)
async def a_stop_calls_it(on: Site) -> None:
    """A stop of a running task calls PreStop; it tells so by a request to the address of another function."""
    function, url = await collector(on)
    stopped = await on.create(
        "stopped", instanceLifecycleConfig=_hook("preStop", "pre_stop"), environmentVariables={"COLLECTOR": url}
    )
    await on.configure(stopped, maxAsyncRetryAttempts=0)
    task_id = await on.begin(stopped, {"do": "sleep", "seconds": LONG_SECONDS})
    await on.until(stopped, task_id, {"Running"})
    await on.sure("task.stop", stopped, task=task_id)
    same("the status", "Stopped", (await on.ended(stopped, task_id))["status"])
    tasks = await on.eventually("a request of PreStop", lambda: on.tasks(function, includePayload="true"))
    same("requests", 1, len(tasks))
    holds("its body", "pre_stop" in tasks[0]["taskPayload"], tasks[0]["taskPayload"])


@pre_stop(DOCUMENTED)
async def a_failure_holds_nothing_up(on: Site) -> None:
    """A stop goes on when PreStop fails."""
    nowhere = {"COLLECTOR": "http://127.0.0.1:9/"}
    function = await on.create(
        "unstoppable", instanceLifecycleConfig=_hook("preStop", "pre_stop"), environmentVariables=nowhere
    )
    await on.configure(function, maxAsyncRetryAttempts=0)
    task_id = await on.begin(function, {"do": "sleep", "seconds": LONG_SECONDS})
    await on.until(function, task_id, {"Running"})
    await on.sure("task.stop", function, task=task_id)
    same("the status", "Stopped", (await on.ended(function, task_id))["status"])


@exhibit
async def running(on: Site) -> tuple[Function, Document, Document]:
    """A function, a task that runs on an instance of it, and its list of instances."""
    function = await on.tasker("listed", maxAsyncRetryAttempts=0)
    task = await on.until(function, await on.begin(function, {"do": "sleep", "seconds": 10}), {"Running"})
    return function, task, (await on.sure("instance.list", function)).document


@instance(DOCUMENTED)
async def one_that_runs_is_listed(on: Site) -> None:
    """ListInstances lists the instance that a task runs on."""
    _, task, listed = await running(on)
    ids = [each["instanceId"] for each in listed["instances"]]
    holds(f"{task['instanceId']}", task["instanceId"] in ids, ids)


@instance(OUR_CHOICE)
async def it_tells_its_status(on: Site) -> None:
    """It tells that it is Running, and since when."""
    (found, *_) = (await running(on))[2]["instances"]
    same("status", "Running", found.get("status"))
    holds("createdTimeMs", type(found.get("createdTimeMs")) is int and found["createdTimeMs"] > 0, found)


@instance(OUR_CHOICE)
async def its_version_is_told(on: Site) -> None:
    """`versionId` of an instance of LATEST is 0."""
    (found, *_) = (await running(on))[2]["instances"]
    same("versionId", "0", found.get("versionId"))


@instance(DOCUMENTED)
async def the_list_names_its_request(on: Site) -> None:
    """The list has `requestId`."""
    holds("requestId", (await running(on))[2].get("requestId"), (await running(on))[2])


@instance(DOCUMENTED)
async def a_function_that_was_not_called_has_none(on: Site) -> None:
    """A function that was not called has no instances."""
    function = await on.create("uncalled")
    same("instances", [], (await on.sure("instance.list", function)).document["instances"])


@instance(OUR_CHOICE)
async def the_list_is_narrowed_by_ids(on: Site) -> None:
    """`instanceIds` narrows the list, as JSON text."""
    function = await worker(on)
    answer = await on.sure("instance.list", function, query={"instanceIds": '["no-such-instance"]'})
    same("instances", [], answer.document["instances"])


@instance(DOCUMENTED)
async def an_update_brings_another(on: Site) -> None:
    """After an update of the function, calls get another instance."""
    function = await on.create("renewed")
    first = (await on.invoke(function, {"do": "tell"})).document["born"]
    await on.sure("function.update", function, body={"timeout": 20})
    second = (await on.invoke(function, {"do": "tell"})).document["born"]
    holds("two instances", first != second, first)
