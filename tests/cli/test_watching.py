"""Commands that look: watch, explain, figures and the audit trail, on a real server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from cli.conftest import Run
from live import until
from sojourn.client import AsyncClient, Client, Status, Unreachable


def test_a_watched_task_is_told_from_its_first_step_to_its_end(steer: Run, client: Client) -> None:
    """Every step once, whether it came before or after; the exit code is what became of the task."""
    task = client.submit("hold", b"").task_id
    until(lambda: client.get_task("hold", task).status is Status.RUNNING, 60, "runs")
    stopping = threading.Thread(target=lambda: client.stop_task("hold", task))
    stopping.start()
    ran = steer("task", "watch", "hold", task, "-o", "jsonl")
    stopping.join()
    told = [json.loads(line) for line in ran.out.splitlines()]

    assert ran.code == 1
    assert [each["status"] for each in told] == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert [each["eventId"] for each in told] == [1, 2, 3, 4, 5]
    assert {(each["function"], each["taskId"]) for each in told} == {("hold", task)}
    assert told[-1]["eventDetail"]["processesLeft"] == 0

    done = client.wait("quick", client.submit("quick", b"").task_id, timeout=60)
    ran = steer("task", "watch", "quick", done.task_id)
    assert ran.code == 0
    assert [line.split()[4] for line in ran.out.splitlines()] == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert "Running attempt=1 instanceId=" in ran.lines[2]


def test_the_stream_begins_before_the_task_is_looked_at(steer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end that falls between the two would else never be told; what comes twice is told once."""
    began: list[str] = []

    def stream(*_: object, **__: object) -> Iterator[dict[str, object]]:
        began.append("stream")
        yield {"id": "1-1"}
        began.append("told")
        step = {"function": "quick", "taskId": "t", "timestamp": "2026-11-24T00:00:00.000Z", "eventDetail": {}}
        for number, status in ((1, "Enqueued"), (2, "Dequeued"), (4, "Succeeded")):
            yield {**step, "eventId": number, "status": status}

    def look(*_: object) -> dict[str, object]:
        began.append("look")
        event = {"eventId": 1, "status": "Enqueued", "timestamp": "2026-11-24T00:00:00.000Z", "eventDetail": {}}
        return {"events": [event]}

    monkeypatch.setattr(Client, "watch", stream)
    monkeypatch.setattr(Client, "ask", look)
    ran = steer("task", "watch", "quick", "t")

    assert (ran.code, began) == (0, ["stream", "look", "told"])
    assert [line.split()[-1] for line in ran.lines] == ["Enqueued", "Dequeued", "Succeeded"]


def test_a_stream_that_a_server_ends_is_gone_on_with(steer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last event that came; a server that does not come back is unreachable, and no success."""
    step = {"function": "quick", "taskId": "t", "status": "Enqueued", "timestamp": "2026-11-24T00:00:00.000Z"}
    asked: list[str] = []

    def stream(*_: object, last_event_id: str = "") -> Iterator[dict[str, object]]:
        asked.append(last_event_id)
        if len(asked) > 2:
            raise Unreachable("nobody answers")
        yield {**step, "id": f"1-{len(asked)}"}

    monkeypatch.setattr(Client, "watch", stream)
    ran = steer("task", "watch", "quick")

    assert (ran.code, asked, len(ran.lines)) == (5, ["", "1-1", "1-2"], 2)


def test_why_a_task_waits_is_told_by_a_command(steer: Run, client: Client) -> None:
    """What blocks it, with its holders; as JSON the whole document."""
    holder = client.submit("hold", b"").task_id
    until(lambda: client.get_task("hold", holder).status is Status.RUNNING, 60, "runs")
    task = client.submit("hold", b"").task_id
    told = json.loads(steer("task", "explain", "hold", task, "-o", "json").out)
    (blocked,) = told["blockedBy"]

    assert (told["taskId"], told["status"], told["position"]) == (task, "Enqueued", 0)
    assert (blocked["code"], blocked["limit"], blocked["holders"]) == ("FunctionConcurrencyLimit", 1, [holder])
    lines = steer("task", "explain", "hold", task).lines
    assert "code FunctionConcurrencyLimit" in lines
    assert f'holders ["{holder}"]' in lines
    assert steer("task", "explain", "hold", "nothing").code == 3
    for each in (task, holder):
        client.force_stop("hold", each)


def test_who_changed_what_is_told_by_a_command(steer: Run, client: Client) -> None:
    """What was done and what was refused, newest first, over several pages; the clients read the same."""
    for _ in range(60):
        client.put_concurrency("quick", 5)
        client.delete_concurrency("quick")
    assert steer("task", "edit", "quick", "nothing", "--tags", "a=1").code == 3
    told = [json.loads(line) for line in steer("audit", "--limit", "3", "-o", "jsonl").out.splitlines()]

    assert [(each["operation"], each["status"], each["code"]) for each in told] == [
        ("EditTask", 404, "AsyncTaskNotFound"),
        ("DeleteConcurrencyConfig", 204, ""),
        ("PutConcurrencyConfig", 200, ""),
    ]
    assert told[0]["target"] == "/v1/functions/quick/tasks/nothing"
    assert {each["actor"] for each in told} == {client.connection.access_key_id}
    shown = steer("audit", "--limit", "1").lines
    assert shown[0] == "TIME ACTOR OPERATION TARGET STATUS CODE REQUEST"
    assert " EditTask PATCH /v1/functions/quick/tasks/nothing 404 AsyncTaskNotFound " in shown[1]
    every = [each.request_id for each in client.iterate_audit()]
    assert len(set(every)) == len(every) > 100
    assert json.loads(steer("audit", "--all", "-o", "json").out)[0]["requestId"] == every[0]
    assert steer("audit", "--limit", "0").code == 2
    assert steer("audit", "--account", "nobody").code != 0

    async def awaited() -> list[str]:
        async with AsyncClient(client.connection) as other:
            return [each.request_id async for each in other.iterate_audit()]

    assert asyncio.run(awaited()) == every


def test_figures_of_a_function_by_a_command(steer: Run, client: Client) -> None:
    """All windows, or one alone; JSON holds all."""
    client.wait("quick", client.submit("quick", b"").task_id, timeout=60)
    told = json.loads(steer("function", "stats", "quick", "-o", "json").out)
    one = steer("function", "stats", "quick", "--window", "1h").lines

    assert told["windows"]["1h"]["ended"]["Succeeded"] >= 1
    assert told["statuses"]["Running"] == 0
    assert "window 1h" in one
    assert not [line for line in one if line.startswith("windows.")]
    assert any(line.startswith("windows.1d.wait.p99Ms ") for line in steer("function", "stats", "quick").lines)
    assert steer("function", "stats", "quick", "--window", "2h").code == 2
