"""The rules: what a drawn history may consist of, each done to the engine and to the model, and then compared."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sojourn import audit
from sojourn.errors import InstanceStartFailed
from sojourn.queue import wire_name
from sojourn.sandbox import Reply
from sojourn.task import UNHANDLED, Status, Task
from virtual_time import START

from .elsewhere import Place, Reopen
from .engine import ACCOUNT, REST_SECONDS, TIMEOUT_SECONDS, Engine, Loop
from .reference import OVER, SECOND, Difference, Ending, Model

FUNCTIONS = ("f", "g")
TICKS = (0.0371, 0.3191, 1.0771, 3.1417, 12.5663, 31.4159)
"""Seconds that pass: no sum of them is a sum of the whole seconds of ages, delays and timeouts."""
SLOW_SECONDS = 5.0
HOPS_MAX = 400

Window = tuple[int, int] | None
"""How many seconds ago the tasks of a list began, between which bounds."""
_ADMINISTRATION = ("create", "delete", "update", "update", "limit", "limit", "limit", "configure", "configure")
_MISHAPS = ("starts are quick", "starts are slow", "starts are quick", "sandbox lost", "start fails")

_function = st.sampled_from(FUNCTIONS)
_place = st.integers(0, 5)
_name = st.integers(1, 30).map("t{:02}".format)


class Machine(RuleBasedStateMachine):
    """One example: a fresh database, an engine on it, and a model. `make` and `place` say where it is kept."""

    make: ClassVar[Callable[[Path], Reopen]]
    place: ClassVar[Place]
    base: ClassVar[Path | None] = None
    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._directory = Path(tempfile.mkdtemp(prefix="sojourn-machine-", dir=self.base))
        self.loop, self.model = Loop(), Model()
        self.engine = Engine(type(self).make(self._directory), self.place, self._directory)
        self.seen: dict[str, Task] = {}
        self._alive = True
        self._run(self.engine.start())

    @initialize(
        retries=st.integers(0, 3),
        age=st.sampled_from([25, 86_400]),
        limit=st.sampled_from([None, 0, 1]),
        slow=st.booleans(),
    )
    def begin(self, retries: int, age: int, limit: int | None, slow: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
        """There is a function, with budgets, and a habit of instances."""
        self._create("f")
        self._configure("f", retries, age)
        self._limit("f", limit)
        self.mishap("starts are slow" if slow else "starts are quick")

    # What callers do --------------------------------------------------------------------------------------------------

    @rule(function=_function, name=_name, delay=st.sampled_from([0, 0, 2, 22]), payload=st.binary(max_size=3))
    def submit(self, function: str, name: str, delay: int, payload: bytes) -> None:
        """A task, under a name that may be taken; a function may be missing."""
        if name in self.model.tasks:
            function = self.model.tasks[name].function
        large = payload * (1 if len(payload) < 3 else 1000)
        expected = self.model.submit(function, name, large, delay, self.now)
        self._asked("submit", self.engine.submit(function, name, large, delay), expected)

    @rule(function=_function, names=st.lists(_name, min_size=2, max_size=5, unique=True))
    def burst(self, function: str, names: list[str]) -> None:
        """Several tasks, so that some have to wait."""
        for name in names:
            self.submit(function, name, 0, b"")

    @precondition(lambda self: self.model.tasks)
    @rule(place=_place, delay=st.sampled_from([0, 20]))
    def duplicate(self, place: int, delay: int) -> None:
        """The same name once more changes nothing."""
        name = list(self.model.tasks)[-1 - place % len(self.model.tasks)]
        self.submit(self.model.tasks[name].function, name, delay, b"another")

    @precondition(lambda self: self.model.tasks)
    @rule(place=_place, any_of_them=st.booleans())
    def stop(self, place: int, any_of_them: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
        """Wherever the task is; most often one that is not over."""
        names = [name for name, task in self.model.tasks.items() if any_of_them or task.status not in OVER]
        if names:
            name = names[place % len(names)]
            function = self.model.tasks[name].function
            self._asked("stop", self.engine.stop(function, name), self.model.stop(function, name))

    @precondition(lambda self: self.model.tasks)
    @rule(function=_function, name=_name)
    def stop_by_name(self, function: str, name: str) -> None:
        """A task that may not be there, or be another function's."""
        if function in self.model.functions:
            self._asked("stop by name", self.engine.stop(function, name), self.model.stop(function, name))

    # What functions and their attempts do -----------------------------------------------------------------------------

    @rule(name=_function, kind=st.sampled_from(_ADMINISTRATION), place=_place)
    def administer(self, name: str, kind: str, place: int) -> None:
        """A function is created, deleted, updated or configured."""
        one = self.model.functions.get(name)
        if kind == "create" or one is None or not one.exists:
            self._create(name)
            return
        catalog, body = self.engine.catalog, dict[str, object]()
        if kind == "delete":  # what waits for it becomes Invalid
            one.exists, one.disturbed_at, one.limit = False, self.now, None
            self._asked("delete", catalog.delete_function(ACCOUNT, name), "")
        elif kind == "update":  # other instances from now on, which cuts a start short
            one.disturbed_at, body = self.now, {"memorySize": (128, 256)[place % 2]}
            self._asked("update", catalog.update_function(ACCOUNT, name, body), "")
        elif kind == "limit":  # lets tasks be claimed, or keeps them from it
            self._limit(name, (0, 1, 1, 2, 2, None)[place])
        else:
            self._configure(name, place % 4, (25, 25, 25, 600, 25, 86_400)[place])

    @precondition(lambda self: self._running())
    @rule(place=_place, result=st.binary(max_size=3))
    def complete(self, place: int, result: bytes) -> None:
        """An attempt returns."""
        name = self._running()[place % len(self._running())]
        self.model.tasks[name].ending = Ending("returned", result)
        self._act("complete", lambda: self.engine.told(self.seen[name], Reply(ok=True, payload=result)))

    @precondition(lambda self: self._running())
    @rule(
        place=_place, retryable=st.sampled_from([True, True, True, False]), after=st.sampled_from([None, None, 0.5, 9])
    )
    def fail(self, place: int, retryable: bool, after: float | None) -> None:  # noqa: FBT001 - Hypothesis gives it
        """An attempt fails, with a word about another one."""
        name = self._running()[place % len(self._running())]
        wait = None if after is None else (round(after * SECOND), round(after * SECOND))
        self.model.tasks[name].ending = Ending("failed", b'"no"', retryable, wait)
        reply = Reply(
            ok=False, payload=b'"no"', kind=UNHANDLED, type="E", retryable=retryable, retry_after_seconds=after
        )
        self._act("fail", lambda: self.engine.told(self.seen[name], reply))

    @precondition(lambda self: self._running())
    @rule(place=_place)
    def die(self, place: int) -> None:
        """An attempt's process ends."""
        name = self._running()[place % len(self._running())]
        self.model.tasks[name].ending = Ending("failed")
        self._act("die", lambda: self.engine.died(self.seen[name]))

    # What happens to all of them --------------------------------------------------------------------------------------

    @rule(kind=st.sampled_from(_MISHAPS))
    def mishap(self, kind: str) -> None:
        """Starts take their time, or fail, or the sandbox goes away."""
        model, script = self.model, self.engine.script
        if kind == "sandbox lost":
            model.lost(self.now)
            self._act(kind, self.engine.sandbox_lost)
            return
        if kind == "start fails":  # the next one, for good
            model.broken += 1
            script.create_failures.append(InstanceStartFailed("FunctionNotStarted", "no"))
        else:
            slow = kind == "starts are slow"
            model.slow_seconds, model.slow_until = SLOW_SECONDS, self.now + (10**16 if slow else 60 * SECOND)
            self.engine.slow_seconds = script.create_seconds = SLOW_SECONDS if slow else 0.0
        self._compare(kind)

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
        """The server ends, in good order or not, and another one starts on the same data."""
        self.model.lost(self.now)
        for task in self.model.tasks.values():
            task.starts_lost = 0
        self._run(self.engine.end(crash=crash))
        self._run(self.engine.start())
        self._compare("crash" if crash else "restart")

    @rule(seconds=st.sampled_from(TICKS))
    def tick(self, seconds: float) -> None:
        """Time passes: delays end, tasks grow too old, retries come due, attempts time out."""
        self._pass(seconds)
        self._compare("tick")

    @precondition(lambda self: self.model.open())
    @rule(moments=st.integers(1, 4))
    def come_about(self, moments: int) -> None:
        """Time passes until something is to happen by itself, a few times over."""
        for _ in range(moments):
            ahead = min((at for at in self.model.moments(self.now) if at > self.now), default=self.now)
            if ahead < self.now + 100 * SECOND:
                self._pass((ahead - self.now) / SECOND + TICKS[0])
        self._compare("come about")

    @precondition(lambda self: self.model.open())
    @rule(name=_name, seconds=st.sampled_from(TICKS[3:]))
    def submit_and_wait(self, name: str, seconds: float) -> None:
        """A task with a delay, and time for it."""
        self.submit("f", name, 22, b"")
        self.tick(seconds)

    @rule(
        function=_function,
        statuses=st.lists(st.sampled_from(Status), max_size=3, unique=True),
        prefix=st.sampled_from(["", "t", "t0", "t1", "x"]),
        order=st.tuples(st.booleans(), st.integers(1, 4)),
        window=st.none() | st.tuples(st.integers(0, 60), st.integers(0, 60)),
    )
    def page(self, function: str, statuses: list[Status], prefix: str, order: tuple[bool, int], window: Window) -> None:
        """A list, narrowed and in pages."""
        ascending, limit = order
        if function not in self.model.functions:
            return
        low, high = sorted(self.now - back * SECOND for back in window) if window else (None, None)
        wanted = {status.value for status in statuses}
        expected = [
            name
            for name, task in self.model.tasks.items()
            if task.function == function
            and (not wanted or task.status in wanted)
            and name.startswith(prefix)
            and (low is None or high is None or low <= task.began_at <= high)
        ]
        narrowed = {"statuses": tuple(statuses), "name_prefix": prefix, "ascending": ascending, "limit": limit}
        found = self._run(self.engine.page(function, began_from=low, began_to=high, **narrowed))
        names = [wire_name(task) for task in found]
        if names != (expected if ascending else expected[::-1]):
            raise Difference(f"a list of {narrowed} shows {names}, {expected} is right")
        self._compare("page")

    # How --------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The time of both."""
        return START + round(self.loop.time() * SECOND)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(work)

    def _configure(self, name: str, retries: int, age_seconds: int) -> None:
        """Budgets of the tasks that are submitted from now on."""
        one = self.model.functions[name]
        one.retries_max, one.age_seconds = retries, age_seconds
        body = {"maxAsyncRetryAttempts": retries, "maxAsyncEventAgeInSeconds": age_seconds}
        self._asked("configure", self.engine.catalog.put_async_config(ACCOUNT, name, body), "")

    def _limit(self, name: str, limit: int | None) -> None:
        one = self.model.functions[name]
        one.limit, one.freed_at = limit, self.now
        self._asked("limit", self.engine.catalog.put_concurrency(ACCOUNT, name, limit), "")

    def _create(self, name: str) -> None:
        self._asked("create", self.engine.create(name), self.model.create(name, TIMEOUT_SECONDS))

    def _running(self) -> list[str]:
        return [name for name, task in self.model.tasks.items() if task.status == "Running"]

    def _asked(self, what: str, work: Coroutine[Any, Any, Any], expected: str) -> None:
        answered = self._run(self.engine.asked(work))
        if answered != expected:
            raise Difference(f"{what}: answered {answered!r}, {expected!r} is right")
        self._compare(what)

    def _act(self, what: str, act: Callable[[], None]) -> None:
        async def doing() -> None:
            act()

        self._run(doing())
        self._compare(what)

    def _pass(self, seconds: float) -> None:
        """Go from moment to moment, and look at each."""
        end = self.now + round(seconds * SECOND)
        for _ in range(HOPS_MAX):
            now = self.now
            ahead = [at for at in self.model.moments(now) if at < end]
            if now >= end:
                return
            hop = min([*(at + 2_000 for at in ahead if at + 2_000 > now), end])
            self._run(self.engine.rest(max((hop - now) / SECOND, REST_SECONDS)))
            self._look()
        raise Difference("time does not pass")

    def _compare(self, what: str) -> None:
        """Let everything come to rest, also what is about to happen anyway, and compare."""
        self.done[what] += 1
        self._run(self.engine.rest())
        self._look()

    def _look(self) -> None:
        model, before = self.model, {name: self.model.surely_in_hand(name) for name in self.model.functions}
        self.seen = self._run(self.engine.everything(list(model.functions)))
        if list(self.seen) != [n for f in model.functions for n, task in model.tasks.items() if task.function == f]:
            raise Difference(f"there are tasks {list(self.seen)}, {list(model.tasks)} are right")
        for name, task in self.seen.items():
            events = task.events
            model.see(name, [event.status for event in events], [event.at for event in events])
            self._columns(name, task)
            if found := audit.of_task(task, events):
                raise Difference(f"{name}: {found}")
        model.check_limits(before, self.now)
        left = len(self.engine.script.create_failures)
        if left > model.broken or self.engine.script.offences:
            raise Difference(f"{left} starts are to fail, {model.broken} at most; {self.engine.script.offences}")
        model.broken = left
        still = sum(task.status not in OVER for task in model.tasks.values())
        if self.engine.queue.open_count != still:
            raise Difference(f"{self.engine.queue.open_count} tasks are counted open, {still} are")
        for wrong in model.overdue(self.now):
            raise Difference(wrong)

    def _columns(self, name: str, task: Task) -> None:
        """What a row shows beside its history."""
        known = self.model.tasks[name]
        shown = (task.status.value, task.attempts, task.retries, task.losses, task.retries_max, task.payload)
        right = (known.status, known.attempts, known.retries, known.losses, known.retries_max, known.payload)
        if shown != right:
            raise Difference(f"{name} shows {shown}, {right} is right")
        if known.result is not None and task.result != known.result:
            raise Difference(f"{name} shows the result {task.result!r}, {known.result!r} is right")

    def teardown(self) -> None:
        """End it; what a failed example left is of no interest."""
        if self._alive:
            self._alive = False
            with contextlib.suppress(Exception):
                self._run(self.engine.end(crash=True))
            self.loop.close()
            asyncio.set_event_loop(None)
            shutil.rmtree(self._directory, ignore_errors=True)
