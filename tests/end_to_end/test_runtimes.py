"""Functions that are not Python, on a real server under both isolations: tasks, hooks, stops, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from live import LiveServer, until
from programs import POLLER, SERVER
from sojourn.client import Client, Refused, Status
from sojourn.runtimes.node import NodeRuntime

SECONDS = 60.0
needs_node = pytest.mark.skipif(not NodeRuntime().interpreters(), reason="needs Node.js")

NODE = """\
let ready = 'no';
exports.initialize = async (context) => { ready = 'yes'; console.log('initialized'); };
exports.preStop = async (context) => { console.log('stopping', context.stopReason, context.taskId); };
exports.handler = async (event, context) => {
    const asked = event.toString();
    console.log('got', asked, context.retryCount);
    if (asked === 'sleep') await new Promise((resolve) => setTimeout(resolve, 600000));
    if (asked === 'never') throw Object.assign(new Error('useless'), {retry: false});
    if (asked === 'once' && context.retryCount === 0) throw Object.assign(new Error('later'), {retryAfter: 0});
    if (asked === 'exit') process.exit(5);
    return {asked, ready, retried: context.retryCount};
};
"""


def deploy(
    client: Client, name: str, directory: Path, files: dict[str, str], *, retries: int = 0, **settings: Any
) -> None:
    """A function of `files`, all of them executable."""
    for place, text in files.items():
        path = directory / place
        path.write_text(text)
        path.chmod(0o755)
    client.deploy(name, directory, retries=retries, settings={"timeout": 60, "memorySize": 128, **settings})


def hooks(*names: str) -> dict[str, Any]:
    """The configuration of Initializer and PreStop, called so."""
    initializer, pre_stop = names
    return {
        "initializer": {"handler": initializer, "timeout": 20},
        "preStop": {"handler": pre_stop, "timeout": 30},
    }


def run(client: Client, name: str, event: bytes) -> Any:
    """A task from its submission to its end."""
    return client.wait(name, client.submit(name, event).task_id, timeout=SECONDS)


def output(client: Client, name: str, task_id: str) -> str:
    """All that the task's attempts wrote, with the sections of the hooks."""
    return "".join(log.text for log in client.logs(name, task_id))


@needs_node
def test_tasks_of_a_node_function(server: LiveServer, tmp_path: Path) -> None:
    """Results, retries as the error asks for, a crash, a stop with PreStop."""
    client = server.client()
    lifecycle = hooks("index.initialize", "index.preStop")
    deploy(
        client, "node", tmp_path, {"index.js": NODE}, runtime="nodejs", handler="index.handler",
        retries=1, instanceLifecycleConfig=lifecycle,
    )  # fmt: skip

    assert json.loads(run(client, "node", b"one").result) == {"asked": "one", "ready": "yes", "retried": 0}
    assert json.loads(run(client, "node", b"once").result)["retried"] == 1
    useless, crashed = run(client, "node", b"never"), run(client, "node", b"exit")
    assert (useless.status, useless.already_retried_times) == (Status.FAILED, 0)
    assert json.loads(useless.result)["errorMessage"] == "useless"
    assert (crashed.status, crashed.already_retried_times) == (Status.FAILED, 1)
    assert "exit status 5" in json.dumps([event.event_detail for event in crashed.events])

    task_id = client.submit("node", b"sleep").task_id
    until(lambda: "got sleep" in output(client, "node", task_id), SECONDS, "asleep")
    client.stop_task("node", task_id)
    assert client.wait("node", task_id, timeout=SECONDS).status == Status.STOPPED
    assert f"stopping stop {task_id}" in output(client, "node", task_id)


def test_tasks_of_a_custom_function(server: LiveServer, tmp_path: Path) -> None:
    """A program that speaks HTTP, several tasks in one instance, one of them stopped without the others."""
    client = server.client()
    deploy(
        client, "custom", tmp_path, {"bootstrap": SERVER}, runtime="custom", instanceConcurrency=5,
        instanceLifecycleConfig=hooks("initialize", "preStop"),
    )  # fmt: skip

    assert run(client, "custom", b"event").result == b"event"
    failed = run(client, "custom", b"fail")
    assert (failed.status, json.loads(failed.result)["errorType"]) == (Status.FAILED, "InkError")
    waiting = [client.submit("custom", b"wait").task_id for _ in range(2)]
    until(lambda: all(f"{one} waits" in output(client, "custom", one) for one in waiting), SECONDS, "waiting")
    client.stop_task("custom", waiting[0])
    assert client.wait("custom", waiting[0], timeout=SECONDS).status == Status.STOPPED
    assert client.get_task("custom", waiting[1]).status == Status.RUNNING
    client.stop_task("custom", waiting[1])
    assert client.wait("custom", waiting[1], timeout=SECONDS).status == Status.STOPPED


def test_tasks_of_a_compiled_function(server: LiveServer, tmp_path: Path) -> None:
    """A program that polls."""
    client = server.client()
    deploy(client, "go", tmp_path, {"main": POLLER}, runtime="go1", handler="main")

    assert run(client, "go", b"event").result == b"event"
    assert run(client, "go", b"fail").status == Status.FAILED


def test_a_program_that_does_not_start_makes_the_task_invalid(server: LiveServer, tmp_path: Path) -> None:
    """With Function Compute's code and words."""
    client = server.client()
    deploy(client, "broken", tmp_path, {"other": SERVER}, runtime="custom")
    task = run(client, "broken", b"")

    assert task.status == Status.INVALID
    assert "CAFileNotFound" in json.dumps([event.event_detail for event in task.events])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"runtime": "custom-container"}, "container"),
        ({"runtime": "go1", "handler": "bin/../main"}, "name of the program's file"),
        ({"runtime": "nodejs20", "handler": "index"}, "module.function"),
        ({"runtime": "ruby", "handler": "index.handler"}, "must be of a family this server runs"),
        ({"runtime": "go1", "handler": "main", "customRuntimeConfig": {"port": 1}}, "custom runtime"),
    ],
)
def test_what_cannot_run_is_refused_at_once(
    server: LiveServer, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    """When it is created, with the reason."""
    with pytest.raises(Refused, match=re.escape(words)):
        deploy(server.client(), "refused", tmp_path, {"main": "x"}, **settings)


REACHES = """\
import socket

def handler(event, context):
    host, port = event.decode().split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        return "reached"
    except OSError:
        return "not reached"
"""


def test_a_function_without_internet_access_reaches_nothing(server: LiveServer, sandbox: str, tmp_path: Path) -> None:
    """Not even this machine; where the isolation cannot do that, it is refused."""
    client = server.client()
    fields: dict[str, Any] = {"runtime": "python3", "handler": "index.handler", "timeout": 20}
    place = server.endpoint.removeprefix("http://").encode()
    deploy(client, "open", tmp_path, {"index.py": REACHES}, **fields)
    assert run(client, "open", place).result == b"reached"
    if sandbox == "process":
        with pytest.raises(Refused, match="internetAccess"):
            deploy(client, "closed", tmp_path, {"index.py": REACHES}, internetAccess=False, **fields)
        return
    deploy(client, "closed", tmp_path, {"index.py": REACHES}, internetAccess=False, **fields)
    assert run(client, "closed", place).result == b"not reached"
