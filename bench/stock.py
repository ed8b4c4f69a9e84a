"""Stores that already hold very many tasks, in homes that a server can be started on.

A server makes the store, with one function in it; when it has ended, the tasks come by `fill`, in minutes instead of
in hours. What the product makes of such a store is left to `groups`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import apsw

from sojourn import identity
from sojourn.task import Status

from .failure import NotMeasured
from .fill import Mix, fill
from .options import Options
from .served import ALONE, Served

FUNCTION = "stock"
WORD = "named"
"""What the names begin with that tasks have of their caller."""
NAMED = FAILED = 0.05
"""The shares of tasks that have a name of their own, and that have failed."""
PAYLOAD_BYTES = 100
BYTES_MAX_EACH = 1_500
"""Of a finished task, indexes and free pages included."""
MARGIN_SECONDS = 120
"""The youngest task is this old."""
SHIFT = identity.NODE_BITS + identity.SEQUENCE_BITS


class Stock(NamedTuple):
    """A filled store: the home of its server, and when the first of its tasks was made, in the project's epoch."""

    home: Path
    first_ms: int
    size: int

    @property
    def ids(self) -> tuple[int, int]:
        """The lowest and the highest id of the tasks."""
        return self.first_ms << SHIFT, (self.first_ms + self.size - 1) << SHIFT

    def identifiers(self, part: float) -> str:
        """What the request ids begin with that were made within the second at that part of the store, 0 to 1."""
        return identity.request_id(int(self.first_ms + self.size * part) << SHIFT)[:10]

    def made_at_ms(self, part: float) -> int:
        """When the task at that part of the store was made, in milliseconds since 1970."""
        return int(self.first_ms + self.size * part) + identity.EPOCH_MS


class Stocks:
    """The filled stores of a run, each made when it is first asked for and removed with the run; use it in a `with`.

    Parameters
    ----------
    options: where, and in which sandbox.
    say: told what is being made.

    """

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        self._stocks: dict[int, Stock] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def finished(self, count: int) -> Stock:
        """A store with `count` tasks of the function `stock` that are over.

        Raises
        ------
        NotMeasured: the disk has no room for them, or they cannot be made.

        """
        if count not in self._stocks:
            self._stocks[count] = self.filled(count)
        return self._stocks[count]

    def filled(self, count: int) -> Stock:
        """The same, but a new one each time."""
        return self._made(count, {Status.SUCCEEDED: 1 - FAILED, Status.FAILED: FAILED}, NAMED)

    def queued(self, count: int) -> Path:
        """The home of a server with `count` tasks of the function `stock` that wait and are due; a new one each time.

        Raises
        ------
        NotMeasured: as above.

        """
        return self._made(count, {Status.ENQUEUED: 1.0}, named=0.0).home

    def _made(self, count: int, ends: dict[Status, float], named: float) -> Stock:
        """A new store of tasks that are a millisecond apart."""
        home = self._new_home(count)
        with Served(self._options.directory, self._options.sandbox, ALONE, home) as served:
            served.deploy(FUNCTION, retries=0)
        self._say(f"filling a store with {count:,} tasks")
        until_ms = int(time.time() * 1000) - MARGIN_SECONDS * 1000
        mix = Mix(
            until=until_ms * 1000,
            span_seconds=count / 1000,
            ends=ends,
            named=named,
            words=(WORD,),
            payload_bytes=PAYLOAD_BYTES,
            result_bytes=PAYLOAD_BYTES,
        )
        try:
            fill(home / "data", count, mix, function=FUNCTION)
        except apsw.Error as error:
            raise NotMeasured(f"the store cannot be filled: {type(error).__name__}: {error}") from error
        return Stock(home, until_ms - count - identity.EPOCH_MS, count)

    def _new_home(self, count: int) -> Path:
        free = shutil.disk_usage(self._options.directory).free
        if free < count * BYTES_MAX_EACH:
            raise NotMeasured(
                f"{count:,} tasks may need {count * BYTES_MAX_EACH >> 20:,} MiB, {self._options.directory} has "
                f"{free >> 20:,}: use --store-tasks or --dir"
            )
        place = tempfile.TemporaryDirectory(prefix="sojourn-bench-stock-", dir=self._options.directory)
        return Path(self._stack.enter_context(place))
