"""Stops: a task is stopped wherever it is in its life, and what it ran on is ended, with the proof.

A stop is durable when the caller is answered. Whichever of a result and a stop is durable first wins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from . import outcome
from .crashpoint import crashpoint
from .errors import TaskAlreadyCompleted
from .executor import Execution, Executor
from .function import Function
from .queue import Queue
from .task import Ended, Fact, Status, StopRequested, Task


class Stops:
    """Stops tasks; `executions` are those in hand, by task."""

    def __init__(self, queue: Queue, executor: Executor, executions: Mapping[int, Execution]) -> None:
        self._queue, self._executor, self._executions = queue, executor, executions
        self._asked: set[asyncio.Task[Task]] = set()

    async def stop(self, function: Function, name: str, actor: str, *, force: bool = False) -> Task:
        """Stop a task; on return that is durable. A caller that goes away meanwhile does not undo it.

        With `force` what it runs on is killed at once: no PreStop, no SIGTERM, no grace, whatever else runs in there;
        so is what a stop before is still giving time to.

        Raises
        ------
        TaskNotFound: the function has no such task.
        TaskAlreadyCompleted: it is over already, in whatever way; stopping one that is Stopping succeeds again.

        """
        asked = asyncio.get_running_loop().create_task(self._stop(function, name, actor, force=force))
        self._asked.add(asked)
        asked.add_done_callback(self._answered)
        return await asyncio.shield(asked)

    def _answered(self, asked: asyncio.Task[Task]) -> None:
        self._asked.discard(asked)
        if not asked.cancelled():
            asked.exception()  # whoever waits gets it too; when nobody does, there is nobody to tell

    async def _stop(self, function: Function, name: str, actor: str, *, force: bool = False) -> Task:
        while True:
            task = await self._queue.find(function, name)
            if task.status is Status.STOPPING:
                if force:
                    self._hurry(task)
                return task
            if task.over:
                raise TaskAlreadyCompleted(name, task.status.value)
            execution = self._working(task)
            facts: list[Fact] = [StopRequested(actor, force)]
            if execution is None:  # nothing of it runs, so that the stop is over as soon as it is asked for
                facts.append(Ended({"ran": task.attempts > 0, "processesLeft": 0}))
            crashpoint("task.stop.before")
            after = await self._queue.apply(task, *facts)
            if after is None:
                continue  # it moved meanwhile: look where it is now
            crashpoint("task.stop.durable")
            self._queue.line(task.runs).remove(task.id)
            self._executor.starts_lost.pop(task.id, None)
            if execution is not None:
                execution.forced = force
                self._executor.background.spawn(self._prove(after, execution))
            return after

    def waits(self, task: Task) -> bool:
        """Whether nothing works on a task here, so that its stop is over as soon as it is asked for."""
        return task.id not in self._executions and task.status is not Status.RUNNING

    def _hurry(self, task: Task) -> None:
        """Kill what a stop is giving time to."""
        execution = self._executions.get(task.id)
        if execution is not None and execution.instance is not None and not execution.forced:
            execution.forced = True
            self._executor.background.spawn(self._executor.end(execution, task, "stop"))

    def _working(self, task: Task) -> Execution | None:
        """The execution of a task for which something runs: its handler, or the start of an instance made for it.

        A program may take two minutes to start, and it is the user's code.
        """
        execution = self._executions.get(task.id)
        if execution is None or task.status is Status.RUNNING:
            return execution
        used = execution.instance
        starting = used is not None and used.started is not None and not used.started.done()
        return execution if starting and task.status in (Status.DEQUEUED, Status.RETRYING) else None

    async def _prove(self, task: Task, execution: Execution) -> None:
        """End what a stopped task runs on, and record that nothing of it is left."""
        used, attempt = execution.instance, execution.attempt
        evidence: dict[str, object] = {"processesLeft": 0}
        if used is not None:
            exit_ = await self._executor.end(execution, task, "stop")
            ended = {"cancelled": True, "processesLeft": 0} if exit_ is None else outcome.evidence_of(exit_)
            facts = attempt.facts if attempt is not None else {"ran": task.attempts > 0}
            evidence = {**facts, **ended, "instanceId": used.id}
            if execution.forced:
                evidence["forced"] = True
        log = attempt.output.log(attempt.number) if attempt is not None else None
        crashpoint("task.stop.proved")
        await self._executor.insist(task, Ended(evidence), log)
        crashpoint("task.stop.over")
