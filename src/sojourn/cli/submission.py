"""What `sojourn task submit` does: put tasks in, and with --wait see them through to their end."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sojourn.client import AsyncClient, ClientError, Submission, Task, WaitTimedOut

from . import exits
from .display import print_many, print_one
from .options import Common
from .progress import counting
from .taskview import HEADS, print_task, row

AT_ONCE = 500
"""So many are asked for at a time; the client sends them in few calls."""


@dataclass(frozen=True)
class Order:
    """What to submit, `count` times; `delay` and `patience` (how long to wait for the end) in seconds."""

    function: str
    payload: bytes
    task_id: str | None
    delay: int | None
    qualifier: str
    count: int
    wait: bool
    patience: float | None
    tags: Mapping[str, str]

    @property
    def task_ids(self) -> list[str | None]:
        """The ids to ask for, one for each task."""
        if self.task_id is None or self.count == 1:
            return [self.task_id] * self.count
        return [f"{self.task_id}-{number}" for number in range(1, self.count + 1)]


def carry_out(order: Order, common: Common) -> int:
    """Submit, wait if wanted, print, and return the exit code."""
    accepted: list[Submission] = []
    try:
        tasks = asyncio.run(_talk(order, common, accepted))
    except (KeyboardInterrupt, ClientError) as end:
        if order.count > 1:
            print(f"{len(accepted)} of {order.count} submitted: sojourn task list {order.function}", file=sys.stderr)
        elif accepted and not isinstance(end, WaitTimedOut):  # that one says the same
            print(f"submitted: sojourn task get {order.function} {accepted[0].task_id}", file=sys.stderr)
        raise
    if not order.wait:
        _print_accepted(common, accepted)
        return exits.OK
    _print_ended(common, tasks)
    return exits.OK if all(task.succeeded for task in tasks) else exits.TASK_FAILED


async def _talk(order: Order, common: Common, accepted: list[Submission]) -> list[Task]:
    async with AsyncClient(common.connection()) as client:
        await _submit(client, order, accepted)
        if not order.wait:
            return []
        pairs = [(order.function, submission.task_id) for submission in accepted]
        with counting("Waiting", len(pairs)) as one_more:
            return await client.wait_all(pairs, timeout=order.patience, on_over=lambda _: one_more())


async def _submit(client: AsyncClient, order: Order, accepted: list[Submission]) -> None:
    """Submit them in order, some at once; `accepted` grows as they are, also when one is refused."""
    ids = order.task_ids
    with counting("Submitting", len(ids)) as one_more:
        for begin in range(0, len(ids), AT_ONCE):
            sent = [
                client.submit(
                    order.function,
                    order.payload,
                    task_id=task_id,
                    delay=order.delay,
                    qualifier=order.qualifier,
                    tags=order.tags,
                )
                for task_id in ids[begin : begin + AT_ONCE]
            ]
            results = await asyncio.gather(*sent, return_exceptions=True)
            accepted += [result for result in results if isinstance(result, Submission)]
            for result in results:
                one_more()
                if isinstance(result, BaseException):
                    raise result


def _print_accepted(common: Common, accepted: Sequence[Submission]) -> None:
    if common.output == "table":
        for submission in accepted:
            print(submission.task_id)
    elif len(accepted) == 1:
        print_one(common.output, accepted[0], lambda: None)
    else:
        print_many(common.output, accepted, (), lambda _: ())


def _print_ended(common: Common, tasks: Sequence[Task]) -> None:
    if len(tasks) == 1:
        print_one(common.output, tasks[0], lambda: print_task(tasks[0]))
        return
    print_many(common.output, tasks, HEADS, row)
    if common.output == "table":
        counts = Counter(task.status.value for task in tasks)
        print(f"{len(tasks)} tasks: {', '.join(f'{count} {name}' for name, count in counts.most_common())}")
