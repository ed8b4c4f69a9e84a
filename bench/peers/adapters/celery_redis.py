"""Celery with Redis as broker and result backend, with late acknowledgement: documented for work that must be done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bench.peers.bodies import perform
from bench.peers.peer import Facts, Peer, beside, given
from celery import Celery, group

VISIBLE_SECONDS = 10
"""Tuned down from an hour, so that a task of a dead worker is given out again while somebody waits."""


def made(url: str) -> Celery:
    """The application."""
    app = Celery("peer", broker=url, backend=url)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_track_started=True,
        broker_transport_options={"visibility_timeout": VISIBLE_SECONDS},
        broker_connection_retry_on_startup=True,
    )
    return app


app = made(given("PEER_URL"))


@app.task(name="perform")
def body_of(body: str, place: str) -> str:
    """The task."""
    return perform(body, place)


class CeleryRedis(Peer):
    """One worker with two processes."""

    facts = Facts("redis", "the message, in memory; on disk within a second", "started and ended, for a day")

    def worker(self) -> list[str]:
        """The worker."""
        module = "bench.peers.adapters.celery_redis"
        return [beside("celery"), "-A", module, "worker", "--concurrency", "2", "--loglevel", "WARNING"]

    async def open(self) -> None:
        """The application of the client."""
        self._app = made(self.url)

    async def submit(self, body: str, place: str) -> Any:
        """`send_task`; Celery has no asynchronous client."""
        return self._app.send_task("perform", (body, place))

    async def submit_many(self, count: int) -> Sequence[Any]:
        """A group."""
        signature = self._app.signature("perform", ("noop", ""))
        found: Sequence[Any] = group([signature] * count).apply_async().results
        return found

    async def result(self, handle: Any) -> None:
        """Wait, as its documentation does, in a thread so that others are not held up."""
        await asyncio.to_thread(handle.get, interval=0.001)

    async def results(self, handles: Sequence[Any]) -> None:
        """One after the other: results that came meanwhile are there."""
        for handle in handles:
            handle.get(interval=0.001)

    async def stop(self, handle: Any) -> None:
        """Revoke it and have its process killed."""
        handle.revoke(terminate=True, signal="SIGKILL")


ADAPTER = CeleryRedis
