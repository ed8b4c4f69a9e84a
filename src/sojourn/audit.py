"""What a database of tasks must look like if no invariant was ever broken: `sojourn verify` and the tests ask here.

The rules are read from the transition table and from what `task.advance` keeps; this file adds none of its own. It is
pure: it is handed rows and says what cannot be. How rows are read is left to the stores (`Store.records`), how a report
is shown to `cli.verify` and `api.v1`. The names `I1` … `I22` are those of the list in `docs/guarantees.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from . import identity
from .function import Function
from .history import Event, unpack_events
from .store import Records, Stray
from .task import LEGAL_STEPS, LOSSES_MAX, TERMINAL, Status, Task

AGE_SLACK = 1_000_000
"""Microseconds by which a start may follow the end of its age: between the look at the clock and the stamp."""
NEVER_STARTED = (Status.EXPIRED, Status.INVALID)
SHOWN_MAX = 1_000
"""Violations that a report keeps; all are counted."""

_LEGAL = {(before and before.value, after.value) for before, after in LEGAL_STEPS}
_TERMINAL = {status.value for status in TERMINAL}


class Violation(msgspec.Struct, frozen=True):
    """One thing that cannot be: which invariant it breaks, and in which task (0: in none)."""

    invariant: str
    text: str
    task_id: int = 0

    def __str__(self) -> str:
        where = f"task {identity.request_id(self.task_id)}: " if self.task_id else ""
        return f"{self.invariant} {where}{self.text}"


class Report(msgspec.Struct, kw_only=True):
    """What was looked at and what is wrong with it; `violations` holds the first `SHOWN_MAX` of `violations_count`."""

    tasks: int = 0
    events: int = 0
    functions: int = 0
    statuses: dict[str, int] = {}
    violations_count: int = 0
    violations: list[Violation] = []


def audit(records: Records) -> Report:
    """The report on everything that `records` holds."""
    functions = {function.id: function for function in records.functions()}
    report, statuses, named = Report(functions=len(functions)), Counter[str](), set[tuple[int, str]]()

    def blame(found: Iterable[Violation]) -> None:
        for violation in found:
            report.violations_count += 1
            if len(report.violations) < SHOWN_MAX:
                report.violations.append(violation)

    incarnation = records.incarnation()
    for task in records.tasks():
        report.tasks += 1
        statuses[task.status.value] += 1
        try:
            events = unpack_events(task.history)
        except ValueError as error:
            blame([Violation("I3", f"its history cannot be read: {error}", task.id)])
            continue
        report.events += len(events)
        blame(of_task(task, events))
        blame(_of_place(task, functions, incarnation))
        if task.name is not None:
            if (task.function_id, task.name) in named:
                blame([Violation("I9", f"another task of the function is named {task.name!r} too", task.id)])
            named.add((task.function_id, task.name))
    blame(_of_stray(stray) for stray in records.strays())
    report.statuses = dict(sorted(statuses.items()))
    return report


def of_events(events: Sequence[Event], *, over: bool = False) -> list[str]:
    """Everything that is wrong with a history, whoever tells it; `over` asks for a terminal event at the end."""
    if not events:
        return ["I3 no events"]
    path = [event.status for event in events]
    steps = [(None, path[0]), *pairwise(path)]
    found = [f"I3 illegal step from {before} to {after}" for before, after in steps if (before, after) not in _LEGAL]
    numbers = [event.number for event in events]
    if numbers != list(range(1, len(events) + 1)):
        found.append(f"I4 the events are numbered {numbers}")
    stamps = [event.at for event in events]
    if stamps != sorted(stamps):
        found.append(f"I4 the stamps step back: {stamps}")
    ends = [place for place, status in enumerate(path) if status in _TERMINAL]
    if ends and ends[0] != len(path) - 1:
        found.append(f"I2 a terminal status is not the end: {path}")
    if over and not ends:
        found.append(f"I1 never ended: {path[-1]}")
    return found


def of_task(task: Task, events: Sequence[Event]) -> list[Violation]:
    """Everything that is wrong with a row and its unpacked history."""
    found = of_events(events)
    if events:
        found += [*_of_row(task, events), *_of_counters(task, events), *_of_starts(task, events)]
    return [Violation(text[: text.index(" ")], text[text.index(" ") + 1 :], task.id) for text in found]


def _of_row(task: Task, events: Sequence[Event]) -> Iterable[str]:
    """The columns that repeat what the history says."""
    last = events[-1]
    if task.status.value != last.status:
        yield f"I3 the row is {task.status.value}, its last event {last.status}"
    if task.epoch < len(events):
        yield f"I5 epoch {task.epoch} with {len(events)} events"
    if task.created_at != events[0].at:
        yield f"I4 created at {task.created_at}, enqueued at {events[0].at}"
    ended = last.at if task.over else 0
    if task.ended_at != ended:
        yield f"I2 ended at {task.ended_at} where {ended} is right"
    if task.over and (task.owner or task.due_at):
        yield f"I2 over, and yet held by {task.owner} and due at {task.due_at}"
    if task.status is Status.ENQUEUED and task.owner:
        yield f"I5 Enqueued, and yet held by {task.owner}"
    if task.status in (Status.DEQUEUED, Status.RUNNING) and not task.owner:
        yield f"I5 {task.status.value}, and nobody holds it"


def _of_counters(task: Task, events: Sequence[Event]) -> Iterable[str]:
    """The counters against the events they count."""
    paths = Counter(event.status for event in events)
    if task.attempts != paths["Running"]:
        yield f"I8 {task.attempts} attempts, {paths['Running']} events Running"
    failed = task.retries + task.losses
    if failed != paths["Retrying"]:
        yield f"I8 {task.retries} retries and {task.losses} losses, {paths['Retrying']} events Retrying"
    if not failed <= task.attempts <= failed + 1:
        yield f"I8 {task.attempts} attempts after {failed} that failed"
    if task.retries > task.retries_max or task.losses > LOSSES_MAX:
        yield f"I8 {task.retries} retries of {task.retries_max}, {task.losses} losses of {LOSSES_MAX}"
    if task.status in NEVER_STARTED and task.attempts:
        yield f"{'I11' if task.status is Status.EXPIRED else 'I12'} {task.status.value} after {task.attempts} attempts"


def _of_starts(task: Task, events: Sequence[Event]) -> Iterable[str]:
    """What the events Running say of themselves."""
    starts = [event for event in events if event.status == Status.RUNNING.value]
    began = starts[0].at if starts else 0
    if task.started_at != began:
        yield f"I4 started at {task.started_at} where {began} is right"
    for number, event in enumerate(starts, 1):
        told = msgspec.json.decode(event.detail, type=dict[str, object]).get("attempt") if event.detail else None
        if told is not None and told != number:
            yield f"I14 start number {number} says that it is attempt {told}"
    for before, event in pairwise(events):
        late = task.expires_at and event.at > task.expires_at + AGE_SLACK
        # A stamp that equals the one before may be held up by a clock that stepped back, and says nothing.
        if event.status == Status.RUNNING.value and late and event.at > before.at:
            yield f"I11 started at {event.at}, too old from {task.expires_at} on"


def _of_place(task: Task, functions: Mapping[int, Function], incarnation: int) -> Iterable[Violation]:
    """What a row says of others: its function, its account, who holds it."""
    function = functions.get(task.function_id)
    if function is None:
        yield Violation("I3", f"there is no function {task.function_id}", task.id)
    elif (function.account_id, True) != (task.account_id, task.generation <= function.generation):
        text = f"of account {task.account_id!r} and generation {task.generation}, its function of "
        yield Violation("I20", f"{text}{function.account_id!r} and {function.generation}", task.id)
    if task.owner > incarnation:
        yield Violation("I5", f"held by {task.owner}, and there were only {incarnation} starts of a server", task.id)


def _of_stray(stray: Stray) -> Violation:
    return Violation("I13" if stray.kind == "delivery" else "I14", f"a {stray.kind} {stray.text}", stray.task_id)
