"""What one round is asked for and what it saw, as values.

Raw figures only, in the units of their names: medians, ratios and floors are made of them in `rows`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. `directory` holds the data, everything else is a count, or seconds where it says so."""

    directory: Path
    sandbox: str = "auto"
    rounds: int = 3
    connections: int = 64
    instances: int = 64
    tasks: int = 10_000
    bare_requests: int = 20_000
    single_tasks: int = 300
    cold_instances: int = 20
    cold_sandboxes: int = 3
    disk_samples: int = 400
    idle_seconds: float = 10.0
    freezes: int = 200
    stops: int = 40
    initialized_tasks: int = 50
    crowd: int = 200
    queued: int = 100_000
    first_tasks: int = 9


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    """What the bare responder does under load: requests per second, and its CPU time for one."""

    per_second: float
    cpu_us_per_request: float


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """What a server with nothing to do costs: CPU in percent of one core, memory in MiB."""

    cpu_percent: float
    server_rss_mb: float
    tree_pss_mb: float
    processes: int


class Single(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks submitted one at a time over one connection, microseconds each.

    `accepted_us` is until the 202, `succeeded_us` until the client saw Succeeded, `recorded_us` from the first to the
    last stamp of the history, which the API gives in whole milliseconds. `polls` is how often the client looked.
    """

    accepted_us: list[int]
    succeeded_us: list[int]
    recorded_us: list[int]
    polls: int


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks submitted over many connections; `seconds` run from the first request to the last task's end.

    `cpu_us_per_task` is all CPU time of server and instances; `recorded_us` as in `Single`.
    """

    tasks: int
    seconds: float
    accepted_per_second: float
    accepted_us: list[int]
    recorded_us: list[int]
    cpu_us_per_task: float
    server_cpu_us_per_task: float
    server_rss_mb: float
    tree_pss_mb: float

    @property
    def sojourns_per_second(self) -> float:
        """Tasks from submit to Succeeded, per second."""
        return self.tasks / self.seconds


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round saw. Cold starts are microseconds above a warm call of the same function.

    `bare` is the responder just before and just after `loaded`.
    """

    disk_us: list[int]
    bare: list[Bare]
    isolation: str
    ready_seconds: float
    first_sandbox_us: int
    sandbox_us: list[int]
    instance_us: list[int]
    warm_call_us: int
    idle: Idle
    single: Single
    loaded: Loaded

    @property
    def bare_per_second(self) -> float:
        """Requests per second of the bare responder, the mean of before and after."""
        return sum(each.per_second for each in self.bare) / len(self.bare)

    @property
    def bare_cpu_us(self) -> float:
        """CPU time of the bare responder for one request, likewise."""
        return sum(each.cpu_us_per_request for each in self.bare) / len(self.bare)
