"""What the API stands on; the composition root fills it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sojourn import identity
from sojourn.auditor import Auditor
from sojourn.catalog import Catalog
from sojourn.clock import Clock
from sojourn.config import Settings
from sojourn.deliveries import Deliveries
from sojourn.dispatcher import Dispatcher
from sojourn.feed import Feed
from sojourn.hosts import Hosts
from sojourn.logs import Logs
from sojourn.operations import Operations
from sojourn.pool import Pool
from sojourn.queue import Queue
from sojourn.reports import Reports
from sojourn.runtime import Runtime
from sojourn.sandbox import Capabilities
from sojourn.services import Services
from sojourn.sessions import Sessions
from sojourn.statistics import Statistics
from sojourn.store import Trail
from sojourn.timers import Timers
from sojourn.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The loops and facts that handlers use.

    `numbers` makes request ids. `isolation` is what the sandbox driver in force can do. `ready()` says whether the
    server takes work: not while it starts, not while it drains. `auditor` looks at all that the store holds.
    `cached_bytes()` is what the store keeps in memory. `sessions` are those of browsers, `hosts` the names they may
    come by. `url` is where the server listens.
    """

    catalog: Catalog
    tokens: Tokens
    trail: Trail
    services: Services
    timers: Timers
    queue: Queue
    feed: Feed
    statistics: Statistics
    dispatcher: Dispatcher
    pool: Pool
    logs: Logs
    deliveries: Deliveries
    operations: Operations
    reports: Reports
    runtimes: Mapping[str, Runtime]
    clock: Clock
    numbers: identity.Numbers
    settings: Settings
    isolation: Capabilities
    ready: Callable[[], bool]
    auditor: Auditor
    sessions: Sessions
    hosts: Hosts
    cached_bytes: Callable[[], int]
    url: str = ""

    def number(self) -> int:
        """A new number for a request, from which its request id is made; a task gets that of the request it came by."""
        return self.numbers.next(self.clock.now())

    def request_id(self) -> str:
        """A new request id."""
        return identity.request_id(self.number())
