"""The part `linearizability`: several clients at once on the same task of a real server, and an order for all answers.

The server is a process of its own with its own sandbox and disk; every client has its own connection and thread. What
they do and how long they hesitate follows from the seed, what overlaps does not: it is the machine's.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from proof.result import Result, Scale

from live import LiveServer, archive
from sojourn.client import Client, ClientError, Retries

from .linear import Operation, order

HISTORIES = 150
CLIENTS, OPERATIONS = 4, 3
"""Of each history: twelve operations are enough for every race of two, and are ordered in no time."""
FUNCTION, RUNTIME = "brief", f"python{sys.version_info[0]}.{sys.version_info[1]}"
CODE = """
import time
def handler(event, context):
    seconds, fails = event.decode().split()
    time.sleep(float(seconds))
    if fails == "True":
        raise ValueError("no")
    return b"done"
"""
WANTED = {
    "submit": "accepted submit",
    "submit AsyncTaskAlreadyExists": "refused duplicate",
    "get": "task that was seen",
    "stop": "accepted stop",
}
"""Without any of these, histories have no race that could go wrong."""
NO_RETRIES = Retries(connection=0, throttled=0)
"""An operation that is sent twice would be two."""


class Callers:
    """Some clients of a server."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._clients = clients

    def history(self, name: str, rng: random.Random) -> tuple[list[str], list[Operation]]:
        """What becomes of a task of that name, and what each client was told of it."""
        start = threading.Barrier(len(self._clients))
        plans = [self._plan(rng) for _ in self._clients]
        with ThreadPoolExecutor(len(self._clients)) as pool:
            works = [pool.submit(self._work, *each, name, start) for each in zip(self._clients, plans, strict=True)]
            told = [operation for work in works for operation in work.result()]
        task = self._clients[0].wait(FUNCTION, name, timeout=60)
        return [event.status.value for event in task.events], told

    @staticmethod
    def _plan(rng: random.Random) -> list[tuple[str, float, bytes]]:
        """What one client does: kinds, hesitations in seconds, payloads. Everyone submits first."""
        kinds = ["submit", *rng.choices(("get", "stop", "get", "submit"), k=OPERATIONS - 1)]
        payload = f"{rng.choice((0, 0, 0.002, 0.01))} {rng.random() < 0.3}".encode()
        return [(kind, rng.choice((0, 0, 0.001, 0.004, 0.015)), payload) for kind in kinds]

    @staticmethod
    def _work(
        client: Client, plan: list[tuple[str, float, bytes]], name: str, start: threading.Barrier
    ) -> list[Operation]:
        start.wait()
        found = []
        for kind, hesitation, payload in plan:
            time.sleep(hesitation)
            told, path = "", tuple[str, ...]()
            called = time.monotonic()
            try:
                if kind == "submit":
                    client.submit(FUNCTION, payload, task_id=name)
                elif kind == "stop":
                    client.stop_task(FUNCTION, name)
                else:
                    path = tuple(event.status.value for event in client.get_task(FUNCTION, name).events)
            except ClientError as error:
                told = error.code
            found.append(Operation(kind, called, time.monotonic(), told, path))
        return found


def overlaps(operations: Sequence[Operation]) -> int:
    """How many pairs of operations were under way at the same time."""
    return sum(
        one.called < other.answered and other.called < one.answered
        for place, one in enumerate(operations)
        for other in operations[:place]
    )


def run(scale: Scale) -> Result:
    """So many tasks, one after the other."""
    rng, kinds, wrong, together, unexplained = random.Random(scale.seed), Counter[str](), list[str](), 0, 0
    count = scale.count(HISTORIES, 5)
    with LiveServer(settings={"SOJOURN_RETRY_BASE_SECONDS": "0.01"}) as server:
        clients = [server.client(retries=NO_RETRIES) for _ in range(CLIENTS)]
        clients[0].deploy(FUNCTION, archive(CODE), runtime=RUNTIME, handler="index.handler", retries=1)
        callers = Callers(clients)
        for number in range(count):
            history, operations = callers.history(f"task-{number}", rng)
            kinds.update(f"{each.kind} {each.told}".strip() for each in operations)
            together += overlaps(operations)
            if order(history, operations) is None:
                unexplained += 1
                wrong.append(f"no order explains {operations} of a task that went {history}")
    for what, wanted in WANTED.items():
        if count >= HISTORIES and not kinds[what]:
            wrong.append(f"no {wanted} in {count} histories")
    line = (
        f"linearizability: {count:,} histories of {CLIENTS} clients, {sum(kinds.values()):,} operations, "
        f"{together:,} pairs of them at the same time, {unexplained} without an order"
    )
    return Result(line=line, ok=not wrong and together >= count, details=(*wrong, str(dict(kinds))))
