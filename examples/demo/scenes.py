"""The scenes of the demo: what is submitted, what is claimed of it, and how the claims are checked."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from show import Show, clock

from sojourn.client import Client, Status, Task, TaskFilter, Unreachable

EXAMPLES = Path(__file__).resolve().parent.parent
RUNTIME = f"python3.{sys.version_info.minor}"
CENSUS_TASKS_MIN = 200
CRASH_TASKS = 300
PATIENCE_SECONDS = 50.0

sys.path.insert(0, str(EXAMPLES / "stdlib_census"))
from modules import modules  # noqa: E402 - it lives beside the function that it feeds

TRIED: list[tuple[str, str, str]] = []
"""Every named scene: (what it shows, function, task id)."""


def deploy(client: Client, show: Show) -> None:
    """Upload the functions; some twice under different names and limits."""
    tiny = EXAMPLES / "functions"
    client.deploy(
        "census", EXAMPLES / "stdlib_census", handler="index.handler", runtime=RUNTIME, timeout=60, memory=128
    )
    for name, source, extra in (
        ("flaky", "flaky", {"retries": 3}),
        ("broken", "broken", {"retries": 1}),
        ("sleeper", "sleeper", {"retries": 0}),
        ("impatient", "sleeper", {"max_age": 1, "reserved_concurrency": 1}),
        ("doomed", "sleeper", {"reserved_concurrency": 1}),
    ):
        client.deploy(name, tiny / source, handler="index.handler", runtime=RUNTIME, timeout=300, memory=128, **extra)
    show.say(f"functions: {', '.join(one.function_name for one in client.iterate_functions())}")


def census(client: Client, show: Show) -> None:
    """One task for every module of the standard library, watched until all are over."""
    names = modules()
    show.heading(f"Census of the standard library of {RUNTIME}: {len(names)} tasks")
    submitting = _Submitting(client, names, "census")
    tasks = _watch(client, show, "census", "census-", submitting)
    ids = submitting.accepted
    show.check(f"{len(names)} tasks, at least {CENSUS_TASKS_MIN}", CENSUS_TASKS_MIN <= len(names) == len(ids))
    show.check("every one of them Succeeded", _ended(tasks, ids, {Status.SUCCEEDED}))
    wanted = [Status.ENQUEUED, Status.DEQUEUED, Status.RUNNING, Status.SUCCEEDED]
    show.check("each went Enqueued → Dequeued → Running → Succeeded", all(_path(task) == wanted for task in tasks))
    show.say(client.get_task("census", _census_id("census", "json.decoder")).return_payload)


def small_functions(client: Client, show: Show) -> None:
    """The other ways through the statuses, all at the same time."""
    show.heading("Small functions, every other way through the statuses")
    _try(client, "third attempt", "flaky", "third-time-lucky")
    _try(client, "fails for good", "broken", "hopeless")
    _try(client, "keeps it busy", "impatient", "blocker", '{"seconds": 3}')
    _try(client, "keeps it busy", "doomed", "blocker", '{"seconds": 3}')
    for function in ("impatient", "doomed"):
        _until(client, function, "blocker", Status.RUNNING)
    _try(client, "too old", "impatient", "too-late", '{"seconds": 0}')
    _try(client, "function deleted", "doomed", "orphaned", '{"seconds": 0}')
    client.delete_function("doomed")
    _try(client, "stopped running", "sleeper", "stopped-running", '{"seconds": 300}')
    _try(client, "stopped waiting", "sleeper", "stopped-waiting", '{"seconds": 300}', delay=300)
    _until(client, "sleeper", "stopped-running", Status.RUNNING)
    for task_id in ("stopped-running", "stopped-waiting"):
        client.stop_task("sleeper", task_id)
    client.wait_all([(function, task_id) for _, function, task_id in TRIED], timeout=PATIENCE_SECONDS)
    _check_paths(client, show)


def _check_paths(client: Client, show: Show) -> None:
    first = "Enqueued Dequeued"
    for function, task_id, path in (
        ("flaky", "third-time-lucky", f"{first} Running Retrying Running Retrying Running Succeeded"),
        ("broken", "hopeless", f"{first} Running Retrying Running Failed"),
        ("impatient", "blocker", f"{first} Running Succeeded"),
        ("doomed", "blocker", f"{first} Running Succeeded"),
        ("impatient", "too-late", f"{first} Expired"),
        ("doomed", "orphaned", f"{first} Invalid"),
        ("sleeper", "stopped-running", f"{first} Running Stopping Stopped"),
        ("sleeper", "stopped-waiting", "Enqueued Stopping Stopped"),
    ):
        task = client.get_task(function, task_id)
        taken = " ".join(status.value for status in _path(task))
        show.check(f"{function}/{task_id}: {path.replace(' ', ' → ')}", taken == path)
    evidence = client.get_task("sleeper", "stopped-running").events[-1].detail
    show.check(f"the stop is proved: {evidence}", evidence.get("processesLeft") == 0)


def submit_before_the_crash(client: Client, show: Show) -> list[str]:
    """A second census and a few long tasks, to be caught in the middle; returns the list of what is accepted."""
    names = modules()[:CRASH_TASKS]
    show.heading(f"Another {len(names)} census tasks and 4 sleepers, to be interrupted")
    for number in range(4):
        _try(client, "killed midway", "sleeper", f"interrupted-{number}", '{"seconds": 6}')
    for number in range(4):
        _until(client, "sleeper", f"interrupted-{number}", Status.RUNNING)
    submitting = _Submitting(client, names, "again")
    while len(submitting.accepted) < CRASH_TASKS // 3 and submitting.is_alive():
        time.sleep(0.001)
    midway = [client.get_task("sleeper", f"interrupted-{number}").status for number in range(4)]
    show.check("submits go on when the server is killed", submitting.is_alive())
    show.check("the 4 sleepers are Running when the server is killed", midway == [Status.RUNNING] * 4)
    return submitting.accepted


def after_the_crash(client: Client, show: Show, accepted: Sequence[str]) -> None:
    """Nothing that was accepted is lost, nothing ends twice."""
    tasks = _watch(client, show, "census", "again-")
    # The kill may have come between a commit and its answer: that task exists although nobody was told.
    unanswered = {task.task_id for task in tasks} - set(accepted)
    show.check(f"all {len(accepted)} acknowledged census tasks are there", {t.task_id for t in tasks} >= set(accepted))
    show.check("at most the one that was being submitted came on top", len(unanswered) <= 1)
    show.check("all of them Succeeded", all(task.succeeded for task in tasks))
    sleepers = client.wait_all([("sleeper", f"interrupted-{number}") for number in range(4)], timeout=PATIENCE_SECONDS)
    # Retries are 0: the attempt that was lost with the server is charged to the server's own budget, not to the user's.
    show.check("the 4 interrupted sleepers Succeeded", all(task.succeeded for task in sleepers))
    lost = [
        task for task in (*tasks, *sleepers) if any(e.detail.get("errorType") == "InstanceLost" for e in task.events)
    ]
    show.check(f"{len(lost)} attempts were lost with the server and made again", len(lost) > 0)
    once = all(sum(Status(event.status) in _TERMINAL for event in task.events) == 1 for task in (*tasks, *sleepers))
    show.check("each has exactly one terminal event", once)


def summary(client: Client, show: Show, file: Path) -> None:
    """The table, the histories of the named scenes, and all histories in a file."""
    show.heading("Summary")
    found = [(scene, client.get_task(function, task_id), "") for scene, function, task_id in TRIED]
    show.table(found)
    functions = ("census", "flaky", "broken", "sleeper", "impatient", "doomed")
    every = [task for name in functions for task in client.iterate_tasks(name, TaskFilter(limit=100, ascending=True))]
    show.check(f"all {len(every)} tasks of this demo are over", all(task.over for task in every))
    show.heading("Histories (UTC)")
    for _, task, _ in found:
        show.history(task)
    lines = [
        f"{task.function_name}/{task.task_id}: "
        + " → ".join(f"{event.status.value} {clock(event.timestamp)}" for event in task.events)
        for task in every
    ]
    file.write_text("\n".join(lines) + "\n")
    show.say(f"the histories of all {len(every)} tasks are in {file}")


_TERMINAL = {Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.EXPIRED, Status.INVALID}


def _try(
    client: Client, scene: str, function: str, task_id: str, payload: str = "", *, delay: int | None = None
) -> None:
    client.submit(function, payload, task_id=task_id, delay=delay)
    TRIED.append((scene, function, task_id))


class _Submitting(threading.Thread):
    """Submits a census beside the main thread; `accepted` is the client's own record of what was acknowledged."""

    def __init__(self, client: Client, names: Sequence[str], prefix: str) -> None:
        super().__init__(daemon=True)
        self._client, self._names, self._prefix = client, names, prefix
        self.accepted: list[str] = []
        self.start()

    def run(self) -> None:
        """Submit until all are in, or the server is gone."""
        for name in self._names:
            try:
                task_id = _census_id(self._prefix, name)
                self._client.submit("census", f'{{"module": "{name}"}}', task_id=task_id)
            except Unreachable:
                return
            self.accepted.append(task_id)


def _census_id(prefix: str, module: str) -> str:
    return f"{prefix}-{module.replace('.', '-')}"


def _watch(
    client: Client, show: Show, function: str, prefix: str, submitting: threading.Thread | None = None
) -> list[Task]:
    """Draw where every task is until all are submitted and over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with show.live() as live:
        while True:
            complete = submitting is None or not submitting.is_alive()
            tasks = list(client.iterate_tasks(function, TaskFilter(prefix=prefix, limit=100, ascending=True)))
            statuses = [task.status for task in tasks]
            live.update(show.picture(statuses))
            show.counts(statuses)
            if (complete and all(task.over for task in tasks)) or time.monotonic() > deadline:
                return tasks
            time.sleep(0.1)  # a picture a tenth of a second; `GET` is the only way to see until there is a watch


def _until(client: Client, function: str, task_id: str, status: Status) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (task := client.get_task(function, task_id)).status is not status:
        if task.over or time.monotonic() > deadline:
            return
        time.sleep(0.01)


def _path(task: Task) -> list[Status]:
    return [event.status for event in task.events]


def _ended(tasks: Sequence[Task], ids: Sequence[str], statuses: set[Status]) -> bool:
    """Whether `tasks` are exactly those of `ids`, each in one of `statuses`."""
    return {task.task_id for task in tasks} == set(ids) and all(task.status in statuses for task in tasks)
