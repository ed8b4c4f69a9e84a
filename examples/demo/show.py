"""What the demo prints, and what it found to differ from its claims."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sojourn.client import Status, Task

COLOURS = {
    Status.ENQUEUED: "grey50",
    Status.DEQUEUED: "cyan",
    Status.RUNNING: "yellow",
    Status.RETRYING: "magenta",
    Status.STOPPING: "bright_red",
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.STOPPED: "blue",
    Status.EXPIRED: "dark_orange",
    Status.INVALID: "purple",
}


class Show:
    """The demo's voice. Every claim goes through `check`."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=160)
        self._wrong: list[str] = []
        self._claims = 0

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._console.print(f"\n[bold]{text}[/bold]")

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(Text(f"  {text}"))

    def check(self, claim: str, holds: object) -> None:
        """State `claim`, and remember it when it does not hold."""
        self._claims += 1
        mark = "[green]ok[/green]" if holds else "[bold red]NO[/bold red]"
        self._console.print(f"  {mark} {claim}")
        if not holds:
            self._wrong.append(claim)

    def live(self) -> Live:
        """A picture that is redrawn in place on a terminal; elsewhere only its last state is printed."""
        return Live(console=self._console, refresh_per_second=20, transient=False)

    def picture(self, statuses: Sequence[Status]) -> Group:
        """One letter a task, in the order of submission, and how many are where."""
        width = min(self._console.width - 4, 100)
        grid = Text()
        for number, status in enumerate(statuses):
            if number % width == 0:
                grid.append("\n  " if number else "  ")
            grid.append(_letter(status), style=COLOURS[status])
        return Group(grid, _legend(Counter(statuses)))

    def counts(self, statuses: Iterable[Status]) -> None:
        """How many are where, as one line; for output that is not a terminal."""
        if not self._console.is_terminal:
            self._console.print(_legend(Counter(statuses)))

    def history(self, task: Task) -> None:
        """The whole history of one task."""
        self._console.print(f"  [bold]{task.function_name}/{task.task_id}[/bold] → {task.status.value}")
        for event in task.events:
            line = Text(f"    {event.event_id:>2} {clock(event.timestamp)} ")
            line.append(f"{event.status.value:<10}", style=COLOURS[event.status])
            line.append(f" {event.event_detail}", style="dim")
            self._console.print(line, overflow="ellipsis", no_wrap=True)

    def table(self, rows: Iterable[tuple[str, Task, str]]) -> None:
        """What was tried, what became of it, and the path it took."""
        table = Table("scene", "task", "status", "retries", "ms", "path", box=None, padding=(0, 2))
        for scene, task, note in rows:
            path = " → ".join(event.status.value for event in task.events)
            status = Text(task.status.value, style=COLOURS[task.status])
            table.add_row(
                scene, task.task_id, status, str(task.already_retried_times), str(task.duration_ms), note or path
            )
        self._console.print(table)

    def next_steps(self, directory: Path, seconds: float) -> None:
        """Commands that work as they stand."""
        sojourn = Path(sys.executable).with_name("sojourn")
        data = directory / "data"
        self.heading(f"{self._claims} claims checked in {seconds:.1f} s. Try next, on the data of this demo:")
        for line in (
            f"{sojourn} serve --data-dir {data} &",
            f"export SOJOURN_DATA_DIR={data}",
            f"{sojourn} function list",
            f"{sojourn} task list census --status Succeeded --limit 5",
            f"{sojourn} task get flaky third-time-lucky",
            f"{sojourn} task submit sleeper --payload '{{\"seconds\": 60}}' --task-id nap",
            f"{sojourn} task logs sleeper nap",
            f"{sojourn} task stop sleeper nap && {sojourn} task get sleeper nap",
            f"kill %1; rm -r {directory}   # when you have seen enough",
        ):
            self._console.print(Text(f"  {line}"), soft_wrap=True)

    def verdict(self) -> int:
        """The exit status: 0 when every claim held."""
        if not self._wrong:
            return 0
        self.heading(f"{len(self._wrong)} claims did not hold:")
        for claim in self._wrong:
            self.say(claim)
        return 1


def clock(milliseconds: int) -> str:
    """A wire timestamp as UTC time of day, to the millisecond."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]


def _letter(status: Status) -> str:
    return {Status.STOPPING: "s", Status.RETRYING: "r", Status.SUCCEEDED: "●"}.get(status, status.value[0])


def _legend(counts: Counter[Status]) -> Text:
    text = Text("  ")
    for status, colour in COLOURS.items():
        if counts[status]:
            text.append(f"{_letter(status)} {status.value} {counts[status]}   ", style=colour)
    return text
