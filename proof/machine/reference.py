"""The reference model: what callers may see of tasks, written from `docs/status.md` and not from the engine.

It does not schedule. The documentation leaves open which of several due tasks starts first and when within ± 20 % a
retry comes, so the model takes what is seen, asks of each new event whether the documentation allows it there, and
then whether something is overdue that the documentation promises. Times are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SECOND = 1_000_000
SLACK = 5_000
"""By how much later than its moment something may be seen: the machine looks when everything has come to rest."""
FOUND_SECONDS = 1
"""Within which time a task that grew too old is found."""
LOSSES_MAX = 3
STARTS_MAX = 4
"""Instances of one function that are made at the same time."""
OVER = ("Succeeded", "Failed", "Stopped", "Expired", "Invalid")
HANDS = ("Dequeued", "Running", "Stopping")
"""Statuses that hold a place of their function's reserved concurrency."""


class Difference(AssertionError):
    """The engine shows what the documentation does not allow, or does not show what it promises."""


@dataclass
class Function:
    """A function as callers configured it.

    `disturbed_at` is when starts were last cut short, for any reason, `freed_at` when there was last more room.
    """

    exists: bool = True
    generation: int = 1
    limit: int | None = None
    retries_max: int = 3
    age_seconds: int = 86_400
    timeout_seconds: int = 3
    disturbed_at: int = 0
    freed_at: int = 0


@dataclass
class Ending:
    """What an attempt came to: `cause` is `returned`, `failed` or `lost`."""

    cause: str
    result: bytes | None = None
    retryable: bool = True
    after: tuple[int, int] | None = None


@dataclass
class Known:
    """A task that was accepted. `due` is from when it may start, and when it must."""

    function: str
    generation: int
    payload: bytes = field(repr=False)
    retries_max: int
    due: tuple[int, int]
    expires_at: int
    path: list[str]
    stamps: list[int]
    attempts: int = 0
    retries: int = 0
    losses: int = 0
    starts_lost: int = 0
    ending: Ending | None = None
    deadline: int = 0
    stop_asked: bool = False
    result: bytes | None = b""

    @property
    def status(self) -> str:
        """Where it is."""
        return self.path[-1]

    @property
    def began_at(self) -> int:
        """What lists are narrowed by: its first start, its acceptance before that."""
        return (
            next((at for status, at in zip(self.path, self.stamps, strict=True) if status == "Running"), 0)
            or (self.stamps[0])
        )


@dataclass
class Model:
    """All of it. `slow_seconds` is how long an instance takes to start, `broken` how many starts are to fail."""

    functions: dict[str, Function] = field(default_factory=dict)
    tasks: dict[str, Known] = field(default_factory=dict)
    slow_seconds: float = 0.0
    slow_until: int = 0
    broken: int = 0

    # What callers ask -------------------------------------------------------------------------------------------------

    def submit(self, function: str, name: str, payload: bytes, delay_seconds: int, now: int) -> str:
        """The code that a submit is answered with, "" when it is accepted."""
        one = self.functions.get(function)
        if one is None or not one.exists:
            return "FunctionNotFound"
        if name in self.tasks:
            return "AsyncTaskAlreadyExists"
        due, expires_at = now + delay_seconds * SECOND, now + one.age_seconds * SECOND
        self.tasks[name] = Known(
            function, one.generation, payload, one.retries_max, (due, due), expires_at, ["Enqueued"], [now]
        )
        return ""

    def stop(self, function: str, name: str) -> str:
        """The code that a stop is answered with."""
        task = self.tasks.get(name)
        if task is None or task.function != function:
            return "AsyncTaskNotFound"
        if task.status in OVER:
            return "AsyncTaskAlreadyCompleted"
        task.stop_asked = True
        return ""

    def create(self, name: str, timeout_seconds: int) -> str:
        """The code that a create is answered with; a function of a name that was used before is another one."""
        before = self.functions.get(name)
        if before is not None and before.exists:
            return "FunctionAlreadyExists"
        self.functions[name] = Function(
            generation=before.generation + 1 if before else 1, timeout_seconds=timeout_seconds
        )
        return ""

    def lost(self, now: int) -> None:
        """The server or its sandbox went away."""
        for one in self.functions.values():
            one.disturbed_at = now
        for task in self.tasks.values():
            task.starts_lost += task.status in ("Dequeued", "Retrying")
            if task.status == "Running" and not task.stop_asked:
                task.ending = Ending("lost", None)

    # What is seen -----------------------------------------------------------------------------------------------------

    def see(self, name: str, path: Sequence[str], stamps: Sequence[int]) -> None:
        """Take the events of a task that are new, if each of them may follow."""
        task = self.tasks[name]
        known = len(task.path)
        if list(path[:known]) != task.path or list(stamps[:known]) != task.stamps:
            raise Difference(f"{name}: its history was {task.path}, and is {list(path)}")
        for place in range(known, len(path)):
            what, at = path[place], stamps[place]
            if at < task.stamps[-1]:
                raise Difference(f"{name}: {what} is stamped before {task.status}")
            if not self._may(task, what, at):
                raise Difference(f"{name}: {what} may not follow {task.path} now, of {task}")
            if task.status in HANDS and what not in HANDS:
                self.functions[task.function].freed_at = at
            task.path.append(what)
            task.stamps.append(at)

    def _may(self, task: Known, what: str, at: int) -> bool:
        """Whether an event may follow, with what it does to the task."""
        before = task.status
        if before in OVER:
            return False
        if what in ("Stopping", "Stopped"):
            return task.stop_asked and (before == "Stopping") == (what == "Stopped")
        if task.stop_asked:
            return False
        return self._may_end(task, what, at) if before == "Running" else self._may_wait(task, what, at)

    def _may_wait(self, task: Known, what: str, at: int) -> bool:
        """Of a task that does not run."""
        one, before = self.functions[task.function], task.status
        gone = not one.exists or one.generation != task.generation
        due, old = at >= task.due[0], at > task.expires_at
        match what:
            case "Dequeued":
                cut_short = before == "Dequeued" and one.disturbed_at > task.stamps[-1]
                return (before == "Enqueued" and (due or old)) or cut_short
            case "Running":
                task.attempts, task.result, task.ending = task.attempts + 1, None, None
                task.deadline = at + one.timeout_seconds * SECOND
                return before in ("Dequeued", "Retrying") and due and not old and not gone
            case "Failed" | "Invalid":
                given_up = task.starts_lost > LOSSES_MAX
                unstartable = gone or given_up or self.broken > 0
                self.broken -= not (gone or old or given_up)
                right = before == ("Retrying" if what == "Failed" else "Dequeued")
                return right and ((old and what == "Failed") or (due and unstartable))
        return what == "Expired" and before == "Dequeued" and old

    def _may_end(self, task: Known, what: str, at: int) -> bool:
        ending = task.ending
        if ending is None:
            if at < task.deadline:
                return False
            ending = Ending("failed", None)  # it timed out
        task.result = ending.result
        if ending.cause == "returned":
            return what == "Succeeded"
        lost = ending.cause == "lost"
        used, allowed = (task.losses, LOSSES_MAX) if lost else (task.retries, task.retries_max)
        if used >= allowed or not ending.retryable:
            return what == "Failed"
        task.losses, task.retries = task.losses + lost, task.retries + (not lost)
        wait = SECOND * (2 ** (task.losses - 1 if lost else task.retries) // 2)  # none after the first loss
        low, high = ending.after or (wait * 8 // 10, wait * 12 // 10)
        task.due = at + low, at + high
        return what == "Retrying"

    # What must be -----------------------------------------------------------------------------------------------------

    def open(self) -> list[Known]:
        """The tasks that are not over."""
        return [task for task in self.tasks.values() if task.status not in OVER]

    def in_hand(self, function: str) -> list[Known]:
        """The tasks that take a place of a function, or may."""
        return [task for task in self.tasks.values() if task.function == function and task.status in HANDS]

    def surely_in_hand(self, function: str) -> int:
        """How many do: one whose start was cut short takes none until it is tried again."""
        cut_at = self.functions[function].disturbed_at
        return sum(task.status != "Dequeued" or task.stamps[-1] >= cut_at for task in self.in_hand(function))

    def check_limits(self, before: dict[str, int], now: int) -> None:
        """No more in hand than the limit allows, or than there were `before` it was lowered."""
        for name, one in self.functions.items():
            if now < self.slow_until:  # a retry whose instance is being made shows as nothing else than Retrying
                continue
            if one.limit is not None and self.surely_in_hand(name) > max(one.limit, before.get(name, 0)):
                raise Difference(f"{self.surely_in_hand(name)} tasks of {name} are in hand, {one.limit} may be")

    def moments(self, now: int) -> Iterator[int]:
        """When something is to be seen that lies ahead."""
        for task in self.tasks.values():
            if task.status in ("Enqueued", "Retrying", "Dequeued"):
                yield from (at for at in (task.due[1], task.expires_at + FOUND_SECONDS * SECOND) if at >= now - SLACK)
            elif task.status == "Running" and task.deadline >= now - SLACK:
                yield task.deadline

    def overdue(self, now: int) -> Iterator[str]:
        """What should have happened by now."""
        slow = round((2 * self.slow_seconds + 1) * SECOND) if now < self.slow_until else 0
        for name, task in self.tasks.items():
            starting = slow * (1 + sum(each.function == task.function for each in self.open()) // STARTS_MAX)
            one = self.functions[task.function]
            since = max(task.due[1], task.stamps[-1], one.freed_at)
            if one.disturbed_at + SECOND + starting > now:  # a start that was cut short is tried again a little later
                since = max(since, one.disturbed_at + SECOND)
            late = now > since + starting + SLACK
            others = sum(each is not task for each in self.in_hand(task.function))
            room = not one.exists or one.limit is None or others < one.limit
            if task.status in ("Enqueued", "Retrying") and late and (room or now > task.expires_at + SECOND + SLACK):
                yield f"{name} is due and waits: {task}"
            elif task.status == "Dequeued" and late and room:
                yield f"{name} is Dequeued and nothing comes of it: {task}"
            elif task.status == "Running" and (task.ending or task.stop_asked or now > task.deadline + SLACK):
                yield f"{name} is over and still Running: {task}"
            elif task.status == "Stopping" and late:
                yield f"{name} is Stopping and nothing comes of it: {task}"
            elif task.stop_asked and task.status not in (*OVER, "Stopping"):
                yield f"{name} was stopped and is {task.status}"
