"""A whole engine in memory: queue, pool and dispatcher as they are, on a scripted sandbox and the reference store.

Leaving a world takes it down and looks for what must never be: an instance that is still there, memory still counted, a
call before its Running was durable, a history that the table does not allow.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

import msgspec

from reference_store import ReferenceStore
from scripted import Behaviour, Script, ScriptedRuntime
from sojourn import audit, identity
from sojourn.dispatcher import Dispatcher
from sojourn.function import Account, AsyncConfig, Code, Config, Function
from sojourn.homes import Homes
from sojourn.logs import Logs
from sojourn.pool import Instance, Pool
from sojourn.queue import Queue, wire_name
from sojourn.reports import Reports
from sojourn.sandbox import Invocation
from sojourn.store import Log
from sojourn.task import Backoff, Status, Task
from virtual_time import VirtualClock

ACCOUNT = "1234567890"
OTHER_ACCOUNT = "2345678901"
SECOND = 1_000_000

_worlds = itertools.count(1)


def new_function(
    name: str,
    number: int = 1,
    *,
    memory_mb: int = 128,
    timeout_seconds: int = 60,
    retries: int = 3,
    age_seconds: int = 86_400,
    reserved: int | None = None,
    account: str = ACCOUNT,
    weight: int = 1,
    config: dict[str, Any] | None = None,
    **others: Any,
) -> Function:
    """A function as the catalog would hold it; `config` holds more of its configuration, `others` more of itself."""
    return Function(
        id=number,
        account_id=account,
        name=name,
        generation=1,
        revision=1,
        config=Config(
            runtime="python3.12",
            handler="index.handler",
            memory_size=memory_mb,
            timeout=timeout_seconds,
            **(config or {}),
        ),
        code=Code(digest=f"{number:064x}", size=1, checksum="1"),
        created_at=0,
        modified_at=0,
        async_config=AsyncConfig(
            max_async_retry_attempts=retries, max_async_event_age_in_seconds=age_seconds, queue_weight=weight
        ),
        reserved_concurrency=reserved,
        **others,
    )


def unframed(text: bytes) -> bytes:
    """A log without the lines that frame its sections."""
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"FC ")).removesuffix(b"\n")


class World:
    """Use it as an asynchronous context manager. `crash` instead of leaving it is a SIGKILL."""

    def __init__(
        self,
        *,
        store: ReferenceStore | None = None,
        memory_mb: int = 4096,
        instances_max: int = 64,
        idle_seconds: float = 60.0,
        grace_seconds: float = 1.0,
        linger_seconds: float = 0.1,
        headroom: float = 0.0,
        submits_pending_max: int = 1000,
        tasks_open_max: int = 100_000,
        functions: dict[int, Function] | None = None,
    ) -> None:
        self.store = store or ReferenceStore()
        self.clock, self.script, self.runtime = VirtualClock(), Script(), ScriptedRuntime()
        self.functions: dict[int, Function] = {} if functions is None else functions
        self._root = root = Path(tempfile.gettempdir(), f"sojourn-world-{os.getpid()}-{next(_worlds)}")
        self.homes = Homes(
            self.script,
            [self.runtime],
            root / "sandboxes",
            lambda account_id: root / "code" / account_id,
            mark="mark",
            network="host",
            network_others="none",
            region="local",
        )
        numbers = identity.Numbers(last=max(self.store.data.tasks, default=0))
        self.pool = Pool(
            self.homes,
            self.clock,
            numbers,
            memory_mb=memory_mb,
            instances_max=instances_max,
            idle_seconds=idle_seconds,
            grace_seconds=grace_seconds,
            linger_seconds=linger_seconds,
            headroom=headroom,
        )
        self.queue = Queue(
            self.store,
            self.clock,
            numbers,
            submits_pending_max=submits_pending_max,
            tasks_open_max=tasks_open_max,
        )
        self.reports = Reports(self.store, self.clock)
        self.dispatcher = Dispatcher(
            self.queue,
            self.pool,
            self.clock,
            function_of=self.functions.__getitem__,
            backoff=Backoff(),
            rng=random.Random(1),
            reports=self.reports,
        )
        self.reading = Logs(self.queue, self.dispatcher.attempt)
        self.script.on_call = self._called
        self._memory_mb, self._instances_max = memory_mb, instances_max
        self._crashed = False
        self.homes.admit(1, Account(id=ACCOUNT, created_at=0, owner=True))
        self.homes.admit(2, Account(id=OTHER_ACCOUNT, created_at=0))

    async def __aenter__(self) -> Self:
        orphans = await self.queue.load(await self.store.open())
        await self.dispatcher.recover(orphans)
        self.dispatcher.start()
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if self._crashed:
            return
        self.store.failing = False
        await self.dispatcher.drain(0)
        await self.pool.close()
        await self.dispatcher.close()
        await self.store.close()
        shutil.rmtree(self._root, ignore_errors=True)
        if kind is None:
            assert self.leaks() == [], self.leaks()
            assert self.wrongs() == [], self.wrongs()[:20]

    async def crash(self) -> None:
        """End everything where it stands; only what the store holds is left."""
        self._crashed = True
        others = asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        shutil.rmtree(self._root, ignore_errors=True)

    # Functions and tasks ----------------------------------------------------------------------------------------------

    def deploy(self, name: str, behaviour: Behaviour, **settings: Any) -> Function:
        """A function that behaves so; `settings` as in `new_function`."""
        number = len(self.functions) + 1
        self.script.behaviours[name] = behaviour
        self.functions[number] = new_function(name, number, **settings)
        if self.functions[number].min_instances:
            self.pool.change(self.functions[number])
        return self.functions[number]

    def change(self, function: Function, **changes: object) -> Function:
        """Update a function as the catalog does."""
        after = msgspec.structs.replace(function, revision=function.revision + 1, **changes)
        self.functions[function.id] = after
        self.pool.change(after)
        self.dispatcher.look_again()
        return after

    async def warm(self, *functions: Function) -> None:
        """Make an instance of each function, which is idle afterwards."""
        for function in functions:
            made = self.pool.acquire(function)
            assert made is not None
            await self.pool.ready(made)
            self.pool.release(made)

    async def warm_up(self, function: Function) -> None:
        """Run a task of a function to its end."""
        await self.end(await self.submit(function))

    async def submit(self, function: Function, payload: bytes = b"", **options: object) -> Task:
        """Submit a task."""
        return await self.queue.submit(self.functions[function.id], payload, **options)  # type: ignore[arg-type]  # passed on

    async def stop(self, task: Task) -> Task:
        """Stop a task."""
        return await self.dispatcher.stop(self.functions[task.function_id], wire_name(task), "tester")

    def row(self, task: Task) -> Task:
        """The task as its row stands."""
        return self.store.data.tasks[task.id]

    async def reach(self, task: Task, *statuses: Status) -> Task:
        """Wait until a task has one of `statuses`."""
        await self.store.until(lambda: self.row(task).status in statuses)
        return self.row(task)

    async def end(self, *tasks: Task) -> list[Task]:
        """Wait until tasks are over, which they stay: each is looked at until it is, and not with all others again."""
        left = list(tasks)

        def over() -> bool:
            while left and self.row(left[-1]).over:
                left.pop()
            return not left

        await self.store.until(over)
        return [self.row(task) for task in tasks]

    def path(self, task: Task) -> list[str]:
        """The statuses of a task so far."""
        return [event.status for event in self.row(task).events]

    def details(self, task: Task, status: Status) -> list[dict[str, object]]:
        """The details of a task's events of this status."""
        events = [event for event in self.row(task).events if event.status == status.value]
        return [msgspec.json.decode(event.detail or b"{}", type=dict[str, object]) for event in events]

    def logs(self, task: Task) -> dict[int, bytes]:
        """What the attempts of a task wrote, without the frames."""
        kept: list[Log] = [log for (owner, _), log in self.store.data.logs.items() if owner == task.id]
        return {log.attempt: unframed(log.head) for log in kept}

    # What must never be -----------------------------------------------------------------------------------------------

    def leaks(self) -> list[str]:
        """What a closed world still holds."""
        held = {
            "instances": len(self.pool),
            "memory": self.pool.fleet.memory_mb,
            "functions with instances": len(self.pool.fleet.groups),
            "resting instances": len(self.pool.fleet.resting),
            "instances on their way out": self.pool.fleet.going,
            "executions": len(self.dispatcher._executions),
            "concurrency": self.dispatcher._concurrency.total,
            "background tasks": len(self.dispatcher.background) + len(self.pool.background),
            "living instances": len(self.script.living()),
            "submits": self.queue._submits_pending,
        }
        return [f"{count} {what}" for what, count in held.items() if count]

    def wrongs(self) -> list[str]:
        """Offences against the contracts, and histories that cannot be."""
        found = list(self.script.offences)
        if self.script.memory_peak_mb > self._memory_mb or self.script.instances_peak > self._instances_max:
            found.append(f"peaks of {self.script.memory_peak_mb} MB, {self.script.instances_peak} instances")
        for task in self.store.data.tasks.values():
            found += map(str, audit.of_task(task, task.events))
        if self.queue.open_count != (still := sum(not task.over for task in self.store.data.tasks.values())):
            found.append(f"{self.queue.open_count} tasks counted open, {still} are")
        return found

    def _called(self, instance_id: str, invocation: Invocation) -> None:
        """Before user code runs, the row says so."""
        number = identity.number_of(invocation.request_id)
        row = self.store.data.tasks.get(number or 0)
        if row is None:  # a synchronous call
            return
        if row.instance_id != instance_id or row.status not in (Status.RUNNING, Status.STOPPING):
            self.script.offences.append(f"called on {instance_id} while the row is {row.status} on {row.instance_id}")


async def take(world: World, function: Function) -> Instance:
    """An instance that is ready to be called."""
    made = world.pool.acquire(function)
    assert made is not None
    await world.pool.ready(made)
    return made
