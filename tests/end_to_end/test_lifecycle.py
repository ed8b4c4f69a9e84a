"""Whole lives of instances: as the page tells them, over the death of the server in each passage, by any user."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from debian import missing
from end_to_end.functions import HANDLER, RUNTIME
from end_to_end.isolation import BRISK
from end_to_end.lives import deploy, detail, instances, log, path, reach, run, stopped
from end_to_end.post import Post
from live import ROOT, LiveServer, Python, archive, until
from other_user import UID, interpreter
from sojourn.client import Client, Status

PAGE = (ROOT / "docs" / "lifecycle.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(SETTINGS,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
ALL = {"initializer": 60, "preFreeze": 60, "preStop": 60}


@pytest.fixture
def live(sandbox: str) -> Iterator[LiveServer]:
    """A server of its own, to be ended."""
    with LiveServer(sandbox=sandbox, settings=BRISK) as server:
        yield server


def test_the_example_of_the_page_works(server: LiveServer) -> None:
    """Its code, with its settings, does what it says; and the log tells what PreStop was told."""
    client = server.client()
    source = EXAMPLE.replace("def handler(event, context):", "def handler(event, context):\n    while event: pass")
    client.deploy("page", archive(source), handler=HANDLER, runtime=RUNTIME, settings=json.loads(SETTINGS), timeout=60)
    task = run(client, "page")
    assert json.loads(task.result) == {"rows": [[1]]}
    reach(client, task.instance_id, "Frozen")
    assert detail(client, task.instance_id, "preFreeze")["ok"] is True
    task_id = client.submit("page", "x").task_id
    until(lambda: client.get_task("page", task_id).status is Status.RUNNING, 60, "running")
    until(lambda: bool(instances(client, "page")[0]["inFlight"]), 60, "in flight")
    task = stopped(client, "page", task_id)
    assert task.events[-1].detail["preStop"]["ok"] is True
    text = log(client, "page", task)
    assert f"going because of stop task {task_id}\n" in text
    (left,) = re.findall(r"milliseconds left: (\d+)\n", text)
    assert 0 < int(left) <= 30_000


PASSAGES = {
    "initializer": ("initializer", ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]),
    "handler": ("handler", ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]),
    "preFreeze": ("preFreeze", ["Enqueued", "Dequeued", "Running", "Succeeded"]),
    "preStop": ("preStop", ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]),
}


@pytest.mark.parametrize("passage", PASSAGES)
def test_sigkill_of_the_server_in_a_passage(live: LiveServer, post: Post, passage: str) -> None:
    """Nothing is left; what was Running is tried again at no cost, what was Stopping is Stopped."""
    word, wanted = PASSAGES[passage]
    client = live.client()
    name = deploy(client, post, "mortal", ALL)
    post.hold(word, *(["handler"] if word == "preStop" else []))
    task_id = client.submit(name).task_id
    if word == "preStop":
        post.wait("handler")
        client.stop_task(name, task_id)
    post.wait(word)
    live.kill()
    live.gone()
    post.let_go()
    live.start()
    client = live.client()
    task = client.wait(name, task_id, timeout=60)
    assert path(task) == wanted
    assert task.already_retried_times == 0
    if word == "preStop":
        assert task.events[-1].detail["cause"] == "InstanceLost"
        assert task.events[-1].detail["processesLeft"] == 0
    elif "Retrying" in wanted:
        assert task.events[3].detail["errorType"] == "InstanceLost"
    started = {event.detail["instanceId"] for event in task.events if event.status is Status.RUNNING}
    assert all(post.said(each)[:1] == ["initializer"] for each in started)


def test_a_drain_gives_pre_stop_its_chance(live: LiveServer, post: Post) -> None:
    """What runs beyond the drain is ended through PreStop with the reason `drain`, and runs again at the next start."""
    client = live.client()
    bye = "tell('bye ' + context.stop_reason + ' ' + (context.task_id or 'nobody'))"
    name = deploy(client, post, "drained", {"preStop": 5}, handler="tell('on')\nwhile event: pass", preStop=bye)
    idle = run(client, name)
    reach(client, idle.instance_id, "Frozen")
    busy = client.submit(name, "x").task_id
    post.wait("on", 2)
    other = deploy(client, post, "starting", {"initializer": 60, "preStop": 5}, preStop=bye)
    post.hold("initializer")
    early = client.submit(other).task_id
    post.wait("initializer")
    assert live.terminate() == 0, live.log()
    assert live.processes() == []
    assert [word for word in post.said() if word.startswith("bye")] == [f"bye drain {busy}"]
    post.let_go()
    live.start()
    client = live.client()
    assert path(client.wait(other, early, timeout=60)) == [
        "Enqueued",
        "Dequeued",
        "Running",
        "Retrying",
        "Running",
        "Succeeded",
    ]
    post.wait("on", 3)
    task = stopped(client, name, busy)
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Stopping", "Stopped"]
    assert task.already_retried_times == 0


def test_a_drain_with_a_pre_stop_that_hangs_ends(live: LiveServer, post: Post) -> None:
    """After its timeout."""
    client = live.client()
    name = deploy(client, post, "hanging", {"preStop": 1}, preStop="tell('bye')\nwhile True: pass")
    run(client, name)
    assert live.terminate() == 0, live.log()
    assert live.processes() == []
    assert post.said() == ["handler", "bye"]


def test_a_sandbox_that_dies_takes_its_instances_and_no_task(live: LiveServer, post: Post) -> None:
    """Every process of it gets SIGKILL: what ran is tried again on the budget of losses, what rested is made anew."""
    client = live.client()
    name = deploy(client, post, "lost", ALL)
    rested = run(client, name)
    reach(client, rested.instance_id, "Frozen")
    post.hold("handler")
    task_id = client.submit(name).task_id
    post.wait("handler", 2)
    for pid in live.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    post.let_go("handler")
    task = client.wait(name, task_id, timeout=60)
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]
    assert task.events[3].detail["errorType"] == "InstanceLost"
    assert reach(client, rested.instance_id, "Destroyed")
    assert post.said().count("preStop") == 0


@pytest.mark.root
def test_a_life_run_by_a_user_without_rights(sandbox: str, other_python: Python, post: Post) -> None:
    """All passages, a hostile handler and a frozen child, on a server of a user that owns nothing but its data."""
    reason = ("" if os.getuid() == 0 else "only root can become another user") or missing("setpriv")
    if reason or not interpreter():
        pytest.skip(reason or f"no interpreter for {RUNTIME} that every user can run")
    with LiveServer(sandbox=sandbox, uid=UID, python=other_python, settings=BRISK) as server:
        _life(server, server.client(), post)
        assert server.terminate() == 0, server.log()
        assert server.processes() == []


def _life(server: LiveServer, client: Client, post: Post) -> None:
    name = deploy(
        client,
        post,
        "life",
        {**ALL, "preStop": 5},
        handler="""
            import subprocess
            subprocess.Popen([sys.executable, "-c", "while True: pass"])
            tell('handler')
            while event: pass
            """,
    )
    task = run(client, name)
    reach(client, task.instance_id, "Frozen")
    before = reach(client, task.instance_id, "Frozen")["cpuSeconds"]
    run(client, deploy(client, post, "other", handler="return 1"))
    assert reach(client, task.instance_id, "Frozen")["cpuSeconds"] == before
    task_id = client.submit(name, "x").task_id
    post.wait("handler", 2)
    task = stopped(client, name, task_id)
    assert task.events[-1].detail["processesLeft"] == 0
    assert task.events[-1].detail["preStop"]["ok"] is True
    assert post.said(task.instance_id) == ["initializer", "handler", "preFreeze", "handler", "preStop"]
    for pid in server.processes():
        environment = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"while True" not in environment
