"""What the stores under test are put through: whole lives of tasks, with restarts, and a note of what was acknowledged.

Every row that may ever be there is known beforehand by its task and epoch, so that what is found after a loss can be
compared byte for byte. The lives take every path that matters to a store: large and small bodies, bodies that grow and
shrink, logs, records of the end, names, retries, stops.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import NamedTuple

from sojourn.destination import Delivery
from sojourn.errors import StoreFailed
from sojourn.function import AccessKey, Account, Code, Config, Function
from sojourn.store import Log, Store
from sojourn.task import (
    UNHANDLED,
    Claimed,
    Ended,
    Fact,
    Failure,
    Faltered,
    GaveUp,
    Refused,
    Returned,
    Started,
    StopRequested,
    Success,
    Task,
    advance,
    submit,
)

NOW = 1_800_000_000_000_000
SIZES = (2, 300, 1_024, 1_025, 3_000, 9_000)
AT_A_TIME = 8


class Step(NamedTuple):
    """A write: the row it makes, and the log and the delivery that come with it."""

    row: Task
    log: Log | None = None
    delivery: Delivery | None = None


class Acknowledged(NamedTuple):
    """That a write was acknowledged after the first `position` calls of the disk's log."""

    position: int
    task_id: int
    epoch: int


def function() -> Function:
    """The function of all tasks."""
    return Function(
        id=0,
        account_id="a",
        name="f",
        generation=1,
        revision=1,
        config=Config(runtime="python3.12", handler="index.handler"),
        code=Code(digest="ab" * 32, size=3, checksum="17"),
        created_at=NOW,
        modified_at=NOW,
    )


def account() -> tuple[Account, AccessKey]:
    """Its account."""
    return (
        Account(id="a", created_at=NOW, owner=True),
        AccessKey(id="k", secret="s" * 30, account_id="a", created_at=NOW),
    )


def lives(count: int, first: int, seed: int) -> list[list[Step]]:
    """The writes of `count` tasks with numbers from `first` on."""
    dice = random.Random(seed)
    return [list(_life(number, dice)) for number in range(first, first + count)]


def _life(number: int, dice: random.Random) -> Iterator[Step]:
    row = submit(
        Task(
            id=number,
            account_id="a",
            function_id=1,
            generation=1,
            name=f"t{number}" if number % 2 else None,
            payload=dice.randbytes(dice.choice(SIZES)),
        ),
        NOW + number,
    )
    yield Step(row)
    for facts, log in _facts(dice):
        for fact in facts:
            row = advance(row, fact, NOW + number)
        yield Step(row, log, _delivery(number) if row.over and number % 3 == 0 else None)


def _delivery(number: int) -> Delivery:
    """The record of a finished task on its way."""
    return Delivery(
        task_id=number,
        function_id=1,
        account_id="a",
        target="http://localhost/",
        due_at=NOW,
        created_at=NOW,
        begun_at=NOW,
    )


def _facts(dice: random.Random) -> Iterator[tuple[tuple[Fact, ...], Log | None]]:
    """The rest of a life, write by write."""

    def failure(*, lost: bool) -> Failure:
        return Failure(kind=UNHANDLED, type="E", message="no", document=dice.randbytes(dice.choice(SIZES)), lost=lost)

    kind = dice.choice(("success", "success", "warm", "retries", "gives up", "stop", "stop running", "refused", "open"))
    if kind == "stop":
        yield (StopRequested("x"), Ended()), None
        return
    if kind == "refused":
        yield (Claimed(1), Refused("FunctionDeleted", "gone")), None
        return
    attempts = 3 if kind in ("retries", "gives up") else 1
    for attempt in range(1, attempts + 1):
        if kind == "warm":
            yield (Claimed(1), Started("i")), None
        else:
            yield (Claimed(1),), None
            yield (Started("i"),), None
        log = Log(attempt, dice.randbytes(dice.choice(SIZES)), b"tail", dice.randrange(3))
        if attempt < attempts:
            yield (Faltered(failure(lost=attempt == 2), NOW),), log
    if kind == "gives up":
        yield (GaveUp(failure(lost=False)),), log
    elif kind == "stop running":
        yield (StopRequested("x"),), None
        yield (Ended({"processesLeft": 0}),), log
    elif kind != "open":
        yield (Returned(Success(result=dice.randbytes(dice.choice(SIZES)))),), log


class Record:
    """What callers were told; `position()` is how far the disk's log is."""

    def __init__(self) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.steps: dict[tuple[int, int], Step] = {}
        self.refused = 0

    def know(self, plan: list[list[Step]]) -> None:
        """These rows may be found."""
        self.steps.update({(step.row.id, step.row.epoch): step for life in plan for step in life})


async def work(store: Store, plan: list[list[Step]], record: Record, ops: list[object]) -> None:
    """Live all of `plan`, a few tasks at a time; a life whose write is refused ends there."""
    record.know(plan)
    left = iter(plan)

    async def lane() -> None:
        for life in left:
            before = 0
            for row, log, delivery in life:
                try:
                    done = await (store.apply(before, row, log, delivery) if before else store.insert_task(row))
                except StoreFailed:
                    record.refused += 1
                    break
                if not done:
                    raise AssertionError(f"the store says that {row.id} does not stand at {before}")
                record.acknowledged.append(Acknowledged(len(ops), row.id, row.epoch))
                before = row.epoch

    await asyncio.gather(*(lane() for _ in range(AT_A_TIME)))
