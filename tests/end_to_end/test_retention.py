"""Retention on a real server: what is over goes by itself, and what waits stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from live import until
from sojourn.client import Client, NotFound
from sojourn.testing.deployer import Deployer
from sojourn.testing.local import LocalServer

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture(name="server", scope="module")
def forgetful_server() -> Iterator[LocalServer]:
    """Ten minutes are a second, and all that a task is kept for."""
    settings = {"sandbox": "process", "time_scale": 600, "retention_seconds": 600, "metrics_token": TOKEN}
    with LocalServer(settings) as running:
        yield running


def gone(client: Client, function: str, task_id: str) -> bool:
    """Whether there is no such task."""
    try:
        client.get_task(function, task_id)
    except NotFound:
        return True
    return False


def test_what_is_over_goes_and_what_waits_stays(server: LocalServer, tmp_path: Path) -> None:
    """Its id is free again, and the counter has counted."""
    with server.client() as client:
        deploy = Deployer(client, tmp_path)
        deploy("quick", source="def handler(e, c):\n    print('output')\n    return e\n")
        deploy("closed", source="def handler(e, c):\n    pass\n", reserved_concurrency=0)
        waiting = client.submit("closed").task_id
        client.submit("quick", b"x" * 5_000, task_id="mine")

        until(lambda: gone(client, "quick", "mine"), 60, "deleted")

        assert not gone(client, "closed", waiting)
        assert client.submit("quick", b"again", task_id="mine").task_id == "mine"
        page = httpx.get(f"{server.endpoint}/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text
        assert re.search(r"^sojourn_tasks_deleted_total [1-9]", page, re.MULTILINE)
        deploy.close()
