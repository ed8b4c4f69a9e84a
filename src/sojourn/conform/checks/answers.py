"""Answers: what every one of them has, and one error document that all official clients can read."""

from __future__ import annotations

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, member, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, RECORDED
from sojourn.conform.wire import Answer

from .exhibits import refused, worker

answer = Group("answer")
error = Group("answer.error")
body = Group("request.body")


@exhibit
async def listed(on: Site) -> Answer:
    """A success."""
    return await on.sure("function.list", on.of_service, query={"limit": 1})


@exhibit
async def missing(on: Site) -> Answer:
    """An error."""
    return await on.ask("function.get", Function(on.service, on.name("none")))


@answer(DOCUMENTED)
async def a_success_names_its_request(on: Site) -> None:
    """A success has X-Fc-Request-Id."""
    holds("a request id", (await listed(on)).request_id, dict((await listed(on)).headers))


@answer(DOCUMENTED)
async def an_error_names_its_request(on: Site) -> None:
    """An error has X-Fc-Request-Id."""
    holds("a request id", (await missing(on)).request_id, dict((await missing(on)).headers))


@answer(DOCUMENTED)
async def request_ids_differ(on: Site) -> None:
    """Two requests have two ids."""
    first = await on.ask("function.list", on.of_service)
    holds("two ids", first.request_id != (await listed(on)).request_id, first.request_id)


@answer(DOCUMENTED)
async def json_says_so(on: Site) -> None:
    """A JSON answer has its Content-Type."""
    kind = (await listed(on)).headers.get("content-type", "")
    holds("application/json", kind.startswith("application/json"), kind)


@answer(DOCUMENTED)
async def it_has_a_date(on: Site) -> None:
    """An answer has a Date."""
    holds("Date", (await listed(on)).headers.get("date"), dict((await listed(on)).headers))


@answer(DOCUMENTED)
async def it_has_a_length(on: Site) -> None:
    """An answer has its length."""
    found = await listed(on)
    same("Content-Length", str(len(found.body)), found.headers.get("content-length"))


@error(DOCUMENTED)
async def code_and_message_are_there(on: Site) -> None:
    """An error document has `Code` and `Message`, which clients of 3.0 read."""
    found = (await missing(on)).document
    holds("texts Code and Message", all(isinstance(found.get(name), str) for name in ("Code", "Message")), found)


@error(RECORDED)
async def the_older_names_are_there(on: Site) -> None:
    """It has them as `ErrorCode` and `ErrorMessage`, too, which older clients read."""
    found = (await missing(on)).document
    same(
        "ErrorCode, ErrorMessage",
        [found.get("Code"), found.get("Message")],
        [found.get("ErrorCode"), found.get("ErrorMessage")],
    )


@error(DOCUMENTED)
async def the_request_id_is_in_it(on: Site) -> None:
    """`RequestId` of an error document is that of the header."""
    found = await missing(on)
    same("RequestId", found.request_id, found.document.get("RequestId"))


@error(RECORDED)
async def it_is_json(on: Site) -> None:
    """An error is JSON and says so; official clients lose its status otherwise."""
    kind = (await missing(on)).headers.get("content-type", "")
    holds("application/json", kind.startswith("application/json"), kind)


@error(DOCUMENTED)
async def the_message_names_the_function(on: Site) -> None:
    """The message of FunctionNotFound names the function."""
    found = (await missing(on)).document
    holds("function '…' does not exist", "does not exist" in found["Message"] and on.prefix in found["Message"], found)


async def _nowhere(on: Site, method: str, path: str) -> Answer:
    return await on.wire.send("Unknown", method, f"/{on.generation.version}{path}")


@error(RECORDED)
async def an_unknown_path_is_one(on: Site) -> None:
    """A path that does not exist is answered with an error document, not with a page."""
    found = await _nowhere(on, "GET", "/no-such-thing/at-all")
    member("the status", (400, 404), found.status)
    holds("a code", found.code, found)


@error(RECORDED)
async def an_unknown_method_is_one(on: Site) -> None:
    """A method that a path does not have is answered with an error document."""
    found = await _nowhere(on, "PATCH", "/account-settings")
    member("the status", (400, 404, 405), found.status)
    holds("a code", found.code, found)


@error(DOCUMENTED)
async def an_unknown_path_is_not_supported(on: Site) -> None:
    """A path that does not exist: 400 PathNotSupported."""
    refused(await _nowhere(on, "GET", "/no-such-thing/at-all"), 400, "PathNotSupported")


@error(DOCUMENTED)
async def an_argument_is_named(on: Site) -> None:
    """InvalidArgument names the field that is wrong."""
    found = await on.ask("function.update", await worker(on), body={"timeout": -1})
    refused(found, 400, "InvalidArgument")
    holds("a message that names timeout", "timeout" in found.document["Message"].lower(), found.document)


@body(DOCUMENTED)
async def no_json_is_refused(on: Site) -> None:
    """A body that is no JSON where JSON belongs: 400 InvalidArgument."""
    refused(await on.ask("function.update", await worker(on), body=b"{no json"), 400, "InvalidArgument")


@body(DOCUMENTED)
async def no_object_is_refused(on: Site) -> None:
    """JSON that is no object: 400 InvalidArgument."""
    refused(await on.ask("function.update", await worker(on), body=b"[1, 2]"), 400, "InvalidArgument")


@body(RECORDED)
async def null_is_not_given(on: Site) -> None:
    """A field that is null is one that was not given: official clients send those."""
    function = await on.create("null", description="stays")
    await on.sure("function.update", function, body={"description": None, "timeout": 7})
    found = (await on.sure("function.get", function)).document
    same("description, timeout", ("stays", 7), (found["description"], found["timeout"]))


@body(RECORDED)
async def its_type_need_not_be_told(on: Site) -> None:
    """JSON is read whatever Content-Type it is said to have."""
    headers = {"content-type": "application/octet-stream"}
    found = await on.ask("function.update", await worker(on), body={"timeout": 30}, headers=headers)
    same("the answer", 200, found.status)


@body(OUR_CHOICE)
async def an_unknown_field_is_refused(on: Site) -> None:
    """A field that does not exist is refused, and named."""
    found = await on.ask("function.update", await worker(on), body={"colour": "blue"})
    refused(found, 400, "InvalidArgument")
    holds("a message that names it", "colour" in found.document["Message"], found.document)


@body(RECORDED)
async def flags_are_read_in_any_case(on: Site) -> None:
    """`True` and `true` are the same in a query: official clients send both."""
    function = await worker(on)
    found = [await on.ask("task.list", function, query={"includePayload": text}) for text in ("True", "true", "false")]
    same("the answers", [200, 200, 200], [each.status for each in found])
