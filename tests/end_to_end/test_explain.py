"""`explain` on a real server: for each cause the code that names it, and who is in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive, until
from sojourn.client import Client, Status
from sojourn.client.call import Call

CODE = """
import time
def handler(event, context):
    if event == b"fail":
        raise ValueError("no")
    while event == b"hold":
        time.sleep(0.05)
    return event
def initializer(context):
    raise RuntimeError("never ready")
"""
SETTINGS = {"SOJOURN_INSTANCES_MAX": "2", "SOJOURN_RETRY_BASE_SECONDS": "600", "SOJOURN_HEADROOM": "0"}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Of a server with room for two instances, whose retries are far away."""
    with LiveServer(settings=SETTINGS) as server:
        made = server.client()
        for name in ("f", "g", "broken"):
            hooks = {"initializer": {"handler": "index.initializer"}} if name == "broken" else {}
            settings = {"instanceLifecycleConfig": hooks, "timeout": 600}
            made.deploy(name, archive(CODE), handler=HANDLER, runtime=RUNTIME, settings=settings)
        yield made


def ask(client: Client, method: str, path: str, body: bytes = b"") -> Any:
    """A call by its path."""
    return client.ask(Call("", method, path, lambda answer: answer.body, body=body))


def explained(client: Client, function: str, task_id: str) -> dict[str, Any]:
    """What the server says."""
    found: dict[str, Any] = json.loads(ask(client, "GET", f"/v1/functions/{function}/tasks/{task_id}/explain"))
    return found


def codes(client: Client, function: str, task_id: str) -> list[str]:
    """The codes alone."""
    return [each["code"] for each in explained(client, function, task_id)["blockedBy"]]


def test_each_cause_is_named(client: Client) -> None:
    """One life after the other, from a task that waits for its time to a server that is full."""
    late = client.submit("f", b"", delay=600).task_id
    told = explained(client, "f", late)
    (blocked,) = told["blockedBy"]
    assert (blocked["code"], 500_000 < blocked["etaMs"] <= 600_000) == ("Delayed", True)
    assert (told["status"], told["position"]) == ("Enqueued", None)
    assert told["nextCheck"]
    client.stop_task("f", late)
    assert codes(client, "f", late) == []

    failed = client.submit("f", b"fail").task_id
    until(lambda: client.get_task("f", failed).status is Status.RETRYING, 60, "retrying")
    assert codes(client, "f", failed) == ["RetryBackoff"]
    client.stop_task("f", failed)

    unready = client.submit("broken", b"").task_id
    until(lambda: client.get_task("broken", unready).status is Status.RETRYING, 60, "retrying")
    assert codes(client, "broken", unready) == ["RetryBackoff", "InitializerFailing"]
    client.stop_task("broken", unready)

    ask(client, "POST", "/v1/functions/f/queue:pause")
    paused = client.submit("f", b"").task_id
    assert codes(client, "f", paused) == ["QueuePaused"]
    client.disable_function("f", reason="maintenance")
    assert codes(client, "f", paused) == ["FunctionDisabled", "QueuePaused"]
    client.enable_function("f")
    ask(client, "POST", "/v1/functions/f/queue:resume")
    client.wait("f", paused, timeout=60)

    holder = client.submit("f", b"hold").task_id
    until(lambda: client.get_task("f", holder).status is Status.RUNNING, 60, "running")
    assert codes(client, "f", holder) == []
    client.put_concurrency("f", 1)
    behind = client.submit("f", b"").task_id
    (blocked,) = explained(client, "f", behind)["blockedBy"]
    assert (blocked["code"], blocked["limit"], blocked["holders"]) == ("FunctionConcurrencyLimit", 1, [holder])
    client.delete_concurrency("f")
    client.wait("f", behind, timeout=60)

    second = client.submit("f", b"hold").task_id
    until(lambda: client.get_task("f", second).status is Status.RUNNING, 60, "running")
    outside = client.submit("g", b"").task_id
    (blocked,) = explained(client, "g", outside)["blockedBy"]
    assert (blocked["code"], sorted(blocked["holders"])) == ("NoCapacity", sorted([holder, second]))
    assert explained(client, "g", outside)["position"] == 0
    client.put_async_config("g", max_age=60)
    aging = client.submit("g", b"").task_id
    assert codes(client, "g", aging) == ["NoCapacity", "WillExpire"]
    assert explained(client, "g", aging)["position"] == 1
    for each in (holder, second):
        client.stop_task("f", each)
    assert client.wait("g", outside, timeout=60).status is Status.SUCCEEDED
