"""Submits of an asynchronous client that go together."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from client.fake_server import FakeServer, Reply, error
from sojourn.client import (
    AsyncClient,
    Conflict,
    NotFound,
    Retries,
    Submission,
    Throttled,
    Unreachable,
    gathering,
)


def run(server: FakeServer, talk: Any, **options: Any) -> Any:
    """Let `talk` have a client."""

    async def main() -> Any:
        async with AsyncClient(server.connection, **options) as client:
            return await talk(client)

    return asyncio.run(main())


async def all_of(*calls: Any) -> list[Any]:
    """What each comes to, errors too."""
    return list(await asyncio.gather(*calls, return_exceptions=True))


def test_one_goes_as_itself_and_many_together(server: FakeServer) -> None:
    """A thousand at a time are a few calls, in order; each has its own id and payload."""

    async def talk(client: AsyncClient) -> None:
        await client.submit("hello", "alone")
        found = await all_of(*(client.submit("hello", str(n), task_id=f"t{n}", delay=1) for n in range(1000)))
        assert [each.task_id for each in found] == [f"t{n}" for n in range(1000)]

    run(server, talk)
    assert server.actions() == ["InvokeFunction", "SubmitTasks", "SubmitTasks"]
    assert [server.tasks["hello", f"t{n}"]["taskPayload"] for n in range(1000)] == [str(n) for n in range(1000)]
    assert b'"delaySeconds":1' in server.requests[1].body


def test_each_has_its_own_outcome(server: FakeServer) -> None:
    """What one is refused with is nobody else's; with existing_ok a task that is there counts."""
    server.add_task("hello", "old")

    async def talk(client: AsyncClient) -> list[Any]:
        return await all_of(
            client.submit("hello", "a", task_id="new"),
            client.submit("hello", "b", task_id="old"),
            client.submit("hello", "c", task_id="old", existing_ok=True),
            client.submit("none", "d"),
            client.submit("none", "e"),
        )

    new, taken, existed, lost, other = run(server, talk)
    assert (new.task_id, new.existed) == ("new", False)
    assert type(taken) is Conflict
    assert existed == Submission(task_id="old", request_id="", existed=True)
    assert type(lost) is type(other) is NotFound
    assert lost is not other


def test_a_lost_answer_is_asked_for_again_only_where_that_is_safe(server: FakeServer) -> None:
    """Those that count a task that is there are sent again, together; the others are told."""

    def accept_then_hang_up(seen: Any) -> None:
        server.on_request = lambda _: None
        server._batch(seen, "hello")
        server.faults["SubmitTasks"].append(Reply(0))

    server.on_request = accept_then_hang_up

    async def talk(client: AsyncClient) -> list[Any]:
        return await all_of(*(client.submit("hello", task_id=f"t{n}", existing_ok=n > 0) for n in range(4)))

    first, *others = run(server, talk)
    assert type(first) is Unreachable
    assert [each.existed for each in others] == [True] * 3
    assert server.actions() == ["SubmitTasks", "SubmitTasks"]


def test_no_room_is_told_to_each_or_waited_out(server: FakeServer) -> None:
    """Nothing of the batch was accepted, so all of it may be sent again."""
    full = error(429, "ResourceExhausted", "too many", Retry_After="0")

    async def talk(client: AsyncClient) -> list[Any]:
        server.faults["SubmitTasks"].append(full)
        return await all_of(*(client.submit("hello") for _ in range(3)))

    assert {type(each) for each in run(server, talk)} == {Throttled}
    patient = Retries(throttled=1, base_seconds=0.001)
    assert {type(each) for each in run(server, talk, retries=patient)} == {Submission}
    assert len(server.tasks) == 3


def test_what_is_cancelled_before_it_leaves_is_not_sent(server: FakeServer) -> None:
    """And what is cancelled on its way changes nothing for the others."""

    async def talk(client: AsyncClient) -> None:
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        server.on_request = lambda _: loop.call_soon_threadsafe(asked.set)
        calls = [asyncio.ensure_future(client.submit("hello", task_id=f"t{n}")) for n in range(3)]
        await asyncio.sleep(0)
        calls[0].cancel()
        await asked.wait()
        calls[1].cancel()
        assert (await calls[2]).task_id == "t2"

    run(server, talk)
    assert sorted(name for _, name in server.tasks) == ["t1", "t2"]


def test_large_payloads_go_alone(server: FakeServer) -> None:
    """And those that are many are cut where a call is full."""
    large = b"x" * (gathering.PAYLOAD_BYTES_MAX + 1)
    some = b"x" * gathering.PAYLOAD_BYTES_MAX

    async def talk(client: AsyncClient) -> None:
        await all_of(client.submit("hello", large), *(client.submit("hello", some) for _ in range(20)))

    run(server, talk)
    assert sorted(server.actions()) == ["InvokeFunction", "SubmitTasks", "SubmitTasks"]
    assert len(server.tasks) == 21


def test_functions_do_not_wait_for_each_other(server: FakeServer) -> None:
    """Each has calls of its own, at most two at a time; what gathers meanwhile is the next one."""
    server.add_function("other")
    most = 0

    async def talk(client: AsyncClient) -> None:
        nonlocal most

        async def several(function: str) -> None:
            nonlocal most
            for _ in range(5):
                await client.submit(function)
                most = max(most, *(each.calls for each in client._gathering._functions.values()))

        await all_of(*(several(name) for name in ("hello", "other") for _ in range(50)))
        assert client._gathering._functions == {} or not any(
            each.waiting for each in client._gathering._functions.values()
        )

    run(server, talk)
    assert len(server.tasks) == 500
    assert 0 < most <= gathering.CALLS_MAX
    assert len(server.requests) < 100


@pytest.mark.filterwarnings("error")
def test_closing_gives_up_what_is_on_its_way(server: FakeServer) -> None:
    """Who waits is told, and nothing is left behind."""

    async def main() -> None:
        client = AsyncClient(server.connection)
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        server.on_request = lambda _: loop.call_soon_threadsafe(asked.set)
        calls = [asyncio.ensure_future(client.submit("hello")) for _ in range(3)]
        await asked.wait()
        await client.close()
        found = await all_of(*calls)
        assert all(isinstance(each, asyncio.CancelledError | Submission) for each in found)

    asyncio.run(main())
    gc.collect()
