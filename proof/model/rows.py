"""Rows of tasks as small numbers, moved by the product's own `submit`, `judge` and `advance`.

A model looks at millions of states and at only some thousands of different rows. Each row is made once, by the product,
and is a number from then on; so is each step from row to row, with what the product's audit and the invariants that
tie two rows together say of it. Number 0 is the row that is not there.
"""

from __future__ import annotations

from sojourn import audit, task
from sojourn.errors import IllegalFact
from sojourn.task import Backoff, Fact, Failure, Outcome, Status, Success, Task

NOW = 1_800_000_000_000_000
EXPIRES_AT = NOW + 1_000_000
NO_ROW = 0

OUTCOMES: tuple[Outcome, ...] = (
    Success(result=b"1"),
    Failure(kind=task.UNHANDLED, type="ValueError", message="no"),
    Failure(kind=task.UNHANDLED, type=task.INSTANCE_LOST, message="lost", lost=True),
)
OK, ERROR, LOST = range(3)


class _Untagged(dict[str, str]):
    """No tags, and no reason to tell two rows apart."""

    def __hash__(self) -> int:  # type: ignore[override]  # nothing is ever put in
        return 0


_UNTAGGED = _Untagged()


class Rows:
    """All rows met so far. `retries_max` is what tasks are submitted with."""

    def __init__(self, retries_max: int) -> None:
        self._numbers: dict[Task, int] = {}
        self._steps: dict[tuple[int, ...], int | None] = {}
        self._judged: dict[tuple[int, int], Fact] = {}
        self._kept: dict[int, Fact] = {}
        self._faults: dict[tuple[int, int], tuple[str, ...]] = {}
        self._retries_max = retries_max
        self.tasks: list[Task | None] = [None]
        self.status: list[Status | None] = [None]
        self.epoch: list[int] = [0]
        self.owner: list[int] = [0]
        self.over: list[bool] = [False]

    def submitted(self, number: int) -> int:
        """The first row of task `number`."""
        fresh = Task(
            id=number + 1,
            account_id="a",
            function_id=1,
            generation=1,
            retries_max=self._retries_max,
            expires_at=EXPIRES_AT,
            tags=_UNTAGGED,
        )
        return self._number(task.submit(fresh, NOW))

    def step(self, row: int, *facts: Fact) -> int | None:
        """The row after `facts`; None when the table does not allow it."""
        key = (row, *map(id, facts))  # not every fact can be hashed; that each is kept makes its id its own
        if key not in self._steps:
            self._kept.update({id(fact): fact for fact in facts})
            self._steps[key] = self._made(row, facts)
        return self._steps[key]

    def judged(self, row: int, outcome: int) -> Fact:
        """What an attempt's outcome amounts to on this row."""
        key = (row, outcome)
        if key not in self._judged:
            self._judged[key] = task.judge(self.at(row), OUTCOMES[outcome], NOW, Backoff(), 0.0)
        return self._judged[key]

    def at(self, row: int) -> Task:
        """The task as the product has it."""
        found = self.tasks[row]
        if found is None:
            raise LookupError("no row")
        return found

    def faults(self, before: int, after: int) -> tuple[str, ...]:
        """What is wrong with a write of `after` over `before`."""
        key = (before, after)
        if key not in self._faults:
            self._faults[key] = tuple(self._wrong(before, after))
        return self._faults[key]

    def started(self, before: int, after: int) -> bool:
        """Whether user code was started between the two rows."""
        return bool(after) and self.at(after).attempts > (self.at(before).attempts if before else 0)

    def _made(self, row: int, facts: tuple[Fact, ...]) -> int | None:
        after = self.at(row)
        try:
            for fact in facts:
                after = task.advance(after, fact, NOW)
        except IllegalFact:
            return None
        return self._number(after)

    def _number(self, row: Task) -> int:
        number = self._numbers.get(row)
        if number is None:
            number = self._numbers[row] = len(self.tasks)
            self.tasks.append(row)
            self.status.append(row.status)
            self.epoch.append(row.epoch)
            self.owner.append(row.owner)
            self.over.append(row.over)
        return number

    def _wrong(self, before: int, after: int) -> list[str]:
        new = self.at(after)
        found = [f"{one.invariant} {one.text}" for one in audit.of_task(new, new.events)]
        if before:
            old = self.at(before)
            if old.over and new != old:
                found.append(f"I2 {old.status.value} changed to {new.status.value}")
            if not new.history.startswith(old.history):
                found.append("I3 the history was written over")
            if new.epoch <= old.epoch:
                found.append(f"I5 epoch {old.epoch} is followed by {new.epoch}")
        return found
