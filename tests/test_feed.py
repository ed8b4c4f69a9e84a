"""The feed: every step once and in order, to whom it belongs; what is kept, and what one who is too late hears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sojourn import feed as module
from sojourn.errors import InvalidArgument, ResourceExhausted, ServiceUnavailable
from sojourn.feed import HEARTBEAT_SECONDS, Feed, Watcher
from sojourn.task import Claimed, Fact, Failure, Faltered, Returned, Started, Success, Task, advance, submit
from virtual_time import START, run

INCARNATION = 7


class Story:
    """Tasks whose steps a feed hears of; `told` holds, by task, what a watcher of everything must hear."""

    def __init__(self) -> None:
        self.feed = Feed(INCARNATION, lambda function_id: f"f{function_id}")
        self.tasks: dict[str, Task] = {}
        self.told: list[tuple[str, int, str]] = []

    def begin(self, name: str, account_id: str = "a", function_id: int = 1) -> None:
        """A task is submitted."""
        task = Task(id=len(self.tasks) + 1, account_id=account_id, function_id=function_id, generation=1, name=name)
        self._told(None, submit(task, START))

    def step(self, name: str, *facts: Fact) -> None:
        """Facts happen to a task in one commit."""
        before = after = self.tasks[name]
        for fact in facts:
            after = advance(after, fact, START + 1_000)
        self._told(before, after)

    def life(self, name: str, **whose: Any) -> None:
        """A whole one, of four events in three commits."""
        self.begin(name, **whose)
        self.step(name, Claimed(1), Started("i"))
        self.step(name, Returned(Success(result=b"")))

    def _told(self, before: Task | None, after: Task) -> None:
        name = str(after.name)
        self.tasks[name] = after
        known = len(before.events) if before else 0
        self.told += [(name, event.number, event.status) for event in after.events[known:]]
        self.feed.moved(before, after)


class Reader:
    """Takes what a watcher has, piece by piece, and reads it as a browser does."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self._pieces: AsyncIterator[bytes] = watcher.pieces()
        self.last_id = ""
        self.heard: list[tuple[str, int, str]] = []
        self.documents: list[dict[str, Any]] = []
        self.resets: list[dict[str, Any]] = []

    async def take(self, count: int = 1) -> None:
        """Take so many pieces."""
        for _ in range(count):
            self.read(await anext(self._pieces))

    async def rest(self) -> None:
        """Take all until it ends."""
        async for piece in self._pieces:
            self.read(piece)

    def read(self, piece: bytes) -> None:
        """What stands in a piece."""
        for block in piece.decode().removesuffix("\n\n").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            self.last_id = fields.get("id", self.last_id)
            if fields.get("event") == "reset":
                self.resets.append(json.loads(fields["data"]))
            elif "data" in fields:
                document = json.loads(fields["data"])
                self.documents.append(document)
                self.heard.append((document["taskId"], document["eventId"], document["status"]))


def test_each_step_is_told_once_and_in_order() -> None:
    """With all that an event has, also when several became durable together."""

    async def main() -> None:
        story = Story()
        reader = Reader(story.feed.watch("a"))
        await reader.take()
        assert (reader.heard, reader.last_id) == ([], f"{INCARNATION}-0")
        story.life("t1")
        story.life("t2", function_id=2)
        await reader.take()
        assert reader.heard == story.told
        assert len(story.told) == 8
        assert reader.documents[2] == {
            "account": "a",
            "function": "f1",
            "taskId": "t1",
            "eventId": 3,
            "status": "Running",
            "timestamp": reader.documents[2]["timestamp"],
            "eventDetail": {"attempt": 1, "instanceId": "i"},
        }
        assert reader.documents[2]["timestamp"].endswith(".001Z")
        assert reader.documents[0]["eventDetail"] == {}
        reader.watcher.close()

    run(main())


def test_a_claim_without_an_event_is_not_told() -> None:
    """Who holds a Retrying task is nobody's business."""

    async def main() -> None:
        story = Story()
        story.begin("t")
        story.step("t", Claimed(1), Started("i"))
        story.step("t", Faltered(Failure(kind="k", type="t", message="m"), START + 5))
        place = story.feed.place
        story.step("t", Claimed(1))
        assert story.feed.place == place

    run(main())


def test_watchers_hear_what_is_theirs() -> None:
    """An account, a function, a task: nobody hears of another account, whatever it watches."""

    async def main() -> None:
        story = Story()
        story.begin("old")
        whose: dict[str, tuple[str, int, int]] = {
            "account": ("a", 0, 0),
            "function": ("a", 2, 0),
            "task": ("a", 1, 1),
            "other": ("b", 0, 0),
            "crossed": ("b", 1, 1),
        }
        readers = {name: Reader(story.feed.watch(*key)) for name, key in whose.items()}
        for reader in readers.values():
            await reader.take()
        story.life("mine")
        story.life("second", function_id=2)
        story.life("foreign", account_id="b", function_id=3)
        story.step("old", Claimed(1))
        for name, tasks in {
            "account": {"mine", "second", "old"},
            "function": {"second"},
            "task": {"old"},
            "other": {"foreign"},
        }.items():
            await readers[name].take()
            assert readers[name].heard == [each for each in story.told[1:] if each[0] in tasks]
        await readers["crossed"].take()
        assert readers["crossed"].heard == []

    run(main())


@pytest.mark.parametrize("place", range(12))
def test_one_who_comes_back_goes_on_without_gap_or_repeat(place: int) -> None:
    """From whichever event, also from between two that became durable together, and while there is more to come."""

    async def main() -> None:
        story = Story()
        for number in range(3):
            story.life(f"t{number}")
        first = Reader(story.feed.watch("a", last_id=f"{INCARNATION}-0"))
        await first.take(2)
        assert first.heard == story.told
        text = (await anext(Reader(story.feed.watch("a", last_id=f"{INCARNATION}-0")).watcher.pieces())).decode()
        assert text.startswith(": watching")
        ids = await all_ids(story.feed)
        second = Reader(story.feed.watch("a", last_id=ids[place]))
        await second.take()
        story.life("later")
        await second.take()
        assert second.heard == story.told[place + 1 :]
        assert second.resets == []

    run(main())


async def all_ids(feed: Feed) -> list[str]:
    """The id of every event that is kept."""
    pieces = feed.watch("a", last_id=f"{INCARNATION}-0").pieces()
    await anext(pieces)
    lines = (await anext(pieces)).decode().splitlines()
    return [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]


def test_those_at_one_place_share_what_they_get() -> None:
    """The text of a step is made once for all who watch the same."""

    async def main() -> None:
        story = Story()
        watchers = [story.feed.watch("a").pieces() for _ in range(5)]
        for pieces in watchers:
            await anext(pieces)
        story.life("t")
        taken = [await anext(pieces) for pieces in watchers]
        assert all(piece is taken[0] for piece in taken)

    run(main())


REASONS = {
    f"{INCARNATION - 1}-3": "started again",
    f"{INCARNATION + 1}-3": "started again",
    f"{INCARNATION}-999": "no event has this id",
    f"{INCARNATION}-2": "not kept any more",
}


@pytest.mark.parametrize("last_id", REASONS)
def test_one_who_comes_too_late_is_told(last_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id of another start, of no event, or of one that is not kept: a reset first, and then what comes."""
    monkeypatch.setattr(module, "ENTRIES_MAX", 4)

    async def main() -> None:
        story = Story()
        for number in range(3):
            story.life(f"t{number}")
        reader = Reader(story.feed.watch("a", last_id=last_id))
        await reader.take()
        (reset,) = reader.resets
        assert reset["account"] == "a"
        assert REASONS[last_id] in reset["reason"]
        assert reader.heard == []
        story.life("next")
        await reader.take()
        assert reader.heard == story.told[-4:]

    run(main())


def test_the_edge_of_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the event before the oldest that is kept misses nothing; one before that does."""
    monkeypatch.setattr(module, "ENTRIES_MAX", 4)

    async def main() -> None:
        story = Story()
        for number in range(3):
            story.life(f"t{number}")
        assert story.feed.gone == 5
        reader = Reader(story.feed.watch("a", last_id=f"{INCARNATION}-5"))
        await reader.take(2)
        assert (reader.resets, reader.heard) == ([], story.told[-5:])
        late = Reader(story.feed.watch("a", last_id=f"{INCARNATION}-4"))
        await late.take()
        assert late.resets

    run(main())


def test_one_that_is_too_slow_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the ring has turned over what it has not taken: a reset, and the end. Nothing was kept for it."""
    monkeypatch.setattr(module, "ENTRIES_MAX", 4)

    async def main() -> None:
        story = Story()
        slow, quiet = Reader(story.feed.watch("a")), Reader(story.feed.watch("b"))
        await slow.take()
        await quiet.take()
        for number in range(3):
            story.life(f"t{number}")
        await slow.rest()
        assert (slow.heard, len(slow.resets)) == ([], 1)
        assert "faster" in slow.resets[0]["reason"]
        story.life("hers", account_id="b")
        await quiet.take()
        assert (len(quiet.heard), quiet.resets) == (4, [])

    run(main())


def test_the_ring_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long histories turn it sooner."""
    monkeypatch.setattr(module, "BYTES_MAX", 10_000)

    async def main() -> None:
        story = Story()
        for number in range(50):
            story.begin(f"t{number}")
            story.step(f"t{number}", Claimed(1), Started("i" * 1_000))
        assert story.feed.place - story.feed.gone < 20

    run(main())


def test_a_quiet_watcher_hears_a_heartbeat_and_can_come_back_from_it() -> None:
    """With the place it stands at, so that what others did meanwhile costs it nothing."""

    async def main() -> None:
        story, loop = Story(), asyncio.get_running_loop()
        reader = Reader(story.feed.watch("a"))
        await reader.take()
        story.life("foreign", account_id="b")
        began = loop.time()
        await reader.take()
        assert loop.time() - began == HEARTBEAT_SECONDS
        assert (reader.heard, reader.last_id) == ([], f"{INCARNATION}-3")

    run(main())


def test_bounds_of_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an account and of the server; a place is free again when one has left, and its channel is gone."""
    monkeypatch.setattr(module, "WATCHERS_PER_ACCOUNT_MAX", 2)
    monkeypatch.setattr(module, "WATCHERS_MAX", 3)
    feed = Story().feed
    first, second = feed.watch("a"), feed.watch("a")
    with pytest.raises(ResourceExhausted, match="'a' has 2 watchers"):
        feed.watch("a")
    feed.watch("b")
    with pytest.raises(ResourceExhausted, match="this server 3"):
        feed.watch("b")
    first.close()
    first.close()
    assert ("a", 0, 0) in feed._channels
    second.close()
    assert ("a", 0, 0) not in feed._channels
    feed.watch("a")


@pytest.mark.parametrize("last_id", ["x", "7", "7-", "-1", "7-1.", "7-1-1", "7-" + "1" * 19, "\u0667-1"])
def test_an_id_that_is_none(last_id: str) -> None:
    """Named, and nothing is left behind."""
    feed = Story().feed
    with pytest.raises(InvalidArgument, match="Last-Event-ID"):
        feed.watch("a", last_id=last_id)
    assert not feed._channels


def test_a_drain_ends_all_after_what_there_is() -> None:
    """And lets nobody in."""

    async def main() -> None:
        story = Story()
        reader = Reader(story.feed.watch("a"))
        await reader.take()
        story.life("t")
        story.feed.close()
        await reader.rest()
        assert reader.heard == story.told
        with pytest.raises(ServiceUnavailable):
            story.feed.watch("a")

    run(main())
