"""Crash points: the places at which the proof lets the server die, to see that the next start makes it good.

A `crashpoint` stands between two steps where a death leaves something that a death elsewhere does not: before and after
what becomes durable, and between a durable step and whoever has to hear of it. `POINTS` names all of them and says what
is true there; a name that is not in it does not pass the tests.

`SOJOURN_CRASH=name:n` in the environment of a process lets it die at its n-th pass of that point, at once, with exit
status 137 and nothing tidied up, as SIGKILL does. With `SOJOURN_CRASH_WHEN=path` only passes count at which that file
exists. Without the first, which is read once, a point is a call of an empty function. Where points are visited and
recovery is judged is left to `proof/crash`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from .errors import InvalidArgument

STATUS = 137
"""How a process ends at a crash point: as a shell reports SIGKILL."""
VARIABLE, WHEN_VARIABLE = "SOJOURN_CRASH", "SOJOURN_CRASH_WHEN"

POINTS: Mapping[str, str] = MappingProxyType(
    {
        # A store's start and end. Points of one store alone begin with its name.
        "sqlite.directory.locked": "the directory is ours, the file may not be there",
        "sqlite.file.created": "a file without a schema, perhaps not in its directory for good",
        "sqlite.file.configured": "the file keeps a log from now on, perhaps not in its directory for good",
        "sqlite.log.copying": "the log is about to be copied back, as its length asks for",
        "sqlite.log.copied": "the log has been copied back and holds everything all the same",
        "sqlite.log.closing": "every change is durable, the log is not copied back",
        "store.migration.begun": "a version of the schema is about to be made",
        "store.migration.made": "a version of the schema is there and not committed",
        "store.migration.committed": "a version of the schema is there, the next one is not",
        "store.start.counted": "a start is counted, and has done nothing",
        # A store's transactions.
        "store.batch.gathered": "changes were taken over, no transaction has begun",
        "store.transaction.begun": "a transaction has begun and changed nothing",
        "store.change.made": "one change of a transaction is made, others may follow",
        "store.commit.before": "all changes of a transaction are made, none is durable",
        "store.commit.after": "a transaction is durable, nobody has been told",
        "store.commit.told": "callers are about to hear that their changes are durable",
        "store.task.without_payload": "a new task's row is there, its payload is not",
        "store.task.without_result": "a task's row has moved on, its result is not there",
        "store.task.without_log": "a task's row and result are there, its log is not",
        "store.task.without_delivery": "a task is over, the record of that is not to be delivered yet",
        "store.task.half_forgotten": "rows of tasks are gone, what was kept for them is there",
        "store.account.without_key": "an account is there, its key is not",
        # Tasks.
        "queue.submit.before": "a task was accepted in memory and is not durable",
        "queue.submit.durable": "a task is durable and stands in no line",
        "api.submit.answering": "a task is durable and stands in its line, its caller does not know",
        "queue.apply.before": "what becomes of a task is decided and not durable",
        "queue.apply.durable": "what became of a task is durable, nobody has heard of it",
        "queue.carry.before": "what an operation does to some tasks is decided and not durable",
        "queue.carry.durable": "what an operation did to some tasks is durable, nobody has heard of it",
        "operation.begin.before": "an operation on many tasks is to be begun",
        "operation.begin.durable": "an operation is durable and has done nothing, its caller does not know",
        "operation.end.before": "an operation has done all it was for, and counts as running",
        "queue.load.row": "a start has read one of the tasks that are not over",
        "task.claim.before": "a task has an instance and is Enqueued or Retrying",
        "task.claim.durable": "a task is Dequeued, its instance is being made",
        "task.start.before": "a task's instance is up, the task is not Running",
        "task.start.durable": "a task is Running, its code was not called",
        "task.refuse.before": "a task cannot be triggered and is not Invalid",
        "task.refuse.durable": "a task that cannot be triggered is Invalid",
        "task.age.before": "a task has grown too old and is not Expired",
        "task.age.durable": "a task is Expired",
        "task.settle.before": "an attempt is over, what it came to is known here only",
        "task.settle.durable": "what an attempt came to is durable, its instance is held",
        "task.retry.durable": "a task is Retrying and stands in no line",
        "task.stop.before": "a task is to be stopped, nobody else knows",
        "task.stop.durable": "a stop is durable, what it stops goes on and its caller does not know",
        "task.stop.proved": "what a stop had to end is gone, the task is Stopping",
        "task.stop.over": "a task that ran is Stopped",
        "queue.forget.before": "tasks that have been over for long enough are about to go",
        "queue.forget.durable": "tasks have been over for long enough and are gone, others may not be",
        # Instances, seen from the server.
        "sandbox.start.before": "an account's sandbox has a directory and no process",
        "sandbox.start.spawned": "an account's sandbox has a process that no record names",
        "sandbox.record.written": "the record of a sandbox's processes is written under a name that nobody looks for",
        "sandbox.start.recorded": "an account's sandbox is up and known to nobody here",
        "instance.create.before": "an instance is to be made, its sandbox has not been asked",
        "instance.create.done": "an instance is up, its task may be Dequeued",
        "instance.initialize.before": "a task is Running, its instance's Initializer was not called",
        "instance.initialize.done": "Initializer has run, the handler was not called",
        "instance.invoke.before": "a handler is about to be called",
        "instance.invoke.output": "a handler runs and has written something",
        "instance.invoke.replied": "a handler has answered, the answer is known here only",
        "instance.invoke.died": "an instance went away from under a handler, the task is Running",
        "instance.timeout.due": "a handler ran for too long and goes on",
        "instance.timeout.ended": "a handler that ran for too long is gone, the task is Running",
        "instance.cancel.before": "one of several invocations is to be given up, its agent was not asked",
        "instance.cancel.done": "one of several invocations was given up, the others go on",
        "instance.cancel.refused": "an invocation is not given up, its instance takes no other and the others go on",
        "instance.freeze.before": "an instance rests, its PreFreeze was not called",
        "instance.freeze.done": "an instance has run PreFreeze and is frozen, nobody here has noted it",
        "instance.thaw.before": "a frozen instance is wanted, its agent was not told",
        "instance.thaw.told": "a frozen instance counts as thawed, its agent may not know",
        "instance.stop.before": "an instance is to end, its agent was not asked",
        "instance.stop.pre_stop": "PreStop runs and has written something",
        "instance.stop.done": "an instance is gone and in the books",
        # Control groups of a sandbox, and containers: passed where the machine has them.
        "groups.named": "the file that names a sandbox's control groups is there, they are not",
        "groups.made": "a sandbox has control groups and no process",
        "groups.removed": "a sandbox's control groups are gone, the file that names them is there",
        "groups.reaped": "the control groups of an earlier server are gone, the file that names them is there",
        "container.ended": "a container has ended, the engine knows it and nobody here has heard",
        "container.forgotten": "the engine has forgotten a container, its instance is in the books",
        "container.reaped": "what spoke with an earlier server's containers is gone, the engine knows them",
        "call.over": "a synchronous call is over, its caller does not know",
        # Code.
        "code.directory.made": "an account has a directory for code, perhaps not for good",
        "code.tree.begun": "a tree has a name that nobody looks for, and nothing in it",
        "code.tree.written": "a tree is written and not synced",
        "code.tree.synced": "a tree is whole and does not bear its name",
        "code.tree.named": "a tree bears its name, perhaps not for good",
        "code.tree.placed": "a tree is there for good, its archive is not",
        "code.archive.written": "an archive is written and does not bear its name",
        "code.archive.named": "an archive bears its name, perhaps not for good",
        "code.collect.archive": "an archive that nothing names is removed, its tree is there",
        "code.collect.renamed": "a tree that nothing names has lost its name and is whole",
        "code.collect.removed": "a tree that nothing names is gone",
        # What is there by name.
        "function.create.before": "the code of a new function is durable, the function is not",
        "function.create.durable": "a new function is durable and can be called by nobody",
        "function.change.before": "a function is to change, its new code may be durable",
        "function.change.durable": "a function has changed, instances and waiting tasks have not heard",
        "function.publish.before": "a version is to be published",
        "function.publish.durable": "a version is durable, nobody knows it",
        "service.create.before": "a service is to be made",
        "service.create.durable": "a service is durable, nobody knows it",
        "service.change.before": "a service is to change, its functions may have changed",
        "service.change.durable": "a service has changed, nobody knows it",
        "service.publish.numbered": "the number of a service's version is taken, none of its functions has it",
        "service.publish.snapshots": "all functions of a service have a version that the service does not list",
        "service.unpublish.unlisted": "a service does not list a version that its functions have",
        "account.create.before": "an account is to be made",
        "account.create.durable": "an account is durable, nobody knows it or its key",
        "account.secret.before": "an account is to have another webhook secret",
        "account.secret.durable": "an account has another webhook secret, records are signed with the one before",
        "key.create.before": "a key for a time is to be made",
        "key.create.durable": "a key for a time is durable, nobody knows it",
        "token.create.before": "an access token is to be made",
        "token.create.durable": "an access token is durable, nobody knows it",
        "token.delete.before": "an access token is to be revoked",
        "token.delete.durable": "an access token is revoked and opens the account",
        "trigger.create.before": "a trigger is to be made",
        "trigger.create.durable": "a trigger is durable and does not fire",
        "trigger.change.before": "a trigger is to change",
        "trigger.change.durable": "a trigger has changed and acts as before",
        "trigger.delete.before": "a trigger is to be deleted",
        "trigger.delete.durable": "a trigger is deleted and acts as before",
        # What happens by itself.
        "timer.fire.before": "a timer is due, its task is not there",
        "timer.fire.submitted": "a firing has its task, the next one is not written down",
        "timer.fire.over": "a firing has its task, the next one is written down",
        "delivery.claimed": "a record is about to be sent",
        "delivery.submitted": "a record was submitted as a task and counts as not sent",
        "delivery.sent": "a record was taken and counts as not sent",
        "delivery.recorded": "what came of sending a record is durable, the loop does not know",
        "delivery.resend.before": "a record is to be sent again",
        "delivery.resend.durable": "a record is to be sent again, the loop does not know",
        # A server's start and end.
        "server.mark.written": "the mark of the data directory is written and does not bear its name",
        "server.reap.before": "the store is open, what an earlier server left behind runs",
        "server.reap.done": "nothing of an earlier server runs, its tasks were not judged",
        "server.recover.before": "a task of an earlier server is about to be judged",
        "server.recover.after": "a task of an earlier server was judged, others may not have been",
        "server.recover.done": "all tasks of an earlier server were judged, nothing runs",
        "server.credentials.written": "the server answers, the file with its address names the one before",
        "server.ready.before": "the server answers and has not said so",
        "server.drain.begun": "the server takes no tasks, running ones go on",
        "server.drain.waited": "running tasks had their grace, instances are there",
        "server.drain.ended": "no instance is there, the store is open",
        "server.drain.closed": "everything is closed but the store",
    }
)
"""Every crash point, and what is true there."""


def _pass(name: str, /) -> None:
    """Nothing: no crash is wanted here. Measured at some 30 ns."""


def armed(wanted: str, when: str, die: Callable[[], object]) -> Callable[[str], None]:
    """A `crashpoint` that dies as the environment asks for.

    Parameters
    ----------
    wanted: `name:n`, the point and the pass of it.
    when: a path without which a pass does not count; "" when all do.
    die: what to do then; it is not expected to return.

    Raises
    ------
    InvalidArgument: `wanted` names no point, or no pass.

    """
    point, _, number = wanted.partition(":")
    if point not in POINTS:
        raise InvalidArgument(VARIABLE, wanted, "must be NAME:N with a name of sojourn.crashpoint.POINTS")
    if not number.isdigit() or int(number) < 1:
        raise InvalidArgument(VARIABLE, wanted, "must be NAME:N with N the number of the pass, from 1 on")
    last = int(number)
    passes = itertools.count(1)  # which threads may share

    def crash(name: str, /) -> None:
        if name == point and (not when or os.path.exists(when)) and next(passes) == last:  # noqa: PTH110 - no I/O of ours
            os.write(2, f"crash point {wanted}\n".encode())
            die()

    return crash


crashpoint: Callable[[str], None] = (
    armed(os.environ[VARIABLE], os.environ.get(WHEN_VARIABLE, ""), lambda: os._exit(STATUS))
    if os.environ.get(VARIABLE)
    else _pass
)
"""`crashpoint("store.commit.after")`: die here when that is asked for."""
