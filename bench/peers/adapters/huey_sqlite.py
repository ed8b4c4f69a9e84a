"""Huey on SQLite with every commit synced."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.peers.bodies import perform
from bench.peers.peer import Facts, Peer, beside, given
from huey import SqliteHuey


def made(directory: str) -> Any:
    """The queue, and the task on it."""
    queue = SqliteHuey("peer", filename=str(Path(directory or ".") / "huey.db"), fsync=True)
    return queue, queue.task(name="perform", retries=3)(perform)


if given("PEER_DIRECTORY"):
    huey, task = made(given("PEER_DIRECTORY"))


class HueySqlite(Peer):
    """One consumer with four threads."""

    facts = Facts("", "the message, synced to disk; taken away when it starts", "no: only results")

    def worker(self) -> list[str]:
        """The consumer."""
        return [
            beside("huey_consumer"),
            "bench.peers.adapters.huey_sqlite.huey",
            "-w",
            "4",
            "-d",
            "0.001",
            "-m",
            "0.01",
        ]

    async def open(self) -> None:
        """The queue of the client."""
        self._huey, self._task = made(str(self.directory))

    async def submit(self, body: str, place: str) -> Any:
        """Enqueue it; Huey has no asynchronous client."""
        return self._task(body, place)

    async def result(self, handle: Any) -> None:
        """Ask for its result until it is there."""
        while handle.get() is None:  # noqa: ASYNC110 - Huey tells nobody
            await asyncio.sleep(0.001)

    async def results(self, handles: Sequence[Any]) -> None:
        """One after the other."""
        for handle in handles:
            await self.result(handle)

    async def stop(self, handle: Any) -> None:
        """Revoke it, which is for what has not begun."""
        handle.revoke()


ADAPTER = HueySqlite
