"""One run: chaos, then heal, then the questions of liveness, then an end in good order and the last look.

Everything follows from the seed; `muted` takes faults and acts of clients out of it (see `chance`). A run ends at the
first violation.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec

from sojourn import audit, machine
from sojourn.errors import InstanceStartFailed, SandboxUnavailable, StoreFailed
from sojourn.sandbox import InstanceDied
from sojourn.stores.sqlite.records import SqliteRecords
from sojourn.task import Status

from .chance import Chance
from .clients import Client, Cluster, create
from .coverage import Key
from .loop import Livelock, SimLoop, Stuck
from .nemesis import Nemesis, Supervisor, calm
from .node import ACCOUNTS, Surroundings
from .observer import Observer
from .style import style_of

SETTLE_SECONDS = 60.0
"""How long what went wrong before the heal may still last: the longest wait for a slow disk, or for an agent that does
not answer to a create."""
RECOVERY_SECONDS = 5.0
"""How soon after a restart something that is due is dispatched (I17)."""
STOP_SECONDS = 15.0
"""How long a stop may take when all is well: PreStop, grace, the patience with an agent, and the way (I18)."""
END_SECONDS = 2 * 3600.0
"""How long everything together may take to end (I16): a generous bound, in virtual time."""
CLOSE_SECONDS = 120.0


class Report(msgspec.Struct, kw_only=True):
    """What became of a run."""

    seed: int
    digest: int
    seconds: float
    cpu_seconds: float
    steps: int
    tasks: int
    executions: int
    faults: int
    statuses: Counter[str]
    met: Counter[Key]
    tape: list[str]
    violations: list[str]
    events: list[str]


class _Ear(logging.Handler):
    """Hears of faults that the product survives and writes into its log: they are bugs all the same."""

    def __init__(self, observer: Observer) -> None:
        super().__init__(logging.ERROR)
        self._observer = observer

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, StoreFailed | InstanceStartFailed):
            self._observer.blame("fault", f"{record.getMessage()}: {type(error).__name__}: {error}")


def run(seed: int, muted: Collection[str] = (), *, told: bool = False) -> Report:
    """Run a seed; `told` asks for the event log."""
    began = time.process_time()
    gc.disable()
    try:
        report = _run(seed, muted, told=told)
    finally:
        _clear_away()
        gc.enable()
    report.cpu_seconds = time.process_time() - began
    return report


def _clear_away() -> None:
    """Collect what a run left, among it coroutines that were cut off: what they cry out is of no interest.

    It has to happen here: later they would find another run's loop.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect(1)
    finally:
        sys.unraisablehook = hook


def _run(seed: int, muted: Collection[str], *, told: bool) -> Report:
    chance = Chance(seed, muted)
    style = style_of(seed, chance)
    chance.rates = style.rates
    loop = SimLoop(seed, style.order)
    met: Counter[Key] = Counter()
    with tempfile.TemporaryDirectory(prefix="sojourn-simulation-", dir=_memory()) as directory, _counted(met):
        around = Surroundings(loop, chance, style, Path(directory))
        observer = around.observer
        observer.told = told

        def happened(name: str) -> None:
            met["fault", name] += 1
            for status, count in observer.open.items():
                if count > 0:
                    met["pair", status.value, name] += 1
            observer.note(lambda: f"FAULT {name}")

        chance.on_fault = happened
        chance.boost = lambda: _boost(observer)
        loop.on_exception = lambda context: _raised(observer, context)
        with _heard(observer):
            _go(loop, around)
        loop.discard()
        around.database.connection.set_update_hook(None)
    for (before, after), count in observer.steps.items():
        met["step", before or "", after] += count
    return Report(
        seed=seed,
        digest=loop.digest,
        seconds=loop.time(),
        cpu_seconds=0.0,
        steps=loop.steps,
        tasks=len(observer.rows),
        executions=sum(known.execution is not None for known in observer.attempts.values()),
        faults=chance.faults,
        statuses=Counter(row.status.value for row in observer.rows.values()),
        met=met,
        tape=chance.tape,
        violations=observer.violations,
        events=observer.events,
    )


def _boost(observer: Observer) -> float:
    """Statuses that last a moment get more than their share of faults."""
    if observer.open[Status.STOPPING]:
        return 8.0
    return 2.0 if observer.open[Status.DEQUEUED] else 1.0


def _raised(observer: Observer, context: dict[str, Any]) -> None:
    """A callback raised, or what was raised was never looked at: of store and sandbox that is told elsewhere."""
    error = context.get("exception")
    if not isinstance(error, StoreFailed | InstanceStartFailed | InstanceDied | SandboxUnavailable):
        observer.blame("fault", f"{context.get('message')}: {error!r}")


def _go(loop: SimLoop, around: Surroundings) -> None:
    try:
        loop.run(_main(around))
    except Stuck:
        around.observer.blame("I16", "nothing would ever happen any more")
    except Livelock:
        around.observer.blame("I16", f"it does not come to rest: {loop.steps} steps")


async def _main(around: Surroundings) -> None:
    chance, style, observer = around.chance, around.style, around.observer
    loop = around.loop
    cluster = Cluster(around)
    supervisor = Supervisor(cluster)
    loop.create_task(supervisor.run())
    for number in range(1, style.functions + 1):
        for account_id in ACCOUNTS if number == 1 else ACCOUNTS[:1]:
            with contextlib.suppress(Exception):
                await cluster.insist(lambda node, at=account_id, n=number: create(node, at, f"f{n}", chance))
    shares = [style.tasks // style.clients] * style.clients
    shares[0] += style.tasks - sum(shares)
    clients = [loop.create_task(Client(cluster, n, share).run()) for n, share in enumerate(shares, 1)]
    nemesis = loop.create_task(Nemesis(cluster).run())
    await asyncio.wait([*clients, nemesis])
    for each in (*clients, nemesis):
        each.result()
    calm(around)
    await _heal(cluster, observer)
    supervisor.enough = True
    await _close(cluster)
    _last_look(around)


# Liveness -------------------------------------------------------------------------------------------------------------


async def _heal(cluster: Cluster, observer: Observer) -> None:
    """Everything works from now on: what is due begins, stops end, and in the end everything has."""
    around = cluster.around
    loop = around.loop
    began = loop.time()
    while cluster.node is None or not cluster.node.ready or cluster.node.disk_failed:
        await asyncio.sleep(0.1)
        if loop.time() > began + CLOSE_SECONDS:
            observer.blame("I17", "the server does not come up")
            return
    await asyncio.sleep(SETTLE_SECONDS)
    healed = loop.time()
    stopping = {number for number, row in observer.rows.items() if row.status is Status.STOPPING}
    waiting = _due(around)
    counts = {number: observer.rows[number].epoch for number in waiting}
    await asyncio.sleep(RECOVERY_SECONDS)
    if waiting and not _busy(observer) and all(observer.rows[n].epoch == epoch for n, epoch in counts.items()):
        observer.blame("I17", f"{len(waiting)} tasks are due, and nothing has begun")
        return
    await asyncio.sleep(STOP_SECONDS - RECOVERY_SECONDS)
    late = [number for number in stopping if observer.rows[number].status is Status.STOPPING]
    if late:
        observer.blame("I18", f"{len(late)} tasks are Stopping {STOP_SECONDS:g} s after all was well")
        return
    while any(observer.open.values()) or _undelivered(observer):
        await asyncio.sleep(5.0)
        if loop.time() > healed + END_SECONDS:
            left = Counter(row.status.value for row in observer.rows.values() if not row.over)
            observer.blame("I16", f"not over: {dict(left)}, records: {_undelivered(observer)}")
            return


def _due(around: Surroundings) -> list[int]:
    """The tasks that something has to happen to now."""
    now, observer = around.clock.now(), around.observer
    waiting = (Status.ENQUEUED, Status.RETRYING)
    return [number for number, row in observer.rows.items() if row.status in waiting and row.due_at <= now]


def _busy(observer: Observer) -> bool:
    """Whether anything runs or is being made: then what is due may have to wait for it."""
    return bool(observer.open[Status.RUNNING] or observer.open[Status.DEQUEUED] or any(observer.running.values())) or (
        any(one.ran and not one.gone for one in observer.living.values())
    )


def _undelivered(observer: Observer) -> int:
    return sum(not row.over for row in observer.deliveries.values())


async def _close(cluster: Cluster) -> None:
    """End the server in good order."""
    node, loop = cluster.node, cluster.around.loop
    assert node is not None  # noqa: S101 - it has just been healed
    node.end(1.0)
    end = loop.time() + CLOSE_SECONDS
    while not node.over:
        await asyncio.sleep(0.1)
        if loop.time() > end:
            cluster.around.observer.blame("I17", "the server does not end")
            return
    await asyncio.sleep(1.0)
    left = sum(len(agent.living) for agent in cluster.around.driver.agents)
    if left:
        cluster.around.observer.blame("I15", f"{left} instances are left after the end of the server")


# The last look --------------------------------------------------------------------------------------------------------


def _last_look(around: Surroundings) -> None:
    observer = around.observer
    report = audit.audit(SqliteRecords(around.database.connection))
    for violation in report.violations:
        observer.blame("audit", str(violation))
    for number, payload in observer.acknowledged.items():
        row = observer.rows.get(number)
        if row is None or row.payload != payload:
            observer.blame("I1", f"task {number} was acknowledged, and is lost or has another payload")
        elif not row.over:
            observer.blame("I1", f"task {number} was acknowledged and never ended")
    for number in observer.stops:
        if observer.rows[number].status is not Status.STOPPED:
            observer.blame("I7", f"task {number} was stopped, and is {observer.rows[number].status.value}")
    _look_at_logs(around)


def _look_at_logs(around: Surroundings) -> None:
    """What stands in the log of an attempt was written by that attempt (I14)."""
    observer = around.observer
    for task_id, attempt, head in around.database.connection.execute("SELECT task_id, attempt, head FROM task_log"):
        known = observer.attempts.get((task_id, attempt))
        for (number, other), each in observer.attempts.items():
            if number == task_id and other != attempt and each.execution and each.execution.behaviour.log in head:
                observer.blame("I14", f"the log of attempt {attempt} of task {task_id} holds that of {other}")
        if known is None:
            observer.blame("I14", f"there is a log of attempt {attempt} of task {task_id}, which never started")


# Counting and hearing -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _counted(met: Counter[Key]) -> Iterator[None]:
    """Count the rows of both tables that are walked."""
    step = machine.step

    def counting(table: machine.Table[Any], status: Any, fact: object) -> Any:
        after = step(table, status, fact)
        kind = "task" if isinstance(after, Status) else "instance"
        met[kind, status.value if status else "", type(fact).__name__] += 1
        return after

    with mock.patch.object(machine, "step", counting):
        yield


@contextlib.contextmanager
def _heard(observer: Observer) -> Iterator[None]:
    """Listen to the product's log, and keep it from the terminal."""
    logger, ear = logging.getLogger("sojourn"), _Ear(observer)
    before = (logger.propagate, logging.root.manager.disable)
    logger.propagate = False
    logging.disable(logging.WARNING)
    logger.addHandler(ear)
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.propagate = before[0]
        logging.disable(before[1])


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - only the parent of a fresh directory
