"""Whether a new server has made good what the death of the one before left: the judge of every crash.

It compares what the server and its database tell with what clients were told (`record`), with what really ran
(`journal`) and with what came in at the receiver. A finding is `lost`, something acknowledged that is not there; or
`illegal`, something that must not be. What is left behind of processes is looked at before the new server starts, by
`lane`.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path

from sojourn.audit import audit
from sojourn.client import Status, Task, TaskFilter

from . import things
from .bench import NEW, Bench, Died
from .functions import answer_to
from .journal import BEGIN, END
from .record import ABSENT, Asked, Thing
from .stores import Home

LOST, ILLEGAL = "lost", "illegal"
CHARGED_MAX = 4
"""Starts that a task's own failures may cost with three retries."""


def made_good(bench: Bench, home: Home) -> list[str]:
    """Everything that is wrong, now that a new server is up; waits until all tasks are over."""
    found: list[str] = []
    try:
        found += _settled(bench)
        found += _fired(bench)
        found += _delivered(bench)
        found += _read_back(bench, bench.record.fresh)
    except Died:
        return [*found, f"{LOST} the server: it ended while it recovered"]
    except AssertionError as error:
        found.append(f"{LOST} {error}")
    found += [f"{ILLEGAL} {text}" for text in bench.journal.faults()]
    return found + _sound(bench, home)


def still_so(bench: Bench) -> list[str]:
    """What has changed since it was found right: everything is looked at once more."""
    found = _read_back(bench, set(bench.record.things))
    for asked in bench.record.tasks[: bench.record.settled]:
        task = bench.task(asked)
        if asked.accepted and (task is None or not task.over):
            found.append(f"{LOST} {asked.name}, which was over: it is {task and task.status.value}")
    return found


def _settled(bench: Bench) -> list[str]:
    found: list[str] = []
    record = bench.record
    while record.settled < len(record.tasks):
        asked = record.tasks[record.settled]
        record.settled += 1
        task = bench.task(asked)
        if task is None:
            if asked.accepted:
                found.append(f"{LOST} {asked.name} of {asked.function}, which was accepted")
            continue
        bench.over(asked)
        task = bench.task(asked)
        found += _task(bench, asked, task) if task is not None else [f"{LOST} {asked.name}: it was there"]
    return found


def _task(bench: Bench, asked: Asked, task: Task) -> list[str]:
    """What is wrong with a task that is over."""
    name, status = f"{asked.name} ({asked.kind} of {asked.function})", task.status
    found = []
    if status not in _ends(asked):
        events = ", ".join(f"{each.status.value} {each.event_detail}" for each in task.events)
        found.append(f"{ILLEGAL} {name} is {status.value}: {events}")
    ran = bench.journal.said(task.request_id, BEGIN)
    starts = sum(each.status is Status.RUNNING for each in task.events)
    if ran > starts:
        found.append(f"{ILLEGAL} {name} ran {ran} times, its history knows {starts}")
    if task.already_retried_times > CHARGED_MAX - 1:
        found.append(f"{ILLEGAL} {name} was retried {task.already_retried_times} times")
    if status is Status.SUCCEEDED:
        if task.result.decode() != answer_to(asked.kind):
            found.append(f"{ILLEGAL} {name} succeeded with {task.return_payload[:80]!r}")
        if not bench.journal.said(task.request_id, END):
            found.append(f"{ILLEGAL} {name} succeeded and never came to its end")
    return found


def _ends(asked: Asked) -> set[Status]:
    """How a task may have ended."""
    if asked.stopped:
        return {Status.STOPPED}
    ends = {Status.EXPIRED if asked.function == "closed" else Status.SUCCEEDED}
    if asked.deleted:
        ends = {Status.INVALID, Status.SUCCEEDED}
    return ends | {Status.STOPPED} if asked.stopping else ends


def _delivered(bench: Bench) -> list[str]:
    """What did not come in of the records of tasks that succeeded, and what came in as two tasks."""
    client, target = bench.client(), {}
    for asked in bench.record.tasks:
        if asked.function not in bench.record.delivered_to:
            continue
        task = bench.task(asked)
        if task is None or task.status is not Status.SUCCEEDED:
            continue
        target[task.request_id] = asked
        bench.until(
            lambda asked=asked: client.deliveries(asked.function, asked.name)[0].status == "Succeeded",  # type: ignore[misc]  # bound
            f"the record of {asked.name} delivered",
        )
    found = [
        f"{LOST} the record of {asked.name}: it counts as delivered"
        for request_id, asked in target.items()
        if bench.record.delivered_to[asked.function] == bench.receiver.url and not bench.receiver.got[request_id]
    ]
    chained = [asked for asked in target.values() if bench.record.delivered_to[asked.function] != bench.receiver.url]
    if chained:
        sink = bench.record.delivered_to[chained[0].function].rpartition("/")[2]
        records = [each.payload for each in client.iterate_tasks(sink, TaskFilter(limit=100, include_payload=True))]
        for asked in chained:
            times = sum(asked.request_id.encode() in each for each in records)
            if asked.request_id and times != 1:
                found.append(f"{ILLEGAL} the record of {asked.name} made {times} tasks")
    return found


def _fired(bench: Bench) -> list[str]:
    """Timers that do not fire, and firings that made two tasks. A timer that has fired is taken away."""
    found: list[str] = []
    for thing in [each for each in bench.record.fresh if each.kind == "timer"]:
        if text := things.wrong(bench, thing):
            found.append(f"{LOST} {text}")
        if bench.record.things[thing] != {ABSENT}:
            found += _firings(bench, thing.name)
    return found


def _firings(bench: Bench, name: str) -> list[str]:
    """Wait until a timer has fired, and take it away."""
    client = bench.client()
    bench.until(lambda: client.list_tasks(name).tasks, f"a task of the timer of {name}")
    with bench.record.changing("timer", name, ABSENT):
        bench.ask("DELETE", f"{NEW}/functions/{name}/triggers/timer")
    wanted = TaskFilter(limit=100, include_payload=True)
    firings = Counter(each.payload for each in client.iterate_tasks(name, wanted))
    return [f"{ILLEGAL} {times} tasks of {payload!r}" for payload, times in firings.items() if times > 1]


def _read_back(bench: Bench, those: set[Thing]) -> list[str]:
    found = [text for thing in sorted(those) if (text := things.wrong(bench, thing))]
    bench.record.fresh.clear()
    return [f"{LOST} {text}" for text in found]


def _sound(bench: Bench, home: Home) -> list[str]:
    """What `sojourn verify` finds, and what is odd about the code on disk."""
    with home.store().records() as records:
        found = [f"{ILLEGAL} {each}" for each in audit(records).violations]
        named = {
            (each.account_id, each.code.digest) for each in records.functions() if not each.deleted and each.code.digest
        }
    root = bench.server.data / "code"
    for account_id, digest in sorted(named):
        if text := _incomplete(root, account_id, digest, bench.record.archives.get(digest)):
            found.append(f"{LOST} the code {digest[:8]} of {account_id}: {text}")
    return found


def _incomplete(root: Path, account_id: str, digest: str, archive: bytes | None) -> str:
    if archive is None:
        return "nobody ever sent it"
    kept = root / ".archives" / account_id / digest
    if not kept.is_file() or kept.read_bytes() != archive:
        return "its archive is not what was sent"
    with zipfile.ZipFile(BytesIO(archive)) as content:
        for name in content.namelist():
            file = root / account_id / digest / name
            if not file.is_file() or file.read_bytes() != content.read(name):
                return f"{name} is not as it was sent"
    return ""


def uncollected(bench: Bench, home: Home) -> list[str]:
    """Code on disk that nothing names, which a start has to clear away."""
    with home.store().records() as records:
        named = {(each.account_id, each.code.digest) for each in records.functions() if not each.deleted}
    root = bench.server.data / "code"
    there = {(path.parent.name, path.name) for path in [*root.glob("[!.]*/*"), *root.glob(".archives/*/*")]}
    return [f"{ILLEGAL} code that nothing names: {'/'.join(each)}" for each in sorted(there - named)]
