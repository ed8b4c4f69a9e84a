"""A simulated server: the parts as the composition root (`sojourn.server`) makes and starts them, in the same order.

What the composition root takes from outside is simulated (disk, agents, targets, clocks); what lies between is the
product as it is. A server lives in a domain of its own: `kill` ends it between two callbacks, whatever it was doing.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proof.engine import Below, Bounds, Engine

from sojourn.deliveries import Deliveries
from sojourn.destination import Deferred, Delivered, Refused, Verdict
from sojourn.errors import SojournError, StoreFailed
from sojourn.function import AccessKey, Function
from sojourn.stores.sqlite import reader
from sojourn.target import Reach
from sojourn.task import Backoff

from .chance import Chance
from .disk import Database, SimStore
from .driver import SimDriver, SimRuntime
from .loop import DOMAIN, Domain, SimLoop
from .observer import Observer

if TYPE_CHECKING:
    from .style import Style

T = TypeVar("T")

START = 1_800_000_000_000_000
"""What the wall clock shows when a run begins, microseconds since 1970."""
ACCOUNTS = ("1234567890", "2345678901")
RPC_SECONDS = 0.0003


class SimClock:
    """A clock whose wall time can be set; `monotonic` is the loop's."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self.ahead_us = self.farthest_us = 0

    def step(self, by_us: int) -> None:
        """Somebody sets the wall clock."""
        self.ahead_us += by_us
        self.farthest_us = max(self.farthest_us, self.ahead_us)

    def heal(self) -> None:
        """Set it so that nothing that was written down lies in its future: due times are wall times."""
        self.ahead_us = self.farthest_us

    def now(self) -> int:
        """Wall clock, microseconds since 1970."""
        return START + self.ahead_us + round(self._loop.time() * 1_000_000)

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return self._loop.time()


class Gone(Exception):
    """The server did not answer: it is not there, it was killed, or the answer was lost."""


class Surroundings:
    """What outlives servers: database, agents, targets, clock."""

    def __init__(self, loop: SimLoop, chance: Chance, style: Style, directory: Path) -> None:
        self.loop, self.chance, self.style, self.directory = loop, chance, style, directory
        self.clock = SimClock(loop)
        self.observer = Observer(loop, self.clock.now, self._halt)
        self.database = Database(self.observer)
        self.driver = SimDriver(loop, chance, self.observer)
        self.driver.create_seconds, self.driver.cancels = style.create_seconds, style.cancels
        self.observer.give_up_us = int(style.give_up_seconds * 1_000_000)
        self.observer.memory_mb_max, self.observer.instances_max = style.memory_mb, style.instances_max
        self.disk_full_until = 0.0
        self.started = 0

    def _halt(self) -> None:
        self.loop.halted = True

    async def post(
        self, url: str, body: bytes, headers: dict[str, str], *, message_id: str, secret: str, trusted: bool
    ) -> Verdict:
        """A target gets a record, and does what chance says."""
        del headers, secret, trusted, url
        chance = self.chance
        await asyncio.sleep(chance.spread("post takes", 0.001, 0.2))
        if chance.fault("target: down"):
            return Deferred("connection refused")
        if chance.fault("target: refuses"):
            self.observer.posted(message_id, body, taken=False)
            return Refused("the target answered 400")
        hangs = chance.fault("target: hangs")
        if not hangs or chance.coin("target: took it all the same"):
            self.observer.posted(message_id, body, taken=True)
        if hangs:
            await asyncio.sleep(30)
            return Deferred("no answer within 30 s")
        return Delivered()


class Node(Engine):
    """One start of a server."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        around.started += 1
        self.domain = Domain(f"server {around.started}")
        self.context = contextvars.copy_context()
        self.context.run(DOMAIN.set, self.domain)
        self.ready = self.over = False
        self.calls: dict[asyncio.Future[Any], None] = {}
        self.disk_failed = False
        self._ended: list[Callable[[], None]] = []

    # Its life ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start it."""
        self.starting = self.around.loop.create_task(self._start(), context=self.context)

    def kill(self) -> None:
        """SIGKILL, or the end of the process: nothing of it runs any more."""
        if self.domain.dead:
            return
        self.domain.dead, self.ready, self.over = True, False, True
        self.around.observer.lost(f"{self.domain.name} ends")
        waiting, self.calls = self.calls, {}
        for future in waiting:
            if not future.done():
                future.set_exception(Gone("connection reset"))
        for tell in self._ended:
            tell()
        if self.around.chance.coin("agents die with their server", 0.7):
            for agent in list(self.around.driver.agents):
                agent.end()

    def when_over(self, tell: Callable[[], None]) -> None:
        """Have it told."""
        self._ended.append(tell)

    async def _start(self) -> None:
        """As `Server.start`; a start that fails ends the process."""
        around = self.around
        try:
            await self._bring_up()
        except StoreFailed:
            self.kill()
            await around.loop.create_future()
        self.ready = True

    async def _bring_up(self) -> None:
        around, style = self.around, self.around.style
        self.store = SimStore(
            around.database,
            around.chance,
            around.observer,
            kill=self.kill,
            on_failed=self._disk_failed,
            refuses=lambda: around.loop.time() < around.disk_full_until,
        )
        incarnation = await self.store.open()
        await around.driver.reap(around.directory, "mark")
        self._build(style)
        now = around.clock.now()
        await self.admit(
            *(
                AccessKey(id=f"key{place}", secret="s", account_id=account_id, created_at=now)  # noqa: S106 - of nobody
                for place, account_id in enumerate(ACCOUNTS, 1)
            )
        )
        for function in reader.functions(around.database.connection):
            known = around.observer.functions.get(function.id)
            if known is None or known.revision != function.revision:
                around.observer.changed(function)
        await self.go_on(incarnation)
        self.deliveries.start()

    def _build(self, style: Style) -> None:
        around, clock = self.around, self.around.clock
        reach = Reach(private_addresses=True)
        bounds = Bounds(
            memory_mb=style.memory_mb,
            instances_max=style.instances_max,
            idle_seconds=style.idle_seconds,
            grace_seconds=style.grace_seconds,
            linger_seconds=style.linger_seconds,
            headroom=style.headroom,
            submits_pending_max=1000,
            tasks_open_max=100_000,
            backoff=Backoff(base_seconds=style.retry_base_seconds, cap_seconds=30.0),
        )
        below = Below(
            store=self.store, driver=around.driver, runtime=SimRuntime(), clock=clock, directory=around.directory
        )
        chance = random.Random(style.seed * 1000 + around.started)
        self.assemble(below, bounds, chance, last=max(around.observer.rows, default=0), reach=reach)
        self.deliveries = Deliveries(
            self.store,
            self.queue,
            clock,
            post=around.post,
            reach=reach,
            function_of=self.catalog.by_id,
            function_named=self.catalog.qualified,
            secret_of=self._secret_of,
            give_up_seconds=style.give_up_seconds,
            at_a_time=16,
            rng=random.Random(style.seed * 1000 + around.started + 500),
        )

    async def _secret_of(self, account_id: str) -> str:
        return f"secret of {account_id}"

    def changed(self, function: Function) -> None:
        """See `Engine`; the observer hears of it too."""
        super().changed(function)
        self.around.observer.changed(function)

    def _disk_failed(self, _error: SojournError) -> None:
        """As the composition root: end at once, and let the next start read what is durable."""
        if not self.disk_failed:
            self.disk_failed = True
            self.end(0.0)

    def end(self, drain_seconds: float) -> None:
        """As `Server.stop`: SIGTERM, then the end of the process. It does not come back by itself."""
        self.ready = False
        self.around.observer.lost(f"{self.domain.name} is told to end")
        self.stopping = self.around.loop.create_task(self._stop(drain_seconds), context=self.context)

    async def _stop(self, drain_seconds: float) -> None:
        if not self.starting.done():
            self.kill()
            return
        await self.dispatcher.drain(drain_seconds)
        await self.pool.close("drain")
        await self.dispatcher.close()
        await self.deliveries.close()
        await self.store.close()
        self._look_for_leaks()
        self.kill()

    def _look_for_leaks(self) -> None:
        """What a server that has ended in good order must not hold any more."""
        held = {
            "instances": len(self.pool),
            "MB": self.pool.fleet.memory_mb,
            "living instances": sum(len(agent.living) for agent in self.around.driver.agents),
            "executions": self.dispatcher._concurrency.total,  # noqa: SLF001 - nobody else tells
        }
        for what, count in held.items():
            if count:
                self.around.observer.blame("I15", f"a server that has ended holds {count} {what}")

    # Its interface ----------------------------------------------------------------------------------------------------

    async def call(self, make: Callable[[Node], Coroutine[Any, Any, T]], patience: float | None = None) -> T:
        """What a client gets of a request that runs in the server.

        Raises
        ------
        Gone: no answer, whatever became of the request.

        """
        loop, chance = self.around.loop, self.around.chance
        if not self.ready:
            raise Gone("connection refused")
        answer: asyncio.Future[T] = loop.create_future()
        self.calls[answer] = None
        request = loop.create_task(make(self), context=self.context.copy())
        lost = chance.fault("answer: lost")

        def over(done: asyncio.Task[T]) -> None:
            self.calls.pop(answer, None)
            if answer.done():
                if not done.cancelled():
                    done.exception()
                return
            if done.cancelled() or lost:
                answer.set_exception(Gone("no answer"))
                if not done.cancelled():
                    done.exception()
            elif (error := done.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(done.result())

        request.add_done_callback(over, context=self.around.driver.world)
        if patience is not None:
            loop.call_later(patience, self._hang_up, request, answer, context=self.around.driver.world)
        await asyncio.sleep(RPC_SECONDS)
        return await answer

    def _hang_up(self, request: asyncio.Task[Any], answer: asyncio.Future[Any]) -> None:
        """The client goes away: the server cancels what it does for it."""
        if not answer.done():
            self.calls.pop(answer, None)
            answer.set_exception(Gone("the client went away"))
            self.around.loop.call_soon(request.cancel, context=self.context)
