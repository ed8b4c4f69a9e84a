"""Bringing a task into a phase of its life, so that a fault can hit it there.

Every non-terminal status and every hook is a phase. What is brought about is only aimed at: whether it was met is
judged afterwards, from the histories and the journal.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from . import records
from .clients import Churn, Clients
from .functions import DESIGNS
from .journal import BEGIN, END, Journal, Word

PATIENCE_SECONDS = 4.0
POLL_SECONDS = 0.005
WORDS_KEPT = 400
UNSPOKEN = ("Enqueued", "Dequeued")
"""Phases of which the journal says nothing."""


class Watch:
    """Follows the journal as it is written, for those who wait for a word."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.recent: list[Word] = []

    async def until(self, wanted: Callable[[Word], bool], since: int) -> Word | None:
        """The first word from `since` on that is wanted; None when none comes in time."""
        deadline = records.now() + int(PATIENCE_SECONDS * 1_000_000)
        while records.now() < deadline:
            self.look()
            found = next((word for word in self.recent if word.at >= since and wanted(word)), None)
            if found is not None:
                return found
            await asyncio.sleep(POLL_SECONDS)
        return None

    def look(self) -> None:
        """Read what is new."""
        self.recent = [*self.recent, *self._journal.fresh()][-WORDS_KEPT:]

    def busy(self, *functions: str) -> list[str]:
        """Instances of these functions whose last word says that they are in the middle of something, newest first."""
        self.look()
        last = {word.instance: word for word in self.recent if word.label.partition("/")[0] in functions}
        return [name for name, word in reversed(last.items()) if word.word != END and not word.word.endswith("-end")]


class Aims:
    """Brings phases about."""

    def __init__(self, clients: Clients, churn: Churn, watch: Watch, chance: random.Random) -> None:
        self._clients, self._churn, self._watch, self._chance = clients, churn, watch, chance
        self._ways: dict[str, Callable[[int], Awaitable[Word | str | None]]] = {
            "Enqueued": self._enqueued,
            "Dequeued": self._dequeued,
            "Running": self._running,
            "Retrying": self._retrying,
            "Stopping": self._pre_stop,
            "initializer": self._initializer,
            "preFreeze": self._pre_freeze,
            "preStop": self._pre_stop,
        }

    async def bring(self, phase: str) -> tuple[bool, str]:
        """Bring a task into `phase`: whether it seems to be there, and the instance it is in, "" for none."""
        if phase in UNSPOKEN:
            return bool(await self._ways[phase](records.now())), ""
        word = await self._ways[phase](records.now())
        return (True, word.instance) if isinstance(word, Word) else (False, "")

    async def busy(self, function: str) -> str:
        """Make an instance of a function busy; which one it is, "" when that took too long."""
        since = records.now()
        for _ in range(2):
            await self._clients.submit(DESIGNS[function], "slow")
        word = await self._watch.until(lambda word: word.word == BEGIN and word.label.startswith(f"{function}/"), since)
        return word.instance if word is not None else ""

    async def _enqueued(self, _since: int) -> str:
        return await self._clients.submit(DESIGNS["aging"], "quick", delay=1)

    async def _dequeued(self, _since: int) -> str:
        await self._churn.deploy(DESIGNS["custom"])
        name = await self._clients.submit(DESIGNS["custom"], "quick")
        await asyncio.sleep(self._chance.uniform(0.05, 0.2))
        return name

    async def _running(self, since: int) -> Word | None:
        await self._clients.submit(DESIGNS["plain"], "slow")
        return await self._watch.until(lambda word: word.word == BEGIN and word.label.startswith("plain/"), since)

    async def _retrying(self, since: int) -> Word | None:
        await self._clients.submit(DESIGNS["plain"], "flaky")
        word = await self._watch.until(
            lambda word: word.word == END and word.attempt == 1 and word.label.startswith("plain/"), since
        )
        await asyncio.sleep(self._chance.uniform(0.02, 0.1))
        return word

    async def _initializer(self, since: int) -> Word | None:
        await self._churn.deploy(DESIGNS["hooked"])
        await self._clients.submit(DESIGNS["hooked"], "quick")
        return await self._hook("initializer", since)

    async def _pre_freeze(self, since: int) -> Word | None:
        await self._clients.submit(DESIGNS["hooked"], "quick")
        return await self._hook("preFreeze", since)

    async def _pre_stop(self, since: int) -> Word | None:
        name = await self._clients.submit(DESIGNS["hooked"], "long")
        request = self._clients.requests.get(name, "")
        if await self._watch.until(lambda word: word.word == BEGIN and word.request == request, since) is None:
            return None
        stop = asyncio.ensure_future(self._clients.stop("hooked", name))
        word = await self._hook("preStop", since)
        if word is None:
            await stop
        return word

    async def _hook(self, name: str, since: int) -> Word | None:
        word = await self._watch.until(lambda word: word.word == f"{name}-begin", since)
        await asyncio.sleep(self._chance.uniform(0.0, 0.05))
        return word
