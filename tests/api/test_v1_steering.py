"""Steering in the native API: force, rerun, queues that stand still, operations on many tasks."""

from __future__ import annotations

import time

import pytest

from api.door import Caller, Door
from sojourn.task import Claimed, Failure, Faltered, Returned, Started, Success, Task

BULK = ("stop", "rerun", "expire", "delete")


def submitted(caller: Caller, name: str, tags: str = "") -> Task:
    """A task of that id."""
    return caller.submit(body=b"payload", x_fc_async_task_id=name, x_sojourn_task_tags=tags)


def done(door: Door, caller: Caller, name: str, tags: str = "") -> Task:
    """A task that succeeded."""
    task = submitted(caller, name, tags)
    return door.advance(task, Claimed(1), Started("i"), Returned(Success(result=b"out")))


def over(caller: Caller, operation: dict[str, object]) -> dict[str, object]:
    """An operation at its end."""
    deadline = time.monotonic() + 20
    while operation["status"] == "Running":
        assert time.monotonic() < deadline
        operation = caller("GET", f"/v1/operations/{operation['operationId']}").json
    return operation


def test_a_stop_may_be_forced(door: Door, caller: Caller) -> None:
    """The flag reaches the dispatcher; anything but true and false is refused."""
    caller.create()
    submitted(caller, "t")
    assert caller("POST", "/v1/functions/f/tasks/t/stop", body={"force": "yes"}).status == 400
    reply = caller("POST", "/v1/functions/f/tasks/t/stop", body={"force": True})

    assert (reply.status, reply.json) == (202, {"functionName": "f", "taskId": "t", "status": "Stopped"})
    assert door.dispatcher.forced[-1]
    assert door.dispatcher.actors[-1] == caller.key.id
    caller("POST", "/v1/functions/f/tasks/t/stop").refused(412, "AsyncTaskAlreadyCompleted")


def test_tags_are_given_anew(door: Door, caller: Caller) -> None:
    """While it waits, and while it runs; it is found by them, its history says nothing, the trail who did it."""
    caller.create()
    task = submitted(caller, "t", tags="tenant=t1")
    reply = caller("PATCH", "/v1/functions/f/tasks/t", body={"tags": {"tenant": "t2", "kind": "invoice"}})

    assert (reply.status, reply.json["taskId"]) == (200, "t")
    assert reply.json["tags"] == {"kind": "invoice", "tenant": "t2"}
    assert caller("GET", "/v1/functions/f/tasks/t").json["tags"] == {"kind": "invoice", "tenant": "t2"}
    assert len(caller("GET", "/v1/tasks", query={"tags": "tenant=t2"}).json["tasks"]) == 1
    assert caller("GET", "/v1/tasks", query={"tags": "tenant=t1"}).json["tasks"] == []
    running = door.advance(task, Claimed(1), Started("i"))
    assert caller("PATCH", "/v1/functions/f/tasks/t", body={"tags": {}}).json["status"] == "Running"
    door.advance(running, Returned(Success(result=b"out")))
    shown = caller("GET", "/v1/functions/f/tasks/t").json
    assert ([each["status"] for each in shown["events"]], shown["tags"]) == (
        ["Enqueued", "Dequeued", "Running", "Succeeded"],
        {},
    )
    caller("PATCH", "/v1/functions/f/tasks/t", body={"tags": {"a": "1"}}).refused(412, "AsyncTaskAlreadyCompleted")
    newest = caller("GET", "/v1/audit").json["entries"][:2]
    assert [(each["operation"], each["status"]) for each in newest] == [("EditTask", 412), ("EditTask", 200)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "tags"),
        ({"tags": None}, "tags"),
        ({"tags": ["a"]}, "tags"),
        ({"tags": {"a b": "1"}}, "letters, digits"),
        ({"tags": {"a": "1,2"}}, "tags.a"),
        ({"tags": {}, "delaySeconds": 5}, "delaySeconds"),
        ({"delay": None}, "delay"),
        ({"expirationTime": "2030-01-01T00:00:00Z"}, "expirationTime"),
        ({"payload": "x"}, "run it again"),
        ({"status": "Succeeded"}, "status"),
    ],
)
def test_nothing_else_of_a_task_changes(caller: Caller, body: dict[str, object], said: str) -> None:
    """The refusal names the field and says what to do; the task stays as it was."""
    caller.create()
    submitted(caller, "t", tags="tenant=t1")
    before = caller("GET", "/v1/functions/f/tasks/t").json
    caller("PATCH", "/v1/functions/f/tasks/t", body=body).refused(400, "InvalidArgument", said)
    after = caller("GET", "/v1/functions/f/tasks/t").json

    assert before | {"waitMs": 0} == after | {"waitMs": 0}


def test_who_may_not_see_a_task_may_not_tag_it(door: Door, caller: Caller) -> None:
    """It is not there for them."""
    caller.create()
    submitted(caller, "t")
    stranger = door.caller()
    stranger.create()
    stranger("PATCH", "/v1/functions/f/tasks/t", body={"tags": {}}).refused(404, "AsyncTaskNotFound")


def test_a_rerun_is_a_new_task_that_knows_its_origin(door: Door, caller: Caller) -> None:
    """Same payload and tags, fresh counters; GET shows the link."""
    caller.create()
    done(door, caller, "first", tags="tenant=t1")
    reply = caller("POST", "/v1/functions/f/tasks/first/rerun")

    assert reply.status == 202
    made = reply.json
    assert reply.headers["location"] == f"/v1/functions/f/tasks/{made['taskId']}"
    assert (made["rerunOf"], made["status"], made["tags"]) == ("first", "Enqueued", {"tenant": "t1"})
    shown = caller("GET", f"/functions/f/async-tasks/{made['taskId']}").json
    assert (shown["rerunOf"], shown["taskTags"], shown["taskPayload"]) == ("first", {"tenant": "t1"}, "payload")
    assert (shown["alreadyRetriedTimes"], len(shown["events"])) == (0, 1)


def test_a_rerun_may_be_edited(door: Door, caller: Caller) -> None:
    """Another payload, an id, a delay, other tags."""
    caller.create()
    done(door, caller, "first")
    edits = {"payload": "b3RoZXI=", "payloadEncoding": "base64", "taskId": "second", "tags": {}, "delaySeconds": 9}
    assert caller("POST", "/v1/functions/f/tasks/first/rerun", body=edits).json["taskId"] == "second"
    assert caller("GET", "/functions/f/async-tasks/second").json["taskPayload"] == "other"
    again = caller("POST", "/v1/functions/f/tasks/first/rerun", body={"taskId": "second"})
    again.refused(409, "AsyncTaskAlreadyExists")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"payload": 7}, "payload"),
        ({"payload": "*", "payloadEncoding": "base64"}, "payload"),
        ({"payloadEncoding": "hex"}, "payloadEncoding"),
        ({"taskId": "a b"}, "taskId"),
        ({"delaySeconds": -1}, "delaySeconds"),
        ({"tags": {"a": 1}}, "tags.a"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_rerun_with_bad_edits_makes_nothing(door: Door, caller: Caller, body: dict[str, object], field: str) -> None:
    """The error names the field."""
    caller.create()
    done(door, caller, "first")
    reply = caller("POST", "/v1/functions/f/tasks/first/rerun", body=body)
    assert (reply.status, reply.json["field"]) == (400, field)
    assert len(caller("GET", "/functions/f/async-tasks").json["tasks"]) == 1


def test_what_is_not_over_is_not_run_again(caller: Caller) -> None:
    """Stop it first, says the error."""
    caller.create()
    submitted(caller, "t")
    caller("POST", "/v1/functions/f/tasks/t/rerun").refused(412, "AsyncTaskNotCompleted", "stop it first")


def test_a_payload_of_the_largest_size_fits_a_rerun(door: Door, caller: Caller) -> None:
    """128 KiB; one byte more does not."""
    caller.create()
    done(door, caller, "first")
    size = 128 * 1024
    assert caller("POST", "/v1/functions/f/tasks/first/rerun", body={"payload": "x" * size}).status == 202
    reply = caller("POST", "/v1/functions/f/tasks/first/rerun", body={"payload": "x" * (size + 1)})
    reply.refused(400, "EntityTooLarge")


@pytest.mark.parametrize("tags", ["a", "a=1,a=2", "=1", ",".join(f"k{n}=1" for n in range(11)), f"a={'x' * 129}"])
def test_tags_that_are_none_are_refused(caller: Caller, tags: str) -> None:
    """At submit, with the header's name."""
    caller.create()
    headers = {"x-fc-invocation-type": "Async", "x-sojourn-task-tags": tags}
    caller("POST", "/functions/f/invocations", headers=headers).refused(400, "InvalidArgument", "x-sojourn-task-tags")


def test_a_queue_is_paused_and_resumed(caller: Caller) -> None:
    """Twice is fine; the function says since when."""
    caller.create()
    paused = caller("POST", "/v1/functions/f/queue:pause").json
    assert (paused["functionName"], paused["paused"]) == ("f", True)
    assert caller("POST", "/v1/functions/f/queue:pause").json == paused
    assert caller("GET", "/functions/f").json["queuePausedSince"] == paused["pausedSince"]
    for _ in range(2):
        resumed = caller("POST", "/v1/functions/f/queue:resume").json
        assert resumed == {"functionName": "f", "paused": False, "pausedSince": ""}
    assert "queuePausedSince" not in caller("GET", "/functions/f").json
    caller("POST", "/v1/functions/g/queue:pause").refused(404, "FunctionNotFound")


def test_many_tasks_are_stopped_by_a_filter(caller: Caller) -> None:
    """Those that are meant, and no other; a dry run counts them and does nothing."""
    caller.create()
    for number in range(7):
        submitted(caller, f"a{number}", "kind=a")
        submitted(caller, f"b{number}")
    wanted = {"filter": {"tags": {"kind": "a"}, "status": ["Enqueued", "Running"]}}
    assert caller("POST", "/v1/tasks:stop", body=wanted | {"dryRun": True}).json == {"dryRun": True, "count": 7}
    reply = caller("POST", "/v1/tasks:stop", body=wanted)

    assert reply.status == 202
    assert reply.headers["location"] == f"/v1/operations/{reply.json['operationId']}"
    ended = over(caller, reply.json)
    assert (ended["status"], ended["total"], ended["done"], ended["skipped"]) == ("Succeeded", 7, 7, 0)
    assert (ended["verb"], ended["actor"], ended["filter"]) == ("stop", caller.key.id, wanted["filter"])
    shown = {task["taskId"]: task for task in caller("GET", "/functions/f/async-tasks", {"limit": "50"}).json["tasks"]}
    assert {name for name, task in shown.items() if task["status"] == "Stopped"} == {f"a{n}" for n in range(7)}
    assert caller.key.id in shown["a1"]["events"][1]["eventDetail"]
    assert caller("GET", "/v1/operations").json == {"operations": [ended]}


def test_a_task_that_is_stopped_with_others_keeps_what_it_had(door: Door, caller: Caller) -> None:
    """The error document of its last attempt, its payload and its tags."""
    caller.create()
    failure = Failure(kind="UnhandledInvocationError", type="ValueError", message="no", document=b'{"errorType": "no"}')
    door.advance(submitted(caller, "t", "kind=a"), Claimed(1), Started("i"), Faltered(failure, 1 << 52))
    before = caller("GET", "/v1/functions/f/tasks/t").json
    operation = over(caller, caller("POST", "/v1/tasks:stop", body={"filter": {"tags": {"kind": "a"}}}).json)
    after = caller("GET", "/v1/functions/f/tasks/t").json

    assert (operation["done"], before["status"], after["status"]) == (1, "Retrying", "Stopped")
    assert before["result"] == '{"errorType": "no"}'
    kept = ("payload", "result", "error", "tags", "attempts", "retries")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_few_among_many_are_found_page_after_page(door: Door, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """In several transactions, each task once, also when what is meant changes as it goes."""
    monkeypatch.setattr("sojourn.operations.AT_ONCE", 2)
    monkeypatch.setattr("sojourn.operations.COUNTED_AT_ONCE", 2)
    caller.create()
    caller.create("g")
    for number in range(5):
        submitted(caller, f"a{number}", "kind=a")
        submitted(caller, f"b{number}")
        done(door, caller, f"c{number}", "kind=a")
    operation = over(caller, caller("POST", "/v1/tasks:expire", body={"filter": {"tags": {"kind": "a"}}}).json)
    assert (operation["total"], operation["done"], operation["skipped"]) == (5, 5, 0)
    again = over(caller, caller("POST", "/v1/tasks:rerun", body={"filter": {"idPrefix": "c"}}).json)
    assert (again["total"], again["done"]) == (5, 5)
    left = caller("GET", "/v1/tasks", {"status": "Enqueued", "limit": "50"}).json["tasks"]
    assert sorted(task["rerunOf"] or task["taskId"] for task in left) == sorted(
        f"{kind}{number}" for kind in "bc" for number in range(5)
    )


def test_many_tasks_are_expired_rerun_and_deleted(door: Door, caller: Caller) -> None:
    """Each verb takes only those that it is for; a rerun does not run its own reruns."""
    caller.create()
    for number in range(3):
        submitted(caller, f"w{number}")
        done(door, caller, f"d{number}")
    everything = {"filter": {"function": "f"}}
    assert over(caller, caller("POST", "/v1/tasks:expire", body=everything).json)["done"] == 3
    assert caller("GET", "/functions/f/async-tasks/w1").json["status"] == "Expired"
    again = {"filter": {"status": ["Succeeded"]}}
    assert over(caller, caller("POST", "/v1/tasks:rerun", body=again).json)["done"] == 3
    waiting = caller("GET", "/functions/f/async-tasks", {"status": "Enqueued"}).json["tasks"]
    assert {task["rerunOf"] for task in waiting} == {"d0", "d1", "d2"}
    assert over(caller, caller("POST", "/v1/tasks:delete", body=everything).json)["done"] == 6
    left = caller("GET", "/functions/f/async-tasks").json["tasks"]
    assert {task["taskId"] for task in left} == {task["taskId"] for task in waiting}
    caller("GET", "/functions/f/async-tasks/d1").refused(404, "AsyncTaskNotFound")


@pytest.mark.parametrize("verb", BULK)
@pytest.mark.parametrize("given", [None, {}, {"status": None}, {"x": 1}, 7])
def test_an_operation_needs_a_filter(caller: Caller, verb: str, given: object) -> None:
    """So that nobody stops everything by a slip."""
    reply = caller("POST", f"/v1/tasks:{verb}", body={"filter": given})
    reply.refused(400, "InvalidArgument")
    assert caller("GET", "/v1/operations").json == {"operations": []}


def test_an_operation_touches_no_other_account(door: Door, caller: Caller) -> None:
    """Nor is it seen or cancelled by one."""
    other = door.caller()
    for each in (caller, other):
        each.create()
        submitted(each, "t")
    begun = caller("POST", "/v1/tasks:stop", body={"filter": {"createdFrom": 0}}).json
    assert over(caller, begun)["done"] == 1
    assert other("GET", "/functions/f/async-tasks/t").json["status"] == "Enqueued"
    assert other("GET", "/v1/operations").json == {"operations": []}
    for method in ("GET", "DELETE"):
        other(method, f"/v1/operations/{begun['operationId']}").refused(404, "OperationNotFound")


def test_an_operation_that_is_over_cannot_be_cancelled(caller: Caller) -> None:
    """412, as a task that is over cannot be stopped."""
    caller.create()
    begun = caller("POST", "/v1/tasks:delete", body={"filter": {"function": "f"}}).json
    over(caller, begun)
    caller("DELETE", f"/v1/operations/{begun['operationId']}").refused(412, "OperationAlreadyCompleted")
