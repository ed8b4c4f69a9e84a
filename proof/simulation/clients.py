"""The clients: they submit, stop, call, list, and change functions, and remember what they were told.

A client that got no answer does what the promise tells it to: it submits again under the same name. What they know is
the other half of the truth, beside what the agents saw.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from sojourn import identity
from sojourn.errors import FunctionNotFound, SojournError, StoreFailed, TaskAlreadyCompleted, TaskAlreadyExists
from sojourn.function import Function, Provision, Scaling
from sojourn.queue import wire_name
from sojourn.store import TaskQuery
from sojourn.task import Status, Success

from .behaviour import script
from .chance import Chance
from .node import ACCOUNTS, Gone, Node, Surroundings

URL = "http://target.example/hook"
TRIES_MAX = 40


class Cluster:
    """Where clients find the server that is up."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.node: Node | None = None
        self.known: list[tuple[Function, str, int]] = []
        """Tasks that were accepted: function, name on the wire, number."""

    @property
    def up(self) -> Node:
        """The server, or `Gone`."""
        if self.node is None or not self.node.ready:
            raise Gone("connection refused")
        return self.node

    async def insist(self, make: Any, seconds: float = 0.5) -> Any:
        """What the server answers, for as long as it takes to get an answer."""
        while True:
            try:
                return await self.up.call(make)
            except (Gone, StoreFailed):
                await asyncio.sleep(seconds)


class Client:
    """One of them."""

    def __init__(self, cluster: Cluster, number: int, tasks: int) -> None:
        self._cluster, self._around, self._number = cluster, cluster.around, number
        self._chance: Chance = cluster.around.chance
        self._observer = cluster.around.observer
        self._left = tasks
        self._sent = 0
        self._place = f"client {number}"

    async def run(self) -> None:
        """Do this and that until everything is submitted and the chaos is over."""
        style, chance = self._around.style, self._chance
        end = style.chaos_seconds
        acts = {
            self._submit: 1.0,
            self._stop: 0.5,
            self._call: 0.2,
            self._list: 0.06,
            self._churn: style.churn,
            self._resend: 0.1,
            self._submit_twice: 0.1,
        }
        while self._around.loop.time() < end or self._left > 0:
            await asyncio.sleep(style.think_seconds * chance.spread(f"{self._place} thinks", 0.02, 5.0))
            act = chance.weighted(f"{self._place} does", acts)
            if act == self._submit and self._left <= 0:
                continue
            if act in (self._submit, self._submit_twice):
                self._left -= 1
            if not chance.step(f"{self._place}: {act.__name__.strip('_')}"):
                continue
            try:
                await act()
            except (Gone, SojournError) as error:
                self._tell(act.__name__, error)

    def _tell(self, act: str, error: Exception) -> None:
        self._observer.note(lambda: f"{self._place}: {act.strip('_')}: {type(error).__name__}: {error}")

    # Tasks ------------------------------------------------------------------------------------------------------------

    def _function(self) -> tuple[str, str]:
        account_id = ACCOUNTS[0] if self._chance.coin(f"{self._place} account", 0.8) else ACCOUNTS[1]
        return account_id, f"f{self._chance.whole(f'{self._place} function', 1, self._around.style.functions)}"

    def _payload(self) -> bytes:
        chance, place = self._chance, self._place
        self._sent += 1
        if chance.coin(f"{place} fine", 1.0 - self._around.style.trouble):
            kinds = ["big" if chance.coin(f"{place} big", 0.1) else "ok"]
        else:
            choices = {"err": 3.0, "handled": 1.0, "final": 0.5, "later": 0.5, "crash": 1.5, "oom": 0.5, "exit": 0.5}
            choices |= {"hang": 1.0, "ok": 3.0}
            kinds = [chance.weighted(f"{place} kind", choices) for _ in range(chance.whole(f"{place} kinds", 1, 4))]
        steps = [(kind, chance.spread(f"{place} takes", 0.001, 8.0)) for kind in kinds]
        return script(
            steps, f"{self._number}-{self._sent}" + "x" * (1200 if chance.coin(f"{place} large", 0.05) else 0)
        )

    def _patience(self) -> float | None:
        """How long it waits for an answer, where that is short: often about as long as the answer takes."""
        if not self._chance.fault("client: gone"):
            return None
        long = 1.0 if self._chance.coin(f"{self._place} is patient", 0.4) else 0.003
        return self._chance.spread(f"{self._place} patience", 0.0001, long)

    async def _submit(self, copies: int = 1) -> None:
        chance, (account_id, function_name) = self._chance, self._function()
        payload = self._payload()
        name = f"t{self._number}-{self._sent}" if copies > 1 or chance.coin(f"{self._place} names", 0.6) else None
        if name and chance.coin(f"{self._place} reuses", 0.05) and self._sent > 1:
            name = f"t{self._number}-{self._sent - 1}"
        delay = chance.whole(f"{self._place} delay", 1, 10) if chance.coin(f"{self._place} delays", 0.15) else 0
        wanted = [self._send(account_id, function_name, payload, name, delay) for _ in range(copies)]
        await asyncio.gather(*wanted, return_exceptions=True)

    async def _submit_twice(self) -> None:
        await self._submit(copies=2)

    async def _send(self, account_id: str, function_name: str, payload: bytes, name: str | None, delay: int) -> None:
        """Submit until there is an answer, where a name makes that safe."""

        async def make(node: Node) -> Any:
            function = node.catalog.function(account_id, function_name)
            return function, await node.queue.submit(function, payload, name=name, delay_seconds=delay)

        for _ in range(TRIES_MAX if name else 1):
            try:
                function, task = await self._cluster.up.call(make, self._patience())
            except (Gone, StoreFailed):
                await asyncio.sleep(self._chance.spread(f"{self._place} waits", 0.05, 3.0))
                continue
            except TaskAlreadyExists:
                return
            self._observer.accepted(function, name, task.id, payload)
            self._cluster.known.append((function, wire_name(task), task.id))
            return

    async def _stop(self) -> None:
        """Stop a task, most often one that is young."""
        known = self._cluster.known
        if not known:
            return
        back = int(len(known) * self._chance.draw(f"{self._place} which") ** 2)
        function, name, number = known[-1 - min(back, len(known) - 1)]

        async def make(node: Node) -> Any:
            return await node.dispatcher.stop(function, name, "client")

        try:
            await self._cluster.up.call(make, self._patience())
        except TaskAlreadyCompleted:
            if not self._observer.rows[number].over:
                self._observer.blame("I7", f"the stop of {name} was refused, and it is not over")
            return
        self._observer.stopped(number)

    async def _call(self) -> None:
        account_id, function_name = self._function()
        payload = self._payload()

        async def make(node: Node) -> Any:
            function = node.catalog.function(account_id, function_name)
            number = node.numbers.next(node.around.clock.now())
            request_id = identity.request_id(number)
            return request_id, await node.dispatcher.invoke(function, payload, request_id)

        patience = (
            self._chance.spread("a caller's patience", 0.002, 2.0) if self._chance.fault("caller: gone") else None
        )
        request_id, answer = await self._cluster.up.call(make, patience)
        if isinstance(answer.outcome, Success):
            self._observer.answered(request_id, payload, answer.outcome.result)

    async def _list(self) -> None:
        account_id, function_name = self._function()
        statuses = (Status.RUNNING,) if self._chance.coin(f"{self._place} filters") else ()

        async def make(node: Node) -> Any:
            function = node.catalog.remembered(account_id, function_name)
            await node.pool.usage(node.pool.instances()[0]) if node.pool.instances() else None
            return await node.queue.page(TaskQuery(function_id=function.id, statuses=statuses, limit=20))

        page = await self._cluster.up.call(make, self._patience())
        ids = [task.id for task in page]
        if ids != sorted(set(ids), reverse=True):
            self._observer.blame("page", f"out of order: {ids}")

    async def _resend(self) -> None:
        if not self._cluster.known:
            return
        pending = [number for number, row in self._observer.deliveries.items() if not row.over]
        known = [each for each in self._cluster.known if each[2] in pending] or self._cluster.known
        _, name, number = self._chance.one_of(f"{self._place} resends", known)

        async def make(node: Node) -> Any:
            task = await node.queue.read(number)
            return task and await node.deliveries.resend(task, name)

        await self._cluster.up.call(make)

    # Functions --------------------------------------------------------------------------------------------------------

    async def _churn(self) -> None:
        account_id, name = self._function()
        change = self._chance.weighted(f"{self._place} changes", _CHANGES)
        chance, place = self._chance, self._place

        async def make(node: Node) -> Any:
            return await _change(node, change, account_id, name, chance)

        try:
            await self._cluster.up.call(make, self._patience())
        except FunctionNotFound:
            await self._cluster.up.call(lambda node: create(node, account_id, name, chance))
        if change == "delete" and chance.coin(f"{place} creates it again", 0.7):
            await asyncio.sleep(chance.spread(f"{place} creates after", 0.001, 5.0))
            await self._cluster.up.call(lambda node: create(node, account_id, name, chance))


async def _change(node: Node, change: str, account_id: str, name: str, chance: Chance) -> Any:
    """Change a function in this way, see `_CHANGES`."""
    catalog, of = node.catalog, (account_id, name)
    if change == "delete":
        return await catalog.delete_function(*of)
    if change in {"code", "config"}:
        body = {"code": code_of(f"{name} {node.around.loop.time()}")} if change == "code" else config_of(chance)
        return await catalog.update_function(*of, body)
    if change == "queue":
        return await catalog.put_async_config(*of, async_config_of(chance, account_id))
    if change == "limit":
        limit = chance.whole("new limit", 0, 3)
        return await catalog.put_concurrency(*of, limit or None)
    if change == "least":
        return await catalog.put_scaling(catalog.function(*of), Scaling(min_instances=chance.whole("new least", 0, 2)))
    provision = Provision(target=chance.whole("new target", 0, 2), always_allocate_cpu=chance.coin("cpu"))
    return await catalog.put_provision(catalog.function(*of), provision)


_CHANGES = {"delete": 1.0, "code": 1.0, "config": 0.7, "queue": 0.7, "limit": 0.7, "least": 0.3, "provision": 0.3}


async def create(node: Node, account_id: str, name: str, chance: Chance) -> Function:
    """Make a function as chance wants it."""
    body = {
        "functionName": name,
        "handler": "index.handler",
        "code": code_of(f"{account_id} {name} {node.around.loop.time()}"),
        **config_of(chance),
    }
    await node.catalog.create_function(account_id, body)
    await node.catalog.put_async_config(account_id, name, async_config_of(chance, account_id))
    limit = chance.whole("limit", -3, 3)
    return await node.catalog.put_concurrency(account_id, name, limit if limit > 0 else None)


def code_of(text: str) -> dict[str, object]:
    """Code that differs from other code."""
    return {"zipFile": base64.b64encode(text.encode()).decode()}


def config_of(chance: Chance) -> dict[str, object]:
    """A configuration."""
    hooks = {
        name: {"handler": "index.hook", "timeout": chance.whole("hook timeout", 1, 3)}
        for name in ("initializer", "preFreeze", "preStop")
        if chance.coin(f"{name} is there", 0.5)
    }
    shared = chance.coin("shared", 0.25)
    return {
        "memorySize": chance.one_of("memory size", (128, 256, 512)),
        "timeout": chance.whole("timeout", 1, 12),
        "runtime": "custom" if shared else "python3.12",
        "instanceConcurrency": chance.whole("concurrency", 2, 4) if shared else 1,
        "idleTimeout": chance.one_of("idle timeout", (0, 1, 5, 60)),
        "instanceLifecycleConfig": hooks,
    }


def async_config_of(chance: Chance, account_id: str) -> dict[str, object]:
    """How tasks are queued and reported."""
    targets = (URL, f"acs:fc:local:{account_id}:functions/f1", "", "")
    return {
        "maxAsyncRetryAttempts": chance.whole("retries", 0, 4),
        "maxAsyncEventAgeInSeconds": chance.one_of("age", (2, 10, 60, 86_400, 86_400)),
        "queueWeight": chance.whole("weight", 1, 5),
        "destinationConfig": {
            end: {"destination": chance.one_of(f"target {end}", targets)} for end in ("onSuccess", "onFailure")
        },
    }
