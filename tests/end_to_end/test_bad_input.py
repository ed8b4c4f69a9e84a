"""Whatever is wrong with a request, over real HTTP: the status, the words, and that nothing of it is left behind."""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import io
import json
import socket
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from end_to_end.functions import ECHO, HANDLER, RUNTIME
from end_to_end.isolation import BRISK
from live import LiveServer, archive
from sojourn.client import Connection
from sojourn.client.call import Call
from sojourn.client.wire import Wire
from sojourn.clock import SystemClock

VERSION = "/2023-03-30"
CONCURRENT = 50
KIBIBYTE, MEBIBYTE = 1024, 1024 * 1024


class Door:
    """A server with one function, and signed requests of any shape."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        known = server.credentials
        self.connection = Connection(known["endpoint"], known["accessKeyId"], known["accessKeySecret"])
        self.http = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=CONCURRENT))
        client = server.client()
        client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME)
        client.put_concurrency("echo", 0)

    def ask(
        self,
        method: str,
        path: str,
        body: object = b"",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        connection: Connection | None = None,
    ) -> httpx.Response:
        """The answer to a signed request."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        call: Call[None] = Call(
            "Any", method, VERSION + path, lambda _: None, query=query or {}, headers=headers or {}, body=content
        )
        wanted = Wire(connection or self.connection, 60, SystemClock()).request(call)
        return self.http.request(wanted.method, wanted.url, headers=dict(wanted.headers), content=wanted.body)

    def create(self, **changes: Any) -> httpx.Response:
        """CreateFunction, spoiled by `changes`."""
        body = {
            "functionName": "spoiled",
            "runtime": RUNTIME,
            "handler": HANDLER,
            "code": {"zipFile": base64.b64encode(archive(ECHO)).decode()},
        }
        return self.ask("POST", "/functions", body | changes)

    def invoke(self, payload: bytes = b"", *, function: str = "echo", **headers: str) -> httpx.Response:
        """InvokeFunction, asynchronously unless said otherwise."""
        given = {"x-fc-invocation-type": "Async"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", f"/functions/{function}/invocations", payload, headers=given)

    def left(self) -> tuple[list[str], list[str], int]:
        """What exists: functions, code trees, tasks."""
        client = self.server.client()
        names = [function.function_name for function in client.iterate_functions()]
        trees = sorted(path.name for path in (self.server.data / "code").glob("*/*"))
        return names, trees, len(client.list_tasks("echo").tasks)


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """One for all: what is refused is refused before any isolation."""
    with LiveServer(settings=BRISK) as server:
        made = Door(server)
        yield made
        made.http.close()
        assert " ERROR " not in server.log(), server.log()


def refused(answer: httpx.Response, status: int, code: str, *words: str) -> None:
    """The answer is this error, with both name pairs, an id, and a message that holds `words`."""
    body = answer.json()
    assert (answer.status_code, body["Code"]) == (status, code), answer.text
    assert (body["ErrorCode"], body["ErrorMessage"]) == (body["Code"], body["Message"])
    assert answer.headers["x-fc-request-id"]
    for word in words:
        assert word in body["Message"], body["Message"]


FIELDS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"functionName": "9lives"}, "functionName", "9lives", "start with a letter"),
    ({"functionName": "x" * 65}, "functionName", "xxxx", "64"),
    ({"functionName": None}, "functionName", "None", "start with a letter"),
    ({"runtime": "cobol"}, "runtime", "cobol", "python3.12"),
    ({"handler": "no-dot"}, "handler", "no-dot", "index.handler"),
    ({"memorySize": 100}, "memorySize", "100", "128"),
    ({"memorySize": 129}, "memorySize", "129", "64"),
    ({"memorySize": "256"}, "memorySize", "256", "whole number"),
    ({"timeout": 0}, "timeout", "0", "86400"),
    ({"timeout": 86_401}, "timeout", "86401", "86400"),
    ({"environmentVariables": {"FC_X": "1"}}, "environmentVariables", "FC_X", "reserved"),
    ({"environmentVariables": {"A": "x" * 4096}}, "environmentVariables", "4097", "4096"),
    ({"instanceConcurrency": 2}, "instanceConcurrency", "2", "1"),
    ({"vpcConfig": {"vpcId": "v"}}, "vpcConfig", "v", "not supported"),
    ({"code": {}}, "code", "{}", "zipFile"),
    ({"code": {"zipFile": "no base64!"}}, "code.zipFile", "no base64!", "base64"),
]


@pytest.mark.parametrize(("changes", "field", "value", "bound"), FIELDS, ids=[f"{row[1]}-{row[2]}" for row in FIELDS])
def test_a_create_with_a_field_out_of_bounds(
    door: Door, changes: dict[str, Any], field: str, value: str, bound: str
) -> None:
    """The message names the field, the value and the bound; no function, no code, is left."""
    before = door.left()
    refused(door.create(**changes), 400, "InvalidArgument", field, value, bound)
    assert door.left() == before


def zip_of(*entries: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in entries:
            file.writestr(name, content)
    return buffer.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    """An entry that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


ARCHIVES = {
    "nothing": b"",
    "no zip": b"PK but not really",
    "slip": zip_of(("../../escaped.py", b"x = 1")),
    "absolute": zip_of(("/tmp/escaped.py", b"x = 1")),
    "symlink": zip_of((link("index.py"), b"/etc/passwd")),
    "twice": zip_of(("index.py", b"a"), ("./index.py", b"b")),
    "truncated": archive(ECHO)[:-30],
    "bomb": zip_of(("zeros", bytes(64 * MEBIBYTE))),
    "lying size": archive("x" * 5000).replace(struct.pack("<I", 5000), struct.pack("<I", 5)),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_not_to_be_trusted(door: Door, name: str) -> None:
    """Refused before or while it is unpacked; nothing inside or outside the code directory is left of it."""
    before = door.left()
    answer = door.create(code={"zipFile": base64.b64encode(ARCHIVES[name]).decode()})
    refused(answer, 400, "InvalidArgument", "code.zipFile")
    assert door.left() == before
    assert not list(door.server.root.rglob("escaped.py"))
    assert not Path("/tmp/escaped.py").exists()


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(door: Door) -> None:
    """More than 100 MB of code: the answer comes although not one byte of the body has been sent."""
    parts = urlsplit(door.connection.endpoint)
    call: Call[None] = Call("Any", "POST", f"{VERSION}/functions", lambda _: None, body=b"the first bytes")
    headers = dict(Wire(door.connection, 60, SystemClock()).request(call).headers) | {"content-length": "200000000"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(f"POST {call.path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.loads(answer.read())["Code"]) == (400, "EntityTooLarge")


def test_bodies_that_are_no_json(door: Door) -> None:
    """Broken, of another type, or too deep."""
    for body in (b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000, b'{"a":' * 100_000):
        answer = door.ask("POST", "/functions", body)
        assert answer.status_code == 400, (body[:20], answer.text)
        assert answer.json()["Code"] == "InvalidArgument"


@pytest.mark.parametrize(
    ("body", "field", "bound"),
    [
        ({"maxAsyncRetryAttempts": 9}, "maxAsyncRetryAttempts", "0 and 8"),
        ({"maxAsyncRetryAttempts": -1}, "maxAsyncRetryAttempts", "0 and 8"),
        ({"maxAsyncEventAgeInSeconds": 0}, "maxAsyncEventAgeInSeconds", "1 and 604800"),
        ({"maxAsyncEventAgeInSeconds": 604_801}, "maxAsyncEventAgeInSeconds", "1 and 604800"),
        ({"asyncTask": "yes"}, "asyncTask", "true or false"),
        (
            {"destinationConfig": {"onSuccess": {"destination": "acs:x"}}},
            "destinationConfig.onSuccess.destination",
            "acs:fc",
        ),
    ],
)
def test_a_configuration_out_of_bounds(door: Door, body: dict[str, Any], field: str, bound: str) -> None:
    """It is refused whole: the fields beside the bad one are not kept either."""
    whole = {"maxAsyncRetryAttempts": 1} | body
    refused(door.ask("PUT", "/functions/echo/async-invoke-config", whole), 400, "InvalidArgument", field, bound)
    assert door.ask("GET", "/functions/echo/async-invoke-config").status_code == 404


@pytest.mark.parametrize(
    ("headers", "field", "bound"),
    [
        ({"x_fc_async_task_id": "9"}, "x-fc-async-task-id", "start with a letter"),
        ({"x_fc_async_task_id": "x" * 129}, "x-fc-async-task-id", "128"),
        ({"x_fc_async_task_id": "a/../b"}, "x-fc-async-task-id", "letters"),
        ({"x_fc_async_delay": "-1"}, "x-fc-async-delay", "0 and 3600"),
        ({"x_fc_async_delay": "3601"}, "x-fc-async-delay", "0 and 3600"),
        ({"x_fc_async_delay": "soon"}, "x-fc-async-delay", "0 and 3600"),
        ({"x_fc_invocation_type": "Perhaps"}, "x-fc-invocation-type", "Sync or Async"),
    ],
)
def test_a_submit_with_a_header_out_of_bounds(door: Door, headers: dict[str, Any], field: str, bound: str) -> None:
    """No task comes of it."""
    before = door.left()
    refused(door.invoke(**headers), 400, "InvalidArgument", field, bound)
    assert door.left() == before


def test_payloads_at_and_over_their_bounds(door: Door) -> None:
    """128 KiB for a task, 32 MiB for a call; one byte more is too much, and is not half accepted."""
    before = door.left()
    refused(door.invoke(bytes(128 * KIBIBYTE + 1)), 400, "EntityTooLarge", "131072", "131073")
    large = bytes(32 * MEBIBYTE + 1)
    refused(door.invoke(large, x_fc_invocation_type="Sync"), 400, "EntityTooLarge", "33554432")
    assert door.left() == before
    assert door.invoke(bytes(128 * KIBIBYTE), x_fc_async_task_id="full").status_code == 202


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"nextToken": "made-up"}, "nextToken"),
        ({"nextToken": "%00"}, "nextToken"),
        ({"status": "Sleeping"}, "status"),
        ({"status": "succeeded"}, "status"),
        ({"startedTimeBegin": "yesterday"}, "startedTimeBegin"),
        ({"startedTimeEnd": "-1"}, "startedTimeEnd"),
        ({"startedTimeBegin": "2", "startedTimeEnd": "1"}, "startedTimeBegin"),
        ({"sortOrderByTime": "sideways"}, "sortOrderByTime"),
        ({"includePayload": "perhaps"}, "includePayload"),
    ],
)
def test_a_listing_with_a_filter_out_of_bounds(door: Door, query: dict[str, str], field: str) -> None:
    """Nothing is silently ignored."""
    refused(door.ask("GET", "/functions/echo/async-tasks", query=query), 400, "InvalidArgument", field)


def test_what_is_not_there(door: Door) -> None:
    """Functions, tasks, versions, paths and methods, each in the same form."""
    for method, path, code in (
        ("GET", "/functions/nobody", "FunctionNotFound"),
        ("POST", "/functions/nobody/invocations", "FunctionNotFound"),
        ("GET", "/functions/nobody/async-tasks", "FunctionNotFound"),
        ("GET", "/functions/echo/async-tasks/nothing", "AsyncTaskNotFound"),
        ("PUT", "/functions/echo/async-tasks/nothing/stop", "AsyncTaskNotFound"),
    ):
        refused(door.ask(method, path), 404, code)
    refused(door.ask("GET", "/nowhere"), 400, "PathNotSupported")
    refused(door.ask("GET", "/functions/echo", query={"qualifier": "v7"}), 404, "VersionNotFound", "v7")
    answer = door.ask("PATCH", "/functions/echo")
    assert (answer.status_code, answer.json()["Code"]) == (405, "PathNotSupported")


def test_a_task_id_is_taken_once_by_fifty_submits_at_a_time(door: Door) -> None:
    """One 202, the others 409, and one task of that id."""
    with concurrent.futures.ThreadPoolExecutor(CONCURRENT) as pool:
        answers = list(pool.map(lambda _: door.invoke(x_fc_async_task_id="once"), range(CONCURRENT)))

    assert sorted(answer.status_code for answer in answers) == [202] + [409] * (CONCURRENT - 1)
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "AsyncTaskAlreadyExists", "once")
    assert len(door.ask("GET", "/functions/echo/async-tasks", query={"prefix": "once"}).json()["tasks"]) == 1


def test_a_stop_of_a_finished_task(door: Door) -> None:
    """412, and the task is as it was."""
    assert door.invoke(x_fc_async_task_id="finished").status_code == 202
    path = "/functions/echo/async-tasks/finished"
    assert door.ask("PUT", f"{path}/stop").status_code == 204
    before = door.ask("GET", path).json()
    refused(door.ask("PUT", f"{path}/stop"), 412, "AsyncTaskAlreadyCompleted", "finished", "Stopped")
    assert door.ask("GET", path).json() == before


def test_keys_and_signatures_that_do_not_fit(door: Door) -> None:
    """A wrong secret, an unknown id, no signature, a changed body, and a request sent twice."""
    before = door.left()
    known = door.connection
    wrong = Connection(known.endpoint, known.access_key_id, "x" * 32)
    unknown = Connection(known.endpoint, "nobody", known.access_key_secret)
    assert door.ask("GET", "/functions", connection=wrong).status_code == 403
    assert door.ask("GET", "/functions", connection=unknown).status_code == 403
    unsigned = door.http.get(f"{known.endpoint}{VERSION}/functions")
    refused(unsigned, 400, "MissingRequiredHeader", "Authorization")

    call: Call[None] = Call("Any", "POST", f"{VERSION}/functions/echo/invocations", lambda _: None, body=b"signed")
    wanted = Wire(known, 60, SystemClock()).request(call)
    headers = dict(wanted.headers) | {"x-fc-invocation-type": "Async"}
    changed = door.http.request(wanted.method, wanted.url, headers=headers, content=b"forged")
    assert changed.status_code == 403
    call = Call("Any", "GET", f"{VERSION}/functions", lambda _: None)
    wanted = Wire(known, 60, SystemClock()).request(call)
    first, second = (door.http.get(wanted.url, headers=dict(wanted.headers)) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 403)
    assert door.left() == before


def test_a_full_server_says_when_to_come_back() -> None:
    """429 with Retry-After past the bound of open tasks; nothing that was accepted is dropped for it."""
    with LiveServer(settings=BRISK | {"SOJOURN_TASKS_OPEN_MAX": "3"}) as server:
        full = Door(server)
        answers = [full.invoke(x_fc_async_task_id=f"t{number}") for number in range(5)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
        refused(answers[-1], 429, "ResourceExhausted", "3 tasks are open")
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert full.left()[2] == 3
        assert full.ask("PUT", "/functions/echo/async-tasks/t0/stop").status_code == 204
        assert full.invoke(x_fc_async_task_id="t3").status_code == 202
        full.http.close()
