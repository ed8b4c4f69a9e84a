"""A server whose time runs faster: what comes sooner, and what does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from sojourn.client import Client, Status
from sojourn.testing.deployer import Deployer
from sojourn.testing.local import LocalServer

SCALE = 600


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """Ten minutes are a second."""
    with LocalServer(
        {"sandbox": "process", "time_scale": SCALE, "retry_base_seconds": 60, "retry_cap_seconds": 300}
    ) as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[Client]:
    """A client whose signatures carry the real date."""
    with server.client() as talking:
        yield talking


@pytest.fixture
def deploy(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Functions for one test."""
    deployer = Deployer(client, tmp_path_factory.mktemp("code"))
    yield deployer
    deployer.close()


def test_delays_and_retries_come_sooner(client: Client, deploy: Deployer) -> None:
    """An hour's delay and three minutes of backoff pass within this test's patience, and the history tells the hour."""
    deploy("flaky", source="def handler(e, c):\n    assert c.retry_count == 2\n", retries=2, timeout=60)
    accepted = client.submit("flaky", delay=3600)
    task = client.wait("flaky", accepted.task_id, timeout=60)

    assert task.status is Status.SUCCEEDED
    assert task.already_retried_times == 2
    waited = next(event.timestamp for event in task.events if event.status is Status.DEQUEUED)
    assert waited - task.events[0].timestamp >= 3_600_000
    assert task.end_time - waited >= 140_000


def test_ages_come_sooner(client: Client, deploy: Deployer) -> None:
    """A task that must not start expires after its hour."""
    deploy("closed", source="def handler(e, c):\n    pass\n", max_age=3600, reserved_concurrency=0)
    task = client.wait("closed", client.submit("closed").task_id, timeout=60)

    assert task.status is Status.EXPIRED


def test_timeouts_come_sooner_but_leave_a_second(client: Client, deploy: Deployer) -> None:
    """A minute's timeout ends a function that would sleep on; half a second of work is not cut short by it."""
    deploy("slow", source="import time\ndef handler(e, c):\n    time.sleep(float(e))\n    return 'done'\n", timeout=60)
    late = client.invoke("slow", b"86000")
    good = client.invoke("slow", b"0.2")

    assert b"timed out after 60" in late.result
    assert good.result == b"done"


def test_keys_for_a_time_last_as_long_as_anywhere(client: Client) -> None:
    """Their end is told, and comes, by the clock that signatures go by."""
    made = [client.issue_key(seconds=900) for _ in range(2)]
    ends = [datetime.fromisoformat(each.expiration).timestamp() for each in made]
    assert all(890 < end - time.time() <= 901 for end in ends)


def test_the_scale_is_told_at_the_start(client: Client) -> None:
    """A refused scale names its bounds; the ready line of `serve` tells the scale (see `test_development`)."""
    del client
    with pytest.raises(RuntimeError, match="SOJOURN_TIME_SCALE must be between 1 and 1000"):
        LocalServer({"time_scale": 0.5}).start()
