"""A world whose tasks have destinations: the loop that delivers as it is, on targets that do what a test tells them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec

from scripted import Behaviour
from sojourn.deliveries import Deliveries
from sojourn.destination import Deferred, Delivered, Delivery, Refused, Verdict
from sojourn.errors import FunctionNotFound
from sojourn.function import AsyncConfig, Destination, Destinations, Function
from sojourn.target import Reach
from sojourn.task import Task
from world import World

GOOD, BAD = "http://good.example/hook", "http://bad.example/hook"
Answer = Callable[[], Awaitable[Verdict]]


class Sent(msgspec.Struct, frozen=True):
    """One record as a target got it."""

    at: float
    url: str
    body: bytes
    headers: dict[str, str]
    message_id: str
    secret: str
    trusted: bool

    @property
    def record(self) -> dict[str, Any]:
        """The body decoded."""
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Targets:
    """All HTTP targets there are; each takes everything, unless a test says otherwise."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.answers: dict[str, list[Verdict | Answer]] = {}
        self.always: dict[str, Verdict | Answer] = {}
        self.at_once: dict[str, int] = {}
        self.peak: dict[str, int] = {}

    async def post(
        self, url: str, body: bytes, headers: dict[str, str], *, message_id: str, secret: str, trusted: bool
    ) -> Verdict:
        """Answer as the test says."""
        now = asyncio.get_running_loop().time()
        self.sent.append(Sent(now, url, body, headers, message_id, secret, trusted))
        self.at_once[url] = self.at_once.get(url, 0) + 1
        self.peak[url] = max(self.peak.get(url, 0), self.at_once[url])
        try:
            queue = self.answers.get(url, [])
            answer = queue.pop(0) if queue else self.always.get(url, Delivered())
            await asyncio.sleep(0.001)
            return answer if isinstance(answer, Delivered | Refused | Deferred) else await answer()
        finally:
            self.at_once[url] -= 1

    def to(self, url: str) -> list[Sent]:
        """What this one got."""
        return [each for each in self.sent if each.url == url]


async def hang() -> Verdict:
    """No answer until the sender has had enough, as `webhook` bounds it."""
    await asyncio.sleep(30)
    return Deferred("no answer within 30 s")


class DeliveringWorld(World):
    """A world with a loop that delivers; `targets` outlives it when handed in."""

    def __init__(
        self,
        *,
        targets: Targets | None = None,
        give_up_seconds: float = 1800.0,
        at_a_time: int = 64,
        bridges: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.targets = targets or Targets()
        self.deliveries = Deliveries(
            self.store,
            self.queue,
            self.clock,
            post=self.targets.post,
            reach=Reach(bridges=bridges or {}),
            function_of=self.functions.__getitem__,
            function_named=self.named,
            secret_of=self._secret_of,
            give_up_seconds=give_up_seconds,
            at_a_time=at_a_time,
            rng=random.Random(1),
        )

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.deliveries.start()
        return self

    async def __aexit__(self, kind: object, *rest: object) -> None:
        if not self._crashed:
            self.store.failing = False
            await self.deliveries.close()
            assert self.deliveries._sending == {}
            assert self.deliveries._troubled == 0
        await super().__aexit__(kind, *rest)

    def named(self, account_id: str, name: str, qualifier: str = "") -> Function:
        """As the catalog finds it."""
        del qualifier
        for function in self.functions.values():
            if (function.account_id, function.name) == (account_id, name) and not function.deleted:
                return function
        raise FunctionNotFound(name)

    def sending(
        self, name: str, behaviour: Behaviour, *, success: str = GOOD, failure: str = BAD, **settings: Any
    ) -> Function:
        """A function whose ends go to these targets; "" for none."""
        function = self.deploy(name, behaviour, **settings)
        ends = Destinations(
            on_success=Destination(destination=success) if success else None,
            on_failure=Destination(destination=failure) if failure else None,
        )
        config = msgspec.structs.replace(function.async_config or AsyncConfig(), destination_config=ends)
        self.functions[function.id] = msgspec.structs.replace(function, async_config=config)
        return self.functions[function.id]

    def delivery(self, task: Task) -> Delivery:
        """The row."""
        return self.store.data.deliveries[task.id]

    async def settled(self, *tasks: Task) -> list[Delivery]:
        """Wait until the records of these tasks are delivered or given up."""
        rows = self.store.data.deliveries
        await self.store.until(lambda: all(task.id in rows and rows[task.id].over for task in tasks), 1e6)
        return [rows[task.id] for task in tasks]

    async def _secret_of(self, account_id: str) -> str:
        return f"secret of {account_id}"
