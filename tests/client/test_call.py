from __future__ import annotations

from typing import Any

import pytest

from client import acs3
from sojourn import signature
from sojourn.client import Connection, Refused, ServerError, Status, TaskFilter, calls
from sojourn.client.call import CHUNK_BYTES, Answer, Call, Request, pieces, request

CONNECTION = Connection("http://127.0.0.1:9000", "key", "secret")
NOW_SECONDS = 1_795_000_000.9


def spelled(call: Call[Any], nonce: str = "once") -> Request:
    return request(call, CONNECTION, now_seconds=NOW_SECONDS, nonce=nonce)


CALLS: list[Call[Any]] = [
    calls.get_function("hello"),
    calls.create_function({"functionName": "hello"}, None),
    calls.list_functions("a b/ä&=%+~'()*", 7, "tok en=="),
    calls.delete_function("$svc ä/x"),
    calls.submit("hello", b"\x00\xff", "t-1", 3, idempotent=False),
    calls.submit("hello", b"", None, None, idempotent=False),
    calls.submit("hello", b"", None, None, tags={"tenant": "t1", "kind": ""}, idempotent=False),
    calls.list_tasks(
        "hello", TaskFilter(status=Status.RUNNING, prefix="x y", started_from=5, include_payload=True), ""
    ),
    calls.stop_task("hello", "t-1"),
    calls.logs("hello", "1-00-00-00"),
    calls.deliveries("hello", "1-00-00-00"),
    calls.resend("hello", "t"),
    calls.webhook_secret(rotate=True),
    calls.create_account("b"),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.action)
def test_signatures_hold_on_the_wire(call: Call[Any]) -> None:
    """Every call's signature is accepted by the server's own check and by a second one that knows only the rules."""
    wire = spelled(call)
    target, _, query = wire.url.removeprefix(CONNECTION.endpoint).partition("?")
    headers = {name.encode(): value.encode() for name, value in wire.headers.items()}

    assert acs3.signer((wire.method, target, query), wire.headers, wire.body, {"key": "secret"}) == "key"
    signature.verify(
        signature.parse_authorization(headers),
        "secret",
        headers,
        method=wire.method.encode(),
        raw_path=target.encode(),
        query=query.encode(),
    )
    with pytest.raises(ValueError, match="does not fit"):
        acs3.signer((wire.method, target + "x", query), wire.headers, wire.body, {"key": "secret"})


def test_a_submit_on_the_wire() -> None:
    """Task id and delay travel as the headers of API 2023-03-30, and they are signed."""
    wire = spelled(calls.submit("hello", b"body", "t-1", 3, idempotent=False))

    assert (wire.method, wire.url) == ("POST", "http://127.0.0.1:9000/2023-03-30/functions/hello/invocations")
    assert wire.body == b"body"
    expected = {
        "host": "127.0.0.1:9000",
        "x-fc-invocation-type": "Async",
        "x-fc-async-task-id": "t-1",
        "x-fc-async-delay": "3",
        "content-type": "application/octet-stream",
        "content-length": "4",
        "x-acs-version": "2023-03-30",
        "x-acs-action": "InvokeFunction",
        "x-acs-date": "2026-11-18T11:06:40Z",
    }
    assert {name: wire.headers[name] for name in expected} == expected
    signed = wire.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "x-fc-async-task-id", "x-fc-async-delay", "x-fc-invocation-type"} <= set(signed)
    assert "content-length" not in signed


def test_a_list_on_the_wire() -> None:
    """Filters that are not given do not travel; those that are are percent-encoded."""
    wanted = TaskFilter(status=Status.FAILED, prefix="a b", started_from=5, started_to=9, ascending=True, limit=3)
    url = spelled(calls.list_tasks("hello", wanted, "n=")).url

    assert url.partition("?")[2] == (
        "limit=3&nextToken=n%3D&prefix=a%20b&sortOrderByTime=asc&startedTimeBegin=5&startedTimeEnd=9&status=Failed"
    )
    assert spelled(calls.list_tasks("hello", TaskFilter(), "")).url.endswith("?sortOrderByTime=desc")


def test_version_needs_no_key() -> None:
    """It is asked for without a signature."""
    assert "authorization" not in spelled(calls.version()).headers


@pytest.mark.parametrize("name", ["", ".", "..", "\ud800"])
def test_names_that_a_path_would_swallow_are_refused(name: str) -> None:
    """Such a name would ask for something else than it says."""
    with pytest.raises(Refused, match="function must"):
        calls.get_function(name)
    with pytest.raises(Refused, match="task_id must"):
        calls.get_task("hello", name)


@pytest.mark.parametrize("task_id", ["", "a\r\nx-fc-evil: 1", "ä"])
def test_task_ids_that_no_header_can_carry_are_refused(task_id: str) -> None:
    """Nothing can be smuggled into the headers."""
    with pytest.raises(Refused, match="task_id must be printable ASCII"):
        calls.submit("hello", b"", task_id, None, idempotent=False)


@pytest.mark.parametrize("tags", [{"a": "1,b=2"}, {"a=b": ""}, {"a,b": ""}, {"a": "ä"}, {"a": "\r\nx: y"}])
def test_tags_that_would_be_read_as_others_are_refused(tags: dict[str, str]) -> None:
    """A value is never another tag, nor another header."""
    with pytest.raises(Refused, match="tags must"):
        calls.submit("hello", b"", None, None, tags=tags, idempotent=False)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"taskId": "x", "status": "Processed"}'])
def test_an_answer_that_is_none_is_the_servers_fault(body: bytes) -> None:
    """Another program at the port gives a `ServerError`, never a decoder's."""
    with pytest.raises(ServerError, match="not a Sojourn server's") as caught:
        calls.get_task("hello", "x").read(Answer(200, {"x-fc-request-id": "1-r"}, body))

    assert (caught.value.status, caught.value.request_id) == (200, "1-r")


def test_pieces_add_up_and_are_told() -> None:
    """What is sent is the body, and the last progress is all of it."""
    body = bytes(range(256)) * 700
    told: list[tuple[int, int]] = []

    assert b"".join(pieces(body, lambda sent, total: told.append((sent, total)))) == body
    assert told[-1] == (len(body), len(body))
    assert len(told) == -(-len(body) // CHUNK_BYTES)
