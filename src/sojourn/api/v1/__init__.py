"""The native API, `/v1`: what Function Compute's lacks. Errors are problem documents (RFC 9457).

A file here is a topic, and says in its `OPERATIONS` which paths it answers; here they are only put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sojourn.api import instances, tasklogs
from sojourn.api.commands import functions
from sojourn.api.operation import Handler, Limit, Operation, small
from sojourn.api.routing import Route

from . import (
    audit,
    deliveries,
    explain,
    operations,
    own,
    progress,
    queue_control,
    statistics,
    steering,
    submission,
    tasks,
    tokens,
    watch,
)

OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    *own.OPERATIONS,
    ("GET", "/v1/code/{digest}", functions.download),
    ("GET", "/v1/functions/{function}/tasks/{task}/logs", tasklogs.get_logs),
    ("GET", "/v1/instances", instances.page),
    ("GET", "/v1/instances/{instance}", instances.get),
    ("GET", "/v1/instances/{instance}/events", instances.events),
    *deliveries.OPERATIONS,
    *submission.OPERATIONS,
    *tokens.OPERATIONS,
    *watch.OPERATIONS,
    *tasks.OPERATIONS,
    *explain.OPERATIONS,
    *audit.OPERATIONS,
    *statistics.OPERATIONS,
    *steering.OPERATIONS,
    *queue_control.OPERATIONS,
    *operations.OPERATIONS,
    *progress.OPERATIONS,
)
LIMITS: Mapping[Handler, Limit] = {**submission.LIMITS, **steering.LIMITS, **progress.LIMITS}
"""The bounds of bodies that may be larger than a few settings."""


def routes(operation: Callable[[Handler, Limit], Operation]) -> list[Route]:
    """The routes of this API; `operation` makes a handler into what the router calls."""
    return [
        Route(path, operation(handler, LIMITS.get(handler, small)), methods=[method])
        for method, path, handler in OPERATIONS
    ]
