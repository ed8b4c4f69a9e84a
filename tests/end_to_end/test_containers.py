"""Functions that are images, on a real server: tasks, stops, refusals, and what a killed server leaves behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.isolation import BRISK
from images import containers, image, need
from live import LiveServer, until
from sojourn.client import Client, Refused, Status, documents

SECONDS = 60.0
HOOKS = {"initializer": {"handler": "initialize", "timeout": 20}, "preStop": {"handler": "preStop", "timeout": 30}}


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    """An image of the program that custom runtimes are tested with."""
    with image() as name:
        yield name


@pytest.fixture
def server() -> Iterator[LiveServer]:
    """A server whose engine has the test's images."""
    need()
    settings = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    with LiveServer(settings={**BRISK, **settings}) as live:
        yield live


def create(client: Client, name: str, app: str, **fields: Any) -> None:
    """A function without code that is the image `app`."""
    body = {
        "functionName": name,
        "runtime": "custom-container",
        "timeout": 60,
        "memorySize": 256,
        "customContainerConfig": {"image": app},
        "instanceLifecycleConfig": HOOKS,
        **fields,
    }
    client.ask(documents.create_function(body))


def output(client: Client, name: str, task_id: str) -> str:
    """All that the task's attempts wrote."""
    return "".join(log.text for log in client.logs(name, task_id))


def mark(server: LiveServer) -> str:
    """The mark that the server's containers bear."""
    return (server.data / "mark").read_text(encoding="utf-8").strip()


def test_tasks_of_an_image(server: LiveServer, app: str) -> None:
    """Results, a function error, a stop with PreStop while it is busy; nothing is left when the server ends."""
    client = server.client()
    create(client, "app", app)
    task = client.wait("app", client.submit("app", b"event").task_id, timeout=SECONDS)
    assert (task.status, task.result) == (Status.SUCCEEDED, b"event")
    assert "initializing" in output(client, "app", task.task_id)
    failed = client.wait("app", client.submit("app", b"fail").task_id, timeout=SECONDS)
    assert json.loads(failed.result)["errorType"] == "InkError"
    assert len(containers(mark(server))) == 1

    task_id = client.submit("app", b"wait").task_id
    until(lambda: "waits" in output(client, "app", task_id), SECONDS, "busy")
    client.stop_task("app", task_id)
    ended = client.wait("app", task_id, timeout=SECONDS)
    assert ended.status == Status.STOPPED
    assert f"/pre-stop /pre-stop stop {task_id}" in output(client, "app", task_id)
    # Where a call came by while an instance was being frozen, that one is there still.
    assert not [name for name in containers(mark(server)) if name.endswith(ended.instance_id)]
    stopped = client.get_task("app", task_id).events[-1].event_detail
    assert json.loads(stopped)["processesLeft"] == 0

    assert client.wait("app", client.submit("app", b"last").task_id, timeout=SECONDS).result == b"last"
    assert server.terminate() == 0, server.log()
    assert (containers(mark(server)), server.processes()) == ([], [])
    assert "Traceback" not in server.log(), server.log()


def test_an_image_that_is_not_there_makes_the_task_invalid(server: LiveServer) -> None:
    """With the reason, and what to do."""
    client = server.client()
    create(client, "app", "localhost/not-there:1")
    task = client.wait("app", client.submit("app", b"event").task_id, timeout=SECONDS)

    assert task.status == Status.INVALID
    assert "localhost/not-there:1 is not on this server's machine" in task.events[-1].event_detail


def test_code_is_optional_for_an_image_and_lies_below_code(server: LiveServer, app: str, tmp_path: Path) -> None:
    """What is uploaded is seen there; another runtime cannot be had without code."""
    client = server.client()
    (tmp_path / "app.py").write_text("import sys; print('from the code'); sys.exit(4)")
    changed = {"image": app, "entrypoint": ["/usr/bin/python3", "/code/app.py"]}
    client.deploy("app", tmp_path, settings={"runtime": "custom-container", "customContainerConfig": changed})
    task = client.wait("app", client.submit("app", b"event").task_id, timeout=SECONDS)
    assert task.status == Status.INVALID
    assert "from the code" in task.events[-1].event_detail

    create(client, "bare", app)
    with pytest.raises(Refused, match="customContainerConfig"):
        client.ask(documents.update_function("bare", {"runtime": "custom"}))


def test_a_killed_server_s_containers_are_gone_after_the_next_start(server: LiveServer, app: str) -> None:
    """The task that ran is run again, in a container of the new server."""
    client = server.client()
    create(client, "app", app)
    task_id = client.submit("app", b"wait").task_id
    until(lambda: "waits" in output(client, "app", task_id), SECONDS, "busy")
    (before,) = containers(mark(server))
    server.kill()
    server.start()
    client = server.client()
    assert before not in containers(mark(server))
    until(lambda: "waits" in output(client, "app", task_id), SECONDS, "busy again")
    assert len(containers(mark(server))) == 1
    client.stop_task("app", task_id)
    assert client.wait("app", task_id, timeout=SECONDS).status == Status.STOPPED
    assert containers(mark(server)) == []
