"""Triggers: a clock or an address that makes a function run."""

from __future__ import annotations

import asyncio
import json
import time

from sojourn.conform import programs
from sojourn.conform.check import Group
from sojourn.conform.expect import holds, member, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, THIRD_PARTY
from sojourn.conform.wire import Answer, Document, Key, Request

from .exhibits import refused, worker

trigger = Group("trigger")
http = Group("trigger.http")
timer = Group("trigger.timer")

HTTP, TIMER, CONFIG, NAME = "http", "timer", "triggerConfig", "triggerName"
UNSIGNED = (400, 401, 403)


def http_trigger(name: str, auth: str, *methods: str) -> Document:
    """What CreateTrigger takes for an address; GET and POST unless other methods are given."""
    config = {"authType": auth, "methods": methods or ("GET", "POST")}
    return {NAME: name, "triggerType": HTTP, CONFIG: json.dumps(config)}


def _timer(name: str, cron: str = "@every 1h", **more: object) -> Document:
    config = {"cronExpression": cron, "payload": "tick", "enable": True, **more}
    return {NAME: name, "triggerType": TIMER, CONFIG: json.dumps(config)}


def address_of(document: Document) -> str:
    """The address of an HTTP trigger, wherever its generation has it."""
    return str((document.get("httpTrigger") or document).get("urlInternet") or "")


@exhibit
async def anonymous(on: Site) -> tuple[Function, Document]:
    """A function that anybody may reach, and its trigger."""
    function = await on.create("anonymous", programs.WEB)
    return function, (await on.sure("trigger.create", function, body=http_trigger("web", "anonymous"))).document


@exhibit
async def guarded(on: Site) -> tuple[Function, str]:
    """A function that only the account may reach, and its address."""
    function = await on.create("guarded", programs.WEB)
    answer = await on.sure("trigger.create", function, body=http_trigger("web", "function"))
    return function, address_of(answer.document)


@exhibit
async def fetched(on: Site) -> Answer:
    """What a request to the first is answered with."""
    url = address_of((await anonymous(on))[1])
    return await on.wire.fetch("POST", f"{url}a/b?c=d", headers={"x-conform": "asked"}, body=b"hello")


@trigger(DOCUMENTED)
async def create_answers_with_it(on: Site) -> None:
    """A trigger is created with 200 and shown with its name, its type and its configuration as text."""
    _, seen = await anonymous(on)
    same("name, type", ("web", HTTP), (seen.get(NAME), seen.get("triggerType")))
    same("authType", "anonymous", json.loads(seen[CONFIG])["authType"])


@trigger(DOCUMENTED)
async def it_has_times(on: Site) -> None:
    """It has `createdTime` and `lastModifiedTime`."""
    _, seen = await anonymous(on)
    holds("texts", seen.get("createdTime") and seen.get("lastModifiedTime"), seen)


@trigger(DOCUMENTED)
async def it_is_shown(on: Site) -> None:
    """GetTrigger shows the same."""
    function, seen = await anonymous(on)
    found = (await on.sure("trigger.get", function, trigger="web")).document
    same("the configuration", seen[CONFIG], found[CONFIG])


@trigger(DOCUMENTED)
async def it_is_listed(on: Site) -> None:
    """ListTriggers lists it."""
    function, _ = await anonymous(on)
    listed = (await on.sure("trigger.list", function)).document["triggers"]
    same("the triggers", ["web"], [each[NAME] for each in listed])


@trigger(OUR_CHOICE)
async def a_second_one_is_refused(on: Site) -> None:
    """A trigger of the same name: 409 TriggerAlreadyExists."""
    function = await on.create("double")
    await on.sure("trigger.create", function, body=_timer("tick"))
    refused(await on.ask("trigger.create", function, body=_timer("tick")), 409, "TriggerAlreadyExists")


@trigger(THIRD_PARTY)
async def an_unknown_one_is_not_found(on: Site) -> None:
    """A trigger that does not exist: 404 TriggerNotFound."""
    refused(await on.ask("trigger.get", await worker(on), trigger="none"), 404, "TriggerNotFound")


@trigger(DOCUMENTED)
async def a_function_with_one_stays(on: Site) -> None:
    """A function that has triggers is not deleted: 409 FunctionNotEmpty."""
    function, _ = await anonymous(on)
    refused(await on.ask("function.delete", function), 409, "FunctionNotEmpty")


@trigger(DOCUMENTED)
async def it_is_deleted(on: Site) -> None:
    """A trigger is deleted with 204, and not found any more."""
    function = await on.create("untriggered")
    await on.sure("trigger.create", function, body=_timer("tick"))
    same("the answer", 204, (await on.ask("trigger.delete", function, trigger="tick")).status)
    refused(await on.ask("trigger.get", function, trigger="tick"), 404, "TriggerNotFound")


@trigger(DOCUMENTED)
async def an_unknown_type_is_refused(on: Site) -> None:
    """A type that does not exist is refused."""
    body = {NAME: "x", "triggerType": "telepathy", CONFIG: "{}"}
    refused(await on.ask("trigger.create", await worker(on), body=body), 400, "InvalidArgument")


# Addresses ----------------------------------------------------------------------------------------------------------


@http(DOCUMENTED)
async def it_has_an_address(on: Site) -> None:
    """An HTTP trigger tells its address."""
    url = address_of((await anonymous(on))[1])
    holds("urlInternet", url.startswith("http"), url)


@http(DOCUMENTED)
async def anybody_reaches_an_anonymous_one(on: Site) -> None:
    """A request without a signature reaches a function whose trigger is anonymous."""
    same("the status", 201, (await fetched(on)).status)


@http(DOCUMENTED)
async def the_answer_is_the_functions(on: Site) -> None:
    """Status, headers and body are those that the function answered with."""
    seen = await fetched(on)
    same(
        "x-conform, content-type",
        ("yes", "application/json"),
        tuple(seen.headers.get(name) for name in ("x-conform", "content-type")),
    )


def _told(word: str, sentence: str, wanted: object, *path: str) -> None:
    async def look(on: Site) -> None:
        seen: object = (await fetched(on)).document
        for name in path:
            seen = seen.get(name) if isinstance(seen, dict) else None
        same(".".join(path), wanted, seen)

    http.add(word, sentence, DOCUMENTED, look)


_told("the-event-has-its-version", "The event of a request is of the format v1", "v1", "version")
_told("the-event-has-the-path", "`rawPath` is the path below the address", "/a/b", "rawPath")
_told("the-event-has-the-query", "`queryParameters` are those of the request", {"c": "d"}, "queryParameters")
_told("the-event-has-the-body", "`body` is the body as text", "hello", "body")
_told("text-is-no-base64", "`isBase64Encoded` is false for text", False, "isBase64Encoded")
_told("the-event-has-headers", "`headers` are those of the request", "asked", "headers", "X-Conform")
_told(
    "the-event-has-the-method", "`requestContext.http.method` is the method", "POST", "requestContext", "http", "method"
)


@http(DOCUMENTED)
async def bytes_are_base64(on: Site) -> None:
    """A body that is no text comes in base64, and `isBase64Encoded` says so."""
    url = address_of((await anonymous(on))[1])
    seen = (await on.wire.fetch("POST", url, body=b"\xff\xfe")).document
    same("body, isBase64Encoded", ("//4=", True), (seen["body"], seen["isBase64Encoded"]))


@http(OUR_CHOICE)
async def an_answer_without_a_status_is_the_body(on: Site) -> None:
    """An answer that has no `statusCode` is the body of a 200."""
    url = address_of((await anonymous(on))[1])
    seen = await on.wire.fetch("GET", f"{url}plain")
    same("the answer", (200, b"plain"), (seen.status, seen.body))


@http(OUR_CHOICE)
async def an_error_is_502(on: Site) -> None:
    """An error of the function is answered with 502 and X-Fc-Error-Type."""
    url = address_of((await anonymous(on))[1])
    seen = await on.wire.fetch("GET", f"{url}broken")
    same("the answer", (502, "UnhandledInvocationError"), (seen.status, seen.headers.get("x-fc-error-type")))


@http(DOCUMENTED)
async def other_methods_are_refused(on: Site) -> None:
    """A method that the trigger does not name is refused."""
    url = address_of((await anonymous(on))[1])
    member("the status", (403, 404, 405), (await on.wire.fetch("DELETE", url)).status)


@http(DOCUMENTED)
async def an_asynchronous_request_is_a_task(on: Site) -> None:
    """A request with `X-Fc-Invocation-Type: Async` is answered with 202 and makes a task."""
    function, seen = await anonymous(on)
    answer = await on.wire.fetch("POST", address_of(seen), headers={"x-fc-invocation-type": "Async"}, body=b"x")
    same("the answer", 202, answer.status)
    task = await on.ended(function, answer.headers[on.generation.task_header])
    same("the status", "Succeeded", task["status"])


@http(DOCUMENTED)
async def strangers_do_not_reach_a_guarded_one(on: Site) -> None:
    """A request without a signature does not reach a function whose trigger is of `authType` function."""
    _, url = await guarded(on)
    member("the status", UNSIGNED, (await on.wire.fetch("GET", url)).status)


async def _proxied(on: Site, key: Key) -> Answer:
    """A signed request to the guarded function."""
    _, url = await guarded(on)
    origin = on.wire.connection.endpoint
    host, path = (on.wire.connection.host, url.removeprefix(origin)) if url.startswith(origin) else _parts(url)
    request = Request("InvokeHTTPTrigger", "GET", path, "", {"host": host}, b"")
    on.generation.sign_proxied(request, key, time.time())
    return await on.wire.fetch("GET", url, headers=request.headers)


def _parts(url: str) -> tuple[str, str]:
    host, _, path = url.partition("://")[2].partition("/")
    return host, f"/{path}"


@http(DOCUMENTED)
async def the_account_reaches_a_guarded_one(on: Site) -> None:
    """A request that is signed by the account's key reaches it."""
    known = on.wire.connection
    answer = await _proxied(on, Key(known.access_key_id, known.access_key_secret))
    same("the status", 201, answer.status if answer.status == 201 else str(answer))


@http(DOCUMENTED)
async def a_wrong_signature_does_not(on: Site) -> None:
    """A request that is signed with another secret does not."""
    member("the status", UNSIGNED, (await _proxied(on, Key(on.wire.connection.access_key_id, "x" * 30))).status)


@http(DOCUMENTED)
async def a_second_one_of_a_function_is_refused(on: Site) -> None:
    """LATEST of a function has one HTTP trigger."""
    function, _ = await anonymous(on)
    member(
        "the status",
        (400, 409),
        (await on.ask("trigger.create", function, body=http_trigger("more", "anonymous"))).status,
    )


@http(DOCUMENTED)
async def it_can_be_changed(on: Site) -> None:
    """A trigger that becomes `function` refuses strangers from then on."""
    function = await on.create("closed", programs.WEB)
    url = address_of((await on.sure("trigger.create", function, body=http_trigger("web", "anonymous"))).document)
    same("before", 201, (await on.wire.fetch("GET", url)).status)
    config = json.dumps({"authType": "function", "methods": ["GET"]})
    await on.sure("trigger.update", function, trigger="web", body={CONFIG: config})
    member("after", UNSIGNED, (await on.wire.fetch("GET", url)).status)


# Clocks -------------------------------------------------------------------------------------------------------------


@timer(DOCUMENTED)
async def it_is_created(on: Site) -> None:
    """A timer with `@every` is created."""
    function = await on.create("timed")
    seen = (await on.sure("trigger.create", function, body=_timer("tick"))).document
    same("cronExpression", "@every 1h", json.loads(seen[CONFIG])["cronExpression"])


@timer(DOCUMENTED)
async def a_cron_expression_has_six_fields(on: Site) -> None:
    """A timer with a cron expression of six fields, seconds first, is created, with a time zone too."""
    function = await on.create("cron")
    for number, cron in enumerate(("0 30 4 * * *", "CRON_TZ=Asia/Shanghai 0 30 4 * * *")):
        await on.sure("trigger.create", function, body=_timer(f"tick{number}", cron))


@timer(DOCUMENTED)
async def a_bad_expression_is_refused(on: Site) -> None:
    """An expression that is none is refused."""
    refused(await on.ask("trigger.create", await worker(on), body=_timer("x", "each day")), 400, "InvalidArgument")


@timer(DOCUMENTED, slow=True, seconds_max=150)
async def it_fires(on: Site) -> None:
    """A timer of a minute makes a task within two, with time, name and payload in its event."""
    function = await on.tasker("fires", maxAsyncRetryAttempts=0)
    await on.sure("trigger.create", function, body=_timer("tick", "@every 1m"))
    tasks = await on.eventually("a task", lambda: on.tasks(function, includePayload="true"), 130)
    event = json.loads(tasks[0]["taskPayload"])
    same("triggerName, payload", ("tick", "tick"), (event.get(NAME), event.get("payload")))
    holds("triggerTime", event.get("triggerTime"), event)


@timer(DOCUMENTED, slow=True, seconds_max=150)
async def one_that_is_off_does_not(on: Site) -> None:
    """A timer with `enable` false makes no task."""
    function = await on.tasker("off", maxAsyncRetryAttempts=0)
    await on.sure("trigger.create", function, body=_timer("tick", "@every 1m", enable=False))
    await asyncio.sleep(100)
    same("tasks", [], await on.tasks(function))
