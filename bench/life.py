"""What the life of instances costs: freezing, stopping, initializing, and being fair about it.

Measured once per run and not per round, on servers of its own, because it queues a hundred thousand tasks. Raw figures
only; `groups.life` makes rows of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import msgspec

from sojourn.client import Client, Status, Task

from . import load
from .failure import NotMeasured
from .freezing import Freezing, measure_freezing
from .load import Plan
from .options import Options
from .served import ROOM, RUNTIME, Served, archive

WAIT_SECONDS_MAX = 120.0
POLL_SECONDS = 0.002
INITIALIZER_SECONDS = 0.1
MEMORY_MB = 128
HANDLER = f"""import time

def initialize(context):
    time.sleep({INITIALIZER_SECONDS})

def pre_stop(context):
    print(f"hook {{time.time():.6f}}", flush=True)

def handler(event, context):
    if event.startswith(b"sleep "):
        time.sleep(float(event[6:]))
    return event
"""


class Stops(msgspec.Struct, frozen=True, kw_only=True):
    """Stops of running tasks, milliseconds each: until PreStop ran, and until Stopped without the hook's own time."""

    hook_ms: list[float]
    stopped_ms: list[float]


class Initialized(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks of a function with an Initializer: how often it ran for how many, and how long the whole took."""

    tasks: int
    initializers: int
    seconds: float


class Fair(msgspec.Struct, frozen=True, kw_only=True):
    """The first task of new functions, from submit to Succeeded, alone and beside a long line of slow tasks."""

    queued: int
    idle_ms: list[float]
    beside_ms: list[float]


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of this file."""

    freezing: Freezing
    stops: Stops
    initialized: Initialized
    fair: Fair


def measure_life(options: Options, say: Callable[[str], None]) -> Life:
    """Measure it all once; `say` is told what comes next.

    Raises
    ------
    NotMeasured: the server did not do its part.

    """
    say("freezing and thawing")
    freezing = measure_freezing(options)
    with Served(options.directory, options.sandbox, ROOM) as served:
        say("stops")
        stops = _stops(served, options.stops)
        say("Initializer")
        initialized = _initialized(served, options.initialized_tasks)
    with Served(options.directory, options.sandbox, ROOM | {"SOJOURN_INSTANCES_MAX": "32"}) as served:
        say(f"{options.queued:,} queued tasks of one function, the first one of another")
        fair = _fair(served, options)
    return Life(freezing=freezing, stops=stops, initialized=initialized, fair=fair)


def _deploy(client: Client, name: str, *, reserved: int | None = None, **hooks: str) -> None:
    lifecycle = {hook: {"handler": f"index.{handler}", "timeout": 30} for hook, handler in hooks.items()}
    client.deploy(
        name,
        archive(f"{HANDLER}\n# {name}\n"),
        handler="index.handler",
        runtime=RUNTIME,
        memory=MEMORY_MB,
        timeout=3600,
        reserved_concurrency=reserved,
        settings={"instanceLifecycleConfig": lifecycle},
    )


def _stops(served: Served, count: int) -> Stops:
    client = served.client
    _deploy(client, "stopped", preStop="pre_stop")
    hook_ms, stopped_ms = [], []
    for _ in range(count):
        task_id = client.submit("stopped", b"sleep 600").task_id
        _until(partial(_has_status, client, "stopped", task_id, Status.RUNNING))
        asked = time.time()
        client.stop_task("stopped", task_id)
        ended = _over(client, "stopped", task_id)
        text = "".join(log.text for log in client.logs("stopped", task_id))
        called = re.search(r"^hook ([\d.]+)$", text, re.MULTILINE)
        if ended.status != Status.STOPPED or called is None:
            raise NotMeasured(f"a stopped task is {ended.status}, its log {text!r}")
        hook_ms.append((float(called[1]) - asked) * 1000)
        spent_ms = float(ended.events[-1].detail["preStop"]["ms"])
        stopped_ms.append(max(ended.events[-1].timestamp - asked * 1000 - spent_ms, 0.0))
    client.delete_function("stopped")
    return Stops(hook_ms=hook_ms, stopped_ms=stopped_ms)


def _initialized(served: Served, count: int) -> Initialized:
    client = served.client
    _deploy(client, "initialized", reserved=1, initializer="initialize")
    began = time.perf_counter()
    ids = [client.submit("initialized", b"").task_id for _ in range(count)]
    tasks = [_over(client, "initialized", task_id) for task_id in ids]
    seconds = time.perf_counter() - began
    if not all(task.succeeded for task in tasks):
        raise NotMeasured("not every task of an initialized function succeeded")
    ran = sum("FC Initialize Start" in log.text for task_id in ids for log in client.logs("initialized", task_id))
    client.delete_function("initialized")
    return Initialized(tasks=count, initializers=ran, seconds=seconds)


def _fair(served: Served, options: Options) -> Fair:
    client = served.client
    idle = [_first_task(client, f"alone{number}") for number in range(options.first_tasks)]
    _deploy(client, "slow")
    plan = Plan(
        target=served.target(),
        function="slow",
        payload=b"sleep 5",
        requests=options.queued,
        connections=options.connections,
    )
    report = load.run(plan)
    if report.accepted != options.queued:
        raise NotMeasured(f"not every submit was accepted: {report.statuses}")
    beside = [_first_task(client, f"beside{number}") for number in range(options.first_tasks)]
    return Fair(queued=options.queued, idle_ms=idle, beside_ms=beside)


def _first_task(client: Client, name: str) -> float:
    """Milliseconds from the first submit to a new function until the server has it Succeeded."""
    _deploy(client, name)
    began = time.time()
    task = _over(client, name, client.submit(name, b"").task_id)
    if not task.succeeded:
        raise NotMeasured(f"the first task of {name} is {task.status}")
    return task.end_time - began * 1000


def _has_status(client: Client, function: str, task_id: str, status: Status) -> bool:
    return client.get_task(function, task_id).status == status


def _over(client: Client, function: str, task_id: str) -> Task:
    _until(lambda: client.get_task(function, task_id).over)
    return client.get_task(function, task_id)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        if time.monotonic() > deadline:
            raise NotMeasured(f"something did not come about within {WAIT_SECONDS_MAX:g} s")
        time.sleep(POLL_SECONDS)
