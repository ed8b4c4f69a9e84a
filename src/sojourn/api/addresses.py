"""Addresses: requests to functions that have an HTTP trigger.

`/http/ACCOUNT/FUNCTION[.QUALIFIER]/…` reaches a function of any generation, what official clients of 2016-08-15 call is
`/2016-08-15/proxy/SERVICE[.QUALIFIER]/FUNCTION/…`. The trigger says which methods there are and whether a caller has to
sign. A call is synchronous unless its header says `Async`; then it is a task, whose payload is the request as an event.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import orjson

from sojourn import httpevent
from sojourn.agent import frames
from sojourn.errors import AccessDenied, FunctionNotFound, MissingHeader, PathNotSupported, ServiceUnavailable
from sojourn.function import AccessKey, Function
from sojourn.httpevent import STATUS_BOUNDS, Response, clean, event_of, is_status, response_of
from sojourn.older_signature import ACCESS_KEY
from sojourn.refusals import FunctionDisabled, TriggerNotFound
from sojourn.sessions import names_session, without_name
from sojourn.task import Failure
from sojourn.trigger import ANONYMOUS, METHODS, Trigger

from . import answer
from .answer import Answer
from .authentication import Authentication, single_headers
from .backend import Backend
from .call import Call, read_body
from .commands import invocations
from .dialect import NATIVE
from .operation import Operation
from .request import Request
from .routing import Route
from .v2016_08_15 import DIALECT as OLDER

BAD_GATEWAY = 502
OWN_PATH = "/http/{account}/{function}"
OLDER_PATH = f"/{OLDER.version}/proxy/{{service}}/{{function}}"
"""What comes behind these is the function's."""
_SANDBOXED = (
    b"content-security-policy",
    b"sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts",
)
"""Under a name of the console a function's page is a stranger to it: its scripts have neither origin nor cookie."""
_CREDENTIAL = re.compile(rb"\bCredential=([^,]*)")


class Address(Operation):
    """All requests below one kind of path; `prefix` is how many parts of the path lead to the function."""

    def __init__(self, backend: Backend, authentication: Authentication, prefix: int) -> None:
        super().__init__(backend, authentication, _unused, invocations.payload_limit)
        self._prefix = prefix

    async def _answer(self, request: Request) -> Answer:
        headers = single_headers(request.headers)
        names = request.names
        account_id = names.get("account") or self._account_of(request, headers)
        service, _, qualifier = names["service" if "service" in names else "function"].partition(".")
        name = f"{service}${names['function']}" if "service" in names else service
        trigger = self._trigger(account_id, name, qualifier)
        key, digest = self._caller(request, headers, trigger, account_id)
        if trigger is None or key.account_id != account_id:  # to others, what is not theirs is not there
            raise TriggerNotFound(name, "http")
        if trigger.http.disable_url_internet:
            raise AccessDenied("access denied: the address of this function is closed (disableURLInternet)")
        if request.method not in trigger.http.methods:
            raise PathNotSupported(request.method, request.path[:200], 405)
        what, limit_bytes = self._limit(headers)
        body = await read_body(headers, request, what, limit_bytes, digest)
        asked = self._asked(request, headers, body, account_id)
        request.names, request.query = {"function": name}, b""  # the rest of both is the function's
        call = Call(self._backend, key, request, headers=headers, body=body, dialect=NATIVE)
        version = self._backend.catalog.qualified(account_id, name, qualifier or trigger.qualifier, request.number)
        if version.disabled is not None:
            raise FunctionDisabled(name, version.disabled.reason)
        served = await self._served(call, version, qualifier or trigger.qualifier, asked)
        if self._backend.hosts.allows(headers.get(b"host", b""), request.server):
            return served._replace(headers=(*served.headers, _SANDBOXED))
        return served

    def _trigger(self, account_id: str, name: str, qualifier: str) -> Trigger | None:
        try:
            return self._backend.timers.address(self._backend.catalog.function(account_id, name), qualifier)
        except FunctionNotFound:
            return None

    def _caller(
        self, request: Request, headers: dict[bytes, bytes], trigger: Trigger | None, account_id: str
    ) -> tuple[AccessKey, bytes | None]:
        """Who asks, and what the body's digest must be; who has not signed is not told what is there."""
        if trigger is not None and trigger.http.auth_type == ANONYMOUS:
            return AccessKey(id=ANONYMOUS, secret="", account_id=account_id, created_at=0), None
        proof = self._authentication.check(request, headers)
        return proof.key, proof.digest

    def _account_of(self, request: Request, headers: dict[bytes, bytes]) -> str:
        """Whose function it is, where the path does not say it: the key's, the hint's, or the only account's."""
        rest = headers.get(b"authorization", b"").partition(b" ")[2]
        credential = _CREDENTIAL.search(rest)
        word = (credential[1] if credential else rest.partition(b":")[0]).decode("latin-1").strip()
        if not word:
            word = dict(parse_qsl(request.query.decode("latin-1"))).get(ACCESS_KEY, "")
        key = self._backend.catalog.key(word)
        hint = headers.get(b"x-fc-account-id", b"").decode("latin-1")
        accounts = self._backend.catalog.accounts()
        if key is not None:
            return key.account_id
        if hint:
            return hint
        if len(accounts) == 1:
            return accounts[0].id
        if word:
            return ""  # nobody's: its signature is going to be refused
        raise MissingHeader("X-Fc-Account-Id")

    def _asked(self, request: Request, headers: dict[bytes, bytes], body: bytes, account_id: str) -> httpevent.Request:
        raw = request.raw_path.decode("latin-1").split("/", self._prefix + 1)
        return httpevent.Request(
            account_id=account_id,
            request_id=request.request_id,
            method=request.method,
            path="/" + (raw[self._prefix + 1] if len(raw) > self._prefix + 1 else ""),
            query=request.query.decode("latin-1"),
            headers=_given(headers),
            body=body,
            source_ip=request.client,
            host=headers.get(b"host", b"").decode("latin-1"),
            at=self._backend.clock.now(),
        )

    async def _served(self, call: Call, version: Function, qualifier: str, request: httpevent.Request) -> Answer:
        if invocations.is_async(call.headers):
            call.body = event_of(request)
            return await invocations.submitted(call, version, qualifier)
        passed_on = version.config.custom
        payload = _packed(request) if passed_on else event_of(request)
        result = await invocations.unless_gone(call, version, payload, http=passed_on)
        outcome = result.outcome
        told = ((b"x-fc-instance-id", result.instance_id.encode()),)
        if isinstance(outcome, Failure):
            if outcome.lost:
                raise ServiceUnavailable(f"the instance was lost: {outcome.message}")
            kind = (b"x-fc-error-type", outcome.kind.encode("latin-1", "replace"))
            return Answer(BAD_GATEWAY, outcome.document, answer.JSON, (*told, kind))
        return _answered(_unpacked(outcome.result) if passed_on else response_of(outcome.result), told)


def _given(headers: dict[bytes, bytes]) -> dict[str, str]:
    """The headers for a function; a session of the console is the caller's own, whosever function it is."""
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    cookies = without_name(given.pop("cookie", ""))
    return given | {"cookie": cookies} if cookies else given


def _answered(response: Response, told: tuple[tuple[bytes, bytes], ...]) -> Answer:
    kind = answer.BYTES
    headers = list(told)
    for name, value in response.headers:
        if name == "content-type":
            kind = value.encode("latin-1")
        elif name != "set-cookie" or not names_session(value):  # a browser would act in a session of another's choice
            headers.append((name.encode("latin-1"), value.encode("latin-1")))
    bodiless = response.status in (204, 304)
    return Answer(response.status, b"" if bodiless else response.body, kind, tuple(headers))


def _packed(request: httpevent.Request) -> bytes:
    """The request for the program itself."""
    path = request.path + (f"?{request.query}" if request.query else "")
    head: dict[str, object] = {"method": request.method, "path": path, "headers": request.forwarded()}
    return frames.pack_http(head, request.body)


def _unpacked(result: bytes) -> Response:
    """What a program answered; one that is no answer is its fault."""
    head, body = frames.unpack_http(result)
    headers, status = head.get("headers"), head.get("status")
    if not is_status(status):
        words = f"The status of the answer must be one from {STATUS_BOUNDS[0]} to {STATUS_BOUNDS[1]}, and was {status}"
        document = orjson.dumps({"errorMessage": words, "errorType": "BadResponse"})
        return Response(status=BAD_GATEWAY, headers=[("content-type", "application/json")], body=document)
    assert isinstance(status, int)  # noqa: S101 - it is a status
    pairs = [(str(name), str(value)) for name, value in headers] if isinstance(headers, list) else []
    return Response(status=status, headers=clean(pairs), body=body)


async def _unused(_: Call) -> Answer:
    raise FunctionNotFound("")


def routes(backend: Backend, authentication: Authentication) -> list[Route]:
    """Their routes."""
    own, older = Address(backend, authentication, 3), Address(backend, authentication, 4)
    return [
        Route(f"{path}{tail}", address, methods=list(METHODS))
        for tail in ("", "/{rest:path}")
        for path, address in ((OWN_PATH, own), (OLDER_PATH, older))
    ]
