"""Many tasks in one call: how they are spelled and cut, and what either client says of each."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from client.driven import Driven
from client.fake_server import FakeServer, Reply, error
from sojourn.client import Conflict, NewTask, NotFound, Outcome, Refused, Retries, ServerError, Submission, Throttled
from sojourn.client import batch as batches


def test_a_line_has_what_is_given() -> None:
    """The payload as base64, whatever its bytes; nothing that is not given."""
    whole = NewTask(b"\xff", "t", 3, "live", {"k": "v"})
    given = {"payloadBase64": "/w==", "taskId": "t", "delaySeconds": 3, "qualifier": "live", "tags": {"k": "v"}}
    assert json.loads(whole.line()) == given
    assert json.loads(NewTask("grün").line()) == {"payloadBase64": "Z3LDvG4="}
    assert NewTask().line() == b"{}"


def test_lines_are_cut_where_a_call_is_full() -> None:
    """By their number and by their bytes; one that is longer than a call stands alone."""
    assert list(batches.parts([b"a"] * 5, lines_max=2)) == [[b"a", b"a"], [b"a", b"a"], [b"a"]]
    assert list(batches.parts([b"aa", b"bb", b"c" * 9, b"d"], bytes_max=6)) == [[b"aa", b"bb"], [b"c" * 9], [b"d"]]
    assert list(batches.parts([])) == []


def test_each_task_has_its_outcome_in_order(client: Driven, server: FakeServer) -> None:
    """One call; what is taken is a `Conflict`, which is a value, and the others are submitted."""
    server.add_task("hello", "old")
    tasks = [NewTask("one", "a"), b"two", NewTask(b"three", "old"), NewTask(task_id="a")]
    first, second, third, fourth = client.submit_many("hello", tasks)

    assert (first, second.task_id) == (Submission(task_id="a", request_id="1-req-1"), "1-made-002")
    assert [type(third), type(fourth)] == [Conflict, Conflict]
    assert (third.status, third.code) == (409, "AsyncTaskAlreadyExists")
    assert server.tasks["hello", "a"]["taskPayload"] == "one"
    assert server.tasks["hello", second.task_id]["taskPayload"] == "two"
    assert server.actions() == ["SubmitTasks"]
    assert client.submit_many("hello", []) == []


def test_a_repeated_batch_counts_what_is_there(client: Driven, server: FakeServer) -> None:
    """With existing_ok it is sent again when the connection breaks, and a task that is there is no conflict."""
    tasks = [NewTask("x", "a"), NewTask("y", "b")]
    server.add_task("hello", "a")
    server.faults["SubmitTasks"].append(Reply(0))
    first, second = client.submit_many("hello", tasks, existing_ok=True)

    assert (first.task_id, first.existed, second.existed) == ("a", True, False)
    with pytest.raises(Refused, match="task_id must be given for existing_ok"):
        client.submit_many("hello", ["x"], existing_ok=True)


def test_what_is_known_is_not_lost(client: Driven, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call raises; a later one's error is the outcome of its tasks and of all behind them."""
    with pytest.raises(NotFound):
        client.submit_many("none", ["x"])
    monkeypatch.setattr(batches.parts, "__defaults__", (2, 1000))
    full = error(429, "ResourceExhausted", "too many", Retry_After="0")
    heard: list[int] = []

    def hear(outcomes: Sequence[Outcome]) -> None:
        heard.append(len(outcomes))
        server.faults["SubmitTasks"].append(full)

    found = client.submit_many("hello", ["1", "2", "3", "4", "5"], on_outcomes=hear)
    assert [type(each) for each in found] == [Submission, Submission, Throttled, Throttled, Throttled]
    assert (heard, len(server.tasks)) == ([2], 2)


def test_a_batch_waits_for_room(kind: str, server: FakeServer) -> None:
    """All of it is sent again, because a server without room has taken none of it."""
    server.faults["SubmitTasks"].append(error(429, "ResourceExhausted", "too many", Retry_After="0"))
    patient = Driven(kind, server.connection, retries=Retries(throttled=1, base_seconds=0.001))

    assert len(patient.submit_many("hello", ["1", "2"])) == len(server.tasks) == 2


def test_an_answer_about_other_lines_is_none(client: Driven, server: FakeServer) -> None:
    """Nobody is told that a task is durable of which the server said nothing."""
    server.faults["SubmitTasks"].append(Reply(200, {"accepted": 0, "results": []}))
    with pytest.raises(ServerError, match="0 outcomes for 1 lines"):
        client.submit_many("hello", ["x"])
