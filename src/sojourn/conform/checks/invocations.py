"""Synchronous invocation: the answer, its headers, and what the code is told."""

from __future__ import annotations

import asyncio
import base64
import json
import re

from sojourn.conform import programs
from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import MEMORY_MB, TIMEOUT_SECONDS, Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE
from sojourn.conform.wire import Answer, Document

from .exhibits import PAYLOAD, refused, told, worker

call = Group("invocation")
header = Group("invocation.header")
failure = Group("invocation.error")
context = Group("invocation.context")

LOG_BYTES_MAX = 4096
LIMIT_BYTES = 32 * 1024 * 1024


@exhibit
async def echoed(on: Site) -> Answer:
    """A call that returns what it got."""
    return await on.invoke(await worker(on), PAYLOAD)


@exhibit
async def raised(on: Site) -> Answer:
    """A call whose handler raises."""
    return await on.invoke(await worker(on), {"do": "fail"})


@exhibit
async def printed(on: Site) -> Answer:
    """A call that prints, with the end of its log."""
    order = {"do": "print", "text": "written by the kit"}
    return await on.invoke(await worker(on), order, headers={"x-fc-log-type": "Tail"})


@call(DOCUMENTED)
async def the_answer_is_the_result(on: Site) -> None:
    """The answer to a synchronous call is 200 with the bytes that the handler returned."""
    same("the answer", (200, PAYLOAD), ((await echoed(on)).status, (await echoed(on)).body))


@call(DOCUMENTED)
async def any_bytes_come_back(on: Site) -> None:
    """Bytes that are no text come back as they are."""
    data = bytes(range(256)) * 4
    same("the body", data, (await on.invoke(await worker(on), data)).body)


@call(DOCUMENTED)
async def nothing_comes_back_as_nothing(on: Site) -> None:
    """An empty event is empty for the handler, and an empty result is an empty body."""
    answer = await on.invoke(await worker(on), b"")
    same("the answer", (200, b""), (answer.status, answer.body))


def _value(word: str, value: object, seen: object) -> None:
    async def look(on: Site) -> None:
        answer = await on.invoke(await worker(on), {"do": "value", "value": value})
        same("the body", seen, answer.body if isinstance(seen, bytes) else json.loads(answer.body))

    call.add(f"{word}-comes-back", f"A handler that returns {value!r} is answered with {seen!r}", DOCUMENTED, look)


_value("text", "plain text", b"plain text")
_value("an-object", {"a": [1, 2]}, {"a": [1, 2]})
_value("a-number", 7, 7)


@call(DOCUMENTED)
async def the_type_is_sync_by_default(on: Site) -> None:
    """`Sync` and no type are the same."""
    answer = await on.invoke(await worker(on), b"x", headers={"x-fc-invocation-type": "Sync"})
    same("the answer", (200, b"x"), (answer.status, answer.body))


@call(DOCUMENTED)
async def an_unknown_function_is_not_found(on: Site) -> None:
    """A call of a function that does not exist: 404 FunctionNotFound."""
    refused(await on.invoke(Function(on.service, on.name("none"))), 404, "FunctionNotFound")


@call(OUR_CHOICE)
async def an_unknown_log_type_is_refused(on: Site) -> None:
    """A log type other than None and Tail is refused."""
    answer = await on.invoke(await worker(on), b"x", headers={"x-fc-log-type": "Head"})
    refused(answer, 400, "InvalidArgument")


@call(DOCUMENTED)
async def events_may_be_larger_than_a_tasks(on: Site) -> None:
    """A synchronous event may have more than 128 KiB."""
    data = b"e" * (1024 * 1024)
    same("the body's length", len(data), len((await on.invoke(await worker(on), data)).body))


@call(DOCUMENTED, slow=True)
async def a_larger_event_is_refused(on: Site) -> None:
    """A synchronous event of more than 32 MiB: 400 EntityTooLarge."""
    refused(await on.invoke(await worker(on), b"e" * (LIMIT_BYTES + 1)), 400, "EntityTooLarge")


@call(DOCUMENTED)
async def a_warm_instance_is_used_again(on: Site) -> None:
    """Of calls that follow one another some run on one instance, whose memory they share."""
    function = await on.create("warm")
    seen = [(await on.invoke(function, {"do": "tell"})).document for _ in range(5)]
    calls = {each["born"]: each["seen"]["calls"] for each in seen}
    holds("fewer instances than calls", len(calls) < len(seen), len(calls))
    same("calls that the instances have counted", len(seen), sum(calls.values()))


@call(DOCUMENTED)
async def an_instance_runs_one_at_a_time(on: Site) -> None:
    """Calls at the same time run on different instances."""
    function = await on.create("apart")
    order = {"do": "sleep", "seconds": 3}  # long enough that they meet on a slow endpoint too
    answers = await asyncio.gather(*(on.invoke(function, order) for _ in range(3)))
    same("instances", 3, len({answer.headers["x-fc-instance-id"] for answer in answers}))


# Headers ------------------------------------------------------------------------------------------------------------


@header(DOCUMENTED)
async def the_request_id_is_the_contexts(on: Site) -> None:
    """X-Fc-Request-Id is `context.request_id`."""
    facts = await told(on)
    same("X-Fc-Request-Id", facts["requestId"], facts["answered"])


def _header(name: str, form: str, words: str) -> None:
    async def look(on: Site) -> None:
        text = (await echoed(on)).headers.get(name, "")
        holds(f"{name}: {words}", re.fullmatch(form, text), text)

    header.add(name.removeprefix("x-fc-"), f"`{name}` is {words}", DOCUMENTED, look)


_header("x-fc-instance-id", r".+", "the id of the instance")
_header("x-fc-invocation-duration", r"[0-9]+(\.[0-9]+)?", "a number of milliseconds")
_header("x-fc-max-memory-usage", r"[0-9]+(\.[0-9]+)?", "a number of MB")
_header("x-fc-invocation-service-version", r"LATEST", "the qualifier, LATEST without one")
_header("x-fc-code-checksum", r"[0-9]+", "the CRC-64 of the archive")


@header(DOCUMENTED)
async def the_checksum_is_the_functions(on: Site) -> None:
    """X-Fc-Code-Checksum is the function's `codeChecksum`."""
    found = (await on.sure("function.get", await worker(on))).document
    same("x-fc-code-checksum", found["codeChecksum"], (await echoed(on)).headers.get("x-fc-code-checksum"))


@header(DOCUMENTED)
async def the_duration_is_the_handlers(on: Site) -> None:
    """X-Fc-Invocation-Duration is the time of the handler."""
    answer = await on.invoke(await worker(on), {"do": "sleep", "seconds": 1})
    found = float(answer.headers["x-fc-invocation-duration"])
    holds("1000 ms or a bit more", 990 <= found < 20_000, found)


@header(DOCUMENTED)
async def the_log_is_asked_for(on: Site) -> None:
    """There is no X-Fc-Log-Result unless `x-fc-log-type: Tail` asks for it."""
    seen = (await echoed(on)).headers.get("x-fc-log-result")
    holds("none", seen is None, seen)


@header(DOCUMENTED)
async def the_log_holds_what_was_printed(on: Site) -> None:
    """X-Fc-Log-Result is the log in base64, with what the handler printed."""
    text = base64.b64decode((await printed(on)).headers["x-fc-log-result"], validate=True)
    holds("the printed line", b"written by the kit" in text, text)


@header(DOCUMENTED)
async def the_log_has_its_sections(on: Site) -> None:
    """The log has the lines that begin and end the invocation, with its request id."""
    answer = await printed(on)
    text = base64.b64decode(answer.headers["x-fc-log-result"]).decode()
    lines = [f"FC Invoke {word} RequestId: {answer.request_id}" for word in ("Start", "End")]
    holds(" … ".join(lines), all(line in text for line in lines), text)


@header(DOCUMENTED)
async def the_log_is_its_end(on: Site) -> None:
    """X-Fc-Log-Result has at most the last 4 KiB."""
    order = {"do": "print", "text": "0123456789\n", "times": 2000}
    answer = await on.invoke(await worker(on), order, headers={"x-fc-log-type": "Tail"})
    text = base64.b64decode(answer.headers["x-fc-log-result"])
    holds("4096 bytes with the end of the log", len(text) <= LOG_BYTES_MAX and b"FC Invoke End" in text, len(text))


@header(DOCUMENTED)
async def a_success_has_no_error_type(on: Site) -> None:
    """A success has no X-Fc-Error-Type."""
    seen = (await echoed(on)).headers.get("x-fc-error-type")
    holds("none", seen is None, seen)


# Errors -------------------------------------------------------------------------------------------------------------


@failure(DOCUMENTED)
async def it_is_answered_with_200(on: Site) -> None:
    """An error of the handler is answered with 200 all the same."""
    same("the status", 200, (await raised(on)).status)


@failure(DOCUMENTED)
async def a_header_tells_it(on: Site) -> None:
    """X-Fc-Error-Type of a handler that raises is UnhandledInvocationError."""
    same("x-fc-error-type", "UnhandledInvocationError", (await raised(on)).headers.get("x-fc-error-type"))


@failure(DOCUMENTED)
async def the_body_is_an_error_document(on: Site) -> None:
    """The body is a document with `errorMessage` and `errorType`."""
    found = (await raised(on)).document
    same("errorMessage, errorType", ("as ordered", "ValueError"), (found.get("errorMessage"), found.get("errorType")))


@failure(DOCUMENTED)
async def the_stack_is_in_it(on: Site) -> None:
    """`stackTrace` is a list of lists of text, and names the place."""
    stack = (await raised(on)).document.get("stackTrace")
    shape = isinstance(stack, list) and all(isinstance(frame, list) for frame in stack)
    holds("a list of lists that names do_fail", shape and "do_fail" in json.dumps(stack), stack)


async def _unhandled(on: Site, function: Function, order: Document | bytes) -> Document:
    answer = await on.invoke(function, order)
    seen = (answer.status, answer.headers.get("x-fc-error-type"))
    same("status and x-fc-error-type", (200, "UnhandledInvocationError"), seen)
    return answer.document


@failure(DOCUMENTED)
async def a_timeout_is_one(on: Site) -> None:
    """A handler that takes longer than its timeout: an error that tells after how many seconds."""
    function = await on.create("short", timeout=1)
    found = await _unhandled(on, function, {"do": "sleep", "seconds": 10})
    holds("timed out after 1 seconds", "timed out after 1 second" in found["errorMessage"], found)


@failure(DOCUMENTED)
async def a_crash_is_one(on: Site) -> None:
    """A process that ends: an error that says so."""
    found = await _unhandled(on, await on.create("crash"), {"do": "exit"})
    holds("Process exited unexpectedly…", "exited unexpectedly" in found["errorMessage"], found)


@failure(DOCUMENTED)
async def after_a_crash_there_is_another_instance(on: Site) -> None:
    """A call after a crash gets another instance and succeeds."""
    function = await on.create("recovers")
    first = await on.invoke(function, {"do": "exit"})
    second = await on.invoke(function, b"x")
    same("the body", b"x", second.body)
    ids = [answer.headers.get("x-fc-instance-id") for answer in (first, second)]
    holds("two instances", ids[0] != ids[1], ids)


@failure(OUR_CHOICE)
async def a_result_that_is_no_json_is_one(on: Site) -> None:
    """A handler that returns what cannot be written as JSON: an error of the function."""
    await _unhandled(on, await worker(on), {"do": "unserialisable"})


@failure(DOCUMENTED)
async def a_handler_that_is_not_there(on: Site) -> None:
    """A handler that the code does not have: an error that names it."""
    found = await _unhandled(on, await on.create("nohandler", handler="index.missing"), b"x")
    holds("a message that names it", "missing" in found["errorMessage"], found)


@failure(OUR_CHOICE)
async def an_import_that_fails(on: Site) -> None:
    """A module that cannot be imported: an error of the function that names what is missing."""
    found = await _unhandled(on, await on.create("broken", programs.BROKEN), b"x")
    holds("a message that names it", "nothing_of_this_name" in found["errorMessage"], found)


# What the code is told ----------------------------------------------------------------------------------------------


def _told(field: str, words: str, wanted: object = None) -> None:
    async def look(on: Site) -> None:
        facts = await told(on)
        if wanted is None:
            holds(f"{field}: a text", isinstance(facts[field], str) and facts[field], facts[field])
        else:
            same(field, wanted, facts[field])

    context.add(field.lower(), f"The context tells {words}", DOCUMENTED, look)


_told("accountId", "the account's id")
_told("region", "the region")
_told("handler", "the handler", programs.HANDLER)
_told("memory", "the memory in MB", MEMORY_MB)
_told("timeout", "the timeout in seconds", TIMEOUT_SECONDS)
_told("retryCount", "that a synchronous call is no retry", 0)
_told("folder", "that code runs in its folder, /code", "/code")


@context(DOCUMENTED)
async def name(on: Site) -> None:
    """The context tells the function's name."""
    same("name", (await worker(on)).name, (await told(on))["name"])


def _variable(variable: str) -> None:
    async def look(on: Site) -> None:
        found = (await told(on))["environment"]
        holds(f"{variable} is set", found.get(variable), sorted(found))

    context.add(variable.lower().replace("_", "-"), f"The variable {variable} is set", DOCUMENTED, look)


for _name in ("FC_FUNCTION_NAME", "FC_FUNCTION_HANDLER", "FC_FUNCTION_MEMORY_SIZE", "FC_REGION", "FC_ACCOUNT_ID"):
    _variable(_name)


@context(DOCUMENTED)
async def temporary_files(on: Site) -> None:
    """The code may write to /tmp."""
    same("what was written", b"written", (await on.invoke(await worker(on), {"do": "write"})).body)
