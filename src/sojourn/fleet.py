"""The fleet: one object for each instance, and where it is found.

An index and no more: it says which instances of a function are free at once, which are frozen, which take one more
invocation, and who has rested longest. All questions of the hot path are answered in one step whatever their number.
What happens to an instance is `pool`'s business, how many there may be `capacity`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from . import instance, machine
from .chronicle import Event, Events
from .errors import IllegalFact
from .function import Function
from .instance import Status
from .sandbox import Exit, Sandbox


class Instance:
    """One instance: what it is for, where it lives, what it does.

    `holders` counts the executions it is given to, `in_flight` names those that are being served (request id to the
    task's name, "" for a synchronous call). `served` counts invocations. `ahead` is True when no execution waited for
    it. `retired` means that nobody gets it any more; `gone` is there from the moment its end was begun.
    """

    __slots__ = (
        "ahead",
        "created_at",
        "events",
        "freezing",
        "function",
        "gone",
        "holders",
        "id",
        "in_flight",
        "initialized",
        "lingers",
        "on_call_over",
        "on_illegal",
        "rested_at",
        "retired",
        "sandbox",
        "served",
        "since",
        "start_parts",
        "started",
        "starting",
        "status",
        "watched",
    )

    def __init__(self, id_: str, function: Function, now: int, *, ahead: bool = False) -> None:
        self.id, self.function, self.ahead = id_, function, ahead
        self.status = Status.CREATING
        self.since = self.created_at = now
        self.sandbox: Sandbox | None = None
        self.start_parts: dict[str, float] = {}
        self.started: asyncio.Task[None] | None = None
        self.freezing: asyncio.Task[None] | None = None
        self.gone: asyncio.Future[Exit] | None = None
        self.initialized = self.retired = False
        self.holders = 0 if ahead else 1
        self.served = 0
        self.in_flight: dict[str, str] = {}
        self.rested_at = 0.0
        self.lingers = self.watched = self.starting = False
        self.on_call_over: Callable[[], None] | None = None
        self.on_illegal: Callable[[], None] = lambda: None
        self.events = Events()

    @property
    def up(self) -> bool:
        """Whether its process is there and waits to be initialized or invoked by who holds it."""
        return self.gone is None and self.status in (Status.INVOKING, Status.INITIALIZING)

    @property
    def cold(self) -> bool:
        """Whether the execution that holds it waited for it to be made."""
        return not self.served and not self.ahead

    @property
    def memory_mb(self) -> int:
        """What it counts for."""
        return self.function.config.memory_size

    def serves(self, function: Function) -> bool:
        """Whether it runs `function` as it is now: same code and configuration; other changes need no new one."""
        mine = self.function
        return mine is function or (mine.config is function.config and mine.code is function.code)

    def note(self, fact: object, now: int) -> None:
        """Walk the table."""
        try:
            self.status = machine.step(instance.TRANSITIONS, self.status, fact)
        except IllegalFact:  # a bug of ours: it must not pass unseen
            self.on_illegal()
            raise
        self.since = now

    def tell(self, now: int, name: str, detail: Mapping[str, object] | None = None) -> None:
        """Write an event down."""
        self.events.add(Event(now, name, detail or {}))


class Group:
    """The instances of one function; each shelf holds its youngest last."""

    __slots__ = ("all", "frozen", "going", "idle", "revisions", "sharing", "starting")

    def __init__(self) -> None:
        self.revisions: Counter[int] = Counter()
        """How many there are of each revision that has a template."""
        self.all: dict[str, Instance] = {}
        self.sharing: dict[str, Instance] = {}
        self.idle: dict[str, Instance] = {}
        self.frozen: dict[str, Instance] = {}
        self.starting = self.going = 0

    @property
    def staying(self) -> int:
        """How many there are, without those whose end has begun."""
        return len(self.all) - self.going

    @property
    def ready(self) -> bool:
        """Whether one of them takes an invocation at once."""
        return bool(self.sharing or self.idle or self.frozen)


class Fleet:
    """All instances that are not destroyed.

    `resting` holds those without an invocation (Idle, Freezing, Frozen), the one that has rested longest first.
    `memory_mb` counts every instance until it is destroyed, and a template like one more; `going` and `going_mb` are
    those whose end has begun.
    `illegal` counts the steps that our own loops tried and the table refused.
    """

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.groups: dict[int, Group] = {}
        self.accounts: Counter[str] = Counter()
        self.resting: dict[str, Instance] = {}
        self.sharing = 0
        self.memory_mb = self.going = self.going_mb = 0
        self.illegal = 0

    def __len__(self) -> int:
        return len(self.instances)

    def add(self, made: Instance) -> None:
        """One that begins to be made."""
        self.instances[made.id] = made
        made.on_illegal = self._count_illegal
        group = self.groups.get(made.function.id)
        if group is None:
            group = self.groups[made.function.id] = Group()
        group.all[made.id] = made
        group.starting += 1
        made.starting = True
        self.accounts[made.function.account_id] += 1
        self.memory_mb += self.needed_mb(made.function)
        if made.function.config.templated:
            group.revisions[made.function.revision] += 1

    def needed_mb(self, function: Function) -> int:
        """The memory that another instance of `function` takes, its first one together with its template."""
        size_mb = function.config.memory_size
        group = self.groups.get(function.id)
        if function.config.templated and (group is None or function.revision not in group.revisions):
            return 2 * size_mb
        return size_mb

    def _count_illegal(self) -> None:
        self.illegal += 1

    def up(self, made: Instance) -> None:
        """It is made."""
        self.groups[made.function.id].starting -= 1
        made.starting = False

    def rest(self, used: Instance) -> None:
        """It is Idle from now on."""
        self._unshare(used)
        self.groups[used.function.id].idle[used.id] = used
        self.resting[used.id] = used

    def freezing(self, used: Instance) -> None:
        """It rests, but nobody gets it."""
        self.groups[used.function.id].idle.pop(used.id, None)

    def frozen(self, used: Instance) -> None:
        """It may be had again, at the price of a thaw."""
        self.groups[used.function.id].frozen[used.id] = used

    def thawed(self, used: Instance) -> None:
        """It is Idle again and has rested no shorter for it."""
        group = self.groups[used.function.id]
        if group.frozen.pop(used.id, None) is not None:
            group.idle[used.id] = used

    def occupy(self, used: Instance) -> None:
        """An execution more holds it; it stays on offer while it takes another one."""
        group = self.groups[used.function.id]
        self.resting.pop(used.id, None)
        group.idle.pop(used.id, None)
        group.frozen.pop(used.id, None)
        self.share(used)

    def share(self, used: Instance) -> None:
        """Offer it, or not, by the invocations it still takes."""
        if used.function.config.instance_concurrency == 1:
            return
        self._unshare(used)
        if used.holders < used.function.config.instance_concurrency and not used.retired and used.gone is None:
            self.groups[used.function.id].sharing[used.id] = used
            self.sharing += 1

    def send_away(self, used: Instance) -> None:
        """Its end has begun: nobody gets it, but it counts until it is gone."""
        group = self.groups[used.function.id]
        self._unlist(used, group)
        group.going += 1
        self.going += 1
        self.going_mb += used.memory_mb

    def remove(self, used: Instance) -> bool:
        """It is destroyed; False when that was known."""
        if self.instances.pop(used.id, None) is None:
            return False
        group = self.groups[used.function.id]
        self._unlist(used, group)
        del group.all[used.id]
        if used.starting:
            group.starting -= 1
        if used.gone is not None:
            group.going -= 1
            self.going -= 1
            self.going_mb -= used.memory_mb
        if not group.all:
            del self.groups[used.function.id]
        account_id = used.function.account_id
        self.accounts[account_id] -= 1
        if not self.accounts[account_id]:
            del self.accounts[account_id]
        self.memory_mb -= used.memory_mb
        if used.function.config.templated:
            self._untie(used, group)
        return True

    def _untie(self, used: Instance, group: Group) -> None:
        """Its template goes with the last of its revision."""
        revision = used.function.revision
        group.revisions[revision] -= 1
        if not group.revisions[revision]:
            del group.revisions[revision]
            self.memory_mb -= used.memory_mb

    def of(self, function_id: int) -> list[Instance]:
        """The instances of a function."""
        group = self.groups.get(function_id)
        return list(group.all.values()) if group else []

    def initialized(self, function_id: int) -> int:
        """How many instances of a function are ready or in use."""
        return sum(each.initialized and each.gone is None for each in self.of(function_id))

    def of_account(self, account_id: str) -> Iterator[Instance]:
        """The instances of an account."""
        return (each for each in list(self.instances.values()) if each.function.account_id == account_id)

    def _unlist(self, used: Instance, group: Group) -> None:
        self._unshare(used)
        self.resting.pop(used.id, None)
        group.idle.pop(used.id, None)
        group.frozen.pop(used.id, None)

    def _unshare(self, used: Instance) -> None:
        group = self.groups[used.function.id]
        if group.sharing and group.sharing.pop(used.id, None) is not None:
            self.sharing -= 1
