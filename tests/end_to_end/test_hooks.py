"""The table of hooks on a real server: one test for each rule of `sojourn.hook`."""

from __future__ import annotations

import json

import pytest

from end_to_end.lives import deploy, detail, instances, log, names, path, put, reach, run, stopped
from end_to_end.post import Post
from live import LiveServer, until
from sojourn.client import Client, Status

ALL = {"initializer": 30, "preFreeze": 30, "preStop": 30}


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


def test_hooks_run_in_order_and_as_often_as_the_table_says(client: Client, post: Post) -> None:
    """Initializer once, PreFreeze once for each freeze, PreStop once at the end."""
    name = deploy(client, post, "ordered", ALL)
    first = run(client, name)
    assert path(first) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    reach(client, first.instance_id, "Frozen")
    second = run(client, name)
    reach(client, first.instance_id, "Frozen")
    client.delete_function(name)
    reach(client, first.instance_id, "Destroyed")

    assert second.instance_id == first.instance_id
    assert post.said() == ["initializer", "handler", "preFreeze", "handler", "preFreeze", "preStop"]


def test_a_hook_that_is_not_configured_is_never_called(client: Client, post: Post) -> None:
    """All three are in the code, none is in the configuration."""
    name = deploy(client, post, "unconfigured")
    task = run(client, name)
    reach(client, task.instance_id, "Frozen")
    client.delete_function(name)
    reach(client, task.instance_id, "Destroyed")

    assert post.said() == ["handler"]
    assert not {"preFreeze", "preStop"} & set(names(client, task.instance_id))


def test_the_task_is_running_durably_before_initializer(client: Client, post: Post) -> None:
    """While Initializer hangs the task says Running, and the instance Initializing."""
    name = deploy(client, post, "durable", ALL)
    post.hold("initializer")
    task_id = client.submit(name).task_id
    post.wait("initializer")
    assert path(client.get_task(name, task_id)) == ["Enqueued", "Dequeued", "Running"]
    assert instances(client, name)[0]["status"] == "Initializing"
    post.let_go()
    assert client.wait(name, task_id, timeout=60).succeeded


def test_initializer_has_the_request_id_and_the_log_of_its_execution(client: Client, post: Post) -> None:
    """In a section of its own before that of the handler."""
    said = 'print("here", context.request_id)'
    name = deploy(client, post, "identified", ALL, initializer=said, handler=said)
    task = run(client, name)
    id_ = task.request_id

    assert log(client, name, task) == "".join(
        f"FC {part} Start RequestId: {id_}\nhere {id_}\nFC {part} End RequestId: {id_}\n"
        for part in ("Initialize", "Invoke")
    )


@pytest.mark.parametrize(
    ("body", "type_", "message"),
    [
        ("raise ValueError('not today')", "ValueError", "not today"),
        ("sys.exit(4)", "SystemExit", "4"),
        ("os._exit(4)", "FunctionUnhandledError", "exit status 4"),
        ("tell('on'); time.sleep(600)", "FunctionTimeoutError", "initialization timed out after 1 seconds"),
        ("while True: pass", "FunctionTimeoutError", "initialization timed out after 1 seconds"),
    ],
    ids=["raises", "exits", "ends", "sleeps", "loops"],
)
def test_an_initializer_that_fails(client: Client, post: Post, body: str, type_: str, message: str) -> None:
    """InitializationError, the instance is destroyed without PreStop, and the retry gets another one."""
    body = f"print('words of mine', flush=True)\n{body}"
    name = deploy(client, post, "failing", {**ALL, "initializer": 1}, initializer=body, retries=1)
    task = run(client, name)

    assert path(task) == ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Failed"]
    assert task.task_error_message == "InitializationError"
    document = json.loads(task.result)
    assert document["errorType"] == type_
    assert message in document["errorMessage"]
    for event in (task.events[3], task.events[5]):
        assert (event.detail["Error"], event.detail["errorType"]) == ("InitializationError", type_)
        assert event.detail["processesLeft"] == 0
    used = [event.detail["instanceId"] for event in task.events if event.status is Status.RUNNING]
    assert len(set(used)) == 2
    for each in used:
        assert reach(client, each, "Destroyed")["status"] == "Destroyed"
    assert {"handler", "preStop"} & set(post.said()) == set()
    for one in client.logs(name, task.task_id):
        lines = one.text.splitlines()
        assert lines[0] == f"FC Initialize Start RequestId: {task.request_id}"
        assert "words of mine" in lines
        assert lines[-1] == f"FC Initialize End RequestId: {task.request_id}, Error: Unhandled function error"


def test_an_initializer_has_its_say_about_retries(client: Client, post: Post) -> None:
    """As a handler has: an exception that is of no use to try again fails the task at once."""
    body = "error = ValueError('no such database')\nerror.retry = False\nraise error"
    name = deploy(client, post, "final", ALL, initializer=body, retries=3)
    task = run(client, name)

    assert path(task) == ["Enqueued", "Dequeued", "Running", "Failed"]
    assert task.task_error_message == "InitializationError"
    assert task.events[-1].detail["retryable"] is False


def test_an_initializer_over_its_memory(client: Client, post: Post) -> None:
    """Is told as out of memory, with the limit."""
    body = "kept = []\nwhile True: kept.append(bytearray(8 << 20))"
    name = deploy(client, post, "greedy", ALL, initializer=body)
    task = run(client, name)

    assert json.loads(task.result)["errorType"] == "FunctionOOMError"
    assert "128 MB" in json.loads(task.result)["errorMessage"]
    assert (task.status, post.said()) == (Status.FAILED, [])


def test_a_synchronous_call_gets_the_error_of_its_initializer(client: Client, post: Post) -> None:
    """HTTP 200, the class in the header, the document in the body, the section in the log."""
    name = deploy(client, post, "synchronous", ALL, initializer="raise KeyError('k')")
    answer = client.invoke(name)

    assert answer.error_type == "InitializationError"
    assert json.loads(answer.result)["errorType"] == "KeyError"
    assert "FC Initialize End RequestId: " in answer.log
    assert "Unhandled function error" in answer.log


def test_initializer_time_is_not_the_functions(client: Client, post: Post) -> None:
    """A function of three seconds with an initializer that takes longer succeeds."""
    name = deploy(client, post, "patient", ALL, initializer="time.sleep(3.5)", timeout=3)
    task = run(client, name)

    assert task.succeeded
    assert task.events[-1].detail["initializerMs"] >= 3500


@pytest.mark.parametrize(("body", "ok"), [("raise ValueError('cold feet')", False), ("pass", True)])
def test_pre_freeze_never_keeps_from_freezing(client: Client, post: Post, body: str, *, ok: bool) -> None:
    """What it came to and what it wrote stands in the events; the instance is frozen, and serves again."""
    body = f"print('freezing', context.request_id, flush=True)\n{body}"
    name = deploy(client, post, "freezing", ALL, preFreeze=body)
    task = run(client, name)
    reach(client, task.instance_id, "Frozen")
    told = detail(client, task.instance_id, "preFreeze")
    assert (told["ok"], told["timedOut"]) == (ok, False)
    assert told["requestId"] != task.request_id
    assert told["output"] == f"freezing {told['requestId']}\n"

    again = run(client, name)
    assert again.succeeded
    assert again.instance_id == task.instance_id


def test_an_instance_whose_pre_freeze_hangs_is_not_used_again(client: Client, post: Post) -> None:
    """The freeze goes ahead, the instance goes through PreStop, and no task waits for the end of the hook."""
    hangs = "tell('preFreeze'); time.sleep(600)"
    name = deploy(client, post, "hanging", {**ALL, "preFreeze": 1}, preFreeze=hangs)
    task = run(client, name)
    reach(client, task.instance_id, "Destroyed")
    again = run(client, name)

    assert detail(client, task.instance_id, "preFreeze")["timedOut"] is True
    assert names(client, task.instance_id)[-6:] == [
        "preFreeze",
        "Frozen",
        "StopBegun",
        "Thawed",
        "preStop",
        "Destroyed",
    ]
    assert detail(client, task.instance_id, "StopBegun") == {"reason": "timeout"}
    assert (again.succeeded, again.instance_id != task.instance_id) == (True, True)


def test_a_pre_freeze_that_ends_its_instance(client: Client, post: Post) -> None:
    """Nobody is frozen; the next task gets another one."""
    name = deploy(client, post, "leaving", ALL, preFreeze="os._exit(3)")
    task = run(client, name)
    gone = reach(client, task.instance_id, "Destroyed")
    assert gone["status"] == "Destroyed"
    assert detail(client, task.instance_id, "Destroyed")["exitStatus"] == 3
    again = run(client, name)
    assert again.succeeded
    assert again.instance_id != task.instance_id


def test_a_task_that_comes_during_pre_freeze_is_not_lost(client: Client, post: Post) -> None:
    """It gets another instance, or the same one after its thaw."""
    name = deploy(client, post, "surprised", {**ALL, "preFreeze": 60})
    post.hold("preFreeze")
    first = run(client, name)
    post.wait("preFreeze")
    assert reach(client, first.instance_id, "Freezing")
    second = run(client, name)
    assert second.succeeded
    assert second.instance_id != first.instance_id
    post.let_go()
    reach(client, first.instance_id, "Frozen")


CONTEXT = """
print("why", context.stop_reason, "task", context.task_id, "left", context.remaining_milliseconds > 0, flush=True)
print("id", context.request_id)
tell("preStop " + context.stop_reason + " " + (context.task_id or "nobody"))
"""


def test_pre_stop_is_told_why_and_of_which_task(client: Client, post: Post) -> None:
    """A stop: the reason, the task, the time; its own request id, its section in the task's log, its evidence."""
    name = deploy(client, post, "told", ALL, handler="tell('handler'); time.sleep(600)", preStop=CONTEXT)
    task_id = client.submit(name).task_id
    post.wait("handler")
    task = stopped(client, name, task_id)

    assert post.said()[-1] == f"preStop stop {task_id}"
    evidence = task.events[-1].detail
    assert evidence["preStop"]["ok"] is True
    assert evidence["preStop"]["ms"] > 0
    assert evidence["processesLeft"] == 0
    text = log(client, name, task)
    own = detail(client, task.instance_id, "preStop")["requestId"]
    assert own != task.request_id
    assert f"why stop task {task_id} left True\nid {own}\n" in text
    assert f"FC PreStop Start RequestId: {own}\n" in text
    assert text.endswith(f"FC PreStop End RequestId: {own}\n")
    assert "Error: Invocation canceled by client" in text


def test_a_timeout_calls_pre_stop(client: Client, post: Post) -> None:
    """With its reason and the task; the task fails as timed out, with PreStop in the evidence."""
    name = deploy(client, post, "late", ALL, timeout=1, handler="while True: pass", preStop=CONTEXT)
    task = run(client, name)

    assert post.said() == ["initializer", f"preStop timeout {task.task_id}"]
    assert json.loads(task.result)["errorType"] == "FunctionTimeoutError"
    assert task.events[-1].detail["preStop"]["ok"] is True
    assert "FC PreStop Start RequestId: " in log(client, name, task)


def test_an_update_a_deletion_and_idleness_call_pre_stop(client: Client, post: Post) -> None:
    """Each with its reason, and no task."""
    name = deploy(client, post, "updated", ALL, preStop=CONTEXT)
    task = run(client, name)
    reach(client, task.instance_id, "Frozen")
    deploy(client, post, name, ALL, preStop=CONTEXT, settings={"idleTimeout": 0})
    post.wait("preStop update nobody")
    reach(client, task.instance_id, "Destroyed")
    second = run(client, name)
    post.wait("preStop idle nobody")
    reach(client, second.instance_id, "Destroyed")
    assert post.said(second.instance_id) == ["initializer", "handler", "preStop idle nobody"]
    deploy(client, post, name, ALL, preStop=CONTEXT, settings={"idleTimeout": 600})
    run(client, name)
    client.delete_function(name)
    post.wait("preStop update nobody", 2)


def test_pre_stop_runs_before_the_instance_was_ever_invoked(client: Client, post: Post) -> None:
    """One that was made ahead is initialized under an id of its own; what both hooks write stands in the events."""
    name = deploy(
        client, post, "ahead", ALL, initializer="print(context.request_id)\ntell('initializer')", preStop=CONTEXT
    )
    put(client, f"/2023-03-30/functions/{name}/provision-config", {"target": 1})
    made = post.wait("initializer")
    reach(client, made, "Idle")
    client.delete_function(name)
    reach(client, made, "Destroyed")
    assert post.said() == ["initializer", "preStop update nobody"]
    told = detail(client, made, "Initialized")
    assert told["output"] == f"{told['requestId']}\n"
    told = detail(client, made, "preStop")
    assert told["output"] == f"why update task  left True\nid {told['requestId']}\n"


def test_no_pre_stop_after_a_crash(client: Client, post: Post) -> None:
    """What is gone cannot be told."""
    name = deploy(client, post, "crashing", ALL, handler="os._exit(7)")
    task = run(client, name)

    assert task.status is Status.FAILED
    assert "preStop" not in task.events[-1].detail
    assert post.said() == ["initializer"]


def test_a_caller_who_goes_away_has_pre_stop_called(client: Client, post: Post) -> None:
    """A synchronous call that is broken off ends its instance, with the reason `cancel`."""
    name = deploy(client, post, "abandoned", ALL, handler="tell('handler'); time.sleep(600)", preStop=CONTEXT)
    with pytest.raises(Exception, match="did not answer in time"):
        client.invoke(name, timeout=10)
    used = post.wait("handler")
    post.wait("preStop cancel nobody")
    reach(client, used, "Destroyed")
    until(lambda: not instances(client, name), 30, "gone")
