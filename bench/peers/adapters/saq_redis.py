"""SAQ with Redis: its worker and its client are asynchronous; blocking work goes to a thread, as it documents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bench.peers.bodies import perform
from bench.peers.peer import Facts, Peer, beside, given
from saq import Queue

HEARTBEAT_SECONDS = 5
"""How long a job may give no sign of life before it is taken for lost."""


async def body_of(_context: dict[str, Any], *, body: str, place: str) -> str:
    """The job."""
    return perform(body, place) if body == "noop" else await asyncio.to_thread(perform, body, place)


url = given("PEER_URL")
settings = {"queue": Queue.from_url(url), "functions": [("perform", body_of)], "concurrency": 64} if url else {}


class SaqRedis(Peer):
    """One worker process."""

    facts = Facts("redis", "the job, in memory; on disk within a second", "current one, while its record is kept")

    def worker(self) -> list[str]:
        """The worker."""
        return [beside("saq"), "bench.peers.adapters.saq_redis.settings"]

    async def open(self) -> None:
        """The queue of the client."""
        self._queue = Queue.from_url(self.url)
        await self._queue.connect()

    async def close(self) -> None:
        """Disconnect."""
        await self._queue.disconnect()

    async def submit(self, body: str, place: str) -> Any:
        """Enqueue it."""
        heartbeat = HEARTBEAT_SECONDS if body == "once" else 0
        return await self._queue.enqueue("perform", body=body, place=place, timeout=0, retries=3, heartbeat=heartbeat)

    async def result(self, handle: Any) -> None:
        """Wait for its notification."""
        await handle.refresh(until_complete=0)

    async def results(self, handles: Sequence[Any]) -> None:
        """Those that are over already are seen in one look."""
        for handle in handles:
            if not handle.completed:
                await handle.refresh(until_complete=0)

    async def stop(self, handle: Any) -> None:
        """Abort it."""
        await handle.abort("stopped")


ADAPTER = SaqRedis
