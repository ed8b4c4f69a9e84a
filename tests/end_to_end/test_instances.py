"""What the API tells of instances on a real server, in every passage of their lives."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_fc20230330 import models

from end_to_end.lives import (
    deploy,
    detail,
    events,
    get,
    instances,
    names,
    put,
    reach,
    run,
    stopped,
)
from end_to_end.post import Post
from end_to_end.test_official_sdk import Sdk
from live import LiveServer, until
from sojourn.client import Client, NotFound

FIELDS = {
    "id": str,
    "function": str,
    "qualifier": str,
    "status": str,
    "since": str,
    "createdTime": str,
    "memorySize": int,
    "concurrency": int,
    "inFlight": list,
    "invocations": int,
    "aheadOfDemand": bool,
    "coldStart": dict,
    "memoryBytes": int,
    "memoryPeakBytes": int,
    "cpuSeconds": float,
    "processes": int,
    "isolation": dict,
    "node": str,
}


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


def test_an_instance_is_shown_in_every_passage(client: Client, post: Post) -> None:
    """Creating is too short to be seen; all others are held, and the list answers in each."""
    name = deploy(client, post, "shown", {"initializer": 60, "preFreeze": 60, "preStop": 60})
    post.hold("initializer", "handler", "preFreeze", "preStop")
    task_id = client.submit(name).task_id
    used = post.wait("initializer")
    (one,) = instances(client, name)
    assert (one["id"], one["status"], one["inFlight"]) == (used, "Initializing", [])
    post.let_go("initializer")
    post.wait("handler")
    (one,) = instances(client, name)
    request_id = client.get_task(name, task_id).request_id
    assert (one["status"], one["inFlight"]) == ("Invoking", [{"requestId": request_id, "taskId": task_id}])
    post.let_go("handler")
    post.wait("preFreeze")
    (one,) = instances(client, name)
    assert (one["status"], one["inFlight"], one["invocations"]) == ("Freezing", [], 1)
    post.let_go("preFreeze")
    reach(client, used, "Frozen")
    client.delete_function(name)
    post.wait("preStop")
    (one,) = instances(client, name)
    assert one["status"] == "Stopping"
    post.let_go("preStop")
    reach(client, used, "Destroyed")
    assert instances(client, name) == []
    assert names(client, used) == [
        "Creating",
        "Created",
        "Initialized",
        "preFreeze",
        "Frozen",
        "StopBegun",
        "Thawed",
        "preStop",
        "Destroyed",
    ]
    assert [event["at"] for event in events(client, used)] == sorted(event["at"] for event in events(client, used))


def test_every_field_is_there_and_tells_the_truth(server: LiveServer, client: Client, post: Post) -> None:
    """Types, use of memory and CPU that are a process's, the parts of the cold start, the isolation in force."""
    name = deploy(
        client,
        post,
        "truthful",
        {"initializer": 30},
        module="kept = bytearray(32 << 20)\n",
        initializer="time.sleep(0.2)",
        handler="tell('handler')",
        memory=256,
    )
    task = run(client, name)
    one = reach(client, task.instance_id, "Frozen")
    for field, kind in FIELDS.items():
        assert isinstance(one[field], kind), (field, one[field])
    assert set(one) == set(FIELDS)
    assert 32 << 20 <= one["memoryBytes"] <= one["memoryPeakBytes"] < 256 << 20
    assert one["cpuSeconds"] > 0
    assert one["processes"] == 1
    assert one["isolation"]["driver"] == server.sandbox
    assert (one["memorySize"], one["concurrency"], one["invocations"], one["qualifier"]) == (256, 1, 1, "LATEST")
    parts = one["coldStart"]
    assert {"sandboxMs", "runtimeMs", "initializerMs"} <= set(parts)
    assert parts["initializerMs"] >= 200
    assert task.events[-1].detail["isColdStart"] is True
    assert run(client, name).events[-1].detail["isColdStart"] is False


def test_the_history_of_an_instance_outlives_it(client: Client, post: Post) -> None:
    """How it ended and why, with the evidence; an instance that never was is 404."""
    name = deploy(client, post, "gone", {"preStop": 5}, handler="tell('on')\nwhile True: pass")
    task_id = client.submit(name).task_id
    post.wait("on")
    task = stopped(client, name, task_id)
    assert detail(client, task.instance_id, "StopBegun") == {"reason": "stop", "taskId": task_id}
    end = detail(client, task.instance_id, "Destroyed")
    assert (end["why"], end["processesLeft"]) == ("stop", 0)
    assert end["preStop"]["ok"] is True
    crash = deploy(client, post, "crash", handler="os._exit(9)")
    task = run(client, crash)
    end = detail(client, task.instance_id, "Destroyed")
    assert (end["why"], end["exitStatus"]) == ("ended by itself", 9)
    with pytest.raises(NotFound):
        get(client, "/v1/instances/c-nobody")


def test_the_official_client_lists_instances(server: LiveServer, client: Client, post: Post) -> None:
    """Those that live; with a time or a status, those that were destroyed, too."""
    sdk = Sdk(server)
    name = deploy(client, post, "listed", {"preStop": 5})

    def listed(**wanted: Any) -> list[tuple[str, str]]:
        found = sdk.client.list_instances(name, models.ListInstancesRequest(**wanted)).body.instances
        return [(one.instance_id, one.status) for one in found or []]

    assert listed() == []
    task = run(client, name)
    assert listed() == [(task.instance_id, "Running")]
    deploy(client, post, name, {"preStop": 5}, memory=192)
    reach(client, task.instance_id, "Destroyed")
    assert listed() == []
    assert listed(instance_ids=[task.instance_id]) == [(task.instance_id, "Destroyed")]
    assert listed(instance_status=["Destroyed"]) == [(task.instance_id, "Destroyed")]
    put(client, f"/2023-03-30/functions/{name}/provision-config", {"target": 1})
    until(lambda: len(listed(instance_status=["Running"])) == 1, 60, "made ahead")
    client.delete_function(name)


def test_another_account_sees_no_instance(server: LiveServer, client: Client, post: Post) -> None:
    """Neither in the list nor by its id."""
    if server.sandbox == "process":
        pytest.skip("level 0 holds one account")
    name = deploy(client, post, "private")
    task = run(client, name)
    key = client.create_account("someone")
    other = server.client(key.access_key_id, key.access_key_secret)
    assert instances(other) == []
    for path in ("", "/events"):
        with pytest.raises(NotFound):
            get(other, f"/v1/instances/{task.instance_id}{path}")
