"""Which points are visited how: the operation that leads there, and at which passes.

A pass is counted from the moment on at which an operation has prepared; in a start it is counted from the start of the
process. A second pass is visited where it is another step than the first: another task's, while the first goes on, or
another change of the same thing. Where an operation only makes one more of the same, `ONCE`, the second pass would be
the first one of a later case, which comes on the same data anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from . import workload as does
from .bench import Bench
from .workload import Operation

ONCE, TWICE = (1,), (1, 2)


class Case(NamedTuple):
    """A crash: at the `n`-th pass of `point`, in an operation, or in a start after `leave`."""

    point: str
    n: int
    operation: Operation | None = None
    leave: Callable[[Bench], object] | None = None

    def __str__(self) -> str:
        return f"{self.point}:{self.n}"


def _in(operation: Operation, passes: tuple[int, ...], *points: str) -> Iterator[Case]:
    for point in points:
        for n in passes:
            yield Case(point, n, operation)


def _at_start(leave: Callable[[Bench], object] | None, passes: tuple[int, ...], *points: str) -> Iterator[Case]:
    for point in points:
        for n in passes:
            yield Case(point, n, leave=leave)


FRESH: tuple[Case, ...] = (
    *_at_start(None, ONCE, "sqlite.directory.locked", "sqlite.file.created", "sqlite.file.configured"),
    *_at_start(None, ONCE, "store.migration.begun", "store.migration.made", "store.migration.committed"),
    *_at_start(None, ONCE, "store.start.counted", "server.mark.written", "server.reap.before"),
    *_at_start(None, ONCE, "account.create.before", "store.account.without_key", "account.create.durable"),
    *_at_start(None, ONCE, "server.credentials.written"),
)
"""On nothing at first, and then on what the ones before left."""

STARTS: tuple[Case, ...] = (
    *_at_start(does.leave_running, TWICE, "queue.load.row", "server.recover.before", "server.recover.after"),
    *_at_start(does.leave_running, ONCE, "server.reap.before", "server.reap.done", "server.recover.done"),
    *_at_start(does.leave_running, ONCE, "server.ready.before", "store.start.counted", "sandbox.start.spawned"),
    *_at_start(does.leave_code, ONCE, "code.collect.archive", "code.collect.renamed", "code.collect.removed"),
)
"""On data with something to make good."""

TASKS: tuple[Case, ...] = (
    *_in(does.BURST, TWICE, "store.batch.gathered", "store.transaction.begun", "store.change.made"),
    *_in(does.BURST, TWICE, "store.commit.before", "store.commit.after", "store.commit.told"),
    *_in(does.BURST, TWICE, "queue.submit.before", "queue.submit.durable", "api.submit.answering"),
    *_in(does.BURST, TWICE, "queue.apply.before", "queue.apply.durable"),
    *_in(does.BURST, TWICE, "task.claim.before", "task.start.durable", "task.settle.before", "task.settle.durable"),
    *_in(does.BURST, TWICE, "instance.invoke.before", "instance.invoke.output", "instance.invoke.replied"),
    *_in(does.LARGE, ONCE, "store.task.without_payload"),
    *_in(does.BIG, ONCE, "store.task.without_result", "store.task.without_log"),
    *_in(does.FLAKY, TWICE, "task.retry.durable"),
    *_in(does.DIE, ONCE, "instance.invoke.died"),
    *_in(does.TIMEOUT, ONCE, "instance.timeout.due", "instance.timeout.ended"),
    *_in(does.EXPIRE, ONCE, "task.age.before", "task.age.durable"),
    *_in(does.REFUSE, ONCE, "task.refuse.before", "task.refuse.durable"),
    *_in(does.STOP, ONCE, "task.stop.before", "task.stop.durable", "task.stop.proved", "task.stop.over"),
    *_in(does.STOP, ONCE, "instance.stop.before", "instance.stop.pre_stop", "instance.stop.done"),
    *_in(does.STOP_MANY, ONCE, "operation.begin.before", "operation.begin.durable", "operation.end.before"),
    *_in(does.STOP_MANY, ONCE, "queue.carry.before", "queue.carry.durable"),
    *_in(does.GIVE_UP, ONCE, "instance.cancel.before", "instance.cancel.done"),
    *_in(does.NOT_GIVEN_UP, ONCE, "instance.cancel.refused"),
    *_in(does.FRESH, TWICE, "task.claim.durable", "task.start.before"),
    *_in(does.FRESH, ONCE, "instance.create.before", "instance.create.done"),
    *_in(does.FRESH, TWICE, "instance.initialize.before", "instance.initialize.done"),
    *_in(does.FREEZE, ONCE, "instance.freeze.before", "instance.freeze.done"),
    *_in(does.THAW, ONCE, "instance.thaw.before", "instance.thaw.told"),
    *_in(does.CALL, ONCE, "call.over"),
    *_in(does.FLOODED, ONCE, "sqlite.log.copying", "sqlite.log.copied"),
    *_in(does.FORGET, ONCE, "queue.forget.before", "store.task.half_forgotten", "queue.forget.durable"),
    *_in(does.STRANGER, ONCE, "sandbox.start.before", "sandbox.start.spawned", "sandbox.record.written"),
    *_in(does.STRANGER, ONCE, "sandbox.start.recorded"),
    *_in(does.DELIVER, ONCE, "store.task.without_delivery", "delivery.claimed", "delivery.sent", "delivery.recorded"),
    *_in(does.CHAIN, ONCE, "delivery.submitted"),
    *_in(does.RESEND, ONCE, "delivery.resend.before", "delivery.resend.durable"),
    *_in(does.DRAIN, ONCE, "server.drain.begun", "server.drain.waited", "server.drain.ended", "server.drain.closed"),
    *_in(does.DRAIN, ONCE, "sqlite.log.closing"),
)
"""While tasks come, run and end."""

NAMES: tuple[Case, ...] = (
    *_in(does.DEPLOY, ONCE, "code.tree.begun", "code.tree.written", "code.tree.synced", "code.tree.named"),
    *_in(does.DEPLOY, ONCE, "code.tree.placed", "code.archive.written", "code.archive.named"),
    *_in(does.DEPLOY, ONCE, "function.create.before", "function.create.durable"),
    *_in(does.REDEPLOY, ONCE, "function.change.before", "function.change.durable"),
    *_in(does.REFUSE, ONCE, "function.change.durable"),
    *_in(does.STRANGER, ONCE, "code.directory.made"),
    *_in(does.PUBLISH, TWICE, "function.publish.before", "function.publish.durable"),
    *_in(does.ALIAS, TWICE, "function.change.durable"),
    *_in(does.SERVICE, ONCE, "service.create.before", "service.create.durable"),
    *_in(does.CHANGE_SERVICE, ONCE, "service.change.before", "service.change.durable"),
    *_in(does.PUBLISH_SERVICE, ONCE, "service.publish.numbered", "service.publish.snapshots"),
    *_in(does.PUBLISH_SERVICE, ONCE, "service.unpublish.unlisted"),
    *_in(does.PUBLISH_SERVICE, TWICE, "function.publish.durable"),
    *_in(does.ACCOUNT, ONCE, "account.create.before", "account.create.durable", "store.account.without_key"),
    *_in(does.KEY, ONCE, "key.create.before", "key.create.durable"),
    *_in(does.TOKEN, ONCE, "token.create.before", "token.create.durable"),
    *_in(does.TOKEN, ONCE, "token.delete.before", "token.delete.durable"),
    *_in(does.SECRET, ONCE, "account.secret.before", "account.secret.durable"),
    *_in(does.TRIGGER, ONCE, "trigger.create.before", "trigger.create.durable"),
    *_in(does.TRIGGER, ONCE, "trigger.change.before", "trigger.change.durable"),
    *_in(does.TRIGGER, ONCE, "trigger.delete.before", "trigger.delete.durable"),
    *_in(does.FIRE, TWICE, "timer.fire.before", "timer.fire.submitted"),
    *_in(does.FIRE, ONCE, "timer.fire.over"),
)
"""While things with names come and go."""

GROUPS: tuple[Case, ...] = (
    *_in(does.STRANGER, ONCE, "groups.named", "groups.made"),
    *_in(does.DRAIN, ONCE, "groups.removed"),
    *_at_start(does.leave_running, ONCE, "groups.reaped"),
)
"""Where a sandbox gets control groups."""

CONTAINERS: tuple[Case, ...] = (
    *_in(does.CONTAIN, ONCE, "instance.create.before", "instance.create.done"),
    *_in(does.STOP_CONTAINED, ONCE, "container.ended", "container.forgotten"),
    *_at_start(does.leave_contained, ONCE, "container.reaped"),
)
"""Where functions are images."""

CONFINED: tuple[Case, ...] = tuple(
    Case(case.point, 1, case.operation)
    for case in TASKS
    if case.n == 1
    and case.point.startswith(("instance.", "sandbox."))
    and case.point not in ("instance.invoke.before", "instance.initialize.before", "sandbox.record.written")
)
"""Again at level 2, where other processes are left."""
