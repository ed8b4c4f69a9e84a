"""PgQueuer on PostgreSQL; the worker is this file as a program."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
from bench.peers.bodies import perform
from bench.peers.peer import Facts, Peer, given
from pgqueuer import PgQueuer
from pgqueuer.core.completion import CompletionWatcher
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

BATCH = 100
HEARTBEAT_SECONDS = 10
"""Tuned down from thirty: when a job of a worker that is not heard of is given to another one."""
DEBOUNCE_MILLISECONDS = 1
"""Tuned down from fifty: how long its client gathers notifications."""


class PgqueuerPostgres(Peer):
    """One worker process; what blocks goes to threads."""

    facts = Facts("postgres", "the job, synced to disk", "current one; a log of ends, jobs themselves are deleted")

    def worker(self) -> list[str]:
        """The program below."""
        return [sys.executable, "-m", "bench.peers.adapters.pgqueuer_postgres"]

    async def open(self) -> None:
        """Connections of the client, and its tables."""
        driver = AsyncpgDriver(await asyncpg.connect(self.url))
        self._queries = Queries(driver)
        await self._queries.install()
        listening = AsyncpgDriver(await asyncpg.connect(self.url))
        debounce = timedelta(milliseconds=DEBOUNCE_MILLISECONDS)
        watcher = CompletionWatcher(listening, queries=Queries(listening), debounce=debounce)
        self._watcher = await watcher.__aenter__()
        self._one = asyncio.Lock()

    async def submit(self, body: str, place: str) -> Any:
        """Enqueue it; a connection does one thing at a time."""
        async with self._one:
            (handle,) = await self._queries.enqueue("perform", json.dumps([body, place]).encode())
        return handle

    async def submit_many(self, count: int) -> Sequence[Any]:
        """Enqueue many in one statement."""
        payload = json.dumps(["noop", ""]).encode()
        found: Sequence[Any] = await self._queries.enqueue(["perform"] * count, [payload] * count, [0] * count)
        return found

    async def result(self, handle: Any) -> None:
        """Wait for its notification."""
        await self._watcher.wait_for(handle)

    async def stop(self, handle: Any) -> None:
        """Cancel it."""
        async with self._one:
            await self._queries.mark_job_as_cancelled([handle])


ADAPTER = PgqueuerPostgres


async def serve(url: str) -> None:
    """Run jobs until killed."""
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

    @queue.entrypoint("perform")
    async def body_of(job: Any) -> None:
        body, place = json.loads(job.payload)
        if body == "noop":
            perform(body, place)
        else:
            await asyncio.to_thread(perform, body, place)

    await queue.run(batch_size=BATCH, heartbeat_timeout=timedelta(seconds=HEARTBEAT_SECONDS))


if __name__ == "__main__":
    asyncio.run(serve(given("PEER_URL")))
