"""Triggers by name, and the loop that lets timers fire.

A firing is a task like any other. Its id is made of the trigger and the time, and the next firing is written down after
it: a crash in between submits it again under the same id, which is refused, so no firing makes two tasks. What was
missed becomes one, see `triggering`. A firing that the server cannot take now is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

import msgspec

from . import triggering as rules
from .background import cancel
from .catalog import Catalog
from .clock import MICROSECONDS_PER_SECOND, Clock, real_seconds
from .crashpoint import crashpoint
from .errors import Conflict, NotFound, SojournError, TaskAlreadyExists
from .function import LATEST, Function
from .queue import Queue
from .refusals import FunctionNotEmpty, TriggerAlreadyExists, TriggerNotFound
from .store import Store
from .trigger import HTTP, TIMER, Trigger
from .triggering import changed_trigger, check_trigger_name, check_trigger_type

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
REST_SECONDS_MAX = 60.0
"""The loop looks at the clock at least this often: it may have been set."""


class Timers:
    """The triggers of all functions.

    Parameters
    ----------
    store, clock, catalog, queue: what it stands on.

    """

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, queue: Queue) -> None:
        self._store, self._clock, self._catalog, self._queue = store, clock, catalog, queue
        self._triggers: dict[int, dict[str, Trigger]] = {}
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None
        self.on_fired: Callable[[Trigger], None] = lambda _: None

    async def load(self) -> None:
        """Read everything from the store."""
        for each in await self._store.triggers():
            self._triggers.setdefault(each.function_id, {})[each.name] = each

    def start(self) -> None:
        """Begin to fire; starting twice is fine."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Fire no more."""
        await cancel(self._loop)

    # By name ----------------------------------------------------------------------------------------------------------

    def trigger(self, function: Function, name: str) -> Trigger:
        """A trigger of a function, or `TriggerNotFound`."""
        found = self._triggers.get(function.root, {}).get(name)
        if found is None:
            raise TriggerNotFound(function.name, name)
        return found

    def triggers(self, function: Function, prefix: str = "") -> list[Trigger]:
        """The triggers of a function whose names begin with `prefix`, by name."""
        found = self._triggers.get(function.root, {})
        return [found[name] for name in sorted(found) if name.startswith(prefix)]

    def address(self, function: Function, qualifier: str = "") -> Trigger | None:
        """The trigger by which requests reach a function under a qualifier; without one, LATEST's or another."""
        found = [each for each in self.triggers(function) if each.type == HTTP]
        named = [each for each in found if qualifier in ("", _qualified(each))]
        return min(named, key=lambda each: _qualified(each) != LATEST, default=None)

    async def create(self, function: Function, body: Mapping[str, object]) -> Trigger:
        """Create a trigger (FC: CreateTriggerInput)."""
        name, kind = check_trigger_name(body.get("triggerName")), check_trigger_type(body.get("triggerType"))
        if name in self._triggers.get(function.id, {}):
            raise TriggerAlreadyExists(function.name, name)
        now = self._clock.now()
        made = Trigger(function_id=function.id, name=name, type=kind, config="", id=f"{now:x}", created_at=now)
        made = changed_trigger(made, {"triggerConfig": "{}", **_given(body)}, now)
        async with self._writing:
            self._check(function, made)
            crashpoint("trigger.create.before")
            if not await self._store.put_trigger(made, 0):
                raise TriggerAlreadyExists(function.name, name)
            crashpoint("trigger.create.durable")
            return self._keep(made)

    async def update(self, function: Function, name: str, body: Mapping[str, object]) -> Trigger:
        """Change a trigger (FC: UpdateTriggerInput)."""
        before = self.trigger(function, name)
        after = changed_trigger(before, _given(body), self._clock.now())
        async with self._writing:
            self._check(function, after)
            return await self._replace(before, after)

    def _check(self, function: Function, made: Trigger) -> None:
        """See that what a trigger runs is there, and has no other address."""
        self._catalog.check_qualifier(function, made.qualifier)
        for each in self.triggers(function) if made.type == HTTP else ():
            if each.type == HTTP and each.name != made.name and _qualified(each) == _qualified(made):
                one = f"{each.name}, and {_qualified(made)} has one {HTTP} trigger"
                raise TriggerAlreadyExists(function.name, one)

    async def delete(self, function: Function, name: str) -> None:
        """Forget a trigger; `Conflict` when it was changed, or fired, meanwhile."""
        before = self.trigger(function, name)
        crashpoint("trigger.delete.before")
        if not await self._store.drop_trigger(function.id, name, before.epoch):
            raise Conflict(f"trigger '{name}' was changed by somebody else meanwhile, try again")
        crashpoint("trigger.delete.durable")
        self._triggers.get(function.id, {}).pop(name, None)

    def check_none(self, function: Function) -> None:
        """Refuse, with `FunctionNotEmpty`, when the function has triggers."""
        for each in self.triggers(function):
            raise FunctionNotEmpty(function.name, each.name)

    # The loop ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                rest = await self._round()
            except Exception:  # a fault of ours in one round must not end all that would follow
                log.exception("a round of timers failed")
                rest = RETRY_SECONDS
            try:
                async with asyncio.timeout(real_seconds(self._clock, rest)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _round(self) -> float:
        """Let fire what is due; says for how many seconds nothing else is."""
        rest = REST_SECONDS_MAX
        for held in list(self._triggers.values()):
            for each in list(held.values()):
                if not each.next_at:
                    continue
                if each.next_at <= self._clock.now() and not await self._fire(each):
                    rest = min(rest, RETRY_SECONDS)
                    continue
                now = held.get(each.name)
                if now is not None and now.next_at:
                    rest = min(rest, max((now.next_at - self._clock.now()) / MICROSECONDS_PER_SECOND, 0.001))
        return rest

    async def _fire(self, each: Trigger) -> bool:
        """Submit the task of a firing and write down when the next one is; False when it has to be tried again."""
        now = self._clock.now()
        at = rules.last_missed(each, now)
        function = self._catalog.by_id(each.function_id)
        crashpoint("timer.fire.before")
        try:
            await self._submit(each, function, at)
            crashpoint("timer.fire.submitted")
            await self._replace(each, msgspec.structs.replace(each, next_at=rules.next_firing(each, now)))
            crashpoint("timer.fire.over")
        except Conflict:  # it was changed meanwhile, and what it is now is looked at in the next round
            return True
        except SojournError as error:
            log.warning("timer %s of function %s cannot fire now: %s", each.name, function.name, error)
            return False
        return True

    async def _submit(self, each: Trigger, function: Function, at: int) -> None:
        try:
            version = self._catalog.qualified(
                function.account_id, function.name, each.qualifier, at // MICROSECONDS_PER_SECOND
            )
            if version.disabled is not None:
                log.info("timer %s of function %s does not fire: it is disabled", each.name, function.name)
                return
            await self._queue.submit(
                version, rules.event_of(each, at), name=rules.task_name(each, at), qualifier=each.qualifier
            )
            self.on_fired(each)
        except TaskAlreadyExists:  # this firing has its task, from before a crash
            return
        except NotFound as error:  # it is gone by intent: this firing makes no task
            log.warning("timer %s of function %s fires in vain: %s", each.name, function.name, error)

    async def _replace(self, before: Trigger, after: Trigger) -> Trigger:
        after = msgspec.structs.replace(after, epoch=before.epoch + 1)
        crashpoint("trigger.change.before")
        if not await self._store.put_trigger(after, before.epoch):
            raise Conflict(f"trigger '{before.name}' was changed by somebody else meanwhile, try again")
        crashpoint("trigger.change.durable")
        return self._keep(after)

    def _keep(self, each: Trigger) -> Trigger:
        self._triggers.setdefault(each.function_id, {})[each.name] = each
        if each.type == TIMER:
            self._wake.set()
        return each


def _qualified(each: Trigger) -> str:
    return each.qualifier or LATEST


def _given(body: Mapping[str, object]) -> dict[str, object]:
    return {field: value for field, value in body.items() if value is not None}
