"""The line of one function: which of its tasks wait, which are due, and which are about to grow too old.

It lives in memory only and is rebuilt from rows at every start, so it decides nothing: an id it hands out is a hint,
checked against the row. Due tasks leave in the order they became due, which for tasks without delay is the order
of submission. All times are microseconds since 1970.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush


class Line:
    """Tasks of one function that wait to be claimed."""

    def __init__(self, function_id: int) -> None:
        self.function_id = function_id
        self._waiting: dict[int, int] = {}  # id -> expires_at: the truth; what the other three hold beyond it is stale
        self._due: deque[int] = deque()
        self._later: list[tuple[int, int]] = []
        self._aging: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._waiting

    def add(self, task_id: int, due_at: int, expires_at: int, now: int) -> None:
        """Let a task wait until `due_at`; it is too old from `expires_at` on (0: never)."""
        self._waiting[task_id] = expires_at
        if due_at <= now:
            self._due.append(task_id)
        else:
            heappush(self._later, (due_at, task_id))
        if expires_at:
            heappush(self._aging, (expires_at, task_id))
        if len(self._aging) > 2 * len(self._waiting) + 1024:
            self._aging = [(at, waiting) for waiting, at in self._waiting.items() if at]
            heapify(self._aging)

    def remove(self, task_id: int) -> None:
        """Forget a task; forgetting one that does not wait is fine."""
        self._waiting.pop(task_id, None)

    def has_due(self, now: int) -> bool:
        """Whether some task can be taken at `now`."""
        while self._later and self._later[0][0] <= now:
            self._due.append(heappop(self._later)[1])
        while self._due and self._due[0] not in self._waiting:
            self._due.popleft()
        return bool(self._due)

    def next_due(self) -> int | None:
        """When the next task that waits for its moment becomes due; None when there is none."""
        while self._later and self._later[0][1] not in self._waiting:
            heappop(self._later)
        return self._later[0][0] if self._later else None

    def first(self, now: int) -> int | None:
        """The id of the task that has been due longest; None when none is due."""
        return self._due[0] if self.has_due(now) else None

    def ahead(self, task_id: int, limit: int) -> int | None:
        """How many due tasks go before one that waits; None when it is not due, or has more than `limit` before it."""
        count = 0
        for each in self._due:
            if each == task_id and task_id in self._waiting:
                return count
            count += each in self._waiting
            if count > limit:
                return None
        return None

    def take(self, now: int) -> int | None:
        """The id of the task that has been due longest, which stops waiting; None when none is due."""
        if not self.has_due(now):
            return None
        task_id = self._due.popleft()
        del self._waiting[task_id]
        return task_id

    def take_aged(self, now: int, limit: int) -> list[int]:
        """The ids of at most `limit` tasks that are too old at `now`; they stop waiting."""
        aged: list[int] = []
        while self._aging and self._aging[0][0] < now and len(aged) < limit:
            _, task_id = heappop(self._aging)
            if self._waiting.pop(task_id, None) is not None:
                aged.append(task_id)
        return aged

    def next_moment(self) -> int | None:
        """When the line has to be looked at again although nothing is added to it."""
        while self._later and self._later[0][1] not in self._waiting:
            heappop(self._later)
        while self._aging and self._aging[0][1] not in self._waiting:
            heappop(self._aging)
        moments = [heap[0][0] for heap in (self._later, self._aging) if heap]
        return min(moments) if moments else None
