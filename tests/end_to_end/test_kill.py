"""SIGKILL of a real server under load, again and again, judged by what its clients and its functions saw themselves.

The clients keep their own record of what was acknowledged. The functions report every begin, beat and end of an attempt
to a socket of the test, with the machine's monotonic time: the ground truth of what really ran when. Against these two
the store's histories are held.
"""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Self

import pytest

from end_to_end.functions import HANDLER, RUNTIME
from end_to_end.isolation import BRISK
from histories import faults
from live import GONE_SECONDS_MAX, LiveServer, archive, until
from sojourn.audit import Violation, audit
from sojourn.client import Client, ClientError, Retries, Status, Task, TaskFilter
from sojourn.history import Event
from sojourn.stores.sqlite import SqliteStore
from sojourn.task import INSTANCE_LOST, LEASE_LOST

KILLS_UNDER_LOAD, KILLS_DURING_START = 6, 2
LOAD_SECONDS = (0.1, 0.8)
ACCEPTED_PER_ROUND_MIN = 16
CLIENTS = 4
END_SECONDS = 60.0
CHILD = f"86{random.Random().randrange(10**8):08d}"
"""How long a grandchild sleeps: a number by which it is found, since it drops its environment."""

REPORTING = f"""
import os, socket, subprocess, time

out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def tell(context, word):
    text = f"{{context.request_id}} {{context.retry_count}} {{word}} {{time.monotonic_ns()}}"
    out.sendto(text.encode(), ("127.0.0.1", int(os.environ["JOURNAL"])))

def handler(event, context):
    tell(context, "begin")
    kind = event.decode()
    if kind == "child":
        subprocess.Popen(["sleep", "{CHILD}"], env={{}}, start_new_session=True)
    for _ in range(15 if kind in ("slow", "child") else 0):
        time.sleep(0.02)
        tell(context, "beat")
    if kind == "flaky" and context.retry_count == 0:
        raise ConnectionError("not yet")
    tell(context, "end")
    return kind
"""
KINDS = ("quick", "quick", "slow", "flaky", "child")


class Journal:
    """What functions reported: (request id, attempt) → the monotonic times of its words."""

    def __init__(self) -> None:
        self.times: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while words := self._socket.recv(512).decode().split():
            request_id, attempt, _, at = words
            self.times[request_id][int(attempt)].append(int(at))

    def overlaps(self) -> list[str]:
        """Attempts that still ran when a later one of the same task had begun."""
        found = []
        for request_id, attempts in self.times.items():
            numbers = sorted(attempts)
            for earlier, later in itertools.pairwise(numbers):
                if max(attempts[earlier]) >= min(attempts[later]):
                    found.append(f"{request_id}: attempt {earlier} ran into attempt {later}")
        return found


class Load:
    """Clients that submit and stop, and their own record of what the server acknowledged."""

    def __init__(self, seed: int) -> None:
        self.asked: dict[str, str] = {}
        self.accepted: dict[str, str] = {}
        self.stopped: set[str] = set()
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._number = 0

    def run(self, server: LiveServer, seconds: float) -> None:
        """Load the server, and kill it after so many seconds, on a slow machine when it has accepted something."""
        wanted = len(self.accepted) + ACCEPTED_PER_ROUND_MIN
        ending = threading.Event()
        threads = [threading.Thread(target=self._submit, args=(server, ending)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        until(lambda: len(self.accepted) >= wanted, END_SECONDS, "some tasks accepted")
        server.kill()
        ending.set()
        for thread in threads:
            thread.join()

    def _submit(self, server: LiveServer, ending: threading.Event) -> None:
        client = server.client(retries=Retries(connection=0))
        mine: list[str] = []
        while not ending.is_set():
            try:
                mine.append(self._one(client))
                if self._chance.random() < 0.2:
                    self._stop(client, self._chance.choice(mine))
            except ClientError:
                pass  # whether it happened is not known; the record says so by silence
            ending.wait(0.004)

    def _one(self, client: Client) -> str:
        with self._lock:
            self._number += 1
            name = f"t{self._number}"
            kind = self.asked[name] = self._chance.choice(KINDS)
        client.submit("reporting", kind, task_id=name)
        self.accepted[name] = kind
        return name

    def _stop(self, client: Client, name: str) -> None:
        client.stop_task("reporting", name)
        self.stopped.add(name)


def grandchildren() -> list[int]:
    """The sleepers that functions left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and CHILD.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def nothing_left(server: LiveServer) -> None:
    """No process of the server's sandboxes, marked or not, outlives it."""
    server.gone()
    until(lambda: not grandchildren(), GONE_SECONDS_MAX, f"grandchildren gone, left {grandchildren()}")


def unsound(server: LiveServer) -> list[Violation]:
    """What `sojourn verify` finds in the data that a server left behind."""
    with SqliteStore(server.data).records() as records:
        return audit(records).violations


def judge(tasks: dict[str, Task], load: Load, journal: Journal) -> list[str]:
    """Everything that is wrong."""
    wrong = [f"{name} was acknowledged and is lost" for name in load.accepted if name not in tasks]
    wrong += [f"{name} was never asked for" for name in tasks if name not in load.asked]
    wrong += [
        f"{name} was stopped and is {tasks[name].status.value}"
        for name in load.stopped & set(tasks)
        if tasks[name].status is not Status.STOPPED
    ]
    for name, task in tasks.items():
        events = [Event(event.event_id, event.status.value, event.timestamp) for event in task.events]
        wrong += [f"{name}: {fault}" for fault in faults(events)]
        runs = sum(event.status is Status.RUNNING for event in task.events)
        ran = len(journal.times.get(task.request_id, {}))
        if ran > runs:
            wrong.append(f"{name} ran {ran} times, its history knows {runs}")
        if task.status is Status.SUCCEEDED and (ran == 0 or task.return_payload != load.asked[name]):
            wrong.append(f"{name} succeeded with {task.return_payload} after {ran} runs")
        if task.status is Status.FAILED and task.events[-1].detail["errorType"] != INSTANCE_LOST:
            wrong.append(f"{name} failed: {task.events[-1].event_detail}")
        if task.status in (Status.EXPIRED, Status.INVALID):
            wrong.append(f"{name} is {task.status.value}: {task.events[-1].event_detail}")
    return wrong + journal.overlaps()


@pytest.mark.slow
def test_no_sigkill_loses_doubles_or_leaves_anything(sandbox: str) -> None:
    """Every acknowledged task ends once, on a legal path; no two attempts overlap; no process survives any kill."""
    chance = random.Random(7)
    load = Load(11)
    with Journal() as journal, LiveServer(sandbox=sandbox, settings=BRISK) as server:
        server.client().deploy(
            "reporting",
            archive(REPORTING),
            handler=HANDLER,
            runtime=RUNTIME,
            timeout=20,
            memory=128,
            env={"JOURNAL": str(journal.port)},
        )
        for number in range(KILLS_UNDER_LOAD + KILLS_DURING_START):
            load.run(server, chance.uniform(*LOAD_SECONDS))
            nothing_left(server)
            assert unsound(server) == []
            if number < KILLS_DURING_START:
                server.begin()
                time.sleep(chance.uniform(0.0, 0.5))
                server.kill()
                nothing_left(server)
            server.start()
        client = server.client()
        wanted = TaskFilter(limit=100, include_payload=True)
        open_ones = [Status.ENQUEUED, Status.DEQUEUED, Status.RUNNING, Status.RETRYING, Status.STOPPING]
        until(
            lambda: not any(client.list_tasks("reporting", TaskFilter(limit=1, status=one)).tasks for one in open_ones),
            END_SECONDS,
            "all tasks over",
        )
        tasks = {task.task_id: task for task in client.iterate_tasks("reporting", wanted)}
        assert server.terminate() == 0, server.log()
        nothing_left(server)
        assert "Traceback" not in server.log(), server.log()

        assert unsound(server) == []

    assert judge(tasks, load, journal) == []
    causes = {
        event.detail.get(field) for task in tasks.values() for event in task.events for field in ("errorType", "cause")
    }
    assert {INSTANCE_LOST, LEASE_LOST} & causes, "no kill hit a task that was being worked on"
    assert {Status.SUCCEEDED, Status.STOPPED} <= {task.status for task in tasks.values()}
    assert len(load.accepted) > 100, "too little load to mean anything"
