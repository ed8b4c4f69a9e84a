"""A peer: what the comparison asks of a task queue, the same for all. Standard library only, as it runs in two venvs.

An adapter says how this peer does it in its best documented configuration, and nothing about measuring: that is
`contest`. Where a peer has no such thing it raises `NotOffered`, and the table shows a dash.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NotOffered(Exception):
    """The peer has no such verb."""


@dataclass(frozen=True)
class Facts:
    """What is to be known of a peer beside its figures.

    `needs` is the server that it stands on: `redis`, `postgres` or nothing. `durable` says what is on disk when a
    submit returns, `statuses` whether every status of a task is kept and can be asked for.
    """

    needs: str
    durable: str
    statuses: str


class Peer:
    """One peer, seen by its client; `directory` is for its files and `url` leads to the server it needs."""

    facts: Facts

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url

    @property
    def environment(self) -> dict[str, str]:
        """What its worker's environment has besides."""
        return {"PEER_URL": self.url, "PEER_DIRECTORY": str(self.directory)}

    def worker(self) -> list[str]:
        """The command of its worker."""
        raise NotImplementedError

    async def open(self) -> None:
        """Make ready what a client needs; called before the worker is started."""

    async def ready(self) -> None:
        """Called when the worker has been started, before anything is submitted."""

    async def close(self) -> None:
        """Let go of everything."""

    async def submit(self, body: str, place: str) -> Any:
        """Submit a task; returns what names it when the peer has acknowledged it."""
        raise NotImplementedError

    async def submit_many(self, count: int) -> Sequence[Any]:
        """Submit tasks that do nothing, all at once."""
        raise NotOffered(f"{count} at once")

    async def result(self, handle: Any) -> None:
        """Return when the peer says that this task is over, as soon as it can."""
        raise NotImplementedError

    async def results(self, handles: Sequence[Any]) -> None:
        """Return when it says so of all of them."""
        await asyncio.gather(*(self.result(handle) for handle in handles))

    async def stop(self, handle: Any) -> float | None:
        """Have a running task stopped; a peer with a hook for it says how many milliseconds went beside the hook."""
        raise NotOffered(f"stopping {handle}")


def beside(program: str) -> str:
    """A program of the venv that this runs in."""
    return str(Path(sys.executable).with_name(program))


def given(name: str) -> str:
    """What the harness tells a worker: `PEER_URL` or `PEER_DIRECTORY`."""
    return os.environ.get(name, "")
