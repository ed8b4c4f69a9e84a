"""A watcher of a real server: it hears whole lives, and a restart is told and lost on nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from end_to_end.functions import ECHO, HANDLER, RUNTIME
from live import LiveServer, archive

LIFE = ["Enqueued", "Dequeued", "Running", "Succeeded"]


@contextmanager
def watching(server: LiveServer, token: str, last_id: str = "") -> Iterator[Iterator[dict[str, str]]]:
    """The blocks of a stream."""
    headers = {"authorization": f"Bearer {token}"} | ({"last-event-id": last_id} if last_id else {})
    with httpx.stream("GET", f"{server.endpoint}/v1/watch", headers=headers, trust_env=False, timeout=30) as response:
        assert response.status_code == 200
        yield _blocks(response.iter_lines())


def _blocks(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    found: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        else:
            yield found
            found = {}


def test_lives_are_heard_before_and_after_a_restart() -> None:
    """Each event of a task that runs; the drain ends the stream; the old place is answered with a reset."""
    with LiveServer() as server:
        client = server.client()
        client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME)
        token = client.create_token("read").token
        with watching(server, token) as blocks:
            last_id = next(blocks)["id"]
            task_id = client.submit("echo", b"{}", task_id="first").task_id
            heard: list[dict[str, object]] = []
            while len(heard) < len(LIFE):
                block = next(blocks)
                last_id = block["id"]
                heard += [json.loads(block["data"])] if "data" in block else []
            assert [each["status"] for each in heard] == LIFE
            assert {each["taskId"] for each in heard} == {task_id}
            client.wait("echo", task_id)
            server.terminate()
            assert list(blocks) == []
        server.start()
        with watching(server, token, last_id) as blocks:
            block = next(blocks)
            assert (block["event"], "started again" in block["data"]) == ("reset", True)
            server.client().submit("echo", b"{}", task_id="second")
            assert json.loads(next(blocks)["data"])["taskId"] == "second"
