"""Everything that is known after a run, from sources that do not know of each other, on one time axis.

The axis is the machine's monotonic clock in microseconds; what the store stamped by the wall clock is moved onto it by
`offset`. The checker sees nothing but this, so that a test may make up a run that never was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

import msgspec
from proof.soak.samples import Sample

from sojourn import identity
from sojourn.task import TERMINAL, Task

from .functions import DESIGNS, Design
from .journal import BEGIN, END, Word
from .records import Call, Fault, Life, Receipt

TERMINALS = frozenset(status.value for status in TERMINAL)


class Body(msgspec.Struct, frozen=True):
    """What the server's own lists say of a task: the digest of its payload, and its result."""

    digest: str
    result: str


class Moment(msgspec.Struct, frozen=True):
    """One event of a task, its time on the axis."""

    status: str
    at: int
    detail: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """One execution of user code, as the journal has it; `over` says whether it came to its end."""

    request: str
    number: int
    instance: str
    label: str
    began: int
    last: int
    over: bool


class Evidence(msgspec.Struct, kw_only=True, dict=True):
    """A run.

    `tasks` are the store's rows, `functions` the names of their functions, `bodies` what the lists told, by request id.
    `violations` is what `sojourn verify` found. `orphans` are processes that outlived their server, `leaks` other
    things left behind, `errors` what the harness itself came upon. `offset` is wall clock minus axis, `ended` when the
    last wait was over, `outer` whether there were outer processes (bubblewrap's) to be killed, `only` the kinds of
    faults of a run that had not all of them.
    """

    minutes: float
    tasks: list[Task]
    functions: dict[int, str]
    bodies: dict[str, Body]
    violations: list[str] = []
    calls: list[Call] = []
    words: list[Word] = []
    faults: list[Fault] = []
    lives: list[Life] = []
    receipts: list[Receipt] = []
    samples: list[Sample] = []
    orphans: list[str] = []
    leaks: list[str] = []
    errors: list[str] = []
    offset: int = 0
    ended: int = 0
    outer: bool = True
    only: tuple[str, ...] = ()

    @cached_property
    def moments(self) -> dict[str, list[Moment]]:
        """The events of each task, by request id."""
        return {
            identity.request_id(task.id): [
                Moment(event.status, event.at - self.offset, event.detail) for event in task.events
            ]
            for task in self.tasks
        }

    @cached_property
    def by_request(self) -> dict[str, Task]:
        """The tasks by request id."""
        return {identity.request_id(task.id): task for task in self.tasks}

    @cached_property
    def by_name(self) -> dict[tuple[str, str], list[Task]]:
        """The tasks by function and the name that their caller chose."""
        found: dict[tuple[str, str], list[Task]] = defaultdict(list)
        for task in self.tasks:
            found[self.function_of(task), task.name or ""].append(task)
        return found

    @cached_property
    def attempts(self) -> dict[str, list[Attempt]]:
        """What ran of each request, in the order in which it began."""
        spoken: dict[tuple[str, int, str], list[Word]] = defaultdict(list)
        for word in self.words:
            if word.attempt:
                spoken[word.request, word.attempt, word.instance].append(word)
        found: dict[str, list[Attempt]] = defaultdict(list)
        for (request, number, instance), words in spoken.items():
            times = [word.at for word in words]
            over = any(word.word == END for word in words)
            found[request].append(Attempt(request, number, instance, words[0].label, min(times), max(times), over))
        for attempts in found.values():
            attempts.sort(key=lambda attempt: attempt.began)
        return found

    @cached_property
    def begun(self) -> int:
        """How many words `begin` there are."""
        return sum(word.word == BEGIN for word in self.words)

    def function_of(self, task: Task) -> str:
        """The name of a task's function."""
        return self.functions.get(task.function_id, "")

    def design_of(self, task: Task) -> Design | None:
        """What its function was made to be."""
        return DESIGNS.get(self.function_of(task))

    def answered(self, verb: str, *answers: str) -> Iterator[Call]:
        """The calls of a verb that were answered so."""
        return (call for call in self.calls if call.verb == verb and call.answer in answers)

    def kills(self) -> list[Fault]:
        """The SIGKILLs."""
        return [fault for fault in self.faults if fault.kind.startswith("kill-")]


def of(evidence: Evidence, task: Task) -> list[Moment]:
    """The events of a task on the axis."""
    return evidence.moments[identity.request_id(task.id)]
