"""The feed: every step of every task as it became durable, for those who watch.

The queue tells each step once it is committed. The newest ones stay in a ring in memory, so that a watcher whose
connection broke goes on where it was, without gap or repeat: each event has an id, which is this start of the server
and a place in the ring. A watcher that comes back too late, or with an id of an earlier start, or that takes its events
more slowly than the ring turns, is told so (`reset`) and has to look at its tasks again. What a step is, is the task's;
where watchers come from, the API's.

Theory of operation
    A watcher follows a channel: an account, one of its functions, or one task. Nothing is kept for a watcher but its
    place, so a slow one costs nothing but its connection. A step costs an entry in the ring, and three look-ups while
    somebody watches. Its text is made when the first watcher of a channel takes it, and those who stand at the same
    place share it. After each piece a watcher rests for a moment, so that a flood comes in few large pieces.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

import msgspec
import orjson

from .errors import InvalidArgument, ResourceExhausted, ServiceUnavailable
from .history import unpack_events
from .identity import request_id
from .task import Task
from .times import rfc3339

ENTRIES_MAX, BYTES_MAX = 32_768, 16 << 20
"""Of the ring: whichever is reached first."""
ENTRY_BYTES = 256
"""What an entry costs beside its history."""
PIECE_ENTRIES_MAX = 1_000
HEARTBEAT_SECONDS = 15.0
REST_SECONDS_BOUNDS, REST_SECONDS_PER_WATCHER = (0.005, 0.03), 0.00015
WATCHERS_MAX, WATCHERS_PER_ACCOUNT_MAX = 1024, 512
_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,18})(?:\.([0-9]{1,6}))?")

Key = tuple[str, int, int]
"""Whose steps: an account, one of its functions or 0, one of its tasks or 0."""


class Entry(msgspec.Struct, gc=False):
    """A step: its place, whose it is, and the history before (its length in bytes) and after it.

    `name` is the caller's own for the task, if it has one. As callers see it, it is made only for those who watch.
    """

    place: int
    account_id: str
    function_id: int
    task_id: int
    name: str | None
    before: int
    history: bytes


class Place(msgspec.Struct, frozen=True):
    """Where a watcher stands: all up to `place` is known to it, and `events` of those of the next entry."""

    place: int
    events: int = 0


class Feed:
    """The steps of this start of the server.

    Parameters
    ----------
    incarnation: which start this is.
    name_of: from a function's id to its name.

    """

    def __init__(self, incarnation: int, name_of: Callable[[int], str]) -> None:
        self.incarnation, self._name_of = incarnation, name_of
        self._ring: deque[Entry] = deque()
        self._size_bytes = 0
        self._place = 0
        self._channels: dict[Key, Channel] = {}
        self._watchers: set[Watcher] = set()
        self._closed = False

    @property
    def gone(self) -> int:
        """The place up to which the ring has turned."""
        return self._ring[0].place - 1 if self._ring else self._place

    @property
    def place(self) -> int:
        """The place of the newest step."""
        return self._place

    @property
    def rest_seconds(self) -> float:
        """How long a watcher rests between two pieces: the longer, the more of them there are."""
        low, high = REST_SECONDS_BOUNDS
        return min(max(low, REST_SECONDS_PER_WATCHER * len(self._watchers)), high)

    def moved(self, before: Task | None, after: Task) -> None:
        """A step of a task is durable."""
        known = len(before.history) if before is not None else 0
        if known == len(after.history):  # a claim of a Retrying task has no event
            return
        self._place += 1
        entry = Entry(self._place, after.account_id, after.function_id, after.id, after.name, known, after.history)
        self._ring.append(entry)
        self._size_bytes += ENTRY_BYTES + len(entry.history)
        while len(self._ring) > ENTRIES_MAX or self._size_bytes > BYTES_MAX:
            oldest = self._ring.popleft()
            self._size_bytes -= ENTRY_BYTES + len(oldest.history)
            for channel in self._of(oldest):
                channel.forget(oldest)
        for channel in self._of(entry):
            channel.add(entry)

    def watch(self, account_id: str, function_id: int = 0, task_id: int = 0, last_id: str = "") -> Watcher:
        """A watcher, which is to be closed.

        Parameters
        ----------
        account_id: whose steps.
        function_id: of one function only, unless it is 0.
        task_id: of one task only, unless it is 0.
        last_id: the id of the last event that it has, "" to begin now.

        Raises
        ------
        InvalidArgument: `last_id` is no id of an event.
        ResourceExhausted: there are too many watchers.
        ServiceUnavailable: the server is draining.

        """
        if self._closed:
            raise ServiceUnavailable("the server is draining and lets nobody watch")
        mine = sum(each.account_id == account_id for each in self._watchers)
        if mine >= WATCHERS_PER_ACCOUNT_MAX or len(self._watchers) >= WATCHERS_MAX:
            raise ResourceExhausted(
                f"account '{account_id}' has {mine} watchers and this server {len(self._watchers)}, which allows "
                f"{WATCHERS_PER_ACCOUNT_MAX} and {WATCHERS_MAX}",
                5,
            )
        place, reason = self._begun(last_id)
        key = (account_id, function_id, task_id)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(self, key, [each for each in self._ring if key in _keys(each)])
        watcher = Watcher(self, channel, place, reason)
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher, channel: Channel) -> None:
        """A watcher is gone; a channel that nobody follows goes with the last one."""
        self._watchers.discard(watcher)
        if all(each.channel is not channel for each in self._watchers):
            self._channels.pop(channel.key, None)

    def close(self) -> None:
        """Let every watcher have what there is, and end; new ones are refused."""
        self._closed = True
        for channel in self._channels.values():
            channel.news.set()

    @property
    def closed(self) -> bool:
        """Whether watchers are to end."""
        return self._closed

    def id_of(self, place: int, events: int = 0) -> str:
        """The id of a place, and of so many events of the entry after it."""
        return f"{self.incarnation}-{place}" + (f".{events}" if events else "")

    def texts(self, entry: Entry) -> list[bytes]:
        """The events of an entry as they are sent."""
        known = len(unpack_events(entry.history[: entry.before]))
        events = unpack_events(entry.history)[known:]
        function = self._name_of(entry.function_id)
        name = request_id(entry.task_id) if entry.name is None else entry.name
        found = []
        for number, event in enumerate(events, start=1):
            last = number == len(events)
            data = {
                "account": entry.account_id,
                "function": function,
                "taskId": name,
                "eventId": event.number,
                "status": event.status,
                "timestamp": rfc3339(event.at),
                "eventDetail": orjson.Fragment(event.detail or "{}"),
            }
            where = self.id_of(entry.place) if last else self.id_of(entry.place - 1, number)
            found.append(message(where, orjson.dumps(data)))
        return found

    def _begun(self, last_id: str) -> tuple[Place, str]:
        """Where a watcher begins, and why it has to look at its tasks again, "" when it has not."""
        now = Place(self._place)
        if not last_id:
            return now, ""
        found = _ID.fullmatch(last_id)
        if found is None:
            raise InvalidArgument("Last-Event-ID", last_id, "must be the id of an event of this stream")
        if int(found[1]) != self.incarnation:
            return now, "the server was started again"
        wanted = Place(int(found[2]), int(found[3] or 0))
        if wanted.place > self._place:
            return now, "no event has this id"
        if wanted.place < self.gone:
            return now, "events after this id are not kept any more"
        return wanted, ""

    def _of(self, entry: Entry) -> Iterable[Channel]:
        if not self._channels:
            return ()
        return [channel for key in _keys(entry) if (channel := self._channels.get(key)) is not None]


class Channel:
    """The part of the ring that the watchers of one `key` follow; `news` is set when it has grown."""

    def __init__(self, feed: Feed, key: Key, entries: Iterable[Entry]) -> None:
        self._feed, self.key = feed, key
        self._entries = deque(entries)
        self._gone = feed.gone
        self._shared = (Place(-1), Place(-1), b"")
        self.news = asyncio.Event()

    def add(self, entry: Entry) -> None:
        """One more."""
        self._entries.append(entry)
        self.news.set()

    def forget(self, entry: Entry) -> None:
        """The oldest is not in the ring any more."""
        if self._entries and self._entries[0] is entry:
            self._entries.popleft()
            self._gone = entry.place

    def after(self, place: Place) -> tuple[Place, bytes] | None:
        """What comes after `place`, and where that ends; None when it is not kept any more."""
        if place.place < self._gone:
            return None
        if not self._entries or self._entries[-1].place <= place.place:
            return Place(self._feed.place), b""
        fresh: deque[Entry] = deque()
        for entry in reversed(self._entries):
            if entry.place <= place.place:
                break
            fresh.appendleft(entry)
        taken = [fresh.popleft() for _ in range(min(len(fresh), PIECE_ENTRIES_MAX))]
        end = Place(taken[-1].place)
        if self._shared[:2] != (place, end):
            texts = [text for entry in taken for text in self._rest(entry, place)]
            self._shared = (place, end, b"".join(texts))
        return end, self._shared[2]

    def _rest(self, entry: Entry, place: Place) -> list[bytes]:
        """The events of an entry that whoever stands at `place` does not have."""
        return self._feed.texts(entry)[place.events if entry.place == place.place + 1 else 0 :]


class Watcher:
    """A stream of server-sent events from `place` on, which begins with a `reset` when there is a `reason` for one."""

    def __init__(self, feed: Feed, channel: Channel, place: Place, reason: str) -> None:
        self._feed, self.channel, self._place, self._reason = feed, channel, place, reason
        self.account_id = channel.key[0]

    async def pieces(self) -> AsyncIterator[bytes]:
        """The events as they come; without end, but for a drain of the server and a watcher that is too slow."""
        yield self._reset() if self._reason else self._beat(b": watching\n")
        while True:
            self.channel.news.clear()
            found = self.channel.after(self._place)
            if found is None:
                self._place, self._reason = Place(self._feed.place), "events came faster than they were taken"
                yield self._reset()
                return
            self._place, text = found
            if text:
                yield text
                await asyncio.sleep(self._feed.rest_seconds)
            elif self._feed.closed:
                return
            elif not await self._news():
                yield self._beat(b": heartbeat\n")

    def close(self) -> None:
        """Watch no more."""
        self._feed.leave(self, self.channel)

    async def _news(self) -> bool:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self.channel.news.wait()
        except TimeoutError:
            return False
        return True

    def _beat(self, comment: bytes) -> bytes:
        """A comment, and where this watcher stands: to come back here costs it nothing although nothing happened."""
        return comment + f"id: {self._feed.id_of(self._place.place, self._place.events)}\n\n".encode()

    def _reset(self) -> bytes:
        data = orjson.dumps({"account": self.account_id, "reason": self._reason})
        return b"event: reset\n" + message(self._feed.id_of(self._place.place), data)


def message(where: str, data: bytes) -> bytes:
    """An event on the wire."""
    return b"id: %b\ndata: %b\n\n" % (where.encode(), data)


def _keys(entry: Entry) -> tuple[Key, Key, Key]:
    account_id, function_id = entry.account_id, entry.function_id
    return (account_id, 0, 0), (account_id, function_id, 0), (account_id, function_id, entry.task_id)
