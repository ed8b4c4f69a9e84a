"""Finding tasks over HTTP: filters, pages, and whose; and one task with all that is known of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from api.door import Caller, Door
from sojourn.api import paging
from sojourn.task import Claimed, Failure, GaveUp, Returned, Started, Success


@pytest.fixture
def furnished(caller: Caller) -> Caller:
    """An account with two functions and five tasks: one failed, one succeeded, three waiting."""
    caller.create("f")
    caller.create("g")
    for name, function in (("one", "f"), ("two", "g"), ("three", "f"), ("four", "g"), ("five", "f")):
        caller.submit(function, b"in", x_fc_async_task_id=name, x_sojourn_task_tags=f"n={name},odd={len(name) % 2}")
    failed = caller.door.advance(named(caller, "f", "one"), Claimed(1), Started("i-1"))
    failure = Failure(kind="UnhandledInvocationError", type="ValueError", message="Too large", document=b"{}")
    caller.door.advance(failed, GaveUp(failure))
    done = caller.door.advance(named(caller, "g", "two"), Claimed(1), Started("i-2"))
    caller.door.advance(done, Returned(Success(result=b"\xff")))
    return caller


def named(caller: Caller, function: str, name: str) -> Any:
    """A task as it stands."""
    found = caller.door.catalog.function(caller.account_id, function)
    return caller.door.run(caller.door.queue.find(found, name))


def ids(caller: Caller, **query: str) -> list[str]:
    """The ids of all tasks that are found, page after page."""
    found: list[str] = []
    while True:
        page = caller("GET", "/v1/tasks", query).json
        assert (page["scannedTo"] is None) == (page["nextToken"] == "")
        found += [task["taskId"] for task in page["tasks"]]
        if not page["nextToken"]:
            return found
        query["nextToken"] = page["nextToken"]


QUERIES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["five", "four", "three", "two", "one"]),
    ({"order": "oldest", "limit": "2"}, ["one", "two", "three", "four", "five"]),
    ({"limit": "1"}, ["five", "four", "three", "two", "one"]),
    ({"function": "g"}, ["four", "two"]),
    ({"status": "Failed,Succeeded"}, ["two", "one"]),
    ({"status": "Enqueued", "function": "f"}, ["five", "three"]),
    ({"idPrefix": "t"}, ["three", "two"]),
    ({"errorText": "too LARGE"}, ["one"]),
    ({"tags": "odd=1"}, ["three", "two", "one"]),
    ({"tags": "odd=1,n=two"}, ["two"]),
    ({"endedFrom": "0"}, ["two", "one"]),
    ({"createdTo": "2000-01-01T00:00:00Z"}, []),
    ({"createdFrom": "2000-01-01T00:00:00Z", "minDurationMs": "0"}, ["two", "one"]),
    ({"minDurationMs": "3600000"}, []),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=str)
def test_what_a_filter_means(furnished: Caller, query: dict[str, str], expected: list[str]) -> None:
    """Over all functions, newest first unless asked otherwise, page after page."""
    assert ids(furnished, **query) == expected


def test_a_found_task_tells_all_but_its_bodies(furnished: Caller) -> None:
    """Times in RFC 3339, those that have not come null."""
    waiting, failed = (furnished("GET", "/v1/tasks", {"idPrefix": name}).json["tasks"][0] for name in ("five", "one"))
    assert waiting["startedTime"] is waiting["endTime"] is waiting["durationMs"] is None
    assert (waiting["function"], waiting["status"], waiting["tags"]) == ("f", "Enqueued", {"n": "five", "odd": "0"})
    assert waiting["createdTime"].endswith("Z")
    assert (failed["error"], failed["attempts"], failed["instanceId"]) == ("UnhandledInvocationError", 1, "i-1")
    assert failed["durationMs"] >= 0
    assert {"events", "payload"} & failed.keys() == set()


def test_one_task_with_its_events(furnished: Caller) -> None:
    """Its bodies too, as text or as base64."""
    task = furnished("GET", "/v1/functions/g/tasks/two").json
    assert (task["payload"], task["result"], task["resultEncoding"]) == (
        "in",
        base64.b64encode(b"\xff").decode(),
        "base64",
    )
    told = furnished("GET", "/v1/functions/g/tasks/two/events").json
    assert told == {"taskId": "two", "status": "Succeeded", "events": task["events"]}
    assert [event["status"] for event in told["events"]] == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert told["events"][2]["eventDetail"] == {"attempt": 1, "instanceId": "i-2"}
    by_request = furnished("GET", "/v1/functions/g/tasks/two/events", {}).status
    assert by_request == 200
    furnished("GET", "/v1/functions/f/tasks/two").refused(404, "AsyncTaskNotFound")
    furnished("GET", "/v1/functions/nobody/tasks/two/events").refused(404, "FunctionNotFound")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "Done"}, "status"),
        ({"order": "random"}, "order"),
        ({"limit": "101"}, "limit"),
        ({"nextToken": "x"}, "nextToken"),
        ({"nextToken": paging.token("found tasks", "9" * 19)}, "nextToken"),
        ({"nextToken": paging.token("tasks", "1")}, "nextToken"),
        ({"createdFrom": "yesterday"}, "createdFrom"),
        ({"endedFrom": "2", "endedTo": "1"}, "endedFrom"),
        ({"since": "1h"}, "since"),
        ({"tags": "a"}, "tags"),
    ],
)
def test_a_wrong_question_names_its_field(caller: Caller, query: dict[str, str], field: str) -> None:
    """And its bound."""
    reply = caller("GET", "/v1/tasks", query)
    reply.refused(400, "InvalidArgument", field)
    assert reply.json["field"] == field


def test_other_accounts_are_the_operators_business(door: Door, furnished: Caller) -> None:
    """The owner sees another account's tasks when it asks for that; nobody else does, nor a lesser token."""
    mine = {"account": furnished.account_id}
    assert ids(door.owner, **mine, idPrefix="f") == ["five", "four"]
    assert "five" not in ids(door.owner, createdFrom="0", idPrefix="five")
    other = door.caller()
    other("GET", "/v1/tasks", mine).refused(403, "AccessDenied", "operates this server")
    assert ids(other) == []
    text = door.owner("POST", "/v1/tokens", body={"scope": "operate"}).json["token"]
    url = f"{door.url}/v1/tasks?account={furnished.account_id}"
    assert door.http.get(url, headers={"authorization": f"Bearer {text}"}).status_code == 403
    door.owner("GET", "/v1/tasks", {"account": "nobody"}).refused(404, "AccountNotFound")
    assert ids(furnished, **mine, idPrefix="five") == ["five"]
