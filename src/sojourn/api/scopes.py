"""Which scope a caller needs for which operation.

What only looks needs `read`; what changes something needs `admin`, unless it stands among those that act on what runs.
So an operation that nobody thought of here is refused to tokens that are not meant for it.
"""

from __future__ import annotations

from sojourn.access import Scope

from .commands import functions, invocations, tasks
from .operation import Handler
from .v1 import deliveries, operations, progress, queue_control, steering, submission, tokens

OPERATES: frozenset[Handler] = frozenset(
    {
        *(invocations.invoke, tasks.stop, functions.disable, functions.enable, deliveries.resend),
        *(submission.submit, submission.submit_batch, steering.stop, steering.edit, steering.rerun, progress.report),
        *(queue_control.pause, queue_control.resume),
        *(operations.stop, operations.rerun, operations.expire, operations.cancel),
    }
)
"""Act on what runs; to delete tasks is more than that."""
SECRETS: frozenset[Handler] = frozenset({deliveries.get_secret, tokens.page})
"""Only look, at what opens doors."""
_LOOKING = ("GET", "HEAD")


def needed(handler: Handler, method: str) -> Scope:
    """The scope that a caller needs for what `handler` does at `method`."""
    if handler in OPERATES:
        return Scope.OPERATE
    return Scope.READ if method in _LOOKING and handler not in SECRETS else Scope.ADMIN
