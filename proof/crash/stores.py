"""The stores that the cases run on: whatever is installed under the entry points `sojourn.stores`.

A store that is new needs one entry in `HOMES`: how a fresh database of it is made, what a server is told so that it
works on it, and how its records are read beside the server. Nothing else here knows one store from another. Points
whose names begin with a store's name are that store's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import apsw

from sojourn.crashpoint import POINTS
from sojourn.store import Store
from sojourn.stores.sqlite import forgetting, rows, writes
from sojourn.stores.sqlite.connection import BUSY_MILLISECONDS, FILE_NAME
from sojourn.task import Task

GROUP = "sojourn.stores"


class Home(Protocol):
    """One database, empty at first."""

    settings: Mapping[str, str]
    """The `SOJOURN_…` variables with which a server works on it."""

    def store(self) -> Store:
        """The store, not opened: for its `records`."""
        ...

    def keep(self, task: Task) -> None:
        """Put a task into the database beside the server that works on it."""
        ...

    def close(self) -> None:
        """Remove the database."""
        ...


class SqliteHome:
    """It lives in the server's data directory and goes with it."""

    settings: Mapping[str, str] = {}

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def store(self) -> Store:
        """See `Home`."""
        (entry,) = entry_points(group=GROUP, name="sqlite")
        store: Store = entry.load()(self._data_dir)
        return store

    def keep(self, task: Task) -> None:
        """See `Home`."""
        connection = apsw.Connection(str(self._data_dir / FILE_NAME))
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        try:
            with connection:
                writes.insert_task(connection.cursor(), task)
                forgetting.count(connection.cursor(), {(task.function_id, rows.STATUS_CODES[task.status]): 1})
        finally:
            connection.close()

    def close(self) -> None:
        """See `Home`."""


HOMES: Mapping[str, Callable[[Path], Home]] = {"sqlite": SqliteHome}
"""By entry point: makes a fresh database for a server with this data directory."""


def installed() -> list[str]:
    """The names of all stores there are."""
    return sorted(entry_points(group=GROUP).names)


def points_of(store: str) -> list[str]:
    """The crash points that a server on this store passes."""
    others = tuple(f"{name}." for name in installed() if name != store)
    return [point for point in POINTS if not point.startswith(others)]
