"""Rows to keep in a store: tasks, functions and accounts with every field set to something recognisable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from sojourn.destination import Delivery
from sojourn.function import AccessKey, Account, AsyncConfig, Code, Config, Function
from sojourn.history import append_event
from sojourn.store import OpenTask, Store
from sojourn.task import Backoff, Claimed, Fact, Failure, Faltered, Returned, Started, Status, Success, Task, advance
from sojourn.task import submit as submitted

T = TypeVar("T")

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
LARGE = 50_000

Factory = Callable[[], Store]
"""Makes a store on the same data each time; the one before must be closed."""


def use(factory: Factory, work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` makes of an open store, which is closed after it."""

    async def run() -> T:
        store = factory()
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def open_tasks(store: Store) -> list[OpenTask]:
    """Every task that is not over, as a start reads them."""
    return [task async for chunk in store.open_tasks() for task in chunk]


async def open_ids(store: Store) -> list[int]:
    """Their ids, in order."""
    return sorted([task.id for task in await open_tasks(store)])


def new_task(task_id: int, name: str | None = None, *, function_id: int = 1, payload: bytes = b"{}") -> Task:
    """A task as it is submitted."""
    task = Task(id=task_id, account_id="1234567890", function_id=function_id, generation=1, name=name, payload=payload)
    return submitted(task, NOW + task_id)


def full_task(task_id: int, name: str | None = None) -> Task:
    """A task in which every field differs from its default, and from every other field."""
    return Task(
        id=task_id,
        account_id="account",
        function_id=2,
        generation=3,
        name=name,
        qualifier="qualifier",
        status=Status.RETRYING,
        epoch=4,
        attempts=5,
        retries=6,
        losses=7,
        retries_max=8,
        due_at=NOW + 9,
        expires_at=NOW + 10,
        created_at=NOW + 11,
        started_at=NOW + 12,
        ended_at=NOW + 13,
        owner=14,
        instance_id="c-15",
        error="UnhandledInvocationError",
        history=append_event(b"", "Enqueued", NOW, {"detail": "with \0 and ü"}),
        payload=b"\0payload\xff",
        result=b"\0result\xff",
        tags={"tag": "16"},
        rerun_of="17",
    )


def moved(task: Task, *facts: Fact) -> Task:
    """The task after `facts`."""
    for fact in facts:
        task = advance(task, fact, NOW + SECOND)
    return task


def claimed(task: Task) -> Task:
    """The task in the hands of incarnation 1."""
    return moved(task, Claimed(1))


def started(task: Task) -> Task:
    """The task while its next attempt runs."""
    return moved(task, Claimed(1), Started("c-1"))


def faltered(task: Task, document: bytes) -> Task:
    """The running task, waiting for another attempt after an error that `document` tells."""
    failure = Failure(kind="UnhandledInvocationError", type="ValueError", message="no", document=document)
    return moved(task, Faltered(failure, NOW + Backoff().delay(0, 0)))


def returned(task: Task, result: bytes) -> Task:
    """The running task with its result."""
    return moved(task, Returned(Success(result=result)))


def new_function(name: str = "resize", *, account_id: str = "1234567890") -> Function:
    """A function before the store gave it an id."""
    return Function(
        id=0,
        account_id=account_id,
        name=name,
        generation=1,
        revision=1,
        config=Config(
            runtime="python3.12",
            handler="index.handler",
            description="Größe ändern",
            cpu=0.5,
            environment_variables={"KEY": "value"},
            tags=[{"key": "team", "value": "a"}],
        ),
        code=Code(digest="ab" * 32, size=3, checksum="17"),
        created_at=NOW,
        modified_at=NOW + 1,
    )


def revised(function: Function) -> Function:
    """The function after an update that touches everything an update may touch."""
    return msgspec.structs.replace(
        function,
        generation=function.generation + 1,
        revision=function.revision + 1,
        config=Config(runtime="python3.11", handler="main.run"),
        code=Code(digest="cd" * 32, size=4, checksum="18"),
        modified_at=NOW + 2,
        async_config=AsyncConfig(max_async_retry_attempts=0, created_at=NOW, modified_at=NOW + 2),
        reserved_concurrency=0,
        deleted=True,
    )


def new_delivery(task_id: int, **fields: Any) -> Delivery:
    """A delivery as the end of a task makes it."""
    made = Delivery(
        task_id=task_id,
        function_id=1,
        account_id="1234567890",
        target="https://example.com/größe?a=b",
        due_at=NOW,
        created_at=NOW,
        begun_at=NOW,
    )
    return msgspec.structs.replace(made, **fields)


def new_account(account_id: str = "1234567890", at: int = NOW, *, owner: bool = False) -> Account:
    """An account made at `at`."""
    return Account(id=account_id, created_at=at, owner=owner)


def new_key(key_id: str, account_id: str = "1234567890") -> AccessKey:
    """A key of an account."""
    return AccessKey(id=key_id, secret=f"secret of {key_id}", account_id=account_id, created_at=NOW)
