"""The pool: it walks the instance table for every instance, and holds the fleet within its capacity.

It decides which instance an execution gets (one that is in use and takes another, else the one used last, else a frozen
one, else a new one), when one is frozen, and which one has to go. It leaves the bounds to `capacity`, the clock of
those that rest to `resting`, those that must always be there to `minimum`, whose turn it is to `gate`, and how a
process is made or ended to the sandbox.

An account has one sandbox, started when its first instance is needed. An instance belongs to one function at one
revision; when the function changes, its instances finish what they run and go through PreStop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from . import identity, instance
from .background import Background
from .birth import Birth
from .capacity import Capacity
from .chronicle import Remembered
from .clock import MICROSECONDS_PER_SECOND, Clock, real_timeout_seconds, unscaled
from .crashpoint import crashpoint
from .ending import Ending
from .errors import InstanceStartFailed
from .fleet import Fleet, Instance
from .function import Function
from .homes import Homes
from .initializing import Initializing
from .instance import Status
from .minimum import Minimum
from .output import Output
from .resting import Resting
from .sandbox import Exit, HookOutcome, InstanceDied, Invocation, LogSink, Reply, Sandbox, Usage

__all__ = ["Instance", "Pool"]


class Pool:
    """All instances of this server.

    `on_free()` is called whenever capacity may have become available, `on_last_gone(function_id)` when a function has
    no instance any more. `wanted(function_id)` says whether tasks of a function wait, so that its warm instances are
    not taken from it before its turn; `pressed()` whether somebody waits for capacity, whose room is not taken by what
    is only made ahead.
    """

    def __init__(
        self,
        homes: Homes,
        clock: Clock,
        numbers: identity.Numbers,
        *,
        memory_mb: int,
        instances_max: int,
        idle_seconds: float,
        grace_seconds: float,
        linger_seconds: float = 0.1,
        headroom: float = 0.0,
    ) -> None:
        self._homes, self._clock, self._numbers = homes, clock, numbers
        self._grace_seconds = grace_seconds
        self.fleet = Fleet()
        self.capacity = Capacity(
            self.fleet,
            memory_mb=memory_mb,
            instances_max=instances_max,
            headroom=headroom,
            accounts=lambda: homes.accounts,
        )
        self.background = Background("the pool", self._freed)
        self.minimum = Minimum(self.fleet, self._begin_ahead)
        self._resting = Resting(
            self.fleet,
            clock,
            self.minimum,
            self.background,
            linger_seconds=linger_seconds,
            idle_seconds=idle_seconds,
            request_id=self.request_id,
            send_away=self._send_away,
            freed=self._freed,
        )
        self._initializing = Initializing(
            self.fleet,
            clock,
            self.minimum,
            self.background,
            request_id=self.request_id,
            send_away=self._send_away,
            rest=self._resting.rest,
            release=self.release,
        )
        self._birth = Birth(homes, clock, self._born, self._not_born)
        self._ending = Ending(clock, grace_seconds, self.request_id, self._forget)
        self._destroyed: Remembered[Instance] = Remembered()
        self.closing = False
        self.on_free: Callable[[], None] = lambda: None
        self.wanted: Callable[[int], bool] = lambda _: False
        self.on_last_gone: Callable[[int], None] = lambda _: None
        self.pressed: Callable[[], bool] = lambda: False
        homes.on_exit, homes.on_lost = self._exited, self._lost

    def __len__(self) -> int:
        return len(self.fleet)

    # What is there ----------------------------------------------------------------------------------------------------

    def instances(self) -> list[Instance]:
        """All instances that are not destroyed."""
        return list(self.fleet.instances.values())

    def find(self, instance_id: str) -> Instance | None:
        """An instance by its id, also one that was destroyed not long ago."""
        return self.fleet.instances.get(instance_id) or self._destroyed.get(instance_id)

    def destroyed(self) -> list[Instance]:
        """Instances that were destroyed not long ago, oldest end first."""
        return list(self._destroyed)

    async def usage(self, used: Instance) -> Usage:
        """What an instance uses now; nothing when it is not up."""
        if used.sandbox is None or used.status is Status.DESTROYED:
            return Usage()
        return await used.sandbox.usage(used.id)

    def request_id(self) -> str:
        """A request id for what no caller asked for."""
        return identity.request_id(self._numbers.next(self._clock.now()))

    @property
    def busy(self) -> bool:
        """Whether no instance could serve anybody or make room: all of them have all that they take."""
        return not self.fleet.resting and not self.fleet.sharing

    # An execution's instance ------------------------------------------------------------------------------------------

    def acquire(self, function: Function) -> Instance | None:
        """An instance for one execution: warm, or being made; None when there is no capacity now.

        The caller waits for `ready` when it is not up, and gives it back with `release` either way.
        """
        if self.closing:
            return None
        group = self.fleet.groups.get(function.id)
        if group is not None and group.ready:
            for shelf in (group.sharing, group.idle, group.frozen):
                found = self._take(shelf, function)
                if found is not None:
                    return found
        if self.capacity.starts_enough(function):
            return None
        if not self.capacity.fits(function):
            self._make_room(function, kept_too=True)
            return None
        return self._begin(function, ahead=False)

    async def ready(self, made: Instance) -> None:
        """Wait until an instance that `acquire` began is up.

        Raises
        ------
        InstanceStartFailed: it cannot be made, or its sandbox went away.

        """
        if made.started is not None:
            await asyncio.shield(made.started)
        if not made.up:
            raise InstanceStartFailed("InstanceLost", f"instance {made.id} went away while it started", lost=True)

    async def initialize(self, used: Instance, request_id: str, sink: LogSink) -> HookOutcome:
        """Run Initializer on an instance that is Initializing, see `Initializing.run`."""
        return await self._initializing.run(used, request_id, sink)

    async def invoke(self, used: Instance, invocation: Invocation, sink: LogSink, task_name: str = "") -> Reply:
        """Call the handler; raises `InstanceDied` when the instance ends first."""
        if used.sandbox is None or used.status is not Status.INVOKING:
            raise InstanceDied(Exit(), lost=True)
        used.served += 1
        used.in_flight[invocation.request_id] = task_name
        try:
            return await used.sandbox.invoke(used.id, invocation, sink)
        finally:
            del used.in_flight[invocation.request_id]
            if used.on_call_over is not None:
                used.on_call_over()

    def timeout_seconds(self, timeout: float) -> float:
        """How long a handler with this timeout may really take."""
        return real_timeout_seconds(self._clock, timeout)

    def deadline_at(self, timeout: float) -> int:
        """When a handler with this timeout that begins now must be done, by the clock of the machine."""
        return unscaled(self._clock).now() + int(self.timeout_seconds(timeout) * MICROSECONDS_PER_SECOND)

    def release(self, used: Instance) -> None:
        """Give an instance back, whether or not it was used; one that starts, is dead or outdated is taken care of."""
        used.holders -= 1
        if used.gone is None:
            if used.status is Status.INVOKING:
                if used.holders:
                    self.fleet.share(used)
                else:
                    used.note(instance.Released(), self._clock.now())
                    self._resting.rest(used)
            elif used.status is Status.INITIALIZING and not used.holders:  # its task was lost before it ran
                self._initializing.alone(used)
        self._freed()

    # How instances end ------------------------------------------------------------------------------------------------

    async def stop(
        self, used: Instance, reason: str, task_name: str = "", output: Output | None = None, *, force: bool = False
    ) -> Exit:
        """End an instance, busy or not; on return its process tree is gone. Stopping twice waits for the same end.

        Parameters
        ----------
        used: the instance.
        reason: what PreStop is told.
        task_name: the task that is stopped or timed out, "" when it is none's doing.
        output: takes what PreStop writes.
        force: kill it at once, without PreStop and grace, also when its end has begun and takes its time.

        """
        if force and used.gone is not None:
            self.background.spawn(self._ending.hurry(used, reason))
        return await asyncio.shield(self._send_away(used, reason, task_name, output, force=force))

    async def give_up(
        self, used: Instance, request_id: str, reason: str, task_name: str = "", output: Output | None = None
    ) -> Exit | None:
        """End one invocation; None when that left the instance alive, else how the instance ended.

        An instance that serves this invocation only is ended. One that serves others too is first asked to give the
        invocation up (`Sandbox.cancel`), for at most the grace. When it does, the instance stays and so do the others.
        When it does not, the instance takes nothing new and is ended as soon as nothing else runs in it, at the latest
        when the grace is over; the others are lost through our own doing then, which costs them no retry.
        """
        others = used.in_flight.keys() - {request_id}
        if others and request_id not in used.in_flight:  # it is over already
            return None
        if others and used.gone is None and used.sandbox is not None:
            deadline = self._clock.monotonic() + self._grace_seconds
            crashpoint("instance.cancel.before")
            if await used.sandbox.cancel(used.id, request_id, self._grace_seconds):
                crashpoint("instance.cancel.done")
                used.tell(self._clock.now(), "InvocationCanceled", {"requestId": request_id, "reason": reason})
                return None
            used.retired = True
            self.fleet.share(used)
            crashpoint("instance.cancel.refused")
            await self._ending.alone(used, request_id, deadline)
        return await self.stop(used, reason, task_name, output)

    def change(self, function: Function) -> None:
        """A function is so from now on: instances that do not serve it go, at once when nothing runs in them."""
        for each in self.fleet.of(function.id):
            if each.serves(function) and not function.deleted:
                continue
            each.retired = True
            self.fleet.share(each)
            if each.id in self.fleet.resting or each.status is Status.CREATING:
                self._send_away(each, "update")
        self.minimum.change(function)
        self._resting.change(function.id)

    async def close(self, reason: str = "shutdown") -> None:
        """End every instance and every sandbox."""
        self.closing = True
        self._resting.close(reason)
        self.minimum.close()
        ends = [self.stop(each, reason) for each in self.instances()]
        await asyncio.gather(*ends, return_exceptions=True)
        await self._homes.close()

    # Passages ---------------------------------------------------------------------------------------------------------

    def _take(self, shelf: dict[str, Instance], function: Function) -> Instance | None:
        while shelf:
            id_ = next(reversed(shelf))
            found = shelf[id_]
            if not found.serves(function):
                found.retired = True
                if found.status is Status.INVOKING:
                    self.fleet.share(found)
                else:
                    self._send_away(found, "update")
                continue
            if found.status is Status.FROZEN:
                self._resting.thaw(found)
            found.note(instance.Invoked(), self._clock.now())
            found.holders += 1
            self.fleet.occupy(found)
            return found
        return None

    def _begin(self, function: Function, *, ahead: bool) -> Instance:
        made = Instance(f"c-{self.request_id()[2:]}", function, self._clock.now(), ahead=ahead)
        made.tell(self._clock.now(), "Creating", {"ahead": True} if ahead else None)
        self.fleet.add(made)
        made.started = self.background.spawn(self._birth.start(made))
        return made

    def _begin_ahead(self, function: Function) -> bool:
        if self.closing or self.pressed() or self.capacity.starts_enough(function):
            return False
        if not self.capacity.fits(function):
            self._make_room(function, kept_too=False)
            return False
        self._begin(function, ahead=True)
        return True

    def _born(self, made: Instance) -> None:
        self._initializing.born(made)
        self._freed()

    def _not_born(self, made: Instance, why: dict[str, object]) -> None:
        self.minimum.failed(made.function.id, f"{why['why']}: {why['message']}")
        self._forget(made, why)

    def _make_room(self, function: Function, *, kept_too: bool) -> None:
        """Ask resting instances to go; their end calls `on_free`."""
        patient = not self.capacity.booked(function)
        for each in self.capacity.victims(
            function,
            spared=lambda one: one.function.id == function.id or (patient and self.wanted(one.function.id)),
            kept=self.minimum.keeps,
            kept_too=kept_too,
        ):
            self._send_away(each, "memory")

    def _send_away(
        self, used: Instance, reason: str, task_name: str = "", output: Output | None = None, *, force: bool = False
    ) -> asyncio.Future[Exit]:
        """Begin the end of an instance, once; from this moment on nobody gets it."""
        if used.gone is None:
            used.gone = asyncio.get_running_loop().create_future()
            if used.id in self.fleet.instances:
                self.fleet.send_away(used)
            self.background.spawn(self._ending.end(used, reason, task_name, output, force=force))
        return used.gone

    def _exited(self, instance_id: str, exit_: Exit) -> None:
        """An instance ended without having been asked to."""
        found = self.fleet.instances.get(instance_id)
        if found is not None and found.gone is None:
            if not found.served:
                self.minimum.failed(found.function.id, "the instance ended before it was used")
            self._ending.by_itself(found, exit_)

    def _lost(self, sandbox: Sandbox) -> None:
        """A sandbox went away, and every instance in it.

        The account may have another one by now, and one before may still be collapsing: what runs there is not gone.
        """
        for each in self.fleet.of_account(sandbox.account_id):
            if each.gone is None and each.sandbox is sandbox:
                self._forget(each, {"why": "the sandbox went away"})

    def _forget(self, used: Instance, why: dict[str, object]) -> None:
        if not self.fleet.remove(used):
            return
        used.note(instance.Died(), self._clock.now())
        used.tell(self._clock.now(), "Destroyed", why)
        self._destroyed.add(used)
        if used.function.id not in self.fleet.groups:
            self.on_last_gone(used.function.id)
        self.minimum.gone(used.function.id)
        self._freed()

    def _freed(self) -> None:
        self.minimum.freed()
        self.on_free()
