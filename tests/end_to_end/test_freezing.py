"""Freezing on a real server: what is idle stands still, what is asked runs, and no rest is too long or too short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.isolation import BRISK
from end_to_end.lives import deploy, events, get, instances, names, path, put, reach, run, stopped
from end_to_end.post import Post
from live import LiveServer, until
from sojourn.client import Client, Status

COUNTER = """
import threading
counted = [0]
def count():
    while True:
        counted[0] += 1
threading.Thread(target=count, daemon=True).start()
"""
FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
"""
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    while True: pass
"""
RUNNER = """
if os.fork() == 0:
    os.setsid()
    while True:
        if os.fork():
            os._exit(0)
"""
"""Another process at every moment, and hard to meet."""


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


def cpu_seconds(client: Client, instance_id: str) -> float:
    """The CPU time of an instance so far, as the API tells it."""
    found: float = get(client, f"/v1/instances/{instance_id}")["cpuSeconds"]
    return found


def states(pids: list[int]) -> set[str]:
    """What /proc says about processes."""
    return {Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] for pid in pids}


@pytest.mark.parametrize(
    ("module", "handler"),
    [(COUNTER, ""), (FAMILY, ""), ("", DAEMON), ("", RUNNER)],
    ids=["thread", "child", "daemon", "runner"],
)
def test_an_idle_instance_uses_no_cpu(client: Client, post: Post, module: str, handler: str) -> None:
    """What counts without end stands still once it is Frozen, and goes on when it is used."""
    name = deploy(client, post, "counter", module=module, handler=handler + "\nreturn 1")
    task = run(client, name)
    reach(client, task.instance_id, "Frozen")
    before = cpu_seconds(client, task.instance_id)
    other = deploy(client, post, "other", handler="return 1")
    for _ in range(20):  # others' work is the clock: nobody here waits for time to pass
        run(client, other)
    assert cpu_seconds(client, task.instance_id) == before
    assert reach(client, task.instance_id, "Frozen")

    again = run(client, name)
    assert again.instance_id == task.instance_id
    if handler != RUNNER:  # whose processes are gone before their time is counted
        until(lambda: cpu_seconds(client, task.instance_id) > before, 60, "going on")
    client.delete_function(name)
    reach(client, task.instance_id, "Destroyed")


def test_back_to_back_tasks_see_no_freeze(post: Post, sandbox: str) -> None:
    """With a linger longer than the pause between them, the instance serves all and is never frozen."""
    with LiveServer(sandbox=sandbox, settings={**BRISK, "SOJOURN_LINGER_SECONDS": "30"}) as server:
        client = server.client()
        name = deploy(client, post, "busy", handler="return 1")
        used = {run(client, name).instance_id for _ in range(20)}
        assert len(used) == 1
        assert "Frozen" not in names(client, used.pop())


def test_a_frozen_instance_is_thawed_before_pre_stop(client: Client, post: Post) -> None:
    """And the hook runs in it, with the state that the handler left."""
    name = deploy(
        client,
        post,
        "thawed",
        {"preStop": 5},
        module="state = []\n",
        handler="state.append(event.decode())",
        preStop="tell('state ' + ' '.join(state))",
    )
    task = run(client, name, "one")
    reach(client, task.instance_id, "Frozen")
    client.delete_function(name)
    reach(client, task.instance_id, "Destroyed")
    assert post.said() == ["state one"]
    assert names(client, task.instance_id)[-4:] == ["StopBegun", "Thawed", "preStop", "Destroyed"]


def test_an_instance_kept_with_its_cpu_is_not_frozen(client: Client, post: Post) -> None:
    """`alwaysAllocateCPU` keeps the counter going; without it, it stands still."""
    name = deploy(client, post, "awake", module=COUNTER, handler="return 1")
    config = f"/2023-03-30/functions/{name}/provision-config"
    put(client, config, {"target": 1, "alwaysAllocateCPU": True})
    until(lambda: [each["status"] for each in instances(client, name)] == ["Idle"], 60, "made ahead")
    run(client, name)
    (one,) = instances(client, name)
    before = cpu_seconds(client, one["id"])
    until(lambda: cpu_seconds(client, one["id"]) > before, 60, "counting on")
    assert "Frozen" not in names(client, one["id"])

    put(client, config, {"target": 1, "alwaysAllocateCPU": False})
    reach(client, one["id"], "Frozen")
    put(client, config, {"target": 1, "alwaysAllocateCPU": True})
    reach(client, one["id"], "Idle")
    client.delete_function(name)


def test_a_stop_during_a_task_after_a_thaw_is_complete(client: Client, post: Post) -> None:
    """Frozen, thawed by a task, stopped while that runs."""
    name = deploy(client, post, "woken", {"preStop": 5}, handler="tell('on')\nwhile event: pass")
    first = run(client, name)
    reach(client, first.instance_id, "Frozen")
    task_id = client.submit(name, "x").task_id
    post.wait("on", 2)
    task = stopped(client, name, task_id)
    assert task.instance_id == first.instance_id
    assert task.events[-1].detail["processesLeft"] == 0
    assert post.said()[-1] == "preStop"


@pytest.fixture
def live(sandbox: str) -> Iterator[LiveServer]:
    """A server of its own, to be killed."""
    with LiveServer(sandbox=sandbox, settings=BRISK) as server:
        yield server


def test_a_frozen_instance_does_not_outlive_its_server(live: LiveServer, post: Post) -> None:
    """SIGKILL of the server while everything stands still: nothing is left, and the next server starts anew."""
    client = live.client()
    name = deploy(client, post, "orphan", module=FAMILY, handler="return 1")
    task = run(client, name)
    reach(client, task.instance_id, "Frozen")
    assert len(live.processes()) >= 3
    live.kill()
    live.gone()
    live.start()
    again = run(live.client(), name)
    assert again.succeeded
    assert again.instance_id != task.instance_id


def test_a_drain_ends_frozen_instances_through_pre_stop(live: LiveServer, post: Post) -> None:
    """SIGTERM: thawed, PreStop, gone."""
    client = live.client()
    name = deploy(client, post, "drained", {"preFreeze": 5, "preStop": 5}, preStop="tell('end ' + context.stop_reason)")
    task = run(client, name)
    reach(client, task.instance_id, "Frozen")
    assert live.terminate() == 0
    assert live.processes() == []
    assert post.said() == ["handler", "preFreeze", "end drain"]


def test_a_server_that_dies_in_pre_freeze_loses_nothing(live: LiveServer, post: Post) -> None:
    """The task was over before the hook began."""
    client = live.client()
    name = deploy(client, post, "cut", {"preFreeze": 60})
    post.hold("preFreeze")
    task = run(client, name)
    post.wait("preFreeze")
    assert events(client, task.instance_id)[-1]["event"] != "Frozen"
    live.kill()
    live.gone()
    live.start()
    assert live.client().get_task(name, task.task_id).status is Status.SUCCEEDED
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
