"""Fairness on a real server: a long line of slow tasks before one function is nobody else's."""

from __future__ import annotations

import pytest

from bench import load, wire
from end_to_end.isolation import BRISK, why_not
from end_to_end.lives import deploy, run
from end_to_end.post import Post
from live import LiveServer
from sojourn.client import Status, TaskFilter

CROWD = 20_000
WAITS = "tell('began')\nreturn 1"


def crowd(server: LiveServer, name: str, count: int) -> None:
    """Put so many tasks of a function into its line."""
    known = server.credentials
    target = wire.target(known["endpoint"], known["accessKeyId"], known["accessKeySecret"])
    report = load.run(load.Plan(target=target, function=name, payload=b"", requests=count, connections=8))
    assert report.accepted == count


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_line_of_slow_tasks_keeps_no_other_function_from_its_first_task(sandbox: str, post: Post) -> None:
    """20,000 slow tasks of A wait or run; B's first task, and C's first call, end while none of A's has ended."""
    if sandbox == "process" and not why_not("bubblewrap"):
        pytest.skip("one isolation is enough: the line is before the sandbox")
    settings = {**BRISK, "SOJOURN_INSTANCES_MAX": "12"}
    with LiveServer(sandbox=sandbox, settings=settings) as server:
        client = server.client()
        slow = deploy(client, post, "slow", handler=WAITS)
        quick, called = (
            deploy(client, post, "quick", handler="return 2"),
            deploy(client, post, "called", handler="return 3"),
        )
        post.hold("began")
        crowd(server, slow, CROWD)
        post.wait("began", 8)
        first = run(client, quick)
        answer = client.invoke(called)

        assert (first.status, first.result, answer.result) == (Status.SUCCEEDED, b"2", b"3")
        assert client.list_tasks(slow, TaskFilter(status=Status.SUCCEEDED)).tasks == []
        assert client.list_tasks(slow, TaskFilter(status=Status.ENQUEUED, limit=1)).tasks != []
        again = [run(client, quick) for _ in range(10)]
        assert all(task.succeeded for task in again)
        assert client.list_tasks(slow, TaskFilter(status=Status.SUCCEEDED)).tasks == []


@pytest.mark.slow
def test_another_account_gets_its_first_task_through(post: Post) -> None:
    """The first account's line fills the room; the second one's task ends while none of these has."""
    if reason := why_not("bubblewrap"):
        pytest.skip(reason)
    settings = {**BRISK, "SOJOURN_INSTANCES_MAX": "16", "SOJOURN_NETWORK_OTHERS": "host"}
    with LiveServer(sandbox="bubblewrap", settings=settings) as server:
        client = server.client()
        key = client.create_account("second")
        for number in range(4):
            name = deploy(client, post, f"slow-{number}", handler=WAITS)
            post.hold("began")
            crowd(server, name, 400)
        post.wait("began", 12)
        other = server.client(key.access_key_id, key.access_key_secret)
        task = run(other, deploy(other, post, "first", handler="return 1"))

        assert task.succeeded
        for number in range(4):
            assert client.list_tasks(f"slow-{number}", TaskFilter(status=Status.SUCCEEDED)).tasks == []
