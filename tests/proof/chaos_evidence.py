"""A made-up run in which everything went as promised, for tests of the checker that plant one thing in it."""

from __future__ import annotations

import json

import msgspec
from proof.chaos.evidence import Body, Evidence
from proof.chaos.journal import BEGIN, END, Word
from proof.chaos.nemesis import KILLS, OTHERS
from proof.chaos.phases import HOOKS
from proof.chaos.records import CONFLICT, YES, Call, Fault, Life, Receipt
from proof.soak.samples import Sample

from sojourn import identity
from sojourn.task import (
    Aged,
    Claimed,
    Ended,
    Fact,
    Failure,
    Faltered,
    Refused,
    Returned,
    Started,
    StopRequested,
    Success,
    Task,
    advance,
    submit,
)

OFFSET = 1_000_000_000_000_000
SECOND = 1_000_000
FUNCTIONS = {1: "plain", 2: "limited", 3: "told", 4: "aging", 5: "churned", 6: "hooked"}
LOST = Failure(kind="UnhandledInvocationError", type="InstanceLost", message="gone", lost=True)


class Run:
    """Builds the evidence task by task; times are in seconds of the axis."""

    def __init__(self) -> None:
        self.evidence = Evidence(
            minutes=0.0001, tasks=[], functions=FUNCTIONS, bodies={}, offset=OFFSET, ended=99 * SECOND
        )
        self._number = 0

    def task(
        self, function: int, at: float, *facts: tuple[float, Fact], expires: float = 0, generation: int = 1
    ) -> Task:
        """A task that was submitted at `at` and went through `facts`; what it must leave elsewhere is left there."""
        self._number += 1
        name = f"t{self._number}"
        stamp = OFFSET + int(at * SECOND)
        row = Task(
            id=self._number,
            account_id="1",
            function_id=function,
            generation=generation,
            name=name,
            expires_at=OFFSET + int(expires * SECOND) if expires else 0,
        )
        task = submit(row, stamp)
        for when, fact in facts:
            task = advance(task, fact, OFFSET + int(when * SECOND))
        request, digest = identity.request_id(task.id), f"digest{self._number}"
        self.call("submit", function, name, at, digest=digest)
        result = json.dumps({"request": request, "attempt": task.attempts, "digest": digest})
        self.evidence.tasks.append(task)
        self.evidence.bodies[request] = Body(digest, result)
        if FUNCTIONS[function] == "told" and task.over:
            ended = task.ended_at - OFFSET + 1
            self.evidence.receipts.append(Receipt(request=request, key=f"k{request}", at=ended, status=200))
        return task

    def call(
        self, verb: str, function: int, name: str = "", at: float = 0, *, answer: str = YES, digest: str = ""
    ) -> None:
        """A call that was answered at once."""
        when = int(at * SECOND)
        self.evidence.calls.append(
            Call(
                verb=verb,
                function=FUNCTIONS[function],
                task=name,
                began=when,
                ended=when,
                answer=answer,
                digest=digest,
            )
        )

    def ran(self, task: Task, began: float, ended: float, attempt: int = 1, label: str = "plain/g1.u1") -> None:
        """What the journal says of an attempt."""
        request = identity.request_id(task.id)
        self.say(request, attempt, BEGIN, began, label)
        self.say(request, attempt, END, ended, label)

    def say(self, request: str, attempt: int, word: str, at: float, label: str = "plain/g1.u1") -> None:
        """One word."""
        self.evidence.words.append(
            Word(
                request=request,
                attempt=attempt,
                instance=f"c{attempt}",
                label=label,
                pid=1,
                word=word,
                at=int(at * SECOND),
            )
        )

    def fault(self, kind: str, at: float, until: float = 0.0) -> None:
        """Something that went wrong, in the instance of first attempts if in one."""
        times = (int(at * SECOND), int((until or at) * SECOND))
        self.evidence.faults.append(Fault(kind=kind, at=times[0], until=times[1], pid=1, instance="c1"))


def succeeded(run: Run, function: int, at: float, label: str = "plain/g1.u1") -> Task:
    """A task that ran for half a second."""
    task = run.task(
        function, at, (at, Claimed(1)), (at + 0.1, Started("c1")), (at + 0.6, Returned(Success(result=b"")))
    )
    run.ran(task, at + 0.2, at + 0.5, label=label)
    return task


def sound() -> Evidence:
    """The run: nine tasks, every kind of fault, a fault in each phase, all promises kept."""
    run = Run()
    for kind in {**KILLS, **OTHERS}:
        run.fault(kind, 50.0)
    for function, at in ((1, 1.0), (2, 2.0), (2, 2.1), (3, 3.0)):
        succeeded(run, function, at)
    succeeded(run, 5, 4.0, label="churned/g1.u1")
    run.task(4, 5.0, (8.0, Claimed(1)), (8.0, Aged()), expires=7.0)
    run.task(5, 6.0, (6.6, Claimed(1)), (6.6, Refused("FunctionDeleted", "")))
    run.call("delete", 5, at=6.5)
    # One task is hit in every status: lost with its server, tried again, stopped in the end.
    hit = run.task(
        6,
        10.0,
        (11.0, Claimed(1)),
        (12.0, Started("c1")),
        (13.0, Faltered(LOST, OFFSET + 14 * SECOND)),
        (14.0, Started("c2")),
        (15.0, StopRequested()),
        (16.0, Ended()),
    )
    run.call("stop", 6, hit.name or "", at=15.0)
    run.call("submit", 6, hit.name or "", at=15.1, answer=CONFLICT)
    request = identity.request_id(hit.id)
    run.say(request, 1, BEGIN, 12.1, "hooked/g1.u1")
    run.say(request, 2, BEGIN, 14.1, "hooked/g1.u1")
    run.evidence.calls.append(
        Call(
            verb="look",
            function="hooked",
            task=hit.name or "",
            began=0,
            ended=0,
            answer=YES,
            told=[(event.status, event.at // 1_000) for event in hit.events],
        )
    )
    for at in (10.5, 11.5, 12.5, 13.5, 15.5):
        run.fault("kill-server", at)
        run.evidence.lives.append(life(at))
    for _ in range(2):
        run.evidence.lives.append(life(50.0))
    for number, hook in enumerate(HOOKS):
        run.say("hook", 0, f"{hook}-begin", 20.0 + number)
        run.fault("kill-server", 20.1 + number)
        run.evidence.lives.append(life(20.1 + number))
        run.say("hook", 0, f"{hook}-end", 20.2 + number)
    succeeded(run, 1, 24.0)
    run.evidence.samples.append(Sample(who="server", pid=1, at=0, rss_kib=80_000, descriptors=50, threads=9))
    return run.evidence


def life(ended: float, *, ours: bool = True) -> Life:
    """A life of a server."""
    return Life(pid=1, began=0, ready=1, ended=int(ended * SECOND), status=-9, ours=ours)


def changed(evidence: Evidence, which: str, **changes: object) -> None:
    """Replace columns of the task called `which`."""
    evidence.tasks[:] = [
        msgspec.structs.replace(task, **changes) if task.name == which else task for task in evidence.tasks
    ]
