"""GetAsyncTask, ListAsyncTasks, StopAsyncTask over HTTP."""

from __future__ import annotations

import base64

import pytest

from api.door import REGION, Caller
from sojourn import identity
from sojourn.api.commands.tasks import decode_query
from sojourn.errors import InvalidArgument
from sojourn.task import Claimed, Failure, Faltered, Returned, Started, Status, Success

TASKS = "/functions/f/async-tasks"
FIELDS = {
    "functionArn", "qualifier", "taskId", "status", "startedTime", "endTime", "durationMs", "alreadyRetriedTimes",
    "destinationStatus", "taskErrorMessage", "requestId", "instanceId", "events", "taskPayload", "returnPayload",
}  # fmt: skip


def listed(caller: Caller, **query: object) -> list[str]:
    """The task ids of a page."""
    reply = caller("GET", TASKS, {name: str(value) for name, value in query.items()})
    assert reply.status == 200, reply.body
    return [task["taskId"] for task in reply.json["tasks"]]


def test_an_enqueued_task_shows_every_field(caller: Caller) -> None:
    """Times are integers in ms, what has not come is 0 or empty, and nothing is missing."""
    function = caller.create()
    task = caller.submit(body=b"event", x_fc_async_task_id="t1")
    shown = caller("GET", f"{TASKS}/t1").json

    assert set(shown) == FIELDS
    assert shown["functionArn"] == f"acs:fc:{REGION}:{function.account_id}:functions/f"
    assert (shown["qualifier"], shown["taskId"], shown["status"]) == ("LATEST", "t1", "Enqueued")
    assert shown["startedTime"] == task.created_at // 1000
    assert (shown["endTime"], shown["durationMs"], shown["alreadyRetriedTimes"]) == (0, 0, 0)
    assert (shown["taskPayload"], shown["returnPayload"], shown["taskErrorMessage"]) == ("event", "", "")
    assert shown["requestId"] == identity.request_id(task.id)
    assert shown["events"] == [
        {"eventId": 1, "status": "Enqueued", "timestamp": task.created_at // 1000, "eventDetail": ""}
    ]


def test_a_task_that_was_retried_tells_its_story(caller: Caller) -> None:
    """Events without gap, details as JSON text, the retry counted, the last error's class shown."""
    caller.create()
    task = caller.submit(x_fc_async_task_id="t1")
    failure = Failure(kind="UnhandledInvocationError", type="ValueError", message="no", document=b'{"errorType":"x"}')
    task = caller.door.advance(task, Claimed(1), Started("i-1"), Faltered(failure, task.created_at))
    shown = caller("GET", f"{TASKS}/t1").json
    assert (shown["status"], shown["alreadyRetriedTimes"]) == ("Retrying", 1)
    assert (shown["taskErrorMessage"], shown["returnPayload"]) == ("UnhandledInvocationError", '{"errorType":"x"}')

    caller.door.advance(task, Claimed(1), Started("i-2"), Returned(Success(result=b"done")))
    shown = caller("GET", f"{TASKS}/t1").json

    statuses = ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]
    assert [event["status"] for event in shown["events"]] == statuses
    assert [event["eventId"] for event in shown["events"]] == [1, 2, 3, 4, 5, 6]
    assert '"errorType":"ValueError"' in shown["events"][3]["eventDetail"]
    assert (shown["status"], shown["returnPayload"], shown["instanceId"]) == ("Succeeded", "done", "i-2")
    assert shown["endTime"] >= shown["startedTime"] > 0


def test_bytes_that_are_no_text_come_as_base64_and_say_so(caller: Caller) -> None:
    """Payload and result each on their own."""
    caller.create()
    task = caller.submit(body=b"\xff\0", x_fc_async_task_id="t1")
    caller.door.advance(task, Claimed(1), Started("i"), Returned(Success(result=b"text \xc3\xa9")))
    shown = caller("GET", f"{TASKS}/t1").json

    assert (shown["taskPayload"], shown["taskPayloadEncoding"]) == (base64.b64encode(b"\xff\0").decode(), "base64")
    assert shown["returnPayload"] == "text é"
    assert "returnPayloadEncoding" not in shown


@pytest.mark.parametrize("name", ["nobody", "1-00000000-00000000-000000000000", "%FF", "x" * 300])
def test_an_unknown_task_is_404(caller: Caller, name: str) -> None:
    """Whatever the id looks like: ids in a path are not checked, only looked up."""
    caller.create()
    caller("GET", f"{TASKS}/{name}").refused(404, "AsyncTaskNotFound", "does not exist")
    caller("PUT", f"{TASKS}/{name}/stop").refused(404, "AsyncTaskNotFound", "does not exist")


def test_a_task_of_another_function_is_404(caller: Caller) -> None:
    """Ids belong to their function."""
    caller.create()
    caller.create("g")
    caller.submit("g", x_fc_async_task_id="t1")
    nameless = identity.request_id(caller.submit("g").id)

    caller("GET", f"{TASKS}/t1").refused(404, "AsyncTaskNotFound")
    caller("GET", f"{TASKS}/{nameless}").refused(404, "AsyncTaskNotFound")


@pytest.mark.parametrize("path", [TASKS, f"{TASKS}/t1", f"{TASKS}/t1/stop"])
def test_an_unknown_function_or_qualifier_is_404(caller: Caller, path: str) -> None:
    """For all three operations."""
    method = "PUT" if path.endswith("stop") else "GET"
    caller(method, path).refused(404, "FunctionNotFound", "function 'f' does not exist")
    caller.create()
    caller(method, path, {"qualifier": "2"}).refused(404, "VersionNotFound", "'2'")


def test_the_tasks_of_a_deleted_function_stay(caller: Caller) -> None:
    """They can be read and listed, and stopped."""
    caller.create()
    caller.submit(x_fc_async_task_id="t1")
    assert caller("DELETE", "/functions/f").status == 204

    assert caller("GET", f"{TASKS}/t1").json["taskId"] == "t1"
    assert listed(caller) == ["t1"]
    assert caller("PUT", f"{TASKS}/t1/stop").status == 204
    caller("POST", "/functions/f/invocations").refused(404, "FunctionNotFound")


def test_a_stop_is_204_and_a_second_one_412(caller: Caller) -> None:
    """The history says who asked for it."""
    caller.create()
    caller.submit(x_fc_async_task_id="t1")
    reply = caller("PUT", f"{TASKS}/t1/stop")
    assert (reply.status, reply.body) == (204, b"")
    assert caller.door.dispatcher.actors[-1] == caller.key.id

    again = caller("PUT", f"{TASKS}/t1/stop")
    again.refused(412, "AsyncTaskAlreadyCompleted", "already completed with status Stopped")


def test_pages_go_on_where_the_last_one_ended(caller: Caller) -> None:
    """Every task once, in either order, while new ones come in; the last page has no token, and is not empty."""
    caller.create()
    names = [f"t{number:02}" for number in range(10)]
    for name in names:
        caller.submit(x_fc_async_task_id=name)
    for order in ("asc", "desc"):
        seen: list[str] = []
        token, pages = "", 0
        while True:
            reply = caller(
                "GET", TASKS, {"limit": "5", "sortOrderByTime": order, "nextToken": token, "prefix": "t"}
            ).json
            seen += [task["taskId"] for task in reply["tasks"]]
            token, pages = reply["nextToken"], pages + 1
            if not token:
                break
            if order == "desc":
                caller.submit(x_fc_async_task_id=f"late{pages}")

        assert seen == (names if order == "asc" else names[::-1])
        assert pages == 2


def test_the_default_page_holds_twenty_of_the_youngest(caller: Caller) -> None:
    """And a token for the rest."""
    caller.create()
    for number in range(21):
        caller.submit(x_fc_async_task_id=f"t{number:02}")
    reply = caller("GET", TASKS).json

    assert [task["taskId"] for task in reply["tasks"]] == [f"t{number:02}" for number in range(20, 0, -1)]
    assert reply["nextToken"]


def test_every_filter_filters(caller: Caller) -> None:
    """Status, prefix and both time bounds, which are inclusive; together they all must hold."""
    caller.create()
    for name in ("a1", "a2", "b1"):
        caller.submit(x_fc_async_task_id=name)
    caller("PUT", f"{TASKS}/a2/stop")
    nameless = caller.submit()
    began = {name: caller("GET", f"{TASKS}/{name}").json["startedTime"] for name in ("a1", "b1")}

    assert listed(caller, status="Stopped") == ["a2"]
    assert listed(caller, status="Enqueued", prefix="a") == ["a1"]
    assert listed(caller, prefix=identity.request_id(nameless.id)) == [identity.request_id(nameless.id)]
    assert listed(caller, prefix="zz") == []
    assert "a1" in listed(caller, startedTimeBegin=began["a1"], startedTimeEnd=began["a1"])
    assert "b1" in listed(caller, startedTimeEnd=began["b1"])
    assert listed(caller, startedTimeEnd=began["a1"] - 1) == []
    assert listed(caller, startedTimeBegin=began["b1"] + 10_000) == []
    assert listed(caller, status="", prefix="", startedTimeBegin="", limit="", qualifier="LATEST", prefixx="b") != []


@pytest.mark.parametrize(("value", "shown"), [("true", True), ("True", True), ("false", False), ("False", False)])
def test_payloads_are_listed_on_demand(caller: Caller, value: str, *, shown: bool) -> None:
    """Booleans as the official clients write them; the field is there either way."""
    caller.create()
    task = caller.submit(body=b"event")
    caller.door.advance(task, Claimed(1), Started("i"), Returned(Success(result=b"done")))
    (item,) = caller("GET", TASKS, {"includePayload": value}).json["tasks"]

    assert (item["taskPayload"], item["returnPayload"]) == (("event", "done") if shown else ("", ""))
    assert set(item) == FIELDS


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": "0"}, "limit must be a whole number between 1 and 100, got 0"),
        ({"limit": "101"}, "limit must be a whole number between 1 and 100, got 101"),
        ({"limit": "ten"}, "limit must be a whole number between 1 and 100, got 'ten'"),
        ({"limit": "1000000000"}, "limit must be a whole number between 1 and 100"),
        ({"limit": "9" * 30}, "limit must be a whole number"),
        ({"nextToken": "abc"}, "nextToken must be a token that the previous page of this list gave, got 'abc'"),
        ({"nextToken": "é"}, "nextToken must be a token"),
        ({"nextToken": "=" * 20}, "nextToken must be a token"),
        ({"nextToken": "x" * 600}, "nextToken must be a token"),
        ({"status": "Processed"}, "status must be one of Enqueued, Dequeued, Running"),
        ({"status": "enqueued"}, "status must be one of Enqueued"),
        ({"sortOrderByTime": "up"}, "sortOrderByTime must be asc or desc, got 'up'"),
        ({"includePayload": "yes"}, "includePayload must be true or false, got 'yes'"),
        ({"startedTimeBegin": "yesterday"}, "startedTimeBegin must be a whole number between 0 and"),
        ({"startedTimeEnd": "1.5"}, "startedTimeEnd must be a whole number"),
        ({"startedTimeEnd": "-1"}, "startedTimeEnd must be a whole number"),
        (
            {"startedTimeBegin": "2", "startedTimeEnd": "1"},
            "startedTimeBegin must not be after startedTimeEnd (1), got 2",
        ),
        ({"prefix": "p" * 129}, "prefix must hold at most 128 characters"),
    ],
)
def test_a_parameter_outside_its_bounds_is_refused(caller: Caller, query: dict[str, str], words: str) -> None:
    """Field, bound and value are told."""
    caller.create()
    caller("GET", TASKS, query).refused(400, "InvalidArgument", words)


@pytest.mark.parametrize(
    ("query", "words"),
    [("limit=1&limit=2", "limit must be given once"), ("prefix=%FF", "query must be percent-encoded UTF-8")],
)
def test_a_query_that_cannot_be_read_is_refused(caller: Caller, query: str, words: str) -> None:
    """Two values for one name, or no text."""
    caller.create()
    caller("GET", TASKS, query).refused(400, "InvalidArgument", words)


def test_a_token_of_another_list_is_refused(caller: Caller) -> None:
    """Lists do not take each other's tokens."""
    caller.create()
    caller.create("g")
    token = caller("GET", "/functions", {"limit": "1"}).json["nextToken"]
    caller("GET", TASKS, {"nextToken": token}).refused(400, "InvalidArgument", "nextToken")


def test_a_query_is_decoded_into_what_the_store_takes() -> None:
    """Milliseconds become the whole of that millisecond in microseconds."""
    query = decode_query(
        7, {"startedTimeBegin": "5", "startedTimeEnd": "6", "status": "Running", "sortOrderByTime": "ASC"}
    )

    assert (query.function_id, query.began_from, query.began_to) == (7, 5_000, 6_999)
    assert (query.statuses, query.ascending, query.limit) == ((Status.RUNNING,), True, 20)
    empty = decode_query(7, {})
    assert (empty.statuses, empty.began_from, empty.ascending, empty.bodies) == ((), None, False, False)
    with pytest.raises(InvalidArgument):
        decode_query(7, {"limit": ""})
