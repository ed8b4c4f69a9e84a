"""DBOS on either of its databases: the worker, which is this file as a program, and what its client does."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from typing import Any

from bench.peers.bodies import perform
from bench.peers.peer import Peer, given
from dbos import DBOS, DBOSClient

QUEUE = "peer"
VERSION = "1"
POLL_SECONDS = 0.01
"""Tuned down from a second, for worker and client."""


class Dbos(Peer):
    """One worker process; its workflows run in threads."""

    @property
    def database(self) -> str:
        """The address of its system database."""
        return self.url

    @property
    def environment(self) -> dict[str, str]:
        """Where the worker finds the database."""
        return super().environment | {"PEER_URL": self.database}

    def worker(self) -> list[str]:
        """The program below."""
        return [sys.executable, "-m", "bench.peers.adapters._dbos"]

    async def open(self) -> None:
        """Nothing is there before the worker has made its tables."""
        self._client: Any = None

    async def ready(self) -> None:
        """Try until the tables are there."""
        while self._client is None:
            try:
                client = await asyncio.to_thread(DBOSClient, system_database_url=self.database)
                options = {"queue_name": QUEUE, "workflow_name": "perform", "app_version": VERSION}
                await client.enqueue_async(options, "noop", "")
            except Exception:  # noqa: BLE001 - each layer below raises errors of its own until the tables are there
                await asyncio.sleep(0.1)
            else:
                self._client = client

    async def close(self) -> None:
        """Let go of its connections."""
        if self._client is not None:
            self._client.destroy()

    async def submit(self, body: str, place: str) -> Any:
        """Enqueue a workflow."""
        options = {"queue_name": QUEUE, "workflow_name": "perform", "app_version": VERSION}
        return await self._client.enqueue_async(options, body, place)

    async def result(self, handle: Any) -> None:
        """Wait for it."""
        await handle.get_result(polling_interval_sec=POLL_SECONDS)

    async def results(self, handles: Sequence[Any]) -> None:
        """One after the other: those that are over meanwhile are answered at once."""
        for handle in handles:
            await self.result(handle)

    async def stop(self, handle: Any) -> None:
        """Cancel it."""
        await asyncio.to_thread(self._client.cancel_workflow, handle.get_workflow_id())


def serve(url: str) -> None:
    """Run workflows until killed."""
    DBOS(config={"name": "peer", "system_database_url": url, "application_version": VERSION})
    DBOS.workflow(name="perform")(perform)
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=POLL_SECONDS)
    threading.Event().wait()


if __name__ == "__main__":
    serve(given("PEER_URL"))
