"""`sojourn top`: functions, their queues and what runs, on the whole screen, until `q` or Ctrl-C.

What is shown is read from the public API: the statistics of each function, and the instances. A rate is the difference
of two looks.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sojourn.client import Client, ClientError, Function, Instance
from sojourn.client import steering as calls
from sojourn.client.call import segment

from . import exits
from .display import STYLES, out, plain, size
from .failure import CommandFailed
from .options import COMMON, Common

OPEN = ("Enqueued", "Dequeued", "Running", "Retrying", "Stopping")
ENDED = ("Succeeded", "Failed", "Stopped", "Expired", "Invalid")
FUNCTIONS_MAX = 200


class Row(msgspec.Struct, kw_only=True):
    """A function as it stands."""

    name: str
    counts: Mapping[str, int]
    paused: bool
    rate: float | None = None


def top(*, every: float = 1.0, once: bool = False, common: Common = COMMON) -> int:
    """Watch functions, queues and running tasks on the whole screen; q ends it.

    For example:

        sojourn top --every 2

    Parameters
    ----------
    every
        Seconds between two looks.
    once
        Print one look and end, as for a script.

    """
    if every <= 0:
        raise CommandFailed(f"--every must be above 0, got {every:g}", "leave it out for a look each second")
    with common.client() as client:
        looks = Looks(client)
        if once or not sys.stdout.isatty():
            out().print(looks.look())
            return exits.OK
        with _keys() as pressed, Live(looks.look(), screen=True, auto_refresh=False) as live:
            while not pressed(every):
                live.update(looks.look(), refresh=True)
    return exits.OK


class Looks:
    """Looks at a server, one after the other."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._before: dict[str, tuple[float, int]] = {}

    def look(self) -> Group:
        """The whole screen; what could not be read is said there."""
        try:
            functions = self._client.list_functions(limit=100).functions[:FUNCTIONS_MAX]
            rows = [self._row(function) for function in functions]
            instances = self._client.instances()
        except ClientError as error:
            return Group(Text(f"{self._client.connection.endpoint}: {error.message}", style="red"))
        return Group(self._head(rows, instances), Text(), _functions(rows), Text(), _running(instances))

    def _row(self, function: Function) -> Row:
        counts = self._counts(function.function_name)
        row = Row(name=function.function_name, counts=counts, paused=bool(function.queue_paused_since))
        ended, now = sum(counts.get(name, 0) for name in ENDED), time.monotonic()
        before = self._before.get(row.name)
        if before is not None and now > before[0]:
            row.rate = max(ended - before[1], 0) / (now - before[0])
        self._before[row.name] = now, ended
        return row

    def _counts(self, name: str) -> Mapping[str, int]:
        """How many tasks are in each status, as far as the server tells."""
        try:
            found = self._client.ask(calls.document(f"/v1/functions/{segment('function', name)}/statistics"))
        except ClientError as error:
            if error.code != "PathNotSupported":
                raise
            return {}
        return counts_in(found)

    def _head(self, rows: list[Row], instances: list[Instance]) -> Table:
        waiting = sum(row.counts.get(name, 0) for row in rows for name in ("Enqueued", "Dequeued", "Retrying"))
        running = sum(row.counts.get("Running", 0) for row in rows)
        rate = sum(row.rate or 0.0 for row in rows)
        memory = sum(each.memory_bytes or 0 for each in instances)
        grid = Table.grid(padding=(0, 3))
        grid.add_row(
            Text("sojourn top", style="bold"),
            Text(self._client.connection.endpoint),
            Text(time.strftime("%H:%M:%S")),
            Text("q quits", style="dim"),
        )
        grid.add_row(
            Text(f"{running} running", style="cyan"),
            Text(f"{waiting} waiting"),
            Text(f"{rate:.1f} tasks/s over"),
            Text(f"{len(instances)} instances, {size(memory)}"),
        )
        return grid


def counts_in(document: Mapping[str, Any]) -> Mapping[str, int]:
    """The counts by status in an answer about a function's statistics."""
    for name in ("counts", "statusCounts", "countsByStatus", "tasks"):
        found = document.get(name)
        if isinstance(found, dict):
            return {status: count for status, count in found.items() if isinstance(count, int)}
    return {}


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _functions(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold reverse")
    table.add_column("FUNCTION", min_width=16, no_wrap=True)
    for name in (*OPEN, *ENDED):
        table.add_column(name.upper()[:9], justify="right", style=STYLES.get(name, ""))
    table.add_column("/S", justify="right")
    for row in sorted(rows, key=lambda one: -sum(one.counts.get(name, 0) for name in OPEN)):
        shown = Text(plain(row.name) + (" (paused)" if row.paused else ""))
        cells = [str(row.counts.get(each, 0) or "·") for each in (*OPEN, *ENDED)]
        table.add_row(shown, *cells, "" if row.rate is None else f"{row.rate:.1f}")
    return table


def _running(instances: list[Instance]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold reverse")
    for head in ("TASK", "FUNCTION", "INSTANCE", "STATUS", "MEMORY", "CPU"):
        table.add_column(head, no_wrap=True)
    for each in sorted(instances, key=lambda one: not one.in_flight):
        for task in [one.task_id or one.request_id for one in each.in_flight] or [""]:
            memory = "" if each.memory_bytes is None else size(each.memory_bytes)
            cpu = "" if each.cpu_seconds is None else f"{each.cpu_seconds:.1f} s"
            table.add_row(plain(task), plain(each.function), each.id, each.status, memory, cpu)
    return table


@contextlib.contextmanager
def _keys() -> Iterator[Any]:
    """What waits for a key for some seconds, and says whether it was `q`."""
    fd = sys.stdin.fileno()
    if not os.isatty(fd):
        yield _sleep
        return
    before = termios.tcgetattr(fd)

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([fd], [], [], seconds)
        return bool(ready) and os.read(fd, 1) in {b"q", b"Q", b"", b"\x1b"}

    try:
        tty.setcbreak(fd)
        yield pressed
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
