"""The loop that delivers: records of finished tasks go to their destinations, each until it is taken or given up.

What is to be delivered stands in rows, written with the ends of tasks; in memory there is only who is due when. An
attempt reads the rows, sends, and records what came of it by compare-and-set. A crash between the sending and the
recording lets the record be sent again: at least once. What a record holds, and what an attempt leads to, is
`destination`'s; which targets there are, `target`'s.

Theory of operation
    Records stand in lanes, one for each account and host. A lane that works sends several at a time; one whose last
    attempt did not work sends one at a time, and all such lanes together get half of the room. So a target that hangs
    costs others nothing. Now and then the rows are read again, for what nobody told the loop about.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from heapq import heappop, heappush
from typing import Protocol

from . import destination, identity
from .background import cancel
from .clock import MICROSECONDS_PER_SECOND, Clock
from .crashpoint import crashpoint
from .destination import HOPS_MAX, Deferred, Delivered, Delivery, Refused, Verdict
from .errors import (
    DeliveryNotFound,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ServiceUnavailable,
    StoreFailed,
    TaskAlreadyExists,
)
from .function import PAYLOAD_ASYNC_BYTES_MAX, Function
from .queue import Queue
from .store import Store
from .target import BridgeTarget, FunctionTarget, Reach, lane_of, target_of
from .task import Task

log = logging.getLogger(__name__)

LANE_MAX = 16
"""Records that are on their way to one host at a time, while it takes them."""
RECORD_BYTES_MAX = 4 * 1024 * 1024
"""The largest record that is sent over HTTP."""
SWEEP_SECONDS = 30.0
"""How often the rows are read for deliveries that the loop was not told about."""
STORE_RETRY_SECONDS = 1.0
PUT_AWAY_SECONDS = 0.05
CLOSE_SECONDS_MAX = 5.0
"""How long what is being sent may take when the server ends."""


class Post(Protocol):
    """Sends one record over HTTP, see `webhook.Webhook.post`."""

    async def __call__(
        self, url: str, body: bytes, headers: dict[str, str], *, message_id: str, secret: str, trusted: bool
    ) -> Verdict:
        """What came of it."""
        ...


class Lane:
    """The records that share a host, by when they are due."""

    __slots__ = ("_heap", "known", "sending", "trouble")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []
        self.known: set[int] = set()
        self.sending = 0
        self.trouble = ""

    def add(self, task_id: int, due_at: int) -> None:
        """Let the record of a task wait until `due_at`; it may be added again to come earlier."""
        self.known.add(task_id)
        heappush(self._heap, (due_at, task_id))

    def next_due(self) -> int | None:
        """When the next one is due."""
        while self._heap and self._heap[0][1] not in self.known:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self) -> int:
        """The task whose record is due next."""
        _, task_id = heappop(self._heap)
        self.known.discard(task_id)
        return task_id

    @property
    def idle(self) -> bool:
        """Whether nothing is lost by forgetting it."""
        return not self.known and not self.sending


class Deliveries:
    """Delivers.

    Parameters
    ----------
    store, queue, clock: what it stands on; it listens to the queue for ends that have a destination.
    post: sends a record over HTTP.
    reach: what this server delivers to.
    function_of: the function of an id as it stands now, also a deleted one.
    function_named: what an account, a name and a qualifier ("" for LATEST) mean, or `NotFound`.
    secret_of: what signs the records of an account.
    give_up_seconds: how long a record is tried.
    at_a_time: how many records are on their way at a time, over all lanes.
    rng: gives the jitter of waits.

    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        *,
        post: Post,
        reach: Reach,
        function_of: Callable[[int], Function],
        function_named: Callable[[str, str, str], Function],
        secret_of: Callable[[str], Awaitable[str]],
        give_up_seconds: float,
        at_a_time: int,
        rng: random.Random,
    ) -> None:
        self._store, self._queue, self._clock, self._post, self._reach = store, queue, clock, post, reach
        self._function_of, self._function_named, self._secret_of = function_of, function_named, secret_of
        self._give_up_seconds, self._at_a_time, self._rng = give_up_seconds, at_a_time, rng
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._troubled = 0
        self._turn = 0
        self._wake = asyncio.Event()
        self._swept_at = float("-inf")
        self._closing = False
        self._loop: asyncio.Task[None] | None = None
        queue.delivery_of = lambda task: destination.delivery_of(task, function_of(task.function_id), clock.now())
        queue.on_delivery = self.add

    # What is asked of it ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to deliver, what an earlier start left behind included; starting twice is fine."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())

    def add(self, delivery: Delivery) -> None:
        """Take up a delivery that is durable and not over."""
        key = lane_of(delivery.target, delivery.account_id)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane()
        lane.add(delivery.task_id, delivery.due_at)
        self._wake.set()

    async def of(self, tasks: Iterable[Task]) -> dict[int, Delivery]:
        """The deliveries of those tasks that have one, by task id."""
        wanted = [task.id for task in tasks if task.over]
        return {each.task_id: each for each in await self._store.deliveries(wanted)} if wanted else {}

    async def resend(self, task: Task, name: str) -> Delivery:
        """Begin another round of delivering, whatever became of the one before; on return that is durable.

        Raises
        ------
        DeliveryNotFound: the end of the task had no destination, or it is not over; `name` is how callers know it.

        """
        while True:
            found = (await self.of([task])).get(task.id)
            if found is None:
                raise DeliveryNotFound(name)
            again = destination.resent(found, self._clock.now())
            crashpoint("delivery.resend.before")
            if await self._store.put_delivery(found.epoch, again):
                crashpoint("delivery.resend.durable")
                self.add(again)
                return again

    async def close(self) -> None:
        """Begin nothing new, give what is being sent a moment, and leave the rest to the next start."""
        self._closing = True
        await cancel(self._loop)
        if self._sending:
            await asyncio.wait(self._sending.values(), timeout=CLOSE_SECONDS_MAX)
        await cancel(*self._sending.values())

    # The loop: who is next --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            rest = SWEEP_SECONDS
            try:
                await self._sweep()
                rest = self._round()
            except StoreFailed as error:
                log.error("deliveries cannot be read, trying again: %s", error)  # noqa: TRY400 - the store told the rest
                rest = STORE_RETRY_SECONDS
            except Exception:  # a fault of ours in one round must not end all that would follow
                log.exception("a round of deliveries failed")
                rest = STORE_RETRY_SECONDS
            try:
                async with asyncio.timeout(rest):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        """Read the rows, when it is time to, and take up what is not known."""
        now = self._clock.monotonic()
        if now - self._swept_at < SWEEP_SECONDS:
            return
        async for delivery in self._store.open_deliveries():
            lane = self._lanes.get(lane_of(delivery.target, delivery.account_id))
            if delivery.task_id not in self._sending and (lane is None or delivery.task_id not in lane.known):
                self.add(delivery)
        self._swept_at = now

    def _round(self) -> float:
        """Send what is due, beginning with another lane each time; says for how many seconds nothing else is."""
        now, rest = self._clock.now(), SWEEP_SECONDS
        for key in [key for key, lane in self._lanes.items() if lane.idle]:
            del self._lanes[key]
        lanes = list(self._lanes.values())
        self._turn += 1
        first = self._turn % len(lanes) if lanes else 0
        for lane in lanes[first:] + lanes[:first]:
            while (due := lane.next_due()) is not None and due <= now and self._has_room(lane):
                task_id = lane.take()
                if task_id in self._sending:  # asked for again before its last attempt was put away
                    lane.add(task_id, self._after(PUT_AWAY_SECONDS))
                else:
                    self._begin(lane, task_id)
            if due is not None and due > now:
                rest = min(rest, (due - now) / MICROSECONDS_PER_SECOND)
        return rest

    def _has_room(self, lane: Lane) -> bool:
        """Whether one more may be sent: lanes in trouble get one place each, and half of all places together."""
        if len(self._sending) >= self._at_a_time:
            return False
        if lane.trouble:
            return not lane.sending and self._troubled < max(self._at_a_time // 2, 1)
        return lane.sending < LANE_MAX

    def _begin(self, lane: Lane, task_id: int) -> None:
        troubled = bool(lane.trouble)
        lane.sending += 1
        self._troubled += troubled
        sending = asyncio.get_running_loop().create_task(self._deliver(lane, task_id))
        self._sending[task_id] = sending

        def ended(_: asyncio.Task[None]) -> None:
            lane.sending -= 1
            self._troubled -= troubled
            del self._sending[task_id]
            self._wake.set()
            if not sending.cancelled() and (error := sending.exception()) is not None:
                log.error("a delivery failed at the edge of its loop", exc_info=error)
                lane.add(task_id, self._after(SWEEP_SECONDS))

        sending.add_done_callback(ended)

    # One attempt ------------------------------------------------------------------------------------------------------

    async def _deliver(self, lane: Lane, task_id: int) -> None:
        """Read the rows, send the record, and make durable what came of it."""
        try:
            found, task = await self._store.deliveries([task_id]), await self._store.task(task_id)
            if not found or found[0].over or task is None:
                return
            delivery = found[0]
            if delivery.due_at > self._clock.now():
                lane.add(task_id, delivery.due_at)
                return
            crashpoint("delivery.claimed")
            verdict = self._hopeless(lane, delivery) or await self._send(task, delivery)
            crashpoint("delivery.sent")
        except StoreFailed as error:  # nothing is known to have happened, so it is no attempt
            log.error("delivery of task %s: %s", identity.request_id(task_id), error)  # noqa: TRY400 - as above
            lane.add(task_id, self._after(STORE_RETRY_SECONDS))
            return
        lane.trouble = verdict.reason if isinstance(verdict, Deferred) else ""
        after = destination.attempted(
            delivery, verdict, self._clock.now(), self._rng.uniform(-1.0, 1.0), self._give_up_seconds
        )
        held = await self._insist(delivery.epoch, after)
        crashpoint("delivery.recorded")
        if not held:  # somebody asked for another round meanwhile
            lane.add(task_id, self._clock.now())
        elif not after.over:
            lane.add(task_id, after.due_at)
        elif after.last_error:
            log.warning("record of task %s not delivered: %s", identity.request_id(task_id), after.last_error)

    def _after(self, seconds: float) -> int:
        return self._clock.now() + int(seconds * MICROSECONDS_PER_SECOND)

    async def _insist(self, epoch: int, delivery: Delivery) -> bool:
        """Make durable what has happened already, for as long as the store needs to take it."""
        while True:
            try:
                return await self._store.put_delivery(epoch, delivery)
            except StoreFailed:
                if self._closing:
                    raise
                await asyncio.sleep(STORE_RETRY_SECONDS)

    def _hopeless(self, lane: Lane, delivery: Delivery) -> Verdict | None:
        """Whether its time went by while it stood behind others before a target that does not answer."""
        waited = (self._clock.now() - delivery.begun_at) / MICROSECONDS_PER_SECOND
        if lane.trouble and waited > self._give_up_seconds:
            return Deferred(delivery.last_error or f"given up after {waited:.0f} s: {lane.trouble}")
        return None

    async def _send(self, task: Task, delivery: Delivery) -> Verdict:
        """Send a record once."""
        function = self._function_of(task.function_id)
        record = destination.record_of(task, function, self._reach.region)
        try:
            target = target_of(delivery.target, delivery.account_id, self._reach)
        except InvalidArgument as error:  # the operator changed what this server reaches
            return Refused(error.message)
        if isinstance(target, FunctionTarget):
            if self._queue.closed:
                raise StoreFailed("the server is draining and accepts no tasks")
            return await self._submit(task, delivery, target, record)
        if len(record) > RECORD_BYTES_MAX:
            return Refused(f"the record has {len(record)} bytes, the limit is {RECORD_BYTES_MAX}")
        bridge = isinstance(target, BridgeTarget)
        return await self._post(
            target.url,
            record,
            {"x-sojourn-destination": delivery.target} if bridge else {},
            message_id=identity.request_id(task.id),
            secret=await self._secret_of(delivery.account_id),
            trusted=bridge,
        )

    async def _submit(self, task: Task, delivery: Delivery, target: FunctionTarget, record: bytes) -> Verdict:
        """Submit a record as a task, under a name that a repetition has too."""
        if destination.hops(task) >= HOPS_MAX:
            return Refused(f"{HOPS_MAX} functions have followed one another by destinations, which looks like a loop")
        if len(record) > PAYLOAD_ASYNC_BYTES_MAX:
            return Refused(f"the record has {len(record)} bytes, an asynchronous payload {PAYLOAD_ASYNC_BYTES_MAX}")
        try:
            function = self._function_named(delivery.account_id, target.name, target.qualifier)
            name = destination.derived_name(task, delivery)
            with contextlib.suppress(TaskAlreadyExists):  # an attempt before this one had succeeded
                await self._queue.submit(function, record, name=name, qualifier=target.qualifier)
            crashpoint("delivery.submitted")
        except NotFound as error:
            return Refused(error.message)
        except (ResourceExhausted, ServiceUnavailable) as error:
            return Deferred(error.message, error.retry_after_seconds)
        return Delivered()
