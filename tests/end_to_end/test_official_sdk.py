"""The official client drives a real server over real HTTP through everything a task can be asked."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from alibabacloud_fc20230330 import models
from alibabacloud_fc20230330.client import Client
from alibabacloud_tea_openapi.models import Config
from darabonba.runtime import RuntimeOptions

from end_to_end.functions import ECHO, FLAKY, HANDLER, RUNTIME, SLEEPER
from live import LiveServer, archive, until

SECONDS = 30.0
OVER = {"Succeeded", "Failed", "Stopped", "Expired", "Invalid"}


class Sdk:
    """The official client with the few calls of these tests, by their plain names."""

    def __init__(self, server: LiveServer, *, key_id: str = "", secret: str = "") -> None:
        known = server.credentials
        config = Config(
            access_key_id=key_id or known["accessKeyId"],
            access_key_secret=secret or known["accessKeySecret"],
            endpoint=known["endpoint"].removeprefix("http://"),
            protocol="http",
            region_id="local",
        )
        self.client = Client(config)

    def create(self, name: str, source: str | bytes, *, runtime: str = RUNTIME, **settings: Any) -> Any:
        """CreateFunction, of a module's source or of an archive."""
        zipped = archive(source) if isinstance(source, str) else source
        code = models.InputCodeLocation(zip_file=base64.b64encode(zipped).decode())
        body = models.CreateFunctionInput(
            function_name=name, runtime=runtime, handler=HANDLER, code=code, **({"timeout": 60} | settings)
        )
        return self.client.create_function(models.CreateFunctionRequest(body=body)).body

    def configure(self, name: str, **settings: Any) -> Any:
        """PutAsyncInvokeConfig."""
        body = models.PutAsyncInvokeConfigInput(async_task=True, **settings)
        return self.client.put_async_invoke_config(name, models.PutAsyncInvokeConfigRequest(body=body)).body

    def reserve(self, name: str, count: int) -> None:
        """PutConcurrencyConfig."""
        body = models.PutConcurrencyInput(reserved_concurrency=count)
        self.client.put_concurrency_config(name, models.PutConcurrencyConfigRequest(body=body))

    def invoke(self, name: str, payload: bytes = b"", **headers: Any) -> Any:
        """InvokeFunction."""
        request = models.InvokeFunctionRequest(body=payload)
        options = RuntimeOptions(read_timeout=60_000, connect_timeout=10_000, autoretry=False)
        return self.client.invoke_function_with_options(name, request, models.InvokeFunctionHeaders(**headers), options)

    def submit(self, name: str, payload: bytes = b"", **headers: Any) -> str:
        """InvokeFunction, asynchronously; the task id."""
        answer = self.invoke(name, payload, x_fc_invocation_type="Async", **headers)
        assert answer.status_code == 202
        task_id: str = answer.headers["x-fc-async-task-id"]
        return task_id

    def get(self, name: str, task_id: str) -> Any:
        """GetAsyncTask."""
        return self.client.get_async_task(name, task_id, models.GetAsyncTaskRequest()).body

    def page(self, name: str, **wanted: Any) -> Any:
        """ListAsyncTasks."""
        return self.client.list_async_tasks(name, models.ListAsyncTasksRequest(**wanted)).body

    def stop(self, name: str, task_id: str) -> None:
        """StopAsyncTask."""
        self.client.stop_async_task(name, task_id, models.StopAsyncTaskRequest())

    def reach(self, name: str, task_id: str, *statuses: str) -> Any:
        """The task once it has one of `statuses`."""
        until(lambda: self.get(name, task_id).status in statuses, SECONDS, f"{task_id} in {statuses}")
        return self.get(name, task_id)

    def path(self, name: str, task_id: str) -> list[str]:
        """Its statuses so far."""
        return [event.status for event in self.get(name, task_id).events]


@pytest.fixture(scope="module")
def sdk(server: LiveServer) -> Sdk:
    """The owner's."""
    return Sdk(server)


def refused(call: Any, *arguments: Any, **more: Any) -> tuple[int, str]:
    """The status and the code with which a call is refused."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the client has an error class for each family of codes
        call(*arguments, **more)
    error: Any = raised.value
    return error.status_code, error.code


def test_a_function_is_created_called_and_deleted(sdk: Sdk) -> None:
    """The bytes that go in come out, and a deleted function is gone."""
    assert sdk.create("echo", ECHO, memory_size=256).state == "Active"
    answer = sdk.invoke("echo", b"\x00bytes\xff", x_fc_log_type="Tail")
    assert (answer.status_code, answer.body.read()) == (200, b"\x00bytes\xff")
    assert refused(sdk.create, "echo", ECHO) == (409, "FunctionAlreadyExists")
    sdk.client.delete_function("echo")
    assert refused(sdk.invoke, "echo") == (404, "FunctionNotFound")
    assert refused(sdk.client.delete_function, "echo") == (404, "FunctionNotFound")


def test_a_task_runs_and_its_history_is_complete(sdk: Sdk) -> None:
    """Every field that clients read is there, in the types they expect."""
    sdk.create("whole", ECHO)
    task_id = sdk.submit("whole", b"payload", x_fc_async_task_id="named-task")
    task = sdk.reach("whole", task_id, *OVER)

    assert (task_id, task.task_id, task.status) == ("named-task", "named-task", "Succeeded")
    assert (task.task_payload, task.return_payload, task.task_error_message) == ("payload", "payload", "")
    assert [event.status for event in task.events] == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert [event.event_id for event in task.events] == [1, 2, 3, 4]
    stamps = [event.timestamp for event in task.events]
    assert stamps == sorted(stamps)
    assert stamps[0] <= task.started_time <= task.end_time
    assert task.duration_ms >= 0
    assert task.already_retried_times == 0
    assert task.instance_id
    assert task.function_arn.endswith("functions/whole")
    assert refused(sdk.submit, "whole", x_fc_async_task_id="named-task") == (409, "AsyncTaskAlreadyExists")


def test_tasks_are_listed_with_every_filter_page_by_page(sdk: Sdk) -> None:
    """Status, prefix, time window, order, payload, and pages that together are the whole."""
    sdk.create("listed", ECHO)
    sdk.create("waiting", ECHO)
    sdk.reserve("waiting", 0)
    done = [sdk.submit("listed", b"%d" % number, x_fc_async_task_id=f"done-{number}") for number in range(7)]
    tasks = [sdk.reach("listed", task_id, "Succeeded") for task_id in done]
    queued = sdk.submit("waiting", x_fc_async_task_id="queued-1")

    seen, token = [], ""
    while True:
        page = sdk.page("listed", limit=3, next_token=token or None, sort_order_by_time="asc", prefix="done-")
        seen += [task.task_id for task in page.tasks]
        token = page.next_token
        if not token:
            break
    assert seen == done
    assert [task.task_id for task in sdk.page("listed").tasks] == done[::-1]
    assert len(sdk.page("listed", status="Succeeded", limit=100).tasks) == 7
    assert sdk.page("listed", status="Failed").tasks == []
    assert [task.task_id for task in sdk.page("waiting", status="Enqueued").tasks] == [queued]
    assert {task.task_payload for task in sdk.page("listed", include_payload=True).tasks} == set("0123456")
    middle = tasks[3].started_time
    window = sdk.page("listed", started_time_begin=middle, started_time_end=middle, limit=100).tasks
    assert done[3] in [task.task_id for task in window]
    assert all(task.started_time == middle for task in window)
    assert refused(sdk.page, "listed", limit=101) == (400, "InvalidArgument")
    sdk.stop("waiting", queued)


def test_stops_from_every_status(sdk: Sdk) -> None:
    """Enqueued, delayed, Running, Retrying; a second stop and a stop of what has ended are refused."""
    sdk.create("sleeper", SLEEPER, timeout=600)
    sdk.create("broken", FLAKY)
    sdk.configure("broken", max_async_retry_attempts=8)
    sdk.reserve("sleeper", 1)
    running = sdk.submit("sleeper", b"600")
    sdk.reach("sleeper", running, "Running")
    queued = sdk.submit("sleeper")
    delayed = sdk.submit("sleeper", common_headers={"x-fc-async-delay": "600"})
    for task_id in (queued, delayed):
        sdk.stop("sleeper", task_id)
        assert sdk.path("sleeper", task_id) == ["Enqueued", "Stopping", "Stopped"]
    sdk.stop("sleeper", running)
    task = sdk.reach("sleeper", running, "Stopped")
    assert [event.status for event in task.events] == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert '"processesLeft":0' in task.events[-1].event_detail
    assert "signal" in task.events[-1].event_detail
    retrying = sdk.submit("broken", b"9")
    sdk.reach("broken", retrying, "Retrying")
    sdk.stop("broken", retrying)
    task = sdk.reach("broken", retrying, "Stopped")
    assert [event.status for event in task.events][-2:] == ["Stopping", "Stopped"]
    assert refused(sdk.stop, "broken", retrying) == (412, "AsyncTaskAlreadyCompleted")
    assert refused(sdk.stop, "broken", "nobody") == (404, "AsyncTaskNotFound")


def test_retries_expiry_and_invalid(sdk: Sdk) -> None:
    """Twice failed and then well; failed for good; too old behind a busy function; its function deleted meanwhile."""
    sdk.create("flaky", FLAKY)
    sdk.create("busy", SLEEPER, timeout=600)
    config = sdk.configure("flaky", max_async_retry_attempts=2)
    assert (config.max_async_retry_attempts, config.max_async_event_age_in_seconds) == (2, 86_400)
    well, failed = sdk.submit("flaky", b"2"), sdk.submit("flaky", b"9")
    sdk.configure("busy", max_async_event_age_in_seconds=1)
    sdk.reserve("busy", 1)
    running = sdk.submit("busy", b"600")
    sdk.reach("busy", running, "Running")
    expiring = sdk.submit("busy")

    task = sdk.reach("flaky", well, *OVER)
    assert (task.status, task.return_payload, task.already_retried_times) == ("Succeeded", '{"attempt": 3}', 2)
    attempt = ["Running", "Retrying"]
    assert sdk.path("flaky", well) == ["Enqueued", "Dequeued", *attempt, *attempt, "Running", "Succeeded"]
    task = sdk.reach("flaky", failed, *OVER)
    assert (task.status, task.task_error_message) == ("Failed", "UnhandledInvocationError")
    assert "ConnectionError" in task.return_payload
    sdk.reach("busy", expiring, "Expired")
    assert sdk.path("busy", expiring) == ["Enqueued", "Dequeued", "Expired"]

    sdk.configure("busy", max_async_event_age_in_seconds=600)
    invalid = sdk.submit("busy")
    sdk.client.delete_function("busy")
    sdk.reach("busy", invalid, "Invalid")
    assert sdk.get("busy", running).status == "Running"
    sdk.stop("busy", running)
    sdk.reach("busy", running, "Stopped")


def test_a_wrong_key_gets_in_nowhere(sdk: Sdk, server: LiveServer) -> None:
    """Neither a wrong secret nor an unknown key id."""
    wrong = Sdk(server, secret="x" * 32)
    unknown = Sdk(server, key_id="nobody")
    assert refused(wrong.client.list_functions, models.ListFunctionsRequest())[0] == 403
    assert refused(unknown.create, "sneaked", ECHO)[0] == 403
    assert refused(sdk.client.get_function, "sneaked", models.GetFunctionRequest())[0] == 404
