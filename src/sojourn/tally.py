"""What a queue counts of its tasks as they move: nothing is decided by it, and it begins anew at every start.

It is on the way of every task, so that each count is one step in a table, and nothing is counted that follows from
other counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .clock import MICROSECONDS_PER_SECOND
from .metrics import Histogram
from .task import TERMINAL, Fact, Failure, Faltered, GaveUp, Returned, Started, Status, Task, moved_at

LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WAIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)
RUN_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)

_ENDS = (Returned, Faltered, GaveUp)


class Tally:
    """Counts of one start of a server.

    `counts` holds how many tasks there are of each function in each status, those of earlier starts included, and
    `forgotten` how many were deleted because they had been over for long enough. `moves` holds how often a status
    followed another (None: a submit), `refused` the submits that were turned away, by code, `attempts` those that are
    over, by what they came to. `waits` are the seconds from a submit to the first start, `runs` those of an attempt,
    `writes` those until a change was durable. `illegal` counts the steps that our own loops tried and the table
    refused.
    """

    __slots__ = ("_found", "attempts", "counts", "forgotten", "illegal", "moves", "refused", "runs", "waits", "writes")

    def __init__(self) -> None:
        self.counts: Counter[tuple[int, Status]] = Counter()
        self.forgotten = 0
        self._found: Counter[Status] = Counter()
        self.moves: Counter[tuple[Status | None, Status]] = Counter()
        self.refused: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.waits, self.runs = Histogram(WAIT_BOUNDS), Histogram(RUN_BOUNDS)
        self.writes = Histogram(LATENCY_BOUNDS)
        self.illegal = 0

    @property
    def open(self) -> Counter[Status]:
        """How many tasks are in each status that something may follow: what was found and what came, less what went."""
        held = self._found.copy()
        for (before, after), count in self.moves.items():
            held[after] += count
            if before is not None:
                held[before] -= count
        return Counter({status: count for status, count in held.items() if count and status not in TERMINAL})

    def of(self, function_id: int) -> Mapping[Status, int]:
        """How many tasks of a function are in each status, all ten included."""
        return {status: self.counts[function_id, status] for status in Status}

    def found(self, counts: Mapping[tuple[int, Status], int]) -> None:
        """A start found so many tasks, by function and status."""
        self.counts.update(counts)
        for (_, status), tasks in counts.items():
            self._found[status] += tasks

    def dropped(self, counts: Mapping[tuple[int, Status], int]) -> None:
        """So many tasks were forgotten, by function and status."""
        self.counts.subtract(counts)
        self.forgotten += sum(counts.values())

    def submitted(self, function_id: int) -> None:
        """A task was accepted."""
        self.counts[function_id, Status.ENQUEUED] += 1
        self.moves[None, Status.ENQUEUED] += 1

    def moved(self, before: Task, after: Task, path: Sequence[Status], facts: Sequence[Fact]) -> None:
        """Some facts about a task became durable, and led it through the statuses of `path`."""
        self.counts[before.function_id, before.status] -= 1
        self.counts[after.function_id, after.status] += 1
        status = before.status
        for fact, following in zip(facts, path, strict=True):
            self.moves[status, following] += 1
            status = following
            if isinstance(fact, Started):
                if after.attempts == 1:
                    self.waits.observe((after.started_at - after.created_at) / MICROSECONDS_PER_SECOND)
            elif isinstance(fact, _ENDS):
                self.attempts[_came_to(fact)] += 1
                self.runs.observe((moved_at(after) - moved_at(before)) / MICROSECONDS_PER_SECOND)


def _came_to(fact: Returned | Faltered | GaveUp) -> str:
    """What an attempt came to, in few words: what user code calls its errors is not among them."""
    outcome = fact.outcome
    if not isinstance(outcome, Failure):
        return "succeeded"
    return "lost" if outcome.lost else outcome.kind
