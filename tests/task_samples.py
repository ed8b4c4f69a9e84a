"""Tasks to test with: one fact of each kind, a way into every status."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.task import (
    INSTANCE_LOST,
    UNHANDLED,
    Aged,
    Claimed,
    Ended,
    Fact,
    Failure,
    Faltered,
    GaveUp,
    Refused,
    Returned,
    Started,
    Status,
    StopRequested,
    Submitted,
    Success,
    Task,
    advance,
    submit,
)

NOW = 1_800_000_000_000_000
SECOND = 1_000_000

ERROR = Failure(kind=UNHANDLED, type="ValueError", message="no", document=b'{"errorMessage":"no"}')
LOSS = Failure(kind=UNHANDLED, type=INSTANCE_LOST, message="the node died", lost=True)

FACTS: dict[str, Fact] = {
    "Submitted": Submitted(),
    "Claimed": Claimed(7),
    "Aged": Aged(),
    "Refused": Refused("FunctionDeleted", "the function was deleted"),
    "Started": Started("instance-1"),
    "Returned": Returned(Success(result=b"42")),
    "Faltered": Faltered(ERROR, NOW + SECOND),
    "GaveUp": GaveUp(ERROR),
    "StopRequested": StopRequested("someone"),
    "Ended": Ended({"processesLeft": 0}),
}

PATHS: dict[Status, tuple[str, ...]] = {
    Status.ENQUEUED: (),
    Status.DEQUEUED: ("Claimed",),
    Status.RUNNING: ("Claimed", "Started"),
    Status.RETRYING: ("Claimed", "Started", "Faltered"),
    Status.STOPPING: ("StopRequested",),
    Status.SUCCEEDED: ("Claimed", "Started", "Returned"),
    Status.FAILED: ("Claimed", "Started", "GaveUp"),
    Status.STOPPED: ("StopRequested", "Ended"),
    Status.EXPIRED: ("Claimed", "Aged"),
    Status.INVALID: ("Claimed", "Refused"),
}


def new_task(*, retries_max: int = 3, delay: int = 0) -> Task:
    """A task that was just submitted."""
    return submit(Task(id=1, account_id="a", function_id=2, generation=1, retries_max=retries_max), NOW, delay)


def walk(task: Task, facts: Sequence[Fact], now: int = NOW) -> Task:
    """The task after all of `facts`."""
    for fact in facts:
        task = advance(task, fact, now)
    return task


def task_in(status: Status) -> Task:
    """A task that facts have led to `status`."""
    task = walk(new_task(), [FACTS[name] for name in PATHS[status]])
    assert task.status is status

    return task
