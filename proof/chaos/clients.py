"""The callers: they submit, submit again, stop, look and change functions, and write down every answer.

They use the project's own client over HTTP and never know more than an answer told them: a call whose connection broke
is written down as unknown. How many tasks come in a second is paced, what they are is drawn.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec

from sojourn.client import AsyncClient, ClientError, Conflict, NotFound, ServerError, Throttled, Unreachable, calls
from sojourn.client.call import Call as Asked

from . import functions, records
from .functions import DESIGNS, Design
from .records import ABSENT, CONFLICT, REFUSED, THROTTLED, UNKNOWN, YES, Call, Writer
from .server import Supervisor

WORKERS = 16
STOP_SHARE, LOOK_SHARE, AGAIN_SHARE, RACE_SHARE = 0.09, 0.25, 0.04, 0.015
RACE_SIZE = 4
LARGE_SHARE, LARGE_BYTES = 0.05, 3_000
RECENT_KEPT = 60
ALIAS = "live"
TOO_MANY = 429
TRIES_MAX = 200


def answer_of(error: ClientError) -> str:
    """How an error is written down. Only what the server says it did not do has surely not happened."""
    if isinstance(error, Conflict):
        return CONFLICT
    if isinstance(error, NotFound):
        return ABSENT
    if isinstance(error, Throttled) and error.status == TOO_MANY:
        return THROTTLED
    return UNKNOWN if isinstance(error, Unreachable | ServerError | Throttled) else REFUSED


class Clients:
    """Calls the server that `supervisor` keeps, and writes each call to `calls`."""

    def __init__(self, supervisor: Supervisor, written: Writer, chance: random.Random, run: str) -> None:
        self._supervisor, self._written, self._chance, self._run = supervisor, written, chance, run
        self.ending = False
        self.submitted = 0
        self.requests: dict[str, str] = {}
        """The request ids of accepted tasks, by name."""
        self._number = 0
        self._recent: deque[tuple[str, str]] = deque(maxlen=RECENT_KEPT)
        self._designs = [design for design in DESIGNS.values() for _ in range(design.share)]

    async def load(self, per_second: float) -> None:
        """Submit so many tasks a second until `ending`, and do to them what callers do."""
        await asyncio.gather(*(self._work(records.now(), per_second) for _ in range(WORKERS)))

    async def submit(self, design: Design, kind: str, delay: int = 0, name: str = "") -> str:
        """Submit one task; returns its name, "" when it was not accepted."""
        if not name:
            self._number += 1
            name = f"t{self._number}"
        filler = "x" * (LARGE_BYTES if self._chance.random() < LARGE_SHARE else 0)
        payload = f"{kind} {name} {self._run} {filler}".encode()
        call = calls.submit(design.name, payload, name, delay or None, idempotent=False)
        if design.aliased:
            call = replace(call, query={"qualifier": ALIAS})
        digest = hashlib.sha256(payload).hexdigest()[:16]

        async def ask(client: AsyncClient) -> None:
            self.requests[name] = (await client.ask(call)).request_id

        answer = await self.record("submit", design.name, ask, task=name, digest=digest)
        if answer == YES:
            self.submitted += 1
            self._recent.append((design.name, name))
        return name if answer == YES else ""

    async def stop(self, function: str, name: str) -> str:
        """Stop one; how it was answered."""
        return await self.record("stop", function, lambda client: client.stop_task(function, name), task=name)

    async def look(self, function: str, name: str) -> None:
        """Write down the history of a task as it is told now."""
        client, began = await self._client(), records.now()
        told: list[tuple[str, int]] = []
        answer, code = YES, ""
        try:
            task = await client.get_task(function, name)
            told = [(event.status.value, event.timestamp) for event in task.events]
        except ClientError as error:
            answer, code = answer_of(error), error.code
        self._written.write(
            Call(
                verb="look",
                function=function,
                task=name,
                began=began,
                ended=records.now(),
                answer=answer,
                told=told,
                code=code,
            )
        )

    async def record(
        self,
        verb: str,
        function: str,
        ask: Callable[[AsyncClient], Awaitable[object]],
        *,
        task: str = "",
        digest: str = "",
    ) -> str:
        """Make a call and write down how it was answered."""
        client, began = await self._client(), records.now()
        answer, code = YES, ""
        try:
            await ask(client)
        except ClientError as error:
            answer, code = answer_of(error), f"{error.status} {error.code}"
        self._written.write(
            Call(
                verb=verb,
                function=function,
                task=task,
                began=began,
                ended=records.now(),
                answer=answer,
                code=code,
                digest=digest,
            )
        )
        return answer

    async def _client(self) -> AsyncClient:
        await self._supervisor.up.wait()
        return self._supervisor.client()

    async def _work(self, began: int, per_second: float) -> None:
        while not self.ending:
            due = began + int(self._number / per_second * 1_000_000)
            if (wait := due - records.now()) > 0:
                await asyncio.sleep(min(wait / 1_000_000, 0.25))
                continue
            design = self._chance.choice(self._designs)
            await self._one(design, self._chance.choice(design.kinds), self._chance.choice(design.delays))

    async def _one(self, design: Design, kind: str, delay: int) -> None:
        fate = self._chance.random()
        if fate < RACE_SHARE:
            self._number += 1
            name = f"t{self._number}"
            await asyncio.gather(*(self.submit(design, kind, delay, name) for _ in range(RACE_SIZE)))
            return
        name = await self.submit(design, kind, delay)
        if fate < RACE_SHARE + AGAIN_SHARE:
            await self.submit(design, kind, delay, name or f"t{self._number}")
        if not self._recent:
            return
        where, which = self._chance.choice(self._recent)
        if self._chance.random() < LOOK_SHARE:
            await self.look(where, which)
        if self._chance.random() < STOP_SHARE:
            where, which = (design.name, name) if name and self._chance.random() < 0.5 else (where, which)
            await asyncio.sleep(self._chance.choice((0.0, 0.01, 0.1, 0.4)))
            await self.stop(where, which)


class Churn:
    """Changes functions while they are used: code, configuration, versions, the function itself."""

    def __init__(self, clients: Clients, environment: dict[str, str], webhook: str) -> None:
        self._clients, self._environment, self._webhook = clients, environment, webhook
        self._generations = dict.fromkeys(DESIGNS, 1)
        self._updates = dict.fromkeys(DESIGNS, 0)

    async def set_up(self) -> None:
        """Create everything, on a server that is left in peace."""
        for design in DESIGNS.values():
            if await self.deploy(design) != YES:
                raise RuntimeError(f"the function {design.name} could not be created")

    async def deploy(self, design: Design) -> str:
        """Create or update a function with code of a new label."""
        self._updates[design.name] += 1
        label = f"{design.name}/g{self._generations[design.name]}.u{self._updates[design.name]}"
        target = self._webhook if design.told else None

        async def ask(client: AsyncClient) -> object:
            await client.deploy(
                design.name,
                functions.archive(design, label),
                handler=None if design.custom else "index.handler",
                runtime="custom" if design.custom else functions.RUNTIME,
                timeout=design.timeout,
                memory=128,
                env=self._environment,
                retries=design.retries,
                max_age=design.max_age,
                reserved_concurrency=design.reserved,
                settings=functions.settings(design),
            )
            if target is not None:
                await client.put_async_config(design.name, on_success=target, on_failure=target)
            if design.aliased:
                await self._publish(client, design)
            return None

        return await self._clients.record("deploy", design.name, ask, digest=label)

    async def change(self, design: Design) -> str:
        """Delete and create again what is made to be, or else update it; the verb it came to."""
        if not design.churn:
            await self.deploy(design)
            return "update"
        gone = await self._insist("delete", design, lambda client: client.delete_function(design.name))
        if gone:
            self._generations[design.name] += 1
            for _ in range(TRIES_MAX):
                if self._clients.ending or await self.deploy(design) == YES:
                    break
                await asyncio.sleep(0.05)
        return "delete"

    async def configure(self, design: Design, retries: int) -> str:
        """Another number of retries."""
        name = design.name
        return await self._clients.record(
            "configure", name, lambda client: client.put_async_config(name, retries=retries)
        )

    async def _publish(self, client: AsyncClient, design: Design) -> None:
        """A version of what is there, and the alias on it."""
        path = f"/2023-03-30/functions/{design.name}"
        published = await client.ask(_asked("POST", f"{path}/versions", b"{}"))
        version = str(published["versionId"])
        body = f'{{"aliasName": "{ALIAS}", "versionId": "{version}"}}'.encode()
        try:
            await client.ask(_asked("PUT", f"{path}/aliases/{ALIAS}", body))
        except NotFound:
            await client.ask(_asked("POST", f"{path}/aliases", body))

    async def _insist(self, verb: str, design: Design, ask: Callable[[AsyncClient], Awaitable[object]]) -> bool:
        while not self._clients.ending:
            if await self._clients.record(verb, design.name, ask) in (YES, ABSENT):
                return True
            await asyncio.sleep(0.05)
        return False


def _asked(method: str, path: str, body: bytes) -> Asked[dict[str, object]]:
    """A call that the client has no verb for."""
    return Asked(path, method, path, lambda answer: msgspec.json.decode(answer.body, type=dict[str, object]), body=body)
