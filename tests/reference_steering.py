"""The reference store's verbs for operations on many tasks, and for what tasks report of themselves."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import msgspec

from reference_data import Data
from sojourn.bulk import Operation
from sojourn.destination import Delivery
from sojourn.progress import Progress
from sojourn.store import Log, Work
from sojourn.task import Status, Task


class Steering(ABC):
    """A part of the reference store."""

    data: Data
    _pulse: asyncio.Event

    @abstractmethod
    async def _read(self) -> None: ...

    @abstractmethod
    def _insert(self, task: Task) -> bool: ...

    @abstractmethod
    def _swap(self, epoch: int, task: Task, log: Log | None, delivery: Delivery | None) -> bool: ...

    async def carry(self, operation: Operation, epoch: int, work: Work) -> tuple[Operation | None, list[int]]:
        """All of it, if the operation stands there."""
        await self._read()
        found = self.data.operations.get(operation.id)
        if found is None or found.epoch != epoch:
            return None, []
        touched = [
            change.task.id for change in work.changes if self._swap(change.epoch, change.task, None, change.delivery)
        ]
        touched += [task.id for task in work.inserts if self._insert(task)]
        touched += [task_id for task_id in work.drops if self._drop(task_id)]
        moved = msgspec.structs.replace(operation, epoch=epoch + 1, done=operation.done + len(touched))
        self.data.operations[operation.id] = moved
        self._pulse.set()
        return moved, touched

    async def put_operation(self, operation: Operation, epoch: int) -> bool:
        """Compare and set."""
        await self._read()
        found = self.data.operations.get(operation.id)
        if (found.epoch if found else 0) != epoch:
            return False
        self.data.operations[operation.id] = operation
        return True

    async def drop_operation(self, operation_id: int) -> None:
        """Forget it."""
        await self._read()
        self.data.operations.pop(operation_id, None)

    async def operations(self) -> Sequence[Operation]:
        """All of them."""
        await self._read()
        return [operation for _, operation in sorted(self.data.operations.items())]

    async def put_tags(self, task_id: int, tags: Mapping[str, str]) -> bool:
        """Of a task that is not over."""
        await self._read()
        task = self.data.tasks.get(task_id)
        if task is None or task.over:
            return False
        self.data.tasks[task_id] = msgspec.structs.replace(task, tags=dict(tags))
        return True

    async def put_progress(self, progress: Progress) -> bool:
        """Of the attempt that runs."""
        await self._read()
        task = self.data.tasks.get(progress.task_id)
        if task is None or task.status is not Status.RUNNING or task.attempts != progress.attempt:
            return False
        self.data.progress[progress.task_id] = progress
        return True

    async def progress(self, task_ids: Sequence[int]) -> list[Progress]:
        """Those there are."""
        await self._read()
        return [self.data.progress[number] for number in set(task_ids) if number in self.data.progress]

    def _drop(self, task_id: int) -> bool:
        task, delivery = self.data.tasks.get(task_id), self.data.deliveries.get(task_id)
        if task is None or not task.over or (delivery is not None and not delivery.over):
            return False
        del self.data.tasks[task_id]
        if task.name is not None:
            del self.data.names[task.function_id, task.name]
        for key in [key for key in self.data.logs if key[0] == task_id]:
            del self.data.logs[key]
        self.data.deliveries.pop(task_id, None)
        self.data.progress.pop(task_id, None)
        return True
