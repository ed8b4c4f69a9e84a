"""Progress bars, on stderr and only when that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TransferSpeedColumn

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
