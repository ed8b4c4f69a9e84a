"""Every route of the server, an account that has one of everything, and what the server holds."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import secrets
import socket
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import orjson

from api.door import Caller, Door, creation
from sojourn import signature
from sojourn.api import health
from sojourn.api.openapi.bodies import EXAMPLES
from sojourn.api.openapi.document import NAMES as APIS
from sojourn.api.openapi.document import render

FUNCTION, OPEN = "/functions/f", "/2021-04-06"
MEMBER = f"{OPEN}/services/s/functions/f"
DOCUMENTS: dict[str, dict[str, Any]] = {api: json.loads(render(api)) for api in APIS}


class Way(NamedTuple):
    """A method at a path; `test_openapi` shows that the descriptions have exactly the router's."""

    api: str
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def operation(self) -> dict[str, Any]:
        """Its description."""
        found: dict[str, Any] = DOCUMENTS[self.api]["paths"][self.path][self.method.lower()]
        return found

    @property
    def names(self) -> list[str]:
        """What its path names."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def native(self) -> bool:
        """Whether its errors are problem documents."""
        return self.path.startswith(("/v1/", "/openapi.json", "/metrics"))

    @property
    def endless(self) -> bool:
        """Whether its answer has no end."""
        return "text/event-stream" in self.operation["responses"].get("200", {}).get("content", {})

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of its body, by name."""
        content = self.operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        found: dict[str, Any] = DOCUMENTS[self.api]["components"]["schemas"].get(name, {}).get("properties", {})
        return found

    def body(self) -> bytes:
        """A body as a caller would write it."""
        content = self.operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        return orjson.dumps(EXAMPLES.get(name, {})) if name else b""

    def at(self, names: Mapping[str, str]) -> str:
        """The path with names in it."""
        return re.sub(r"{(\w+)}", lambda match: names.get(match[1], "x"), self.path)


ROUTES = [
    Way(api, method.upper(), path) for api in APIS for path, item in DOCUMENTS[api]["paths"].items() for method in item
]
WAYS = [way for way in ROUTES if way.path not in health.PATHS]
"""All that need a key."""
NAMES: Mapping[str, str] = {
    "function": "f",
    "service": "s",
    "task": "t1",
    "operation": "1-00000000-00000000-000000000000",
    "version": "1",
    "alias": "a",
    "trigger": "t",
    "rest": "more",
}
"""What a furnished account has."""


def furnish(caller: Caller) -> Caller:
    """Give an account one of everything."""
    caller.create()
    assert caller("POST", f"{OPEN}/services", body={"serviceName": "s"}).status == 200
    assert caller("POST", f"{OPEN}/services/s/functions", body=creation("f")).status == 200
    caller("POST", f"{OPEN}/tag", body={"resourceArn": "services/s", "tags": {"k": "v"}})
    timer = {"triggerName": "t", "triggerType": "timer", "triggerConfig": '{"cronExpression": "@every 8h"}'}
    for path, versions in ((FUNCTION, f"{FUNCTION}/versions"), (MEMBER, f"{OPEN}/services/s/versions")):
        for _ in range(2):
            assert caller("POST", versions, body={}).status == 200
        assert caller("POST", f"{path}/triggers", body=timer).status == 200
        headers = {"x-fc-invocation-type": "Async", "x-fc-async-task-id": "t1"}
        assert caller("POST", f"{path}/invocations", headers=headers).status == 202
        assert caller("PUT", f"{path}/async-invoke-config", body={}).status == 200
    caller("PUT", f"{FUNCTION}/concurrency", body={"reservedConcurrency": 3})
    caller("PUT", f"{MEMBER}/on-demand-config", body={"maximumInstanceCount": 3})
    for path in (f"{FUNCTION}/aliases", f"{OPEN}/services/s/aliases"):
        assert caller("POST", path, body={"aliasName": "a", "versionId": "1"}).status == 200
    return caller


def held(door: Door) -> bytes:
    """Everything that the server holds."""
    data = door.store.data
    parts = (
        data.functions,
        data.services,
        data.triggers,
        data.tasks,
        data.deliveries,
        data.accounts,
        data.keys,
        data.tokens,
    )
    return msgspec.json.encode([sorted(part.items(), key=repr) for part in parts], enc_hook=repr)


def signed(caller: Caller, method: str, target: str, body: bytes, /, **changes: Any) -> dict[str, str]:
    """The headers of a signed request; `changes` are other arguments of `signature.sign`, or more `headers`."""
    path, _, query = target.partition("?")
    return signature.sign(
        changes.get("method", method),
        changes.get("path", path),
        changes.get("query", query),
        {"host": caller.door.host} | changes.get("headers", {}),
        body_sha256=hashlib.sha256(changes.get("signed_body", body)).hexdigest(),
        access_key_id=changes.get("key_id", caller.key.id),
        access_key_secret=changes.get("secret", caller.key.secret),
        now_seconds=changes.get("now_seconds", time.time()),
        nonce=changes.get("nonce") or secrets.token_hex(16),
    )


def request(method: str, target: str, headers: Mapping[str, str], body: bytes, *, last: bool = True) -> bytes:
    """A request as bytes, on a connection that ends with it unless it is not the last one."""
    given = dict(headers) | {"content-length": str(len(body))} | ({"connection": "close"} if last else {})
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Line:
    """A connection that is kept for as long as the server keeps it."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._wire: socket.socket | None = None

    def exchange(self, data: bytes) -> Heard:
        """Send a request and hear its answer."""
        if self._wire is None:
            self._wire = socket.create_connection(("127.0.0.1", self._door.port), timeout=20)
        self._wire.sendall(data)
        answer = http.client.HTTPResponse(self._wire, method=data.partition(b" ")[0].decode())
        answer.begin()
        found = Heard(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        if answer.will_close:
            self.close()
        return found

    def close(self) -> None:
        """Hang up."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class Heard(NamedTuple):
    """An answer off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error's code."""
        found: str = orjson.loads(self.body)["Code"]
        return found


def heard(answer: bytes) -> Heard:
    """An answer taken apart."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Heard(int(first.split()[1]), headers, body)


def is_refusal(answer: Heard, *, native: bool, bodiless: bool = False) -> None:
    """It is an error of the caller's, in the shape of its API, with a request id."""
    assert 400 <= answer.status < 500, answer
    assert answer.headers["x-fc-request-id"]
    kind = "application/problem+json" if native else "application/json"
    assert answer.headers["content-type"] == kind, answer
    if bodiless:
        return
    document = orjson.loads(answer.body)
    assert document["RequestId"] == answer.headers["x-fc-request-id"]
    assert (document["Code"], document["Message"]) == (document["ErrorCode"], document["ErrorMessage"])
    if native:
        assert (document["status"], document["detail"]) == (answer.status, document["Message"])
