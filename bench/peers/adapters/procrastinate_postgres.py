"""Procrastinate on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bench.peers.bodies import perform
from bench.peers.peer import Facts, Peer, beside, given
from procrastinate import App, PsycopgConnector, RetryStrategy

ENDED = ("succeeded", "failed", "cancelled", "aborted")
OPEN = "SELECT count(*) AS open FROM procrastinate_jobs WHERE id = ANY(%(ids)s) AND NOT status::text = ANY(%(ended)s)"
POLL_SECONDS = 0.002


def made(url: str) -> Any:
    """The application, and the task on it."""
    app = App(connector=PsycopgConnector(conninfo=url))
    return app, app.task(name="perform", retry=RetryStrategy(max_attempts=3))(perform)


if given("PEER_URL"):
    app, task = made(given("PEER_URL"))


class ProcrastinatePostgres(Peer):
    """One worker; what blocks goes to its threads."""

    facts = Facts("postgres", "the job, and later every status, synced to disk", "yes: all, with their times")

    def worker(self) -> list[str]:
        """The worker."""
        application = "bench.peers.adapters.procrastinate_postgres.app"
        return [
            beside("procrastinate"),
            "--app",
            application,
            "worker",
            "--concurrency",
            "32",
        ]

    async def open(self) -> None:
        """The application of the client, and its tables."""
        self._app, self._task = made(self.url)
        await self._app.open_async()
        await self._app.schema_manager.apply_schema_async()

    async def close(self) -> None:
        """Close its connections."""
        await self._app.close_async()

    async def submit(self, body: str, place: str) -> Any:
        """Defer it."""
        return await self._task.defer_async(body=body, place=place)

    async def submit_many(self, count: int) -> Sequence[Any]:
        """Defer many."""
        found: Sequence[Any] = await self._task.batch_defer_async(
            *({"body": "noop", "place": ""} for _ in range(count))
        )
        return found

    async def result(self, handle: Any) -> None:
        """Ask for its status."""
        await self.results([handle])

    async def results(self, handles: Sequence[Any]) -> None:
        """Ask how many are not over."""
        connector, given = self._app.connector, {"ids": list(handles), "ended": list(ENDED)}
        while (await connector.execute_query_one_async(OPEN, **given))["open"]:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self, handle: Any) -> None:
        """Cancel it, with abortion."""
        await self._app.job_manager.cancel_job_by_id_async(handle, abort=True)


ADAPTER = ProcrastinatePostgres
