"""The observer: knows what really ran and what clients were told, and says at once when a row disagrees.

It stands outside of the product. The agents tell it what user code does, the database what became durable, the clients
what was answered; nothing is taken from the engine's own memory. Each rule carries the name of the invariant it belongs
to (`docs/guarantees.md`), or `contract` for what a sandbox must not be asked to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from sojourn import identity
from sojourn.destination import Delivery, DeliveryStatus
from sojourn.function import Function
from sojourn.history import Event, unpack_events
from sojourn.task import LEGAL_STEPS, LOSSES_MAX, Status, Task

from .behaviour import behaviour_of, result_mark
from .judging import MOMENT, Attempted, judge

if TYPE_CHECKING:
    from .living import Execution, Living
    from .loop import SimLoop

_LEGAL = {(before and before.value, after.value) for before, after in LEGAL_STEPS}
WAITING = (Status.ENQUEUED, Status.DEQUEUED, Status.RETRYING)
VIOLATIONS_MAX = 20
EVENTS_MAX = 4_000
PASSING = ("connection refused", "no answer within 30 s")
"""What targets say that may work later."""


class Observer:
    """Everything that is known, and what is wrong with it.

    `now()` is the wall clock in microseconds as the server sees it, `halt()` ends the run at the first violation.
    """

    def __init__(self, loop: SimLoop, now: Callable[[], int], halt: Callable[[], None]) -> None:
        self.loop, self._now, self._halt = loop, now, halt
        self.violations: list[str] = []
        self.events: list[str] = []
        self.told = False
        self.rows: dict[int, Task] = {}
        self.open: Counter[Status] = Counter()
        self.steps: Counter[tuple[str | None, str]] = Counter()
        self.functions: dict[int, Function] = {}
        self.attempts: dict[tuple[int, int], Attempted] = {}
        self.running: dict[int, list[Execution]] = {}
        self.calls: dict[str, Execution] = {}
        self.living: dict[str, Living] = {}
        self.fallen: set[str] = set()
        self.give_up_us = 0
        self.memory_mb_max = self.instances_max = 0
        self.set_back = False
        """Whether the wall clock was ever set back: then what is due by it may look early."""
        self.deliveries: dict[int, Delivery] = {}
        self.deliveries_expected: dict[tuple[int, int, Status], bool] = {}
        self.received: dict[str, list[tuple[bytes, bool]]] = {}
        self.acknowledged: dict[int, bytes] = {}
        self.names: dict[tuple[int, str], int] = {}
        self.stops: dict[int, float] = {}
        self.deleted: dict[tuple[int, int], float] = {}
        self.codes: dict[int, list[tuple[float, str]]] = {}
        self.limits: dict[int, list[tuple[float, int | None]]] = {}
        self._asked: dict[tuple[int, int, Status], tuple[float, int]] = {}
        self._claimed: dict[int, float] = {}

    # Saying so --------------------------------------------------------------------------------------------------------

    def blame(self, invariant: str, text: str) -> None:
        """Something cannot be."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"{invariant}: {text} (at {self.loop.time():.4f} s)")
        self.note(lambda: f"VIOLATION {invariant}: {text}")
        self._halt()

    def note(self, text: Callable[[], str]) -> None:
        """Write a line of the event log, where somebody wants one."""
        if self.told and len(self.events) < EVENTS_MAX:
            self.events.append(f"{self.loop.time():12.6f} {text()}")

    def name_of(self, number: int) -> str:
        """How a task is called in what is told."""
        return f"task {identity.request_id(number)}"

    # What servers ask for ---------------------------------------------------------------------------------------------

    def asked(self, epoch: int, task: Task, delivery: Delivery | None) -> None:
        """A server asks its store to move a task."""
        now = self.loop.time()
        self._asked[task.id, task.epoch, task.status] = (now, self._now())
        row = self.rows.get(task.id)
        if row is not None and row.epoch == epoch and row.status in WAITING:
            self._claimed.setdefault(task.id, now)
            early = row.due_at - self._now()
            if early > 0 and not task.over and task.status is not Status.STOPPING and not self.set_back:
                self.blame("due", f"{self.name_of(task.id)} is claimed {early} us before it is due")
        if task.over and row is not None and not row.over:
            self._expect_delivery(task, delivery)

    def _expect_delivery(self, task: Task, delivery: Delivery | None) -> None:
        function = self.functions.get(task.function_id)
        ends = function.async_config.destination_config if function and function.async_config else None
        wanted = ends and (ends.on_success if task.status is Status.SUCCEEDED else ends.on_failure)
        if (delivery is not None) != (wanted is not None):
            self.blame("I13", f"{self.name_of(task.id)} ends {task.status.value} with the wrong record: {delivery}")
        self.deliveries_expected[task.id, task.epoch, task.status] = wanted is not None

    # What became durable ----------------------------------------------------------------------------------------------

    def task_durable(self, row: Task | None, number: int) -> None:
        """The row of a task is so from now on."""
        before = self.rows.get(number)
        if row is None:
            self.blame("I1", f"{self.name_of(number)} is gone")
            return
        self.rows[number] = row
        if not row.over:
            self.open[row.status] += 1
        if before is None:
            self._submitted(row)
            return
        if not before.over:
            self.open[before.status] -= 1
        self._moved(before, row)

    def _submitted(self, row: Task) -> None:
        self.note(lambda: f"{self.name_of(row.id)} Enqueued, named {row.name}, of function {row.function_id}")
        self.steps[None, row.status.value] += 1
        if row.status is not Status.ENQUEUED or len(row.events) != 1:
            self.blame("I3", f"{self.name_of(row.id)} begins as {row.status.value}")

    def _moved(self, before: Task, row: Task) -> None:
        number, name = row.id, self.name_of(row.id)
        if before.over:
            self.blame("I2", f"{name} was {before.status.value} and is {row.status.value} now")
            return
        if not row.history.startswith(before.history):
            self.blame("I5", f"{name}: a write of one who saw another row, {before.status.value} to {row.status.value}")
            return
        events = unpack_events(row.history)
        fresh = events[len(unpack_events(before.history)) :]
        if row.epoch < before.epoch + max(len(fresh), 1):
            self.blame("I5", f"{name}: epoch {before.epoch} to {row.epoch} with {len(fresh)} events")
        self.note(lambda: f"{name} {' '.join(each.status for each in fresh)} {fresh[-1].detail if fresh else ''}")
        for step in pairwise([before.status.value, *(each.status for each in fresh)]):
            self.steps[step] += 1
            if step not in _LEGAL:
                self.blame("I3", f"{name}: illegal step from {step[0]} to {step[1]}")
        for each in fresh:
            self._happened(before, row, each)
        if fresh and (row.over or row.status is Status.RETRYING):
            self._claimed.pop(number, None)
            if self.running.get(number):
                self.blame("I6", f"{name} is {row.status.value} while user code of it runs")
        if row.over:
            self._over(row, events)

    def _happened(self, before: Task, row: Task, event: Event) -> None:
        if event.status == Status.RUNNING.value:
            self._started(row, event)
        elif event.status in (Status.RETRYING.value, Status.FAILED.value, Status.SUCCEEDED.value):
            judge(self, before, row, event)
        elif event.status == Status.EXPIRED.value and row.attempts:
            self.blame("I11", f"{self.name_of(row.id)} Expired after {row.attempts} starts")

    def _started(self, row: Task, event: Event) -> None:
        name = self.name_of(row.id)
        asked_at, asked_wall = self._asked.get((row.id, row.epoch, Status.RUNNING), (self.loop.time(), event.at))
        claimed_at = self._claimed.pop(row.id, asked_at)
        self.attempts[row.id, row.attempts] = Attempted(self.loop.time(), claimed_at, row.instance_id)
        if row.expires_at and asked_wall > row.expires_at:
            self.blame("I11", f"{name} started {asked_wall - row.expires_at} us after it grew too old")
        gone = self.deleted.get((row.function_id, row.generation))
        if gone is not None and gone + MOMENT < asked_at:
            self.blame("I12", f"{name} started after its function was deleted")
        if row.id in self.stops:
            self.blame("I7", f"{name} started after its stop was acknowledged")
        if row.attempts > row.retries_max + 1 + LOSSES_MAX:
            self.blame("I8", f"{name} started {row.attempts} times, {row.retries_max} retries")
        if row.losses > LOSSES_MAX:
            self.blame("I8", f"{name} starts again after {row.losses} losses")

    def _over(self, row: Task, events: list[Event]) -> None:
        name = self.name_of(row.id)
        if row.id in self.stops and row.status is not Status.STOPPED:
            self.blame("I7", f"{name} ends {row.status.value} after its stop was acknowledged")
        if self.deliveries_expected.get((row.id, row.epoch, row.status)) and row.id not in self.deliveries:
            self.blame("I13", f"{name} ends {events[-1].status}, and its record is not with it")

    def delivery_durable(self, row: Delivery | None, number: int) -> None:
        """The row of a delivery is so from now on."""
        before = self.deliveries.get(number)
        if row is None:
            self.blame("I13", f"the record of {self.name_of(number)} is gone")
            return
        self.deliveries[number] = row
        self.note(
            lambda: f"record of {self.name_of(number)}: {row.status.value}, {row.attempts} attempts {row.last_error}"
        )
        if before is not None and row.epoch <= before.epoch:
            self.blame("I13", f"the record of {self.name_of(number)} goes from epoch {before.epoch} to {row.epoch}")
        got = any(taken for _, taken in self.received.get(identity.request_id(number), ()))
        if row.status is DeliveryStatus.SUCCEEDED and row.target.startswith("http") and not got:
            self.blame("I13", f"the record of {self.name_of(number)} is called delivered, and nobody got it")
        early = row.ended_at < row.begun_at + self.give_up_us and not self.set_back
        if row.status is DeliveryStatus.FAILED and row.last_error in PASSING and early:
            self.blame("I13", f"the record of {self.name_of(number)} is given up early: {row.last_error}")

    # What user code does ----------------------------------------------------------------------------------------------

    def created(self, one: Living) -> None:
        """An instance is there."""
        self.living[one.id] = one
        here = [each for each in self.living.values() if not each.gone]
        memory_mb = sum(each.memory_mb for each in here)
        self.note(lambda: f"instance {one.id} of {one.name} is there, {len(here)} in all")
        if memory_mb > self.memory_mb_max or len(here) > self.instances_max:
            self.blame("I10", f"{len(here)} instances with {memory_mb} MB of {self.memory_mb_max}")

    def stopping(self, one: Living, reason: str) -> None:
        """An instance got the order to stop."""
        self.note(lambda: f"instance {one.id} is ordered to stop: {reason}")

    def destroyed(self, one: Living) -> None:
        """An instance is gone."""
        self.note(lambda: f"instance {one.id} is gone")

    def crashed(self, one: Living) -> None:
        """An instance ends by itself."""
        self.note(lambda: f"instance {one.id} crashes")
        self.fallen.add(one.id)

    def initializing(self, one: Living, request_id: str) -> None:
        """An Initializer begins, on behalf of somebody."""
        number = identity.number_of(request_id)
        row = self.rows.get(number or 0)
        if row is None or number is None:
            return
        known = self.attempts.get((number, row.attempts))
        if row.status not in (Status.RUNNING, Status.STOPPING) or known is None or known.instance_id != one.id:
            self.blame("I5", f"Initializer for {self.name_of(number)}, which is {row.status.value}")
            return
        known.initialized_at = self.loop.time()
        known.charges.append("initializer")

    def called(self, execution: Execution, payload: bytes) -> None:
        """A handler is called."""
        one = execution.instance
        number = identity.number_of(execution.request_id)
        self.note(lambda: f"{execution.request_id} attempt {execution.attempt} is called on {one.id}")
        if one.gone or one.frozen or one.stopping or not one.initialized:
            state = "frozen" if one.frozen else "going" if one.stopping else "not initialized"
            self.blame("contract", f"call of {one.id}, which is {state}")
        if len(one.executions) >= one.concurrency:
            self.blame("contract", f"call of {one.id}, which runs {len(one.executions)} of {one.concurrency}")
        row = self.rows.get(number or 0)
        if row is None or number is None:
            self.calls[execution.request_id] = execution
            self.running.setdefault(-one.number, []).append(execution)
            return
        self._called(execution, row, payload)

    def _called(self, execution: Execution, row: Task, payload: bytes) -> None:
        one, number, name = execution.instance, row.id, self.name_of(row.id)
        known = self.attempts.get((number, execution.attempt))
        if row.status not in (Status.RUNNING, Status.STOPPING) or known is None or row.attempts != execution.attempt:
            self.blame("I5", f"{name} attempt {execution.attempt} is called, and the row is {row.status.value}")
            return
        if known.instance_id != one.id:
            self.blame("I5", f"{name} is called on {one.id}, and its row says {known.instance_id}")
        if known.execution is not None:
            self.blame("I6", f"{name} attempt {execution.attempt} is called twice")
        others = self.running.setdefault(number, [])
        if others:
            self.blame("I6", f"{name}: attempts {others[0].attempt} and {execution.attempt} run at the same time")
        known.execution = execution
        others.append(execution)
        if payload != row.payload:
            self.blame("I14", f"{name} is called with another payload")
        if one.agent.account_id != row.account_id:
            self.blame("I20", f"{name} of account {row.account_id} runs in the sandbox of {one.agent.account_id}")
        self._check_code(one, row, known)
        self._check_limit(one, row, known)

    def _check_code(self, one: Living, row: Task, known: Attempted) -> None:
        """Code that was replaced before the task was claimed is not run any more."""
        for at, digest in reversed(self.codes.get(row.function_id, [])):
            if digest == one.spec["code_digest"]:
                return
            if at + MOMENT < known.asked_at:
                self.blame("I12", f"{self.name_of(row.id)} runs code that was replaced before it was claimed")
                return

    def _check_limit(self, one: Living, row: Task, known: Attempted) -> None:
        """No more at a time than the function's limit was at any moment since the claim."""
        history = self.limits.get(row.function_id, [])
        held: list[int | None] = [limit for at, limit in history if at >= known.asked_at]
        earlier = [limit for at, limit in history if at < known.asked_at]
        held.append(earlier[-1] if earlier else None)
        if None in held:
            return
        limit = max(each for each in held if each is not None)
        runs = sum(
            len(each.executions)
            for each in self.living.values()
            if not each.gone and each.name == one.name and each.account_id == one.account_id
        )
        if runs >= limit:
            self.blame("I10", f"{runs + 1} executions of function {one.name}, whose limit is {limit}")

    def ended(self, execution: Execution, how: str) -> None:
        """User code does not run any more."""
        number = identity.number_of(execution.request_id)
        self.note(lambda: f"{execution.request_id} attempt {execution.attempt} is over: {how}")
        for key in (number, -execution.instance.number):
            running = self.running.get(key or 0)
            if running and execution in running:
                running.remove(execution)
        known = self.attempts.get((number or 0, execution.attempt))
        if known is not None and how != "answered":
            (known.excuses if how == "ended" else known.charges).append(how)

    def lost(self, what: str) -> None:
        """Something of ours went away: attempts that are in progress may be told to be lost."""
        self.note(lambda: what)
        for number, row in self.rows.items():
            if row.status is Status.RUNNING and (known := self.attempts.get((number, row.attempts))) is not None:
                known.excuses.append(what)

    # What clients were told -------------------------------------------------------------------------------------------

    def accepted(self, function: Function, name: str | None, number: int, payload: bytes) -> None:
        """A submission was answered with success."""
        row = self.rows.get(number)
        if row is None or row.payload != payload or row.name != name or row.function_id != function.id:
            self.blame("I1", f"{self.name_of(number)} was acknowledged, and there is no such row")
        self.acknowledged[number] = payload
        if name is not None and self.names.setdefault((function.id, name), number) != number:
            self.blame("I9", f"{name} of function {function.id} was accepted twice")

    def stopped(self, number: int) -> None:
        """A stop was answered with success."""
        row = self.rows[number]
        self.stops[number] = self.loop.time()
        if row.status not in (Status.STOPPING, Status.STOPPED):
            self.blame("I7", f"the stop of {self.name_of(number)} was acknowledged, and it is {row.status.value}")

    def answered(self, request_id: str, payload: bytes, result: bytes) -> None:
        """A synchronous call was answered with success."""
        execution = self.calls.get(request_id)
        marks = (result_mark(request_id, 1, payload), behaviour_of(payload, 0, request_id).result)
        if execution is None or result not in marks:
            self.blame("I14", f"the call {request_id} was answered {result!r}")

    def posted(self, message_id: str, body: bytes, *, taken: bool) -> None:
        """A target got a record."""
        earlier = self.received.setdefault(message_id, [])
        if earlier and earlier[0][0] != body:
            self.blame("I13", f"the record {message_id} has other bytes than before")
        row = self.rows.get(identity.number_of(message_id) or 0)
        if row is None or not row.over:
            self.blame("I13", f"a record of {message_id} was sent before the task was over")
        earlier.append((body, taken))

    def changed(self, function: Function) -> None:
        """A change of a function is durable and known to the server; clients may be told from now on."""
        now = self.loop.time()
        self.functions[function.id] = function
        key = (function.id, function.generation)
        if function.deleted:
            self.deleted.setdefault(key, now)
        self.limits.setdefault(function.id, []).append((now, function.reserved_concurrency))
        codes = self.codes.setdefault(function.id, [])
        if not codes or codes[-1][1] != function.code.digest:
            codes.append((now, function.code.digest))
        self.note(lambda: f"function {function.id} at revision {function.revision}, deleted: {function.deleted}")
