"""Retries that user code steers, with real exceptions in real instances."""

from __future__ import annotations

import json

import pytest

from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive, until
from sojourn.client import Client, Status

STEERING = """
class RateLimited(Exception):
    def __init__(self, seconds):
        self.retry_after = seconds

class NoSuchOrder(Exception):
    retry = False

def handler(event, context):
    wanted = event.decode()
    if wanted == "never":
        raise NoSuchOrder("17")
    if context.retry_count == 0:
        raise RateLimited(float(wanted))
    return str(context.retry_count)
"""


@pytest.fixture
def client(server: LiveServer) -> Client:
    """A client with a function that steers its retries."""
    client = server.client()
    client.deploy("steering", archive(STEERING), handler=HANDLER, runtime=RUNTIME, retries=5)
    return client


def test_an_exception_says_that_it_is_of_no_use_to_try_again(client: Client) -> None:
    """Failed after one attempt, and the history says whose word it was."""
    task = client.wait("steering", client.submit("steering", "never").task_id, timeout=60)

    assert [event.status.value for event in task.events] == ["Enqueued", "Dequeued", "Running", "Failed"]
    assert task.events[-1].detail["retryable"] is False
    assert json.loads(task.result)["errorType"] == "NoSuchOrder"


def test_an_exception_says_when_to_try_again(client: Client) -> None:
    """Not before; meanwhile the task shows the error, and when it is over the result."""
    task = client.wait("steering", client.submit("steering", "1").task_id, timeout=60)
    (retrying,) = (event for event in task.events if event.status is Status.RETRYING)
    began = [event.timestamp for event in task.events if event.status is Status.RUNNING]

    assert (task.status, task.result, task.task_error_message) == (Status.SUCCEEDED, b"1", "")
    assert retrying.detail["retryAfterSeconds"] == 1
    assert began[1] - retrying.timestamp >= 1000


@pytest.mark.parametrize("wanted", ["nan", "-5", "-inf"])
def test_a_wait_that_is_none_is_passed_over(client: Client, wanted: str) -> None:
    """The usual wait holds."""
    task = client.wait("steering", client.submit("steering", wanted).task_id, timeout=60)
    (retrying,) = (event for event in task.events if event.status is Status.RETRYING)

    assert task.succeeded
    assert "retryAfterSeconds" not in retrying.detail


def test_a_wait_of_more_than_a_day_is_a_day(client: Client) -> None:
    """And a task that waits can be stopped, as ever."""
    task_id = client.submit("steering", "1e300").task_id
    until(lambda: client.get_task("steering", task_id).status is Status.RETRYING, 30, "retrying")
    task = client.get_task("steering", task_id)

    assert task.events[-1].detail["retryAfterSeconds"] == 86_400
    assert task.events[-1].detail["retryAt"] - task.events[-1].timestamp == pytest.approx(86_400_000, abs=1000)
    client.stop_task("steering", task_id)
    assert client.wait("steering", task_id, timeout=60).status is Status.STOPPED
