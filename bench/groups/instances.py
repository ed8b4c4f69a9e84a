"""New instances: one more, many at once, the first of a function, of an account, of a server.

What a new instance costs is the median call that needs one, minus the median call of a warm one: the instances of the
function that is asked do not idle, so that each of its calls makes one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench.failure import NotMeasured
from bench.group import Bench, Group, Round, Seen
from bench.load import Plan
from bench.served import HANDLER, MEMORY_MB, ROOM, RUNTIME, Served
from bench.sojourns import PAYLOAD
from bench.wire import Line, Target

from bench import libraries, load, processes, wire
from sojourn.client import Client, ClientError, Connection, Status, Task, TaskFilter

WARM_CALLS = 7
WAIT_SECONDS_MAX = 60.0
POLL_SECONDS = 0.002
NO_IDLING: Mapping[str, object] = {"idleTimeout": 0}


@contextmanager
def instances(bench: Bench) -> Iterator[Round]:
    """The libraries to preload are fetched once; a round has servers of its own."""
    with libraries.code(bench.options) as code:
        yield lambda: _round(bench, code)


def _round(bench: Bench, code: libraries.Code | str) -> Seen:
    options, seen = bench.options, Seen()
    with Served(options.directory, options.sandbox, ROOM) as served:
        seen.add("instances.ready", served.ready_seconds * 1000)
        first_us, _ = _cold(served.client, served.target(), served, "first")
        seen.add("instances.first_sandbox", first_us / 1000)
        colds = [_cold(served.client, served.target(), served, f"cold{n}") for n in range(options.cold_instances)]
        seen.add("instances.new_function", statistics.median(cold for cold, _ in colds) / 1000)
        seen.add("instances.warm", statistics.median(warm for _, warm in colds) / 1000)
        _new(bench, served, seen)
        _preloaded(bench, served, code, seen)
        _sandboxes(bench, served, seen)
        _crowd(bench, served, seen)
    return seen


def _call_us(line: Line, target: Target, name: str) -> int:
    request = wire.invocation(target, name, PAYLOAD, wait=True)
    start = time.perf_counter_ns()
    answer = line.exchange(request)
    passed = (time.perf_counter_ns() - start) // 1000
    if answer.status != 200 or answer.body != PAYLOAD:
        raise NotMeasured(f"a call of {name} was answered {answer.status} {answer.body[:300]!r}")
    return passed


def _cold(client: Client, target: Target, served: Served, name: str) -> tuple[int, int]:
    """A new function's first call minus a warm one (the median of several), and that warm one, in microseconds."""
    served.deploy(name, client)
    line = Line(target)
    times = [_call_us(line, target, name) for _ in range(1 + WARM_CALLS)]
    line.close()
    client.delete_function(name)
    warm = round(statistics.median(times[1:]))
    return times[0] - warm, warm


def _new(bench: Bench, served: Served, seen: Seen) -> None:
    served.deploy("warm")
    served.deploy("fresh", settings=NO_IDLING)
    new_us = _fresh_us(bench, served, "warm", "fresh")
    seen.add("instances.new", new_us / 1000)
    served.client.delete_function("fresh")


def _preloaded(bench: Bench, served: Served, code: libraries.Code | str, seen: Seen) -> None:
    if isinstance(code, str):
        seen.miss(code, "instances.preloaded")
        return
    deploy = partial(served.client.deploy, handler="index.handler", runtime=RUNTIME, timeout=60)
    memory = max(MEMORY_MB, code.memory_mb)
    source = code.archive(f"{code.source}\n{HANDLER}")
    settings = {"preload": list(code.modules)}
    try:
        deploy("loaded", source, settings=settings, memory=memory)
        deploy("loading", source, settings={**settings, **NO_IDLING}, memory=memory)
    except ClientError as error:
        seen.miss(f"not available: preload is refused: {error}", "instances.preloaded")
        return
    new_us = _fresh_us(bench, served, "loaded", "loading")
    seen.add("instances.preloaded", new_us / 1000, f"preloaded: {', '.join(code.modules)}")
    for name in ("loaded", "loading"):
        served.client.delete_function(name)


def _fresh_us(bench: Bench, served: Served, warm: str, fresh: str) -> float:
    """What a call of `fresh`, which needs a new instance, takes beyond one of `warm`; medians, in microseconds."""
    target, line = served.target(), Line(served.target())
    _call_us(line, target, warm)
    _call_us(line, target, fresh)
    warm_us, fresh_us = [], []
    for _ in range(bench.options.cold_instances):
        _until(lambda: not served.client.instances(fresh))
        fresh_us.append(_call_us(line, target, fresh))
        warm_us.append(_call_us(line, target, warm))
    line.close()
    return statistics.median(fresh_us) - statistics.median(warm_us)


def _sandboxes(bench: Bench, served: Served, seen: Seen) -> None:
    """The first call of a new account, where isolation allows more than one."""
    if "level 0" in served.ready_line:
        seen.miss("not available: level 0 holds one account only", "instances.sandbox")
        return
    found = []
    for number in range(bench.options.cold_sandboxes):
        key = served.client.create_account(f"bench{number}")
        connection = Connection(served.owner.endpoint, key.access_key_id, key.access_key_secret)
        with Client(connection) as client:
            found.append(_cold(client, served.target(connection), served, "cold")[0])
    seen.add("instances.sandbox", statistics.median(found) / 1000)


def _crowd(bench: Bench, served: Served, seen: Seen) -> None:
    """As many instances as there are tasks, because each of them sleeps until it is stopped."""
    client, count = served.client, bench.options.crowd
    served.deploy("crowd")
    client.invoke("crowd", b"")
    before = processes.pss_mb(processes.tree(served.pid))
    plan = Plan(target=served.target(), function="crowd", payload=b"sleep 600", requests=count, connections=16)
    report = load.run(plan)
    if report.accepted != count:
        raise NotMeasured(f"not every submit was accepted: {report.statuses}")
    running = TaskFilter(status=Status.RUNNING, limit=100)
    _until(lambda: sum(1 for _ in client.iterate_tasks("crowd", running)) >= count)
    tasks = list(client.iterate_tasks("crowd", running))
    added = processes.pss_mb(processes.tree(served.pid)) - before
    seconds = max(_running_at(task) for task in tasks) - report.begun_at
    seen.add("instances.crowd", seconds, f"{count} instances, from the first submit to the last Running")
    seen.add("instances.crowd_each", added / count)
    for task in tasks:
        client.stop_task("crowd", task.task_id)


def _running_at(task: Task) -> float:
    return next(event.timestamp for event in task.events if event.status == Status.RUNNING) / 1000


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        if time.monotonic() > deadline:
            raise NotMeasured(f"something did not come about within {WAIT_SECONDS_MAX:g} s")
        time.sleep(POLL_SECONDS)


GROUP = Group("instances", instances, seconds_max=600)
