"""How much is measured: every count and duration of a run, as one value; a smoke run is the same with less of it."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. `directory` holds the data; the rest are counts, or seconds where they say so.

    `load_seconds` is how long a load runs before its tasks are awaited, `pause_ms` how long each of its connections
    rests before a request: a smoke run need not wait for the tasks that a second of full load leaves. `store_tasks`
    finished tasks lie in the store of the rows that ask for a full one, `queued_tasks` wait in the one that is started
    again. `sizes` are the smaller stores, `holders` the numbers of functions and of accounts, at which the growth of
    costs is looked at.
    """

    directory: Path
    sandbox: str = "auto"
    quick: bool = False
    rounds: int = 3
    connections: int = 64
    instances: int = 64
    load_seconds: int = 4
    pause_ms: int = 0
    disk_samples: int = 400
    single_tasks: int = 300
    store_tasks: int = 10_000_000
    page_seconds: int = 2
    queued_tasks: int = 1_000_000
    expired_tasks: int = 500_000
    retention_seconds: float = 90.0
    cold_instances: int = 20
    cold_sandboxes: int = 3
    crowd: int = 200
    idle_seconds: float = 10.0
    overload_seconds: int = 60
    watched_tasks: int = 200
    watchers: int = 200
    freezes: int = 200
    stops: int = 40
    initialized_tasks: int = 50
    queued: int = 100_000
    first_tasks: int = 9
    sizes: tuple[int, ...] = (1_000, 100_000)
    holders: tuple[int, ...] = (1, 10, 1_000)


QUICK: dict[str, object] = {
    "quick": True,
    "rounds": 1,
    "connections": 8,
    "instances": 4,
    "load_seconds": 1,
    "pause_ms": 200,
    "disk_samples": 20,
    "single_tasks": 5,
    "store_tasks": 2_000,
    "page_seconds": 1,
    "queued_tasks": 200,
    "expired_tasks": 500,
    "retention_seconds": 25.0,
    "cold_instances": 2,
    "cold_sandboxes": 1,
    "crowd": 3,
    "idle_seconds": 0.5,
    "overload_seconds": 2,
    "watched_tasks": 5,
    "watchers": 3,
    "freezes": 3,
    "stops": 2,
    "initialized_tasks": 3,
    "queued": 100,
    "first_tasks": 2,
    "sizes": (100,),
    "holders": (1, 3),
}
"""A smoke run: everything once and a little of it. Its figures mean nothing."""
