"""Following a task's log: what is there, what comes, attempt after attempt, and the bounds of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from scripted import Behaviour, Call, Gate, answers, in_turn, raises
from sections import words_of
from sojourn.errors import ResourceExhausted, ServiceUnavailable, TaskNotFound
from sojourn.function import Function
from sojourn.logs import BUFFER_BYTES_MAX, FOLLOWERS_PER_ACCOUNT_MAX, Follower, Unread
from sojourn.output import HEAD_BYTES_MAX, Output
from sojourn.queue import wire_name
from sojourn.sandbox import Reply
from sojourn.task import Status, Task
from virtual_time import run
from world import World


def says(text: bytes, then: Behaviour) -> Behaviour:
    """It writes `text`, then behaves as `then`."""

    async def behave(call: Call) -> Reply:
        call.log(text, 0)
        return await then(call)

    return behave


class Reader:
    """Reads a follower in the background."""

    def __init__(self, follower: Follower) -> None:
        self.text, self.follower = b"", follower
        self._grew = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for piece in self.follower.pieces():
            self.text = words_of(self.text + piece)
            self._grew.set()
        self.follower.close()

    async def until(self, condition: Callable[[bytes], bool]) -> None:
        """Wait until what was read fulfils `condition`."""
        while not condition(self.text):
            self._grew.clear()
            await self._grew.wait()

    async def end(self) -> bytes:
        """Wait for the end; all of it."""
        await self._reading
        return self.text


async def reader(world: World, function: Function, task: Task) -> Reader:
    """A reader of a task's log."""
    return Reader(await world.reading.follow(function, wire_name(task)))


def test_a_follower_reads_along_from_before_the_start_to_the_end() -> None:
    """It waits for a task that has not begun, and each piece comes while the task runs."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", says(b"first\n", in_turn(says(b"second\n", gate))))
            task = await world.submit(function, delay_seconds=60)
            one = await reader(world, function, task)
            await one.until(lambda text: text == b"first\nsecond\n")
            assert not world.row(task).over
            late = await reader(world, function, task)
            await late.until(lambda text: text == b"first\nsecond\n")
            gate.calls[0].log(b"third\n", 5)
            gate.leave()
            for each in (one, late):
                assert await each.end() == b"first\nsecond\n\n... 5 bytes dropped ...\nthird\n"
            after = await reader(world, function, task)
            assert await after.end() == b"first\nsecond\n\n... 5 bytes dropped ...\nthird\n"
            assert not world.queue._watchers

    run(main())


def test_a_follower_goes_on_over_retries() -> None:
    """A line stands before each attempt after the first, and before each where it is known that there are several."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", in_turn(says(b"1\n", raises()), says(b"2\n", raises()), says(b"3\n", gate)))
            task = await world.submit(function)
            early = await reader(world, function, task)
            await gate.busy()
            late = await reader(world, function, task)
            await late.until(lambda text: text.endswith(b"3\n"))
            gate.leave()
            assert await early.end() == b"1\n==> attempt 2 <==\n2\n==> attempt 3 <==\n3\n"
            assert await late.end() == b"==> attempt 1 <==\n1\n==> attempt 2 <==\n2\n==> attempt 3 <==\n3\n"

    run(main())


@pytest.mark.parametrize("delay_seconds", [0, 3600])
def test_a_stop_ends_what_follows(delay_seconds: int) -> None:
    """Whether or not the task had begun."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", says(b"begun\n", gate))
            task = await world.submit(function, delay_seconds=delay_seconds)
            one = await reader(world, function, task)
            if not delay_seconds:
                await gate.busy()
            await world.stop(task)
            assert await one.end() == (b"" if delay_seconds else b"begun\n")

    run(main())


def test_a_drain_ends_what_follows_and_lets_nobody_begin() -> None:
    """A last line says that the task is not over."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            task = await world.submit(function, delay_seconds=3600)
            one = await reader(world, function, task)
            world.reading.close()
            assert await one.end() == b"... the server is going down, the task is not over ...\n"
            with pytest.raises(ServiceUnavailable):
                await world.reading.follow(function, wire_name(task))

    run(main())


def test_there_are_so_many_followers_and_not_more() -> None:
    """Beyond the bound they are refused, until one is closed; an unknown task takes no place."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            task = await world.submit(function, delay_seconds=3600)
            name = wire_name(task)
            followers = [await world.reading.follow(function, name) for _ in range(FOLLOWERS_PER_ACCOUNT_MAX)]
            with pytest.raises(ResourceExhausted):
                await world.reading.follow(function, name)
            followers.pop().close()
            with pytest.raises(TaskNotFound):
                await world.reading.follow(function, "unknown")
            followers.append(await world.reading.follow(function, name))
            for each in followers:
                each.close()
                each.close()
            assert not world.queue._watchers
            assert not world.reading._followers

    run(main())


def test_a_follower_that_waits_asks_nothing_of_the_store() -> None:
    """It is told."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            task = await world.submit(function, delay_seconds=3600)
            one = await reader(world, function, task)
            before = world.store.calls
            await asyncio.sleep(3000)
            assert world.store.calls == before
            await world.reach(task, Status.SUCCEEDED)
            assert await one.end() == b""

    run(main())


def test_a_slow_reader_loses_the_oldest_part_and_is_told() -> None:
    """What it holds is bounded, whatever the pieces, and every byte is there or counted."""
    output = Output()
    output.write(b"kept\n")
    woken = []
    unread = Unread(output, lambda: woken.append(1))
    for number in range(3_000):
        output.write(b"%d " % number + b"x" * (number % 700) + b"\n", number % 3)
        assert unread._size_bytes <= BUFFER_BYTES_MAX
    text = unread.take()

    assert text.startswith(b"\n... ")
    assert text.endswith(b"x\n")
    assert len(text) < 2 * BUFFER_BYTES_MAX
    assert unread.take() == b""
    assert len(woken) == 3_000
    unread.close()
    output.write(b"nobody hears")
    assert unread.take() == b""
    first_gap = int(text.split()[1])
    written = 5 + sum(len(b"%d " % number) + number % 700 + 1 + number % 3 for number in range(3_000))
    gaps = [int(line.split()[1]) for line in text.split(b"\n") if line.startswith(b"... ")]
    kept = sum(len(line) + 1 for line in text.split(b"\n") if line and not line.startswith(b"... "))
    assert sum(gaps) + kept == written
    assert first_gap > HEAD_BYTES_MAX


def test_many_small_pieces_cost_what_a_large_one_does() -> None:
    """A function that writes letter by letter fills no memory with their overhead."""
    output = Output()
    unread = Unread(output, lambda: None)
    for _ in range(100_000):
        output.write(b"x")

    assert len(unread._pieces) < 30
    assert unread.take() == b"x" * 100_000
