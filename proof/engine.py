"""The engine as the composition root (`sojourn.server`) makes it, on what a part of the proof puts below it.

Which parts there are, what each is given and in which order they begin is decided here, once for every part of the
proof that builds a server out of them. What they stand on (store, sandboxes, clock) and what goes on around them is
the part's own.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection
from pathlib import Path

import msgspec

from sojourn import identity
from sojourn.catalog import Catalog
from sojourn.clock import Clock
from sojourn.dispatcher import Dispatcher
from sojourn.function import AccessKey, Code, Function
from sojourn.homes import Homes
from sojourn.pool import Pool
from sojourn.queue import Queue
from sojourn.reports import Reports
from sojourn.runtime import Runtime
from sojourn.sandbox import SandboxDriver
from sojourn.store import Store
from sojourn.target import Reach
from sojourn.task import Backoff

MARK = "mark"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a server that its engine goes by, under the names that `Pool` and `Queue` give them."""

    memory_mb: int
    instances_max: int
    idle_seconds: float
    grace_seconds: float
    submits_pending_max: int
    tasks_open_max: int
    linger_seconds: float = 0.1
    headroom: float = 0.0
    backoff: Backoff = Backoff()


class Below(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine stands on; `directory` is where sandboxes and code would be."""

    store: Store
    driver: SandboxDriver
    runtime: Runtime
    clock: Clock
    directory: Path


class Codes:
    """Code that is its own digest. It stands for a `CodeStore`."""

    def directory(self, account_id: str) -> Path:
        """Nothing is there."""
        return Path("/nonexistent", account_id)

    def put(self, account_id: str, archive: bytes) -> Code:
        """Keep it, so to speak."""
        del account_id
        return Code(digest=hashlib.sha256(archive).hexdigest(), size=len(archive), checksum="1")

    def collect(self, account_id: str, keep: Collection[str]) -> None:
        """Nothing is there."""


class Engine:
    """Catalog, pool, queue and dispatcher, connected as in a server."""

    def assemble(
        self, below: Below, bounds: Bounds, rng: random.Random, *, last: int, reach: Reach | None = None
    ) -> None:
        """Make the parts; `last` is the highest number that a task has had, `reach` what destinations may name."""
        clock = below.clock
        self.numbers = identity.Numbers(last=last)
        self.homes = Homes(
            below.driver,
            [below.runtime],
            below.directory / "sandboxes",
            lambda account_id: below.directory / account_id,
            mark=MARK,
            network="host",
            network_others="none",
            region="local",
        )
        self.catalog = Catalog(
            below.store,
            Codes(),  # type: ignore[arg-type]  # all that is asked of it
            clock,
            check_runtime=lambda _: None,
            multi_account=True,
            reach=reach,
        )
        self.catalog.on_account = self.homes.admit
        self.pool = Pool(
            self.homes,
            clock,
            self.numbers,
            memory_mb=bounds.memory_mb,
            instances_max=bounds.instances_max,
            idle_seconds=bounds.idle_seconds,
            grace_seconds=bounds.grace_seconds,
            linger_seconds=bounds.linger_seconds,
            headroom=bounds.headroom,
        )
        self.queue = Queue(
            below.store,
            clock,
            self.numbers,
            submits_pending_max=bounds.submits_pending_max,
            tasks_open_max=bounds.tasks_open_max,
        )
        self.dispatcher = Dispatcher(
            self.queue,
            self.pool,
            clock,
            function_of=self.catalog.by_id,
            backoff=bounds.backoff,
            rng=rng,
            reports=Reports(below.store, clock),
        )
        self.catalog.on_change = self.changed

    async def admit(self, *keys: AccessKey) -> None:
        """Read what there is by name, and make those accounts of `keys` that are not there."""
        await self.catalog.load()
        known = {each.id for each in self.catalog.accounts()}
        for key in keys:
            if key.account_id not in known:
                await self.catalog.create_account(key.account_id, key)

    async def go_on(self, incarnation: int) -> None:
        """Judge what an earlier server was busy with, and begin to work."""
        await self.dispatcher.recover(await self.queue.load(incarnation))
        self.dispatcher.start()
        for function in self.catalog.with_minimum():
            self.pool.change(function)

    def changed(self, function: Function) -> None:
        """A function has changed."""
        self.pool.change(function)
        self.dispatcher.look_again()
