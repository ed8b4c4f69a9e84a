"""Scaling on a real server: as many instances as are needed, allowed and asked for, on the code that is deployed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from end_to_end.isolation import BRISK
from end_to_end.lives import (
    deploy,
    detail,
    get,
    instances,
    names,
    path,
    put,
    reach,
    rests,
    run,
    stopped,
)
from end_to_end.post import Post
from live import LiveServer, until
from sojourn.client import Client, Status, Throttled

WAITS = "tell('began')\ntell('end ' + event.decode())\nreturn event"


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


@pytest.fixture
def small(sandbox: str) -> Iterator[LiveServer]:
    """A server with room for four of the smallest instances, none of it kept back."""
    settings = {**BRISK, "SOJOURN_MEMORY_MB": "512", "SOJOURN_HEADROOM": "0"}
    with LiveServer(sandbox=sandbox, settings=settings) as server:
        yield server


def test_tasks_that_run_together_have_an_instance_each(client: Client, post: Post) -> None:
    """Eight tasks that all wait run on eight instances; afterwards these are warm for the next."""
    name = deploy(client, post, "wide", handler=WAITS)
    post.hold("began")
    tasks = [client.submit(name, str(number)).task_id for number in range(8)]
    post.wait("began", 8)
    assert len({client.get_task(name, each).instance_id for each in tasks}) == 8
    post.let_go()
    assert {client.wait(name, each, timeout=60).status for each in tasks} == {Status.SUCCEEDED}
    assert run(client, name).instance_id in {one["id"] for one in instances(client, name)}
    client.delete_function(name)


def test_memory_is_never_passed_and_what_does_not_fit_waits(small: LiveServer, post: Post) -> None:
    """Room for four: the fifth is Enqueued, costs no attempt, and starts when one ends."""
    client = small.client()
    name = deploy(client, post, "wide", handler=WAITS)
    post.hold("began", *(f"end {number}" for number in range(6)))
    tasks = [client.submit(name, str(number)).task_id for number in range(6)]
    post.wait("began", 4)
    post.let_go("began")
    waiting = [each for each in tasks if client.get_task(name, each).status is Status.ENQUEUED]
    assert len(waiting) == 2
    assert sum(one["memorySize"] for one in instances(client)) <= 512
    post.let_go()
    for each in tasks:
        task = client.wait(name, each, timeout=60)
        assert path(task) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
        assert task.already_retried_times == 0
    assert len(instances(client)) <= 4


def test_the_oldest_idle_instances_make_room_through_pre_stop(small: LiveServer, post: Post) -> None:
    """A large function comes: the two that rested longest go, with the reason `memory`."""
    client = small.client()
    used = {}
    for word in "abcd":
        name = deploy(client, post, word, {"preStop": 5}, preStop="tell('bye ' + context.stop_reason)")
        used[word] = run(client, name).instance_id
        reach(client, used[word], "Frozen")
    large = run(client, deploy(client, post, "large", memory=256))
    assert large.succeeded
    for word in "ab":
        reach(client, used[word], "Destroyed")
        assert detail(client, used[word], "StopBegun")["reason"] == "memory"
    assert {one["id"] for one in instances(client)} == {used["c"], used["d"], large.instance_id}
    assert post.said(used["a"])[-1] == "bye memory"


def test_an_idle_timeout_of_nothing_keeps_nothing(client: Client, post: Post) -> None:
    """Each task has an instance of its own, made and ended for it."""
    name = deploy(client, post, "fresh", {"initializer": 30, "preStop": 5}, settings={"idleTimeout": 0})
    used = [run(client, name).instance_id for _ in range(3)]
    for each in used:
        reach(client, each, "Destroyed")
        assert post.said(each) == ["initializer", "handler", "preStop"]
        assert "Frozen" not in names(client, each)
    assert len(set(used)) == 3


def test_an_idle_timeout_that_has_passed_ends_an_instance(client: Client, post: Post) -> None:
    """Frozen first, then gone, with the reason `idle`."""
    name = deploy(client, post, "brief", {"preStop": 5}, settings={"idleTimeout": 1})
    task = run(client, name)
    reach(client, task.instance_id, "Destroyed")
    assert names(client, task.instance_id)[-5:] == ["Frozen", "StopBegun", "Thawed", "preStop", "Destroyed"]
    assert detail(client, task.instance_id, "StopBegun") == {"reason": "idle"}


def test_a_minimum_is_made_initialized_and_replaced(server: LiveServer, client: Client, post: Post) -> None:
    """Two are there before any task; one that is killed comes again; with the configuration gone, they may go."""
    run(client, deploy(client, post, "other", handler="return 1"))
    others = set(server.processes())
    name = deploy(client, post, "kept", {"initializer": 30, "preStop": 5}, settings={"idleTimeout": 0})
    put(client, f"/2023-03-30/functions/{name}/scaling-config", {"minInstances": 2})

    def ready() -> set[str]:
        found = instances(client, name)
        return {one["id"] for one in found if one["status"] in ("Idle", "Freezing", "Frozen")}

    until(lambda: len(ready()) == 2, 60, "two made ahead")
    before = ready()
    rests(client, name)
    assert post.said() == ["initializer"] * 2
    task = run(client, name)
    assert task.instance_id in before
    assert task.events[-1].detail["isColdStart"] is False
    until(lambda: ready() == before, 60, "both rest again")

    os.kill(min(set(server.processes()) - others), signal.SIGKILL)
    until(lambda: len(ready() - before) == 1, 60, "replaced")
    (victim,) = before - ready()
    assert reach(client, victim, "Destroyed")["status"] == "Destroyed"
    assert "preStop" not in post.said(victim)

    deploy(client, post, name, {"initializer": 30, "preStop": 5}, settings={"idleTimeout": 0}, memory=192)
    until(lambda: len(ready()) == 2 and not ready() & before, 60, "replaced by new ones")
    assert {one["memorySize"] for one in instances(client, name) if one["id"] in ready()} == {192}
    put(client, f"/2023-03-30/functions/{name}/scaling-config", {"minInstances": 0})
    until(lambda: not instances(client, name), 60, "none kept")
    assert post.said().count("initializer") == 5
    assert post.said().count("preStop") == 4


def test_a_minimum_is_there_again_after_a_restart(sandbox: str, post: Post) -> None:
    """And over SIGKILL."""
    with LiveServer(sandbox=sandbox, settings=BRISK) as live:
        client = live.client()
        name = deploy(client, post, "kept", {"initializer": 30})
        put(client, f"/2023-03-30/functions/{name}/provision-config", {"target": 1})
        first = post.wait("initializer")
        live.kill()
        live.gone()
        live.start()
        second = post.wait("initializer", 2)
        client = live.client()
        reach(client, second, "Idle", "Freezing", "Frozen")
        assert second != first
        assert get(client, f"/2023-03-30/functions/{name}/provision-config")["current"] == 1


def test_a_minimum_that_cannot_be_initialized_is_told(client: Client, post: Post) -> None:
    """The configuration says why; a better version of the function is made at once."""
    config = "/2023-03-30/functions/sick/provision-config"
    name = deploy(client, post, "sick", {"initializer": 30}, initializer="raise ValueError('no database')")
    put(client, config, {"target": 1})
    until(lambda: "no database" in get(client, config)["currentError"], 60, "the error is told")
    deploy(client, post, name, {"initializer": 30})
    until(lambda: get(client, config)["current"] == 1, 60, "made")
    assert get(client, config)["currentError"] == ""
    client.delete_function(name)


def test_reserved_concurrency_holds_and_changes_while_tasks_wait(client: Client, post: Post) -> None:
    """1: one runs and two wait, a call gets 429; 3: all run; 0: nothing starts; without: what waited runs."""
    name = deploy(client, post, "reserved", handler=WAITS)
    post.hold(*(f"end {number}" for number in range(4)))
    client.put_concurrency(name, 1)
    tasks = [client.submit(name, str(number)).task_id for number in range(3)]
    post.wait("began")
    with pytest.raises(Throttled):
        client.invoke(name, "9")
    assert post.said().count("began") == 1
    client.put_concurrency(name, 3)
    post.wait("began", 3)
    client.put_concurrency(name, 0)
    last = client.submit(name, "3").task_id
    post.let_go("end 0", "end 1", "end 2")
    assert {client.wait(name, each, timeout=60).status for each in tasks} == {Status.SUCCEEDED}
    assert client.get_task(name, last).status is Status.ENQUEUED
    client.delete_concurrency(name)
    post.wait("began", 4)
    post.let_go()
    assert client.wait(name, last, timeout=60).succeeded


def test_an_update_lets_what_runs_finish_on_the_old_code(client: Client, post: Post) -> None:
    """New tasks run on the new code at once; the old instance goes through PreStop when its task is over."""
    hooks = {"preStop": 5}
    name = deploy(client, post, "updated", hooks, handler="tell('old')\nreturn 'old'", preStop="tell('old bye')")
    post.hold("old")
    old = client.submit(name).task_id
    used = post.wait("old")
    deploy(client, post, name, hooks, handler="return 'new'", preStop="tell('new bye')")
    task = run(client, name)
    assert task.result == b"new"
    assert client.get_task(name, old).status is Status.RUNNING
    assert post.said() == ["old"]
    post.let_go()
    assert client.wait(name, old, timeout=60).result == b"old"
    reach(client, used, "Destroyed")
    assert detail(client, used, "StopBegun") == {"reason": "update"}
    assert post.said() == ["old", "old bye"]


def test_a_deletion_lets_what_runs_finish(client: Client, post: Post) -> None:
    """It can still be stopped, and its end is recorded."""
    name = deploy(client, post, "deleted", {"preStop": 5}, handler=WAITS)
    post.hold("end a", "end b")
    kept, unwanted = client.submit(name, "a").task_id, client.submit(name, "b").task_id
    post.wait("began", 2)
    client.delete_function(name)
    stopped(client, name, unwanted)
    post.let_go()
    assert client.wait(name, kept, timeout=60).succeeded
    until(lambda: not instances(client, name), 60, "gone")
    assert post.said().count("preStop") == 2


def test_a_weight_outside_its_bounds_is_refused_and_one_inside_is_shown(client: Client, post: Post) -> None:
    """What it does is shown in virtual time; here it arrives."""
    name = deploy(client, post, "weighted")
    assert client.put_async_config(name, queue_weight=5).queue_weight == 5
    with pytest.raises(Exception, match="queueWeight"):
        client.put_async_config(name, queue_weight=0)
