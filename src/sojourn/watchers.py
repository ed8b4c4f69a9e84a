"""Who wants to hear of a task's durable moves."""

from __future__ import annotations

from collections.abc import Callable

from .task import Task

Watcher = Callable[[Task], None]


class Watchers:
    """Watchers by the ids of tasks. A watcher must not raise."""

    def __init__(self) -> None:
        self._of: dict[int, list[Watcher]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def add(self, task_id: int, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of a task from now on; returns what ends that."""
        self._of.setdefault(task_id, []).append(watcher)

        def remove() -> None:
            mine = self._of[task_id]
            mine.remove(watcher)
            if not mine:
                del self._of[task_id]

        return remove

    def tell(self, task: Task) -> None:
        """A task has moved."""
        if self._of:
            for watcher in self._of.get(task.id, ()):
                watcher(task)
