"""One round: everything measured once, one after the other, on a server that was just started.

Rounds are repeated so that a disturbance of the machine spoils one of them and not the median. Each figure of the
product stands beside yardsticks taken moments before it. What the figures are called and what they must be is left to
`rows`, what they are to `round`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import msgspec

from sojourn.client import Client, Connection, Status, Task, TaskFilter
from sojourn.task import TERMINAL

from . import load, processes, wire, yardsticks
from .load import Plan
from .round import Bare, Idle, Loaded, Options, Round, Single
from .served import NotMeasured, Served
from .wire import Line, Target
from .yardsticks import Running

PAYLOAD = (b"0123456789abcdef" * 19)[:300]
WARM_CALLS = 7
POLLS_SIGNED_AHEAD = 16
SETTLE_SECONDS = 1.0
DRAIN_SECONDS_MAX = 120.0
DRAIN_POLL_SECONDS = 0.02
PAGE_TASKS = 100
ALONE = {"SOJOURN_HEADROOM": "0"}
"""Settings of the server: one function may use every instance there is, because there is no other one."""


def measure(options: Options, say: Callable[[str], None]) -> Round:
    """Measure one round; `say` is told what comes next.

    Raises
    ------
    NotMeasured: the server did not do its part, so that there is nothing to report.

    """
    say("server start")
    with yardsticks.responder() as responder, Served(options.directory, options.sandbox, ALONE) as served:
        say("cold starts")
        first_us, _ = _cold(served.client, served.target(), served, "first")
        colds = [_cold(served.client, served.target(), served, f"cold{n}") for n in range(options.cold_instances)]
        say(f"idle for {options.idle_seconds:g} s")
        idle = _idle(served, options.idle_seconds)
        served.deploy("echo", reserved=options.instances)
        served.warm("echo", options.instances)
        say("one connection")
        disk_us = yardsticks.fdatasync_us(options.directory, options.disk_samples)
        single = _single(served.target(), options.single_tasks)
        say(f"{options.connections} connections, the bare responder before and after")
        bare = [_bare(responder, options)]
        loaded = _loaded(served, options)
        bare.append(_bare(responder, options))
        say("new accounts")
        sandboxes = _sandboxes(served, options.cold_sandboxes)
    return Round(
        disk_us=disk_us,
        bare=bare,
        isolation=served.ready_line.partition("isolation ")[2],
        ready_seconds=served.ready_seconds,
        first_sandbox_us=first_us,
        sandbox_us=sandboxes,
        instance_us=[cold for cold, _ in colds],
        warm_call_us=round(statistics.median(warm for _, warm in colds)),
        idle=idle,
        single=single,
        loaded=loaded,
    )


def _bare(responder: Running, options: Options) -> Bare:
    """What the bare responder does under the load that the server gets, after a little of it to warm up."""
    plan = Plan(
        target=Target(responder.host, responder.port, "bench", "secret"),
        function="echo",
        payload=PAYLOAD,
        requests=options.bare_requests,
        connections=options.connections,
    )
    load.run(msgspec.structs.replace(plan, requests=options.bare_requests // 10))
    before = processes.cpu_seconds([responder.pid])
    report = load.run(plan)
    used = processes.cpu_seconds([responder.pid]) - before
    return Bare(per_second=report.accepted_per_second, cpu_us_per_request=1e6 * used / options.bare_requests)


def _cold(client: Client, target: Target, served: Served, name: str) -> tuple[int, int]:
    """A new function's first call minus a warm one (the median of several), and that warm one, in microseconds."""
    served.deploy(name, client)
    line = Line(target)
    requests = [wire.invocation(target, name, PAYLOAD, wait=True) for _ in range(1 + WARM_CALLS)]
    times = []
    for request in requests:
        start = time.perf_counter_ns()
        answer = line.exchange(request)
        times.append((time.perf_counter_ns() - start) // 1000)
        if answer.status != 200 or answer.body != PAYLOAD:
            raise NotMeasured(f"a call of {name} was answered {answer.status} {answer.body[:200]!r}")
    line.close()
    client.delete_function(name)
    warm = round(statistics.median(times[1:]))
    return times[0] - warm, warm


def _sandboxes(served: Served, count: int) -> list[int]:
    """The same for the first call of a new account; none where isolation allows one account only."""
    found = []
    for number in range(count if "level 0" not in served.ready_line else 0):
        key = served.client.create_account(f"bench{number}")
        connection = Connection(served.owner.endpoint, key.access_key_id, key.access_key_secret)
        with Client(connection) as client:
            found.append(_cold(client, served.target(connection), served, "cold")[0])
    return found


def _idle(served: Served, seconds: float) -> Idle:
    time.sleep(SETTLE_SECONDS)
    pids = processes.tree(served.pid)
    start, before = time.perf_counter(), processes.cpu_seconds(pids)
    time.sleep(seconds)
    used, passed = processes.cpu_seconds(pids) - before, time.perf_counter() - start
    return Idle(
        cpu_percent=100 * used / passed,
        server_rss_mb=processes.rss_mb(served.pid),
        tree_pss_mb=processes.pss_mb(pids),
        processes=len(pids),
    )


def _single(target: Target, tasks: int) -> Single:
    """One task at a time: submit it, then ask again and again, without a pause, until it is Succeeded."""
    names = [f"single{number}" for number in range(tasks)]
    submits = [wire.invocation(target, "echo", PAYLOAD, task_id=name) for name in names]
    lookups = [[wire.task_lookup(target, "echo", name) for _ in range(POLLS_SIGNED_AHEAD)] for name in names]
    line = Line(target)
    found = Single(accepted_us=[], succeeded_us=[], recorded_us=[], polls=0)
    for name, submit, ahead in zip(names, submits, lookups, strict=True):
        start = time.perf_counter_ns()
        answer = line.exchange(submit)
        accepted = time.perf_counter_ns()
        if answer.status != 202:
            raise NotMeasured(f"a submit was answered {answer.status} {answer.body[:200]!r}")
        while b"Succeeded" not in answer.body:
            answer = line.exchange(ahead.pop() if ahead else wire.task_lookup(target, "echo", name))
            found = msgspec.structs.replace(found, polls=found.polls + 1)
            if time.perf_counter_ns() - start > DRAIN_SECONDS_MAX * 1e9:
                raise NotMeasured(f"the task {name} does not end: {answer.body[:400]!r}")
        found.succeeded_us.append((time.perf_counter_ns() - start) // 1000)
        found.accepted_us.append((accepted - start) // 1000)
        found.recorded_us.append(_recorded_us(msgspec.json.decode(answer.body, type=Task)))
    line.close()
    return found


def _loaded(served: Served, options: Options) -> Loaded:
    plan = Plan(
        target=served.target(),
        function="echo",
        payload=PAYLOAD,
        requests=options.tasks,
        connections=options.connections,
    )
    pids = processes.tree(served.pid)
    before, server_before = processes.cpu_seconds(pids), processes.cpu_seconds([served.pid])
    report = load.run(plan)
    if report.accepted != options.tasks:
        raise NotMeasured(f"not every submit was accepted: {report.statuses}")
    _drain(served.client)
    used, server_used = processes.cpu_seconds(pids) - before, processes.cpu_seconds([served.pid]) - server_before
    tasks = _ended(served.client, since_ms=int(report.begun_at * 1000))
    failed = [task for task in tasks if not task.succeeded]
    if failed or len(tasks) != options.tasks:
        raise NotMeasured(f"{options.tasks} tasks were accepted, {len(tasks)} are there, {len(failed)} of them failed")
    return Loaded(
        tasks=options.tasks,
        seconds=max((task.end_time + 1) / 1000 for task in tasks) - report.begun_at,
        accepted_per_second=report.accepted_per_second,
        accepted_us=report.latencies_us,
        recorded_us=[_recorded_us(task) for task in tasks],
        cpu_us_per_task=1e6 * used / options.tasks,
        server_cpu_us_per_task=1e6 * server_used / options.tasks,
        server_rss_mb=processes.rss_mb(served.pid),
        tree_pss_mb=processes.pss_mb(pids),
    )


def _drain(client: Client) -> None:
    """Wait until no task of the function is open."""
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    waiting = [status for status in Status if status not in TERMINAL]
    while waiting:
        if client.list_tasks("echo", TaskFilter(status=waiting[0], limit=1)).tasks:
            if time.monotonic() > deadline:
                raise NotMeasured(f"after {DRAIN_SECONDS_MAX:g} s some tasks are still {waiting[0].value}")
            time.sleep(DRAIN_POLL_SECONDS)
        else:
            waiting.pop(0)


def _ended(client: Client, since_ms: int) -> Sequence[Task]:
    """Every task that the load has made: those submitted one at a time came before, and have names of their own."""
    wanted = TaskFilter(started_from=since_ms, limit=PAGE_TASKS)
    return [task for task in client.iterate_tasks("echo", wanted) if not task.task_id.startswith("single")]


def _recorded_us(task: Task) -> int:
    return 1000 * (task.events[-1].timestamp - task.events[0].timestamp)
