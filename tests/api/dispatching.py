"""A dispatcher that does what a test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sojourn.attempt import Attempt
from sojourn.call import Answer
from sojourn.clock import SystemClock
from sojourn.errors import TaskAlreadyCompleted
from sojourn.explanation import Situation
from sojourn.function import Function
from sojourn.output import INVOKE, Output
from sojourn.queue import Queue
from sojourn.store import Log
from sojourn.task import Ended, StopRequested, Success, Task


class ScriptedDispatcher:
    """Answers synchronous calls as a test says; stops at once; knows the attempts that a test has begun."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.behaviour: Callable[[Function, bytes, str], Awaitable[Answer]] = self.echo
        self.actors: list[str] = []
        self.forced: list[bool] = []
        self.attempts: dict[int, Attempt] = {}

    async def echo(self, function: Function, payload: bytes, request_id: str) -> Answer:
        """The payload comes back."""
        del function
        output = Output()
        output.begin(INVOKE, request_id, quiet=True)
        output.write(b"hello")
        output.end()
        return Answer(Success(result=payload), "i-1", 1_600, 9 * 1024 * 1024, output.log(1) or Log(1, b""))

    async def invoke(self, function: Function, payload: bytes, request_id: str, *, http: bool = False) -> Answer:
        """As the test says."""
        del http
        return await self.behaviour(function, payload, request_id)

    async def stop(self, function: Function, name: str, actor: str, *, force: bool = False) -> Task:
        """Stopping and Stopped in one."""
        self.forced.append(force)
        self.actors.append(actor)
        task = await self._queue.find(function, name)
        if task.over:
            raise TaskAlreadyCompleted(name, task.status.value)
        after = await self._queue.apply(task, StopRequested(actor), Ended({"processesLeft": 0}))
        assert after is not None
        return after

    def waits(self, task: Task) -> bool:
        """Nothing is ever worked on."""
        del task
        return True

    def situation(self, task: Task, function: Function) -> Situation:
        """Nothing is there to run anything."""
        del function
        return Situation(now=SystemClock().now(), position=self._queue.line(task.runs).ahead(task.id, 100))

    async def abort(self, function: Function, actor: str) -> None:
        """Nothing runs that could be ended."""
        del function
        self.actors.append(actor)

    def attempt(self, task_id: int) -> Attempt | None:
        """The attempt that a test has begun."""
        return self.attempts.get(task_id)
