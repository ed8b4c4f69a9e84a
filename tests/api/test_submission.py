"""Submitting in the native API: one task as JSON, many as lines."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import orjson
import pytest

from api.door import Caller, Door
from api.test_v1 import problem
from sojourn.api.v1 import submission
from sojourn.function import PAYLOAD_ASYNC_BYTES_MAX

ONE, MANY = "/v1/functions/f/tasks", "/v1/functions/f/tasks:batch"


def lines(*tasks: object) -> bytes:
    """A batch."""
    return b"\n".join(each if isinstance(each, bytes) else orjson.dumps(each) for each in tasks)


def payload_of(caller: Caller, name: str) -> bytes:
    """What a task was submitted with."""
    door = caller.door
    function = door.catalog.function(caller.account_id, "f")
    return door.run(door.queue.find(function, name)).payload


def test_one_task_is_submitted_as_json(caller: Caller) -> None:
    """202 with its id and where it is looked at; the event is the JSON as it was spelled."""
    caller.create()
    reply = caller("POST", ONE, body=b'{"taskId": "t", "payload": {"a":  1.50}, "delaySeconds": 3}')

    assert reply.status == 202
    assert reply.json == {"taskId": "t", "requestId": reply.headers["x-fc-request-id"]}
    assert payload_of(caller, "t") == b'{"a":  1.50}'
    seen = caller("GET", reply.headers["location"]).json
    assert (seen["taskId"], seen["status"]) == ("t", "Enqueued")
    assert orjson.loads(seen["events"][0]["eventDetail"])["delaySeconds"] == 3
    again = caller("POST", ONE, body={"taskId": "t"})
    again.refused(409, "AsyncTaskAlreadyExists")
    problem(again)


def test_tags_come_with_a_task_or_a_line(caller: Caller) -> None:
    """Each task carries its own and is found by them; what is no tag is that line's fault alone."""
    caller.create()
    caller("POST", ONE, body={"taskId": "single", "tags": {"tenant": "t0"}})
    lines = [{"taskId": "one", "tags": {"tenant": "t1"}}, {"taskId": "two", "tags": {"a b": ""}}, {"tags": None}]
    reply = caller("POST", MANY, body=b"\n".join(orjson.dumps(line) for line in lines)).json

    assert [each["status"] for each in reply["results"]] == [202, 400, 202]
    assert reply["results"][1]["field"] == "tags"
    for name, tenant in (("single", "t0"), ("one", "t1")):
        (found,) = caller("GET", "/v1/tasks", {"tags": f"tenant={tenant}"}).json["tasks"]
        assert (found["taskId"], found["tags"]) == (name, {"tenant": tenant})


def test_a_task_without_anything_is_one(caller: Caller) -> None:
    """Every field may be absent, and null is absent; the server chooses the id and the event is empty."""
    caller.create()
    for body in (b"", b"{}", b'{"taskId": null, "payloadBase64": null, "delaySeconds": null, "qualifier": null}'):
        reply = caller("POST", ONE, body=body)
        assert reply.json["taskId"] == reply.json["requestId"]
        assert payload_of(caller, reply.json["taskId"]) == b""


class Wrong(NamedTuple):
    """A line, and what it is refused with."""

    task: object
    status: int
    code: str
    field: str
    words: str


WRONG = [
    Wrong({"taskId": "no spaces"}, 400, "InvalidArgument", "taskId", "must start with a letter"),
    Wrong({"taskId": 5}, 400, "InvalidArgument", "taskId", "must start with a letter"),
    Wrong({"delaySeconds": 3601}, 400, "InvalidArgument", "delaySeconds", "between 0 and 3600 seconds"),
    Wrong({"delaySeconds": "1"}, 400, "InvalidArgument", "delaySeconds", "must be a whole number"),
    Wrong({"payloadBase64": "=x"}, 400, "InvalidArgument", "payloadBase64", "must be base64"),
    Wrong({"payloadBase64": 1}, 400, "InvalidArgument", "payloadBase64", "must be base64"),
    Wrong({"payload": 1, "payloadBase64": ""}, 400, "InvalidArgument", "payloadBase64", "beside payload"),
    Wrong({"payload": "x" * PAYLOAD_ASYNC_BYTES_MAX}, 400, "EntityTooLarge", "payload", "at most 131072 bytes"),
    Wrong({"qualifier": 1}, 400, "InvalidArgument", "qualifier", "must be a string"),
    Wrong({"qualifier": "none"}, 404, "VersionNotFound", "", ""),
    Wrong({"name": "x"}, 400, "InvalidArgument", "name", "is not supported; there are taskId, payload"),
    Wrong(b"[1]", 400, "InvalidArgument", "line", "must be a JSON object"),
    Wrong(b'{"taskId": "a"', 400, "InvalidArgument", "line", "must be a JSON object"),
    Wrong(b'{"taskId": "\xff"}', 400, "InvalidArgument", "taskId", ""),
    Wrong(b"[" * 100_000, 400, "InvalidArgument", "line", "must be a JSON object"),
    Wrong(b'{"payload": ' + b"[" * 100_000 + b"}", 400, "InvalidArgument", "line", "must be a JSON object"),
]


@pytest.mark.parametrize("case", WRONG, ids=range(len(WRONG)))
def test_a_wrong_line_refuses_only_itself(caller: Caller, case: Wrong) -> None:
    """With the error, the field, the value and the bound; the same alone is refused with the same words."""
    task, status, code, field, words = case
    caller.create()
    reply = caller("POST", MANY, body=lines({"taskId": "before"}, task, {"taskId": "after"}))
    before, wrong, after = reply.json["results"]

    assert (reply.status, reply.json["accepted"], before["status"], after["status"]) == (200, 2, 202, 202)
    assert (wrong["line"], wrong["status"], wrong["code"]) == (2, status, code)
    assert (wrong.get("field", ""), bool(wrong.get("value")), bool(wrong.get("bound"))) == (field, *[bool(field)] * 2)
    assert words in wrong.get("bound", "")
    alone = caller("POST", ONE, body=task if isinstance(task, bytes) else orjson.dumps(task))
    alone.refused(status, code, wrong["message"])
    problem(alone)


def test_outcomes_come_in_order_and_names_are_taken_once(caller: Caller) -> None:
    """Against what is there and within the batch; empty lines are passed over and lines keep their numbers."""
    caller.create()
    caller.submit(x_fc_async_task_id="old")
    body = lines({"taskId": "a", "payloadBase64": base64.b64encode(b"\xff\0").decode()}, b"", {"taskId": "old"}, b"  ")
    body += b"\r\n" + lines({"taskId": "a"}, {"payload": None}) + b"\n"
    reply = caller("POST", MANY, body=body)
    results: list[dict[str, Any]] = reply.json["results"]

    assert [(each["line"], each["status"]) for each in results] == [(1, 202), (3, 409), (5, 409), (6, 202)]
    assert results[1]["message"] == "async task 'old' already exists"
    assert (payload_of(caller, "a"), payload_of(caller, results[3]["taskId"])) == (b"\xff\0", b"null")
    assert results[3]["taskId"] == results[3]["requestId"] != results[0]["requestId"]
    assert caller("POST", MANY, body=b"").json == {"accepted": 0, "results": []}


def test_a_batch_is_one_write(caller: Caller) -> None:
    """However many lines it has, up to the bound, the store is asked once."""
    caller.create()
    calls = caller.door.store.calls
    reply = caller("POST", MANY, body=lines(*[{"payload": number} for number in range(submission.LINES_MAX)]))

    assert reply.json["accepted"] == submission.LINES_MAX
    assert caller.door.store.calls == calls + 1
    assert len({each["taskId"] for each in reply.json["results"]}) == submission.LINES_MAX


def test_what_concerns_all_lines_refuses_all(caller: Caller, door: Door) -> None:
    """Too many lines, too many bytes, no such function, no room: nothing is left of the batch."""
    caller("POST", MANY, body=lines({})).refused(404, "FunctionNotFound")
    caller.create()
    many = b"{}\n" * (submission.LINES_MAX + 1)
    caller("POST", MANY, body=many).refused(400, "InvalidArgument", "at most 10000 lines", "10001 lines")
    caller("POST", MANY, body=b" " * (submission.BATCH_BYTES_MAX + 1)).refused(400, "EntityTooLarge", "the batch")
    limit, door.queue._tasks_open_max = door.queue._tasks_open_max, door.queue.open_count + 1
    try:
        reply = caller("POST", MANY, body=lines({}, {}))
    finally:
        door.queue._tasks_open_max = limit
    reply.refused(429, "ResourceExhausted", "2 more would pass the limit")
    assert reply.headers["retry-after"] == "5"
    problem(reply)
    assert [task for task in door.store.data.tasks.values() if task.account_id == caller.account_id] == []


def test_a_disabled_function_and_another_accounts_take_nothing(caller: Caller, door: Door) -> None:
    """Each line of a disabled function is refused; another account's function does not exist."""
    caller.create()
    door.caller()("POST", MANY, body=lines({})).refused(404, "FunctionNotFound")
    assert caller("POST", "/functions/f/invoke/disable", body={"reason": "closed"}).status < 300
    reply = caller("POST", MANY, body=lines({}, {}))
    assert [(each["status"], each["code"]) for each in reply.json["results"]] == [
        (403, "FunctionInvocationDisabled")
    ] * 2
    caller("POST", ONE, body={}).refused(403, "FunctionInvocationDisabled", "closed")
