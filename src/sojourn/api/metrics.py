"""`GET /metrics`: what a server counts, as Prometheus reads it.

It tells the names of functions of all accounts, so only the account that operates the server may read it, by its
signature; or, because Prometheus cannot sign, whoever has the token that the operator chose (`SOJOURN_METRICS_TOKEN`).
"""

from __future__ import annotations

import hmac
import platform
from collections import Counter
from collections.abc import Callable

from sojourn import __version__, identity
from sojourn.clock import MICROSECONDS_PER_SECOND
from sojourn.errors import AccessDenied
from sojourn.metrics import CONTENT_TYPE, Labels, Page
from sojourn.task import TERMINAL, Status

from .answer import Answer
from .backend import Backend
from .call import Call
from .operation import Handler, Limit, Operation, small
from .request import Request
from .routing import Route

PATH = "/metrics"


async def get_metrics(call: Call) -> Answer:
    """What this server counts, for the account that operates it."""
    if not call.backend.catalog.account(call.account_id).owner:
        raise AccessDenied("only the account that operates this server may read what it counts")
    return _answer(call.backend)


class Metrics:
    """The page as an endpoint; `signed` answers those who come without the token."""

    def __init__(self, backend: Backend, signed: Operation) -> None:
        self._backend, self._signed = backend, signed
        token = backend.settings.metrics_token
        self._expected = f"Bearer {token}".encode() if token else b""

    async def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        given = [value for name, value in request.headers if name == b"authorization"]
        if self._expected and len(given) == 1 and hmac.compare_digest(given[0], self._expected):
            return _answer(self._backend)
        return await self._signed(request)


def routes(backend: Backend, operation: Callable[[Handler, Limit], Operation]) -> list[Route]:
    """The route."""
    return [Route(PATH, Metrics(backend, operation(get_metrics, small)), methods=["GET"])]


def _answer(backend: Backend) -> Answer:
    page = Page()
    about = (("version", __version__), ("python", platform.python_version()))
    page.family("sojourn_build_info", "gauge", "What runs.", {about: 1})
    _integrity(page, backend)
    _tasks(page, backend)
    _queues(page, backend)
    states = Counter(used.status.value for used in backend.pool.instances())
    page.family(
        "sojourn_instances",
        "gauge",
        "Instances by status.",
        {(("status", status),): count for status, count in states.items()},
    )
    page.value("sojourn_instances_memory_bytes", "gauge", "What they count for.", backend.pool.fleet.memory_mb << 20)
    about_cache = "Pages of the database that are kept in memory, on purpose and bounded."
    page.value("sojourn_store_cached_bytes", "gauge", about_cache, backend.cached_bytes())
    return Answer(200, page.text().encode(), CONTENT_TYPE)


def _integrity(page: Page, backend: Backend) -> None:
    auditor = backend.auditor
    illegal = backend.queue.tally.illegal + backend.pool.fleet.illegal
    page.value(
        "sojourn_invariant_violations_total",
        "counter",
        "Broken invariants: what audits found in the store, and illegal steps that were refused. It must read 0.",
        auditor.violations + illegal,
    )
    page.value("sojourn_invariant_audits_total", "counter", "Audits of the store.", auditor.audits)
    page.value("sojourn_invariant_audited_tasks", "gauge", "Tasks that the last audit looked at.", auditor.tasks)
    page.value(
        "sojourn_invariant_audit_timestamp_seconds",
        "gauge",
        "When the last audit ended, 0 for never.",
        auditor.at / MICROSECONDS_PER_SECOND,
    )


def _tasks(page: Page, backend: Backend) -> None:
    tally = backend.queue.tally
    open_ = tally.open
    waiting: dict[Labels, float] = {
        (("status", status.value),): open_[status] for status in Status if status not in TERMINAL
    }
    page.family("sojourn_tasks", "gauge", "Tasks that are not over, by status.", waiting)
    page.family(
        "sojourn_task_transitions_total",
        "counter",
        "Moves of tasks; from nothing when one is submitted.",
        {
            (("from", before.value if before else ""), ("to", after.value)): count
            for (before, after), count in tally.moves.items()
        },
    )
    submitted = tally.moves[None, Status.ENQUEUED]
    page.value("sojourn_tasks_submitted_total", "counter", "Tasks that were accepted.", submitted)
    about = "Tasks that were over for as long as they are kept, and are gone."
    page.value("sojourn_tasks_deleted_total", "counter", about, tally.forgotten)
    page.family(
        "sojourn_submits_refused_total",
        "counter",
        "Submits that the queue turned away, by code.",
        {(("code", code),): count for code, count in tally.refused.items()},
    )
    page.family(
        "sojourn_task_attempts_total",
        "counter",
        "Attempts that are over: succeeded, lost through no fault of the function, or the class of its error.",
        {(("outcome", outcome),): count for outcome, count in tally.attempts.items()},
    )
    page.histogram("sojourn_task_wait_seconds", "From a submit, its delay included, to the first start.", tally.waits)
    page.histogram("sojourn_task_run_seconds", "How long an attempt took.", tally.runs)
    page.histogram("sojourn_store_write_seconds", "Until a change of a task was durable.", tally.writes)


def _queues(page: Page, backend: Backend) -> None:
    """Lines in which something waits: how much, and since when."""
    now = backend.clock.now()
    depths: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    for line in backend.queue.lines():
        function = backend.catalog.by_id(line.function_id)
        labels = (("account", function.account_id), ("function", function.name), ("qualifier", function.qualifier))
        depths[labels] = len(line)
        first = line.first(now)
        ages[labels] = max(now - identity.made_at(first), 0) / MICROSECONDS_PER_SECOND if first is not None else 0.0
    page.family("sojourn_queue_depth", "gauge", "Tasks that wait for their moment or for capacity.", depths)
    page.family(
        "sojourn_queue_oldest_age_seconds",
        "gauge",
        "Since when the task has existed that is due longest and waits for capacity; 0 when none does.",
        ages,
    )
