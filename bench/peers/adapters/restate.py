"""Restate: a service of one durable handler, served by Hypercorn as its documentation says, and its HTTP ingress."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from typing import Any

import aiohttp
import restate
from bench.peers.bodies import perform
from bench.peers.peer import Facts, Peer, beside
from bench.peers.servers import free_port

CONNECTIONS = 100
REGISTER_SECONDS_MAX = 30.0
SERVING = """bind = "127.0.0.1:{port}"
h2_max_concurrent_streams = 2147483647
keep_alive_max_requests = 2147483647
keep_alive_timeout = 2147483647
workers = {workers}
"""
"""The file for production of its documentation."""
WORKERS = 1
"""The documentation has eight; every peer here has one worker process."""

service = restate.Service("peer")


@service.handler("perform")
async def perform_durably(context: restate.Context, given: list[str]) -> str:
    """Do nothing here, and anything else as a durable step, which the SDK runs in a thread."""
    body, place = given
    return perform(body, place) if body == "noop" else await context.run_typed("body", lambda: perform(body, place))


app = restate.app(services=[service])


class Restate(Peer):
    """One server, which pushes invocations to one service process; the latter is what is killed."""

    facts = Facts("restate", "the invocation, synced to disk in a replicated log", "current one, with its steps, a day")

    def worker(self) -> list[str]:
        """The service."""
        return [beside("hypercorn"), "--config", str(self._serving), "bench.peers.adapters.restate:app"]

    async def open(self) -> None:
        """Write the service's settings; a client of plain HTTP, which keeps its connections."""
        self._port, self._registered = free_port(), False
        self._ingress, self._admin = self.url.split(",")
        self._serving = self.directory / "hypercorn.toml"
        self._serving.write_text(SERVING.format(port=self._port, workers=WORKERS))
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=aiohttp.ClientTimeout(total=None)
        )

    async def ready(self) -> None:
        """Register the service once it serves; later the server finds it again by itself."""
        async with asyncio.timeout(REGISTER_SECONDS_MAX):
            while not self._registered:
                where = {"uri": f"http://127.0.0.1:{self._port}"}
                async with self._http.post(f"{self._admin}/deployments", json=where) as answer:
                    self._registered = answer.ok
                if not self._registered:
                    await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Close the client."""
        await self._http.close()

    async def submit(self, body: str, place: str) -> Any:
        """Send it, with a key of its own: only invocations with one can be attached to."""
        headers = {"idempotency-key": uuid.uuid4().hex, "content-type": "application/json"}
        url, data = f"{self._ingress}/peer/perform/send", json.dumps([body, place])
        async with self._http.post(url, data=data, headers=headers) as answer:
            answer.raise_for_status()
            return (await answer.json())["invocationId"]

    async def result(self, handle: Any) -> None:
        """Attach to it."""
        async with self._http.get(f"{self._ingress}/restate/invocation/{handle}/attach") as answer:
            answer.raise_for_status()
            await answer.read()

    async def results(self, handles: Sequence[Any]) -> None:
        """Attach to all, as many at a time as there are connections."""
        await asyncio.gather(*(self.result(handle) for handle in handles))

    async def stop(self, handle: Any) -> None:
        """Cancel it."""
        async with self._http.patch(f"{self._admin}/invocations/{handle}/cancel") as answer:
            answer.raise_for_status()


ADAPTER = Restate
