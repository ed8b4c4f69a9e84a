"""Tasks that were just submitted, kept in memory until somebody reads them for the first time.

A task is mostly started moments after its submission: its row need not be read for that. What a row says may be newer,
so whoever changes a task takes it from here first; the queue does.
"""

from __future__ import annotations

from .task import Task

TASKS_MAX = 20_000
PAYLOAD_BYTES_MAX = 4096
"""Of a task that is kept: the rows of larger ones are read when they are needed."""


class Fresh:
    """The tasks, by id; none of them was changed since its submission."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}

    def keep(self, task: Task) -> None:
        """A task is durable; it is kept where there is room."""
        if len(task.payload) <= PAYLOAD_BYTES_MAX and len(self._tasks) < TASKS_MAX:
            self._tasks[task.id] = task

    def take(self, task_id: int) -> Task | None:
        """The task, kept no longer; None when it is not here."""
        return self._tasks.pop(task_id, None)
