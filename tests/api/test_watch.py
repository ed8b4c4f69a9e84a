"""Watching over HTTP: who may watch what, what goes over the wire, and coming back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.door import Caller
from sojourn.task import Claimed, Returned, Started, Success


@contextmanager
def watching(caller: Caller, query: str = "", **headers: str) -> Iterator[Stream]:
    """A stream of server-sent events."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    signed = caller.signed("GET", "/v1/watch", query, b"", named)
    url = f"{caller.door.url}/v1/watch" + (f"?{query}" if query else "")
    with caller.door.http.stream("GET", url, headers=signed) as response:
        yield Stream(response)


class Stream:
    """Reads one event after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def block(self) -> dict[str, str]:
        """The fields of the next block; a comment is named ''."""
        found: dict[str, str] = {}
        while line := next(self._lines):
            name, _, value = line.partition(": ")
            found[name] = value
        return found

    def event(self) -> dict[str, Any]:
        """The next event's data."""
        while "data" not in (block := self.block()):
            pass
        found: dict[str, Any] = json.loads(block["data"])
        return found


def test_a_life_is_told_as_it_becomes_durable(caller: Caller) -> None:
    """From the submission to the end, to one who watches the account."""
    caller.create()
    with watching(caller) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream"
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.block()["id"]
        task = caller.submit(x_fc_async_task_id="t1")
        running = caller.door.advance(task, Claimed(1), Started("i-1"))
        caller.door.advance(running, Returned(Success(result=b"")))
        heard = [stream.event() for _ in range(4)]
    assert [each["status"] for each in heard] == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert [each["eventId"] for each in heard] == [1, 2, 3, 4]
    assert {(each["account"], each["function"], each["taskId"]) for each in heard} == {(caller.account_id, "f", "t1")}
    assert heard[2]["eventDetail"]["instanceId"] == "i-1"


def test_one_function_or_one_task(caller: Caller) -> None:
    """Others are not heard of; a task is named as callers know it."""
    caller.create()
    caller.create("g")
    task = caller.submit()
    name = caller("GET", "/functions/f/async-tasks").json["tasks"][0]["taskId"]
    with watching(caller, "function=g") as of_function, watching(caller, f"function=f&taskId={name}") as of_task:
        assert of_function.block()
        assert of_task.block()
        caller.submit(x_fc_async_task_id="another")
        caller.submit("g", x_fc_async_task_id="third")
        caller.door.advance(task, Claimed(1))
        assert of_function.event()["taskId"] == "third"
        told = of_task.event()
        assert (told["taskId"], told["status"]) == (name, "Dequeued")


def test_coming_back(caller: Caller) -> None:
    """With the id of the last event, in the header or in the query; an id of another start is answered with a reset."""
    caller.create()
    with watching(caller) as stream:
        stream.block()
        caller.submit(x_fc_async_task_id="t1")
        block = stream.block()
        assert json.loads(block["data"])["taskId"] == "t1"
    caller.submit(x_fc_async_task_id="t2")
    with watching(caller, last_event_id=block["id"]) as stream:
        assert stream.event()["taskId"] == "t2"
    with watching(caller, f"lastEventId={block['id']}") as stream:
        assert stream.event()["taskId"] == "t2"
    with watching(caller, last_event_id="99-1") as stream:
        reset = stream.block()
        assert (reset["event"], json.loads(reset["data"])["account"]) == ("reset", caller.account_id)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("taskId=t", 400, "InvalidArgument"),
        ("lastEventId=x", 400, "InvalidArgument"),
        ("function=nobody", 404, "FunctionNotFound"),
        ("function=f&taskId=nobody", 404, "AsyncTaskNotFound"),
    ],
)
def test_what_cannot_be_watched(caller: Caller, query: str, status: int, code: str) -> None:
    """A problem, and no stream."""
    caller.create()
    caller("GET", "/v1/watch", query).refused(status, code)


def test_anothers_tasks_are_not_watched(caller: Caller) -> None:
    """Neither by name nor by watching everything: the stream of another account stays silent."""
    caller.create()
    caller.submit(x_fc_async_task_id="t1")
    other = caller.door.caller()
    other.create("g")
    for query in ("function=f", "function=f&taskId=t1"):
        other("GET", "/v1/watch", query).refused(404, "FunctionNotFound")
    with watching(other) as stream:
        stream.block()
        caller.submit(x_fc_async_task_id="t2")
        other.submit("g", x_fc_async_task_id="hers")
        assert stream.event()["taskId"] == "hers"
