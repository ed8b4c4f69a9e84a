"""SIGTERM: nothing new starts, what runs gets its grace, what is queued stays queued, and nothing is left running."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from end_to_end.functions import HANDLER, RUNTIME, SLEEPER
from end_to_end.lives import deploy
from end_to_end.post import Post
from live import LiveServer, archive, until
from sojourn.client import Client, Conflict, Status, Task, Throttled
from sojourn.task import INSTANCE_LOST


@pytest.fixture
def draining(sandbox: str) -> Iterator[LiveServer]:
    """A server with a sleeper that sleeps one at a time, and a long grace for what runs."""
    settings = {"SOJOURN_DRAIN_SECONDS": "60", "SOJOURN_GRACE_SECONDS": "0.2"}
    with LiveServer(sandbox=sandbox, settings=settings) as server:
        client = server.client()
        client.deploy("sleeper", archive(SLEEPER), handler=HANDLER, runtime=RUNTIME, timeout=600, retries=0)
        client.put_concurrency("sleeper", 1)
        yield server


def running(client: Client, seconds: float) -> str:
    """A task that sleeps in its instance."""
    task_id = client.submit("sleeper", str(seconds)).task_id
    until(lambda: client.get_task("sleeper", task_id).status is Status.RUNNING, 30, "running")
    return task_id


def path(task: Task) -> list[str]:
    """Its statuses so far."""
    return [event.status.value for event in task.events]


def refuses(client: Client) -> bool:
    """Whether submits are refused with a word about why."""
    try:
        client.submit("sleeper", "0", delay=3600)
    except Throttled as error:
        return "draining" in str(error)
    return False


def test_a_drain_lets_the_running_end_and_keeps_the_queued(draining: LiveServer, post: Post) -> None:
    """Submits are refused meanwhile; queries and stops are answered; the next start runs what was queued."""
    client = draining.client()
    deploy(client, post, "sleeper", handler="tell(event.decode())")
    post.hold("first")
    first = client.submit("sleeper", "first").task_id
    post.wait("first")
    queued, unwanted = client.submit("sleeper", "0").task_id, client.submit("sleeper", "0").task_id
    draining.signal(signal.SIGTERM)
    until(lambda: refuses(client), 30, "draining")
    assert client.get_task("sleeper", first).status is Status.RUNNING
    client.stop_task("sleeper", unwanted)
    post.let_go()
    assert draining.wait() == 0, draining.log()
    ended_ms = time.time_ns() // 1_000_000
    assert draining.processes() == []

    draining.start()
    client = draining.client()
    assert path(client.get_task("sleeper", first)) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert path(client.get_task("sleeper", unwanted)) == ["Enqueued", "Stopping", "Stopped"]
    task = client.wait("sleeper", queued, timeout=30)
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert task.events[1].timestamp >= ended_ms


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_the_grace_short(draining: LiveServer, number: signal.Signals) -> None:
    """The attempt is lost by our doing: without any retry allowed it runs again at the next start, and once."""
    client = draining.client()
    task_id = running(client, 600)
    draining.signal(number)
    until(lambda: refuses(client), 30, "draining")
    draining.signal(number)
    assert draining.wait() == 0, draining.log()
    assert draining.processes() == []

    draining.start()
    client = draining.client()
    until(lambda: path(client.get_task("sleeper", task_id))[-1] == "Running", 30, "running again")
    task = client.get_task("sleeper", task_id)
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Retrying", "Running"]
    assert task.events[3].detail["errorType"] == INSTANCE_LOST
    assert task.already_retried_times == 0
    client.stop_task("sleeper", task_id)
    assert client.wait("sleeper", task_id, timeout=30).status is Status.STOPPED
    with pytest.raises(Conflict):
        client.stop_task("sleeper", task_id)


def test_stopping_what_runs_ends_a_drain_at_once(draining: LiveServer) -> None:
    """The evidence is written before the server goes."""
    client = draining.client()
    task_id = running(client, 600)
    draining.signal(signal.SIGTERM)
    until(lambda: refuses(client), 30, "draining")
    client.stop_task("sleeper", task_id)
    assert draining.wait() == 0, draining.log()

    draining.start()
    task = draining.client().get_task("sleeper", task_id)
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert task.events[-1].detail["processesLeft"] == 0
