"""The store contract: what every database promises the rest of Sojourn.

A store keeps rows and is blind to what a status means, except that it can tell which tasks are still open. One call is
one transaction; when it returns, the change is durable (fsynced) and visible to every later read. Writes to one task
are compare-and-set on its `epoch`: of two writers who saw the same row, one gets True and the other False. A store
raises `StoreFailed` when it cannot make a change durable, and then the change has not happened.

`stores/` holds the choices; `tests/stores/conformance.py` is the suite each of them passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from .access import AccessToken
from .bulk import Operation
from .destination import Delivery
from .filter import Filter
from .function import AccessKey, Account, Function
from .progress import Progress
from .service import Service
from .task import Status, Task
from .trail import Entry
from .trigger import Trigger

PAGE_LIMIT_MAX = 100


class OpenTask(msgspec.Struct, frozen=True):
    """What a queue needs to know of a task that is not over, to rebuild itself after a restart."""

    id: int
    function_id: int
    status: Status
    owner: int
    due_at: int
    expires_at: int
    snapshot_id: int = 0

    @property
    def runs(self) -> int:
        """The id of the function value that runs it, as `Task.runs`."""
        return self.snapshot_id or self.function_id


class Log(msgspec.Struct, frozen=True):
    """What one attempt wrote: the first and last part of its output, and how many bytes in between were dropped."""

    attempt: int
    head: bytes
    tail: bytes = b""
    dropped: int = 0


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks of one function a page shows, in the order of their ids (which is the order of submission).

    `qualifier` is what they were submitted with, "" for whatever it was. `after` is the id that the previous page ended
    with; `name_prefix` matches the task id as the wire shows it. `began_from` and `began_to` bound, inclusively and in
    microseconds, the time a task started, or was enqueued while it has not started. `bodies` asks for payload and
    result; without it they may come back empty.
    """

    function_id: int
    statuses: tuple[Status, ...] = ()
    name_prefix: str = ""
    qualifier: str = ""
    began_from: int | None = None
    began_to: int | None = None
    ascending: bool = False
    after: int | None = None
    limit: int = 20
    bodies: bool = False


class Forgotten(msgspec.Struct, frozen=True):
    """What was forgotten in one go: how many tasks of each function and status; `last` is the highest id among them.

    `last` is None when nothing was found, and then there was nothing left beyond `after`.
    """

    counts: Mapping[tuple[int, Status], int] = {}
    last: int | None = None

    @property
    def tasks(self) -> int:
        """How many there were."""
        return sum(self.counts.values())


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks of an account are looked for, the youngest first unless `ascending`.

    `functions` are the functions that may have some, by their numbers, with their names. `now` is what durations of
    tasks that are not over are measured by. `after` is where the step before stopped; `limit` bounds what is found.
    `bodies` asks for payload and result; without it they may come back empty.
    """

    account_id: str
    functions: Mapping[int, str]
    wanted: Filter
    now: int
    ascending: bool = False
    after: int | None = None
    limit: int = 20
    bodies: bool = False


class Found(msgspec.Struct, frozen=True):
    """What a step of a search found, and where it stopped: None when there is nothing more."""

    tasks: Sequence[Task] = ()
    after: int | None = None


class Stray(msgspec.Struct, frozen=True):
    """Something beside the tasks that no task accounts for: a `log`, `result`, `payload` or `delivery`, what is odd."""

    kind: str
    task_id: int
    text: str


class Change(msgspec.Struct, frozen=True):
    """A task as it shall stand, if it still stands at `epoch`, and the delivery that its end makes."""

    epoch: int
    task: Task
    delivery: Delivery | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation does to some tasks at once: it changes rows, makes others, and forgets others.

    Of those to be forgotten only tasks that are over go, and only when no delivery of theirs is still to be made.
    """

    changes: Sequence[Change] = ()
    inserts: Sequence[Task] = ()
    drops: Sequence[int] = ()


class Records(Protocol):
    """All that a store holds, as it stood at one moment. Its verbs block: ask them on a thread of their own."""

    def incarnation(self) -> int:
        """How many starts of a server there were."""
        ...

    def functions(self) -> Iterator[Function]:
        """All functions of all accounts, deleted ones included."""
        ...

    def tasks(self) -> Iterator[Task]:
        """All tasks in the order of their ids; payload and result may come empty."""
        ...

    def strays(self) -> Iterator[Stray]:
        """What is kept for tasks that are not there, or that do not know of it."""
        ...


class Trail(Protocol):
    """A durable home for the audit trail."""

    async def add_audit(self, entry: Entry) -> None:
        """Keep an entry, and give it its number."""
        ...

    async def audit_page(self, account_id: str, before: int | None, limit: int) -> Sequence[Entry]:
        """The newest entries of an account, or the newest of those before a number."""
        ...


class Store(Trail, Protocol):
    """A durable home for accounts, services, functions, triggers, tasks, logs and deliveries."""

    async def open(self) -> int:
        """Open or create the database, migrate it, and return this start's incarnation: 1, 2, 3 …, durable.

        Raises
        ------
        SchemaTooNew: a newer version wrote it.
        DataDirectoryLocked: another server works on it.

        """
        ...

    async def close(self) -> None:
        """Finish what was begun, then let go. Closing twice is fine."""
        ...

    def cached_bytes(self) -> int:
        """How much of what is durable it keeps in memory as well, bounded by itself; 0 while it is closed."""
        ...

    def records(self) -> AbstractContextManager[Records]:
        """Everything there is, read beside whoever works on it: no lock is taken, nothing written, no `open` needed.

        Raises
        ------
        StoreFailed: there is no database, or it cannot be read.
        SchemaTooNew: a newer version wrote it.

        """
        ...

    async def insert_task(self, task: Task) -> bool:
        """Keep a new task; False, and nothing kept, when its function already has one of this name."""
        ...

    async def insert_tasks(self, tasks: Sequence[Task]) -> list[bool]:
        """Keep new tasks in one transaction; for each whether it was kept, as `insert_task` says of one."""
        ...

    async def apply(self, epoch: int, task: Task, log: Log | None = None, delivery: Delivery | None = None) -> bool:
        """Replace the row of `task.id` if it still stands at `epoch`; `log` and `delivery` in the same transaction."""
        ...

    async def forget(self, ended_before: int, after: int, limit: int) -> Forgotten:
        """Forget tasks that ended before that moment, with all that is kept for them: bodies, logs, delivery, name.

        One that is open, or whose delivery is, stays. It is done in the order of ids, beyond the id `after`, with at
        most `limit` tasks, or fewer so that nobody who writes waits for long. `ended_before` is in microseconds.
        """
        ...

    async def counts(self) -> Mapping[tuple[int, Status], int]:
        """How many tasks there are, by function and status; what is over costs the same however many there are."""
        ...

    async def carry(self, operation: Operation, epoch: int, work: Work) -> tuple[Operation | None, list[int]]:
        """Do `work` for an operation that stands at `epoch`, and move it on, all in one transaction.

        What no longer applies to a task (it moved, it is gone) is left undone. Returns the operation as it stands
        then, `done` raised by the number of tasks that were touched, and their ids; None and nothing done when it
        stands elsewhere.
        """
        ...

    async def put_operation(self, operation: Operation, epoch: int) -> bool:
        """Create or replace an operation if it still stands at `epoch` (0: it must not exist yet)."""
        ...

    async def drop_operation(self, operation_id: int) -> None:
        """Forget an operation."""
        ...

    async def operations(self) -> Sequence[Operation]:
        """All operations of all accounts, oldest first."""
        ...

    async def put_tags(self, task_id: int, tags: Mapping[str, str]) -> bool:
        """Give a task these tags in place of those it had; False when it is over, or not there.

        They are no part of the state machine: the epoch stays, so that nobody who moves the task meanwhile loses.
        """
        ...

    async def put_progress(self, progress: Progress) -> bool:
        """Keep what a task reports of itself; False when it does not run, or in another attempt."""
        ...

    async def progress(self, task_ids: Sequence[int]) -> list[Progress]:
        """What those tasks reported that did, in no particular order."""
        ...

    async def task(self, task_id: int) -> Task | None:
        """The task of this id, bodies included."""
        ...

    async def task_named(self, function_id: int, name: str) -> Task | None:
        """The task of this caller-given name, bodies included."""
        ...

    async def page(self, query: TaskQuery) -> list[Task]:
        """At most `query.limit` tasks that match; fewer mean that there are no more."""
        ...

    async def find(self, search: Search) -> Found:
        """A step of a search, in bounded time: it may find fewer than there are, and says where it stopped."""
        ...

    def open_tasks(self) -> AsyncIterator[Sequence[OpenTask]]:
        """Every task that was not over at one moment, in pieces that come while the rest is still being read.

        First those that somebody was busy with (all but Enqueued). Then the Enqueued ones: each function's in the order
        of ids, and some of every function before more of any.
        """
        ...

    async def logs(self, task_id: int) -> list[Log]:
        """What the attempts of a task wrote, in order of attempts."""
        ...

    def open_deliveries(self) -> AsyncIterator[Delivery]:
        """Every delivery that is not over, in the order of task ids."""
        ...

    async def deliveries(self, task_ids: Sequence[int]) -> list[Delivery]:
        """The deliveries of those tasks that have one, in no particular order."""
        ...

    async def put_delivery(self, epoch: int, delivery: Delivery) -> bool:
        """Replace what may change of a delivery if its row still stands at `epoch`; whose it is and its target stay."""
        ...

    async def put_function(self, function: Function, revision: int) -> Function | None:
        """Create or replace a function row if it still stands at `revision` (0: it must not exist yet).

        Returns the function as stored, with its id given when it is new; None when the row stands elsewhere.
        """
        ...

    async def functions(self) -> Sequence[Function]:
        """All functions of all accounts, deleted ones included, in the order of account and name."""
        ...

    async def put_account(self, account: Account, key: AccessKey) -> bool:
        """Keep a new account with its first key; False when either id is taken."""
        ...

    async def accounts(self) -> Sequence[Account]:
        """All accounts, oldest first."""
        ...

    async def put_webhook_secret(self, account_id: str, before: str, secret: str) -> bool:
        """Give an account another secret to sign records with, if it still has `before` ("" for none)."""
        ...

    async def access_keys(self) -> Sequence[AccessKey]:
        """All keys of all accounts."""
        ...

    async def put_access_key(self, key: AccessKey) -> bool:
        """Keep another key of an account; False when its id is taken, or there is no such account."""
        ...

    async def drop_access_keys(self, expired_before: int) -> None:
        """Forget the keys for a time whose time was over before that moment (microseconds since 1970)."""
        ...

    async def put_access_token(self, token: AccessToken) -> None:
        """Keep another access token; its id and digest are its own."""
        ...

    async def drop_access_token(self, token_id: str) -> None:
        """Forget an access token, if it is there."""
        ...

    async def access_tokens(self) -> Sequence[AccessToken]:
        """All access tokens of all accounts, oldest first."""
        ...

    async def put_service(self, service: Service, revision: int) -> bool:
        """Create or replace a service if it still stands at `revision` (0: it must not exist yet)."""
        ...

    async def services(self) -> Sequence[Service]:
        """All services of all accounts, deleted ones included, in the order of account and name."""
        ...

    async def put_trigger(self, trigger: Trigger, epoch: int) -> bool:
        """Create or replace a trigger of a function if it still stands at `epoch` (0: it must not exist yet)."""
        ...

    async def drop_trigger(self, function_id: int, name: str, epoch: int) -> bool:
        """Forget a trigger if it still stands at `epoch`."""
        ...

    async def triggers(self) -> Sequence[Trigger]:
        """All triggers of all functions, in the order of function and name."""
        ...
