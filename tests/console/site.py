"""A server with a function to watch, for the tests in a browser."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx

from live import LiveServer, archive
from sojourn.client import Client

HANDLER = """
import json
import os
import time


def pre_stop(context):
    print("the hook ran")


def handler(event, context):
    told = json.loads(event or b"{}")
    if "report" in told:
        context.progress(told["report"][0], message=told["report"][1])
    for line in told.get("lines", []):
        print(line)
    for step in range(told.get("steps", 1)):
        print("step", step, flush=True)
        time.sleep(told.get("pause", 0))
    while "until" in told and not os.path.exists(told["until"]):
        time.sleep(0.02)
    if "fail" in told:
        raise ValueError(told["fail"])
    return told.get("give", told)
"""
LONG: dict[str, object] = {"steps": 600, "pause": 0.2}
"""What a task is told that is to run until it is stopped."""


class Site:
    """The server, its owner's client and a token for its console."""

    def __init__(self, server: LiveServer, client: Client) -> None:
        self.server, self.client = server, client
        self.token = client.create_token("admin", name="tests").token

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.server.endpoint

    @property
    def signal(self) -> Path:
        """A file that functions wait for when they are told so; they run as other users and can see it there."""
        return self.server.root / "signal"

    def function(self, name: str, *, description: str = "", concurrency: int | None = None) -> str:
        """A function of that name."""
        hooks = {"instanceLifecycleConfig": {"preStop": {"handler": "index.pre_stop", "timeout": 5}}}
        self.client.deploy(
            name,
            archive(HANDLER),
            handler="index.handler",
            runtime="python3",
            timeout=600,
            retries=0,
            description=description,
            reserved_concurrency=concurrency,
            settings=hooks,
        )
        return name

    def submit(self, name: str, told: dict[str, object], task_id: str | None = None) -> str:
        """A task; its id."""
        return self.client.submit(name, json.dumps(told), task_id=task_id).task_id

    def offers(self, method: str, path: str) -> bool:
        """Whether this server has an operation at a path."""
        headers = {"authorization": f"Bearer {self.token}"}
        reply = httpx.request(method, self.url + path, headers=headers, trust_env=False)
        return not (reply.status_code in (404, 405) and reply.json()["Code"] == "PathNotSupported")


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """One, until the end of the block."""
    with LiveServer(settings={"SOJOURN_GRACE_SECONDS": "0.3", "SOJOURN_DRAIN_SECONDS": "0"}) as server:
        yield Site(server, server.client())
