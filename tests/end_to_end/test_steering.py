"""Steering on a real server: force, pauses, operations on many tasks, progress; also over a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from end_to_end.functions import RUNTIME
from end_to_end.lives import deploy
from end_to_end.post import Post
from live import LiveServer, archive, program, until
from programs import SHEBANG
from sojourn.client import Client, Conflict, Status, Task, steering

HOLD = "import time\ndef handler(event, context):\n    time.sleep(3600)\n"
QUICK = "def handler(event, context):\n    return event\n"
STEPS = """
def handler(event, context):
    context.progress(25, message="first", checkpoint=b"page 1")
    for percent in range(26, 60):
        context.progress(percent)
    if not context.checkpoint:
        raise ValueError("try again")
    return context.checkpoint
"""
PROGRAM = (
    SHEBANG
    + """\
import base64, http.client, json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def api(method, request_id, verb, body=None):
    connection = http.client.HTTPConnection(os.environ["SOJOURN_RUNTIME_API"])
    connection.request(method, f"/2020-11-11/runtime/invocation/{request_id}/{verb}", body)
    answer = connection.getresponse()
    return answer.status, answer.read()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        request_id = self.headers["x-fc-request-id"]
        status, before = api("GET", request_id, "checkpoint")
        said = [status]
        for body in (
            {"percent": 40, "message": "from a program"},
            {"checkpoint": base64.b64encode(b"\\x00\\xff").decode(), "checkpointEncoding": "base64"},
            {"percent": 400},
        ):
            said.append(api("POST", request_id, "progress", json.dumps(body))[0])
        said.append(api("POST", "1-nobody", "progress", b"{}")[0])
        answer = json.dumps([said, before.hex()]).encode()
        self.send_response(200)
        if not before:
            self.send_header("x-fc-status", "404")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"""
)


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


def ended(client: Client, function: str, task_id: str) -> Task:
    """A task at its end."""
    return client.wait(function, task_id, timeout=60)


def began(client: Client, function: str, source: str, **settings: object) -> None:
    client.deploy(function, archive(source), handler="index.handler", runtime=RUNTIME, **settings)  # type: ignore[arg-type]  # passed on


def test_a_forced_stop_spares_the_hook_and_says_so(client: Client, post: Post) -> None:
    """No PreStop, no SIGTERM, no grace."""
    deploy(client, post, "forced", {"preStop": 30}, handler="tell('called'); time.sleep(3600)")
    task = client.submit("forced", b"")
    post.wait("called")
    client.force_stop("forced", task.task_id)
    detail = ended(client, "forced", task.task_id).events[-1].detail

    assert (detail["forced"], detail["signalsSent"], detail["processesLeft"]) == (True, ["SIGKILL"], 0)
    assert "preStop" not in detail
    asked = client.get_task("forced", task.task_id).events[-2].detail
    assert asked["force"] is True
    with pytest.raises(Conflict):
        client.force_stop("forced", task.task_id)


def test_a_stop_that_takes_its_time_can_be_forced(client: Client, post: Post) -> None:
    """PreStop would take half a minute."""
    hook = "tell('hook'); time.sleep(60)"
    deploy(client, post, "hurried", {"preStop": 60}, handler="tell('called'); time.sleep(3600)", preStop=hook)
    task = client.submit("hurried", b"")
    post.wait("called")
    client.stop_task("hurried", task.task_id)
    post.wait("hook")
    client.force_stop("hurried", task.task_id)
    last = ended(client, "hurried", task.task_id)
    assert (last.status, last.events[-1].detail["forced"]) == (Status.STOPPED, True)


def test_a_paused_queue_stands_still_over_a_restart(server: LiveServer, client: Client) -> None:
    """What waits stays Enqueued and still grows too old; what runs goes on; resumed, it runs."""
    began(client, "paused", QUICK)
    client.put_async_config("paused", max_age=3600)
    client.pause_queue("paused")
    waiting = client.submit("paused", b"x")
    client.put_async_config("paused", max_age=1)
    short = client.submit("paused", b"y")
    server.kill()
    server.start()
    again = server.client()
    assert ended(again, "paused", short.task_id).status is Status.EXPIRED
    assert again.get_task("paused", waiting.task_id).status is Status.ENQUEUED
    assert not again.resume_queue("paused").paused
    assert ended(again, "paused", waiting.task_id).status is Status.SUCCEEDED


def test_many_tasks_are_stopped_and_the_operation_survives_a_kill(server: LiveServer, client: Client) -> None:
    """What runs is stopped with its proof, what waits at once; no task is left, whenever the server dies."""
    began(client, "many", HOLD)
    client.put_concurrency("many", 2)
    tasks = [client.submit("many", b"") for _ in range(600)]
    until(lambda: sum(each.status == "Invoking" for each in client.instances("many")) == 2, 60, "two run")
    wanted = {"function": "many", "status": ["Enqueued", "Dequeued", "Running", "Retrying"]}
    assert client.count_tasks("stop", wanted) == len(tasks)
    operation = client.begin_operation("stop", wanted)
    server.kill()
    server.start()
    again = server.client()
    until(lambda: again.get_operation(operation.operation_id).over, 60, "over")
    until(lambda: not again.count_tasks("stop", wanted), 60, "none left")
    for task in (tasks[0], tasks[1], tasks[-1]):
        last = ended(again, "many", task.task_id)
        assert (last.status, last.events[-1].detail["processesLeft"]) == (Status.STOPPED, 0)
    assert again.list_operations()[0].operation_id == operation.operation_id


def test_a_checkpoint_goes_to_the_next_attempt(client: Client) -> None:
    """And the last report is there when the task is over, although many were made at once."""
    began(client, "steps", STEPS)
    task = client.submit("steps", b"")
    last = ended(client, "steps", task.task_id)
    progress = client.progress("steps", task.task_id)

    assert (last.status, last.result, last.already_retried_times) == (Status.SUCCEEDED, b"page 1", 1)
    assert (progress.percent, progress.message, progress.attempt) == (59.0, "first", 2)
    assert progress.data == b"page 1"


def test_any_program_reports_over_http(client: Client) -> None:
    """It finds the address in SOJOURN_RUNTIME_API; what is wrong is refused there."""
    client.deploy("program", program(PROGRAM), handler="x.y", runtime="custom.debian12")
    client.put_async_config("program", retries=1)
    task = client.submit("program", b"")
    last = ended(client, "program", task.task_id)
    progress = client.progress("program", task.task_id)

    assert last.status is Status.SUCCEEDED, last
    assert json.loads(last.result) == [[200, 200, 200, 400, 404], "00ff"]
    assert (progress.percent, progress.message, progress.data) == (40.0, "from a program", b"\x00\xff")


def test_somebody_else_reports_for_a_running_task_only(client: Client) -> None:
    """Over the API, for work that is done elsewhere."""
    began(client, "elsewhere", HOLD)
    task = client.submit("elsewhere", b"")
    until(lambda: client.get_task("elsewhere", task.task_id).status is Status.RUNNING, 60, "runs")
    client.report_progress("elsewhere", task.task_id, percent=10, checkpoint=b"c")
    client.report_progress("elsewhere", task.task_id, message="on its way")
    progress = client.progress("elsewhere", task.task_id)
    assert (progress.percent, progress.message, progress.data) == (10.0, "on its way", b"c")
    client.force_stop("elsewhere", task.task_id)
    ended(client, "elsewhere", task.task_id)
    with pytest.raises(Conflict):
        client.report_progress("elsewhere", task.task_id, percent=20)


def test_what_ended_is_counted_over_a_restart() -> None:
    """All that is kept, whenever it ended; a window begins with the start. What is deleted is no longer counted."""
    with LiveServer() as server:
        client = server.client()
        client.deploy("quick", archive(QUICK), handler="index.handler", runtime=RUNTIME)
        for _ in range(3):
            client.wait("quick", client.submit("quick").task_id, timeout=60)
        server.terminate()
        server.start()
        client = server.client()
        assert statistics(client)["statuses"]["Succeeded"] == 3
        assert statistics(client)["ended"]["Succeeded"] == 0
        client.wait("quick", client.submit("quick").task_id, timeout=60)
        assert statistics(client)["statuses"]["Succeeded"] == 4
        assert statistics(client)["ended"]["Succeeded"] == 1
        operation = client.begin_operation("delete", {"function": "quick"})
        until(lambda: client.get_operation(operation.operation_id).over, 60, "deleted")
        assert statistics(client)["statuses"]["Succeeded"] == 0


def statistics(client: Client) -> dict[str, Any]:
    """Of the function `quick`."""
    return client.ask(steering.document("/v1/functions/quick/statistics"))
