"""Sojourn itself, as its users have it: `sojourn serve` and the asynchronous Python client."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.peers import bodies
from bench.peers.peer import Facts, Peer, beside
from bench.peers.servers import free_port

from sojourn.client import AsyncClient, ClientError, Connection, Submission, Throttled, Unreachable

RUNTIME = f"python3.{sys.version_info.minor}"
READY_SECONDS_MAX = 30.0
ASKED_AT_ONCE = 8
"""Of the tasks that are waited for: more only keep the server busy with answers that they still run."""
CODE = """import json, pathlib, bodies
place = ""
def handler(event, context):
    global place
    body, place = json.loads(event)
    return bodies.perform(body, place)
def pre_stop(context):
    if place:
        (pathlib.Path(place) / "hooked").touch()
"""
HOOKS = {"instanceLifecycleConfig": {"preStop": {"handler": "index.pre_stop", "timeout": 10}}}


class Sojourn(Peer):
    """One server with its SQLite store."""

    facts = Facts(
        needs="",
        durable="the task, and later every status, synced to disk before the answer",
        statuses="yes: all, with their times",
    )

    @property
    def environment(self) -> dict[str, str]:
        """The sandbox of this machine's user, with its directories to leave signs in."""
        return {"SOJOURN_DATA_DIR": str(self.directory / "data"), "SOJOURN_ALLOW_UNISOLATED": "true"}

    def worker(self) -> list[str]:
        """The server."""
        return [beside("sojourn"), "serve", "--listen", f"127.0.0.1:{self._port}", "--sandbox", "process"]

    async def open(self) -> None:
        """Choose where it listens."""
        self._port = free_port()
        self._client: AsyncClient | None = None

    async def ready(self) -> None:
        """Wait until it answers; deploy the function when this is its first start."""
        async with asyncio.timeout(READY_SECONDS_MAX):
            while True:
                try:
                    if self._client is None:
                        self._client = await self._deployed()
                    await self._client.get_function("peer")
                except (FileNotFoundError, Unreachable, Throttled):
                    await asyncio.sleep(0.005)
                else:
                    return

    async def _deployed(self) -> AsyncClient:
        known = json.loads((self.directory / "data" / "credentials.json").read_text())
        client = AsyncClient(Connection(known["endpoint"], known["accessKeyId"], known["accessKeySecret"]))
        code = self.directory / "code"
        code.mkdir(exist_ok=True)
        (code / "index.py").write_text(CODE)
        (code / "bodies.py").write_text(inspect.getsource(bodies))
        await client.deploy(
            "peer", code, handler="index.handler", runtime=RUNTIME, timeout=600, retries=3, settings=HOOKS
        )
        return client

    async def close(self) -> None:
        """Close the client."""
        await self._own.close()

    @property
    def _own(self) -> AsyncClient:
        assert self._client is not None  # noqa: S101 - `ready` was called
        return self._client

    async def submit(self, body: str, place: str) -> Any:
        """A submit; many at a time go together."""
        return (await self._own.submit("peer", json.dumps([body, place]))).task_id

    async def submit_many(self, count: int) -> Sequence[Any]:
        """A batch."""
        outcomes = await self._own.submit_many("peer", [json.dumps(["noop", ""])] * count)
        for outcome in outcomes:
            if isinstance(outcome, ClientError):
                raise outcome
        return [outcome.task_id for outcome in outcomes if isinstance(outcome, Submission)]

    async def result(self, handle: Any) -> None:
        """Ask until it is over."""
        await self._own.wait("peer", handle)

    async def results(self, handles: Sequence[Any]) -> None:
        """Ask about some at a time, oldest first: those that are over meanwhile are answered at once."""
        left = iter(handles)

        async def some() -> None:
            for handle in left:
                await self._own.wait("peer", handle)

        await asyncio.gather(*(some() for _ in range(ASKED_AT_ONCE)))

    async def stop(self, handle: Any) -> float:
        """Stop it, and wait until that is proved; from the call to the Stopped event, without the hook's own time."""
        asked = time.time()
        await self._own.stop_task("peer", handle)
        stopped = (await self._own.wait("peer", handle)).events[-1]
        return float(max(stopped.timestamp - asked * 1000 - stopped.detail["preStop"]["ms"], 0.0))


ADAPTER = Sojourn
