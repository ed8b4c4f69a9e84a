"""A steady load of ordinary work on one server.

It is for finding what grows, so it goes through everything that makes and takes down something: tasks and calls, logs,
retries, stops, listings, new code, freezing, idle instances.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import sys
import zipfile

from sojourn.client import AsyncClient, ClientError, TaskFilter

SOURCE = """
import time

def handler(event, context):
    kind = event.decode()
    if kind == "chatty":
        for number in range(50):
            print("line", number, "x" * 80)
    elif kind == "flaky" and context.retry_count == 0:
        raise ConnectionError("not yet")
    elif kind == "slow":
        time.sleep(0.2)
    return event


def hook(context):
    print(context.request_id)
"""
KINDS = ("quick", "quick", "quick", "chatty", "flaky", "slow")
FUNCTIONS = ("steady", "brief", "hooked")
WAITING_MAX = 8
"""Requests under way at a time, so that the number of connections tells nothing of the machine's day."""
STOP_SHARE, CALL_SHARE, LIST_SHARE, UPDATE_SHARE = 0.05, 0.1, 0.05, 0.002
HOOK = {"handler": "index.hook", "timeout": 2}


class Load:
    """Asks through `client`, so many times a second, until it is cancelled; `accepted` counts tasks."""

    def __init__(self, client: AsyncClient, seed: int) -> None:
        self._client, self._chance = client, random.Random(seed)
        self.accepted = self.refused = 0

    async def set_up(self) -> None:
        """Create the functions; instances of `brief` and `hooked` idle for a second at most."""
        for name in FUNCTIONS:
            settings: dict[str, object] = {"idleTimeout": 60 if name == "steady" else 1}
            if name == "hooked":
                settings["instanceLifecycleConfig"] = {"initializer": HOOK, "preFreeze": HOOK, "preStop": HOOK}
            await self._deploy(name, settings)

    async def run(self, per_second: float) -> None:
        """Go on."""
        waiting = 0

        async def one() -> None:
            nonlocal waiting
            waiting += 1
            await self._one()
            waiting -= 1

        async with asyncio.TaskGroup() as group:
            while True:
                if waiting < WAITING_MAX:
                    group.create_task(one())
                await asyncio.sleep(1.0 / per_second)

    async def _one(self) -> None:
        fate, name = self._chance.random(), self._chance.choice(FUNCTIONS)
        try:
            if fate < UPDATE_SHARE:
                await self._deploy(name, None)
            elif fate < UPDATE_SHARE + CALL_SHARE:
                await self._client.invoke(name, "quick")
            elif fate < UPDATE_SHARE + CALL_SHARE + LIST_SHARE:
                await self._client.list_tasks(name, TaskFilter(limit=50))
            else:
                await self._task(name)
        except ClientError:
            self.refused += 1

    async def _task(self, name: str) -> None:
        task = await self._client.submit(name, self._chance.choice(KINDS))
        self.accepted += 1
        if self._chance.random() < STOP_SHARE:
            with contextlib.suppress(ClientError):  # it was over already
                await self._client.stop_task(name, task.task_id)

    async def _deploy(self, name: str, settings: dict[str, object] | None) -> None:
        await self._client.deploy(
            name,
            _archive(self._chance.randrange(1 << 30)),
            handler="index.handler",
            runtime=f"python3.{sys.version_info.minor}",
            timeout=5,
            memory=128,
            settings=settings,
        )


def _archive(number: int) -> bytes:
    """The code, different for each number."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("index.py", f"{SOURCE}\nNUMBER = {number}\n")
    return buffer.getvalue()
