"""Progress bars, on stderr and only when that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sojourn.client.call import Progress as UploadProgress

from .display import err


@contextmanager
def upload(label: str) -> Iterator[UploadProgress | None]:
    """What to hand to `Client.deploy` as its `progress`; None when nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        line = bar.add_task(label, total=None)
        yield lambda sent, total: bar.update(line, completed=sent, total=total)


@contextmanager
def counting(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A counter to call once for each of `total` things that is done."""
    if not sys.stderr.isatty() or total < 2:  # noqa: PLR2004 - one thing needs no count
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        line = bar.add_task(label, total=total)
        yield lambda: bar.advance(line)


@contextmanager
def reading(label: str, size_bytes: int | None) -> Iterator[Callable[[int, int], None]]:
    """What to call with the lines and bytes that are done, of a file of this size; None for what has no known end."""
    if not sys.stderr.isatty():
        yield lambda _lines, _bytes: None
        return
    lines = TextColumn("{task.fields[lines]:,} lines")
    columns = (TextColumn("{task.description}"), BarColumn(), lines, TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        line = bar.add_task(label, total=size_bytes, lines=0)
        done = 0

        def advance(lines: int, amount_bytes: int) -> None:
            nonlocal done
            done += lines
            bar.update(line, advance=amount_bytes, lines=done)

        yield advance
