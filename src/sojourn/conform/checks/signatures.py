"""Signatures: who is let in, and that nothing signed can be changed on its way."""

from __future__ import annotations

from collections.abc import Callable

from sojourn.conform.check import CLASSIC, Group
from sojourn.conform.expect import holds, member, same
from sojourn.conform.site import Site
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, RECORDED, Source
from sojourn.conform.wire import Answer, Change, How, Key, Request

from .exhibits import refused, worker

signature = Group("signature")

MINUTE = 60
FORBIDDEN = 403
UNSIGNED = (400, 401, 403)


async def _asked(on: Site, how: How) -> Answer:
    return await on.ask("function.list", on.of_service, query={"limit": 1}, how=how)


@signature(DOCUMENTED)
async def a_right_one_is_taken(on: Site) -> None:
    """A request that is signed by the key is answered."""
    same("the answer", 200, (await _asked(on, How())).status)


@signature(DOCUMENTED)
async def without_one_it_is_refused(on: Site) -> None:
    """A request without a signature is refused."""
    member("the status", UNSIGNED, (await _asked(on, How(signed=False))).status)


@signature(DOCUMENTED)
async def an_unknown_key_is_refused(on: Site) -> None:
    """A key that nobody holds: 403 InvalidAccessKeyID."""
    refused(await _asked(on, How(key=Key("conformUnknownKey0", "x" * 30))), 403, "InvalidAccessKeyID")


@signature(DOCUMENTED)
async def another_secret_is_refused(on: Site) -> None:
    """A signature with another secret: 403 SignatureNotMatch."""
    key = Key(on.wire.connection.access_key_id, "x" * 30)
    refused(await _asked(on, How(key=key)), 403, "SignatureNotMatch")


@signature(DOCUMENTED)
async def the_refusal_is_an_error_document(on: Site) -> None:
    """A refused request is answered with an error document as any other."""
    answer = await _asked(on, How(key=Key(on.wire.connection.access_key_id, "x" * 30)))
    holds("Code, Message and RequestId", {"Code", "Message", "RequestId"} <= set(answer.document), answer.document)


@signature(DOCUMENTED)
async def the_refusal_does_not_tell_the_secret(on: Site) -> None:
    """The refusal of a wrong signature does not hold the secret."""
    answer = await _asked(on, How(late_seconds=-60 * MINUTE))
    holds("no secret", on.wire.connection.access_key_secret.encode() not in answer.body, "the secret")


def _late(name: str, seconds: float, words: str, *, taken: bool) -> None:
    async def look(on: Site) -> None:
        answer = await _asked(on, How(late_seconds=seconds))
        same("the status", 200 if taken else FORBIDDEN, answer.status)

    signature.add(name, f"A request that was signed {words} is {'answered' if taken else 'refused'}", OUR_CHOICE, look)


_late("long-ago", -20 * MINUTE, "20 minutes ago", taken=False)
_late("far-ahead", 20 * MINUTE, "20 minutes ahead of time", taken=False)
_late("a-while-ago", -5 * MINUTE, "5 minutes ago", taken=True)
_late("a-while-ahead", 5 * MINUTE, "5 minutes ahead of time", taken=True)


def _forged(name: str, words: str, change: Change, source: Source = DOCUMENTED, *needs: str) -> None:
    async def look(on: Site) -> None:
        function = await worker(on)
        headers = {"x-fc-log-type": "None", "content-type": "application/octet-stream"}
        answer = await on.ask("invoke", function, body=b"signed", headers=headers, how=How(change=change))
        same("the answer", "403 SignatureNotMatch", str(answer))

    signature.add(
        name, f"A request whose {words} was changed after it was signed is refused", source, look, needs=needs
    )


def _path(request: Request) -> None:
    request.path = request.path.replace("/invocations", "x/invocations")


def _query(request: Request) -> None:
    request.query = "qualifier=LATEST"


def _body(request: Request) -> None:
    request.body = b"forged"


def _header(name: str, value: str) -> Change:
    def change(request: Request) -> None:
        request.headers[name] = value

    return change


def _letter(request: Request) -> None:
    text = request.headers["authorization"]
    letter = text[-5]
    request.headers["authorization"] = text[:-5] + ("A" if letter != "A" else "B") + text[-4:]


def _cut(request: Request) -> None:
    request.headers["authorization"] = request.headers["authorization"][:-4]


_forged("the-path", "path", _path)
_forged("the-query", "query", _query, DOCUMENTED, "signed body")
_forged("the-body", "body", _body, DOCUMENTED, "signed body")
_forged("a-header", "`x-fc-` header", _header("x-fc-log-type", "Tail"))
_forged("the-type", "Content-Type", _header("content-type", "text/plain"))
_forged("the-signature", "signature itself", _letter)
_forged("the-length-of-the-signature", "signature was cut", _cut)


def _delete(request: Request) -> None:
    request.method = "DELETE"


@signature(DOCUMENTED)
async def the_method(on: Site) -> None:
    """A request whose method was changed after it was signed is refused, and does nothing."""
    function = await on.create("method")
    answer = await on.ask("function.get", function, how=How(change=_delete))
    same("the answer", "403 SignatureNotMatch", str(answer))
    same("GetFunction", 200, (await on.ask("function.get", function)).status)


@signature(RECORDED, only=(CLASSIC,), needs=("unsigned query",))
async def the_query_is_not_signed(on: Site) -> None:
    """The query of an ordinary call is not signed: official clients leave it out."""
    how = How(change=_query)
    same("the answer", 200, (await on.ask("invoke", await worker(on), body=b"x", how=how)).status)


@signature(RECORDED, only=(CLASSIC,), needs=("unsigned query",))
async def content_md5_is_opaque(on: Site) -> None:
    """Content-MD5 is signed and not compared with the body, because official clients differ in it."""
    answer = await on.invoke(await worker(on), b"x", headers={"content-md5": "no digest of anything"})
    same("the answer", 200, answer.status)


@signature(OUR_CHOICE, needs=("nonce",))
async def a_second_time_is_refused(on: Site) -> None:
    """The same request, sent a second time, is refused: its nonce was used."""
    sent: list[Request] = []
    same("the first answer", 200, (await _asked(on, How(change=_noted(sent)))).status)
    same("the second answer", FORBIDDEN, (await _asked(on, How(signed=False, change=_again(sent)))).status)


def _noted(sent: list[Request]) -> Change:
    return sent.append


def _again(sent: list[Request]) -> Callable[[Request], None]:
    def change(request: Request) -> None:
        request.headers = dict(sent[0].headers)

    return change


@signature(OUR_CHOICE)
async def an_unknown_scheme_is_refused(on: Site) -> None:
    """A signature of a kind that does not exist is refused."""
    answer = await _asked(on, How(change=_header("authorization", "Basic Y29uZm9ybTpjb25mb3Jt")))
    member("the status", UNSIGNED, answer.status)


@signature(OUR_CHOICE)
async def another_account_is_refused(on: Site) -> None:
    """X-Fc-Account-Id of another account than the key's is refused."""
    answer = await on.ask("function.list", on.of_service, headers={"x-fc-account-id": "1"})
    same("the status", FORBIDDEN, answer.status)


@signature(RECORDED)
async def an_empty_account_is_none(on: Site) -> None:
    """An empty X-Fc-Account-Id, which one official client sends, is none."""
    answer = await on.ask("function.list", on.of_service, headers={"x-fc-account-id": ""})
    same("the answer", 200, answer.status)


@signature(DOCUMENTED)
async def a_refused_call_runs_nothing(on: Site) -> None:
    """A call that is refused for its signature makes no task."""
    function, header = await worker(on), on.generation.task_header
    headers = {"x-fc-invocation-type": "Async", header: "t-forged"}
    key = Key(on.wire.connection.access_key_id, "x" * 30)
    answer = await on.ask("invoke", function, body=b"x", headers=headers, how=How(key=key))
    same("the answer", FORBIDDEN, answer.status)
    same("GetAsyncTask", 404, (await on.ask("task.get", function, task="t-forged")).status)
