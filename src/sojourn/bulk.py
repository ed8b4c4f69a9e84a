"""Operations on many tasks: what each verb does to a task, which statuses it is for, and how far an operation is.

Pure. An operation walks the tasks that its filter means, function after function and each in the order of submission,
and remembers where it is, so that a restart goes on from there. Tasks that were submitted after it began are never
meant: else a rerun would run its own reruns. Making it happen is left to `operations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from .task import TERMINAL, Status

WAITING = frozenset({Status.ENQUEUED, Status.DEQUEUED, Status.RETRYING})


class Verb(Enum):
    """What is done to each task."""

    STOP = "stop"
    RERUN = "rerun"
    EXPIRE = "expire"
    DELETE = "delete"


APPLIES: Mapping[Verb, frozenset[Status]] = {
    Verb.STOP: frozenset(Status) - TERMINAL - {Status.STOPPING},
    Verb.RERUN: TERMINAL,
    Verb.EXPIRE: WAITING,
    Verb.DELETE: TERMINAL,
}
"""The statuses of the tasks that a verb can do something to; it passes over all others."""


class OperationStatus(Enum):
    """Where an operation is."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    CANCELLED = "Cancelled"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation as its row holds it; times are microseconds since 1970, 0 for not yet.

    `actor` is the access key that asked for it, `fields` its filter as it was given. `newest` is the number of the
    youngest task that it may touch. `function_id` and `after` are where it is: that function's tasks up to that number
    are done. `total` is how many tasks its filter meant at first, -1 until they are counted. `done` counts the
    tasks that it changed, `skipped` those that its filter meant and that it could not change, the last time for the
    reason `skipped_why`.
    """

    id: int
    account_id: str
    verb: Verb
    actor: str
    fields: Mapping[str, object]
    newest: int
    created_at: int
    status: OperationStatus = OperationStatus.RUNNING
    epoch: int = 0
    function_id: int = 0
    after: int = -1
    total: int = -1
    done: int = 0
    skipped: int = 0
    skipped_why: str = ""
    ended_at: int = 0

    @property
    def over(self) -> bool:
        """Whether it does nothing any more."""
        return self.status is not OperationStatus.RUNNING
