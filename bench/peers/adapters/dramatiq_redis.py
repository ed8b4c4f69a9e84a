"""Dramatiq with Redis as broker and result backend."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import dramatiq
from bench.peers.bodies import perform
from bench.peers.peer import Facts, Peer, beside, given
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

DEAD_MILLISECONDS = 10_000
"""Tuned down from a minute: when a worker that is not heard of is taken for dead."""


def made(url: str) -> Any:
    """The broker, and the actor on it."""
    broker = RedisBroker(url=url, heartbeat_timeout=DEAD_MILLISECONDS)
    broker.add_middleware(Results(backend=RedisBackend(url=url)))
    dramatiq.set_broker(broker)
    return dramatiq.actor(perform, actor_name="perform", store_results=True, max_retries=3, time_limit=600_000)


if given("PEER_URL"):
    actor = made(given("PEER_URL"))


class DramatiqRedis(Peer):
    """One worker process with eight threads."""

    facts = Facts("redis", "the message, in memory; on disk within a second", "no: only results")

    def worker(self) -> list[str]:
        """The worker."""
        return [beside("dramatiq"), "bench.peers.adapters.dramatiq_redis", "--processes", "1", "--threads", "8"]

    async def open(self) -> None:
        """The actor of the client."""
        self._actor = made(self.url)

    async def submit(self, body: str, place: str) -> Any:
        """Send it; Dramatiq has no asynchronous client."""
        return self._actor.send(body, place)

    async def result(self, handle: Any) -> None:
        """Wait for it in a thread."""
        await asyncio.to_thread(handle.get_result, block=True, timeout=60_000)

    async def results(self, handles: Sequence[Any]) -> None:
        """One after the other."""
        for handle in handles:
            handle.get_result(block=True, timeout=60_000)


ADAPTER = DramatiqRedis
