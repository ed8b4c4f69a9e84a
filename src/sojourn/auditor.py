"""Audits of a running server's store: on a thread of their own, and one at a time however many ask."""

from __future__ import annotations

import asyncio

from .audit import Report, audit
from .store import Store


class Auditor:
    """Looks at what `store` holds when it is asked to; those who ask while it looks get the same report."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: asyncio.Future[Report] | None = None

    async def audit(self) -> Report:
        """The report on all that the store holds now.

        Raises
        ------
        StoreFailed: it cannot be read.

        """
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(asyncio.to_thread(self._look))
        return await asyncio.shield(self._running)

    def _look(self) -> Report:
        with self._store.records() as records:
            return audit(records)
