"""Retries that a function steers, and the age that bounds every wait."""

from __future__ import annotations

import msgspec

from scripted import Behaviour, Call, Gate, answers, in_turn
from sojourn.sandbox import Reply
from sojourn.task import MESSAGE_TOO_OLD, UNHANDLED, Status
from virtual_time import run
from world import SECOND, World


def asks(*, retryable: bool = True, retry_after_seconds: float | None = None) -> Behaviour:
    """It answers an error that says whether and when to try again."""

    async def behave(_: Call) -> Reply:
        document = msgspec.json.encode({"errorMessage": "busy", "errorType": "Busy"})
        return Reply(
            ok=False,
            payload=document,
            kind=UNHANDLED,
            type="Busy",
            message="busy",
            retryable=retryable,
            retry_after_seconds=retry_after_seconds,
        )

    return behave


def test_a_function_says_when_it_is_tried_again() -> None:
    """To the microsecond, without jitter; each time costs a retry."""

    async def main() -> None:
        async with World() as world:
            behaviour = in_turn(asks(retry_after_seconds=100), asks(retry_after_seconds=0), answers(b"ok"))
            task = await world.submit(world.deploy("f", behaviour))
            (after,) = await world.end(task)

            assert (after.status, after.attempts, after.retries) == (Status.SUCCEEDED, 3, 2)
            assert [detail["retryAfterSeconds"] for detail in world.details(task, Status.RETRYING)] == [100, 0]
            began = [event.at for event in after.events if event.status == "Running"]
            assert 100 * SECOND <= began[1] - began[0] < 101 * SECOND
            assert began[2] - began[1] < SECOND

    run(main())


def test_a_function_says_that_it_is_not_to_be_tried_again() -> None:
    """The task fails at once, with retries left."""

    async def main() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", asks(retryable=False), retries=8))
            (after,) = await world.end(task)

            assert world.path(task) == ["Enqueued", "Dequeued", "Running", "Failed"]
            assert (after.attempts, after.retries, after.error) == (1, 0, UNHANDLED)
            assert world.details(task, Status.FAILED)[0]["retryable"] is False

    run(main())


def test_a_wait_beyond_the_age_ends_at_the_age() -> None:
    """A function that asks for an hour gets no more than its task has left; the last error stays."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", asks(retry_after_seconds=3600), retries=8, age_seconds=5)
            task = await world.submit(function)
            (after,) = await world.end(task)

            assert world.path(task)[-2:] == ["Retrying", "Failed"]
            assert world.details(task, Status.FAILED)[0] == {"cause": MESSAGE_TOO_OLD, "Error": UNHANDLED}
            assert 0 < after.ended_at - task.expires_at <= SECOND
            assert (after.attempts, after.error) == (1, UNHANDLED)
            assert msgspec.json.decode(after.result)["errorType"] == "Busy"

    run(main())


def test_a_wait_that_a_function_asks_for_survives_a_restart() -> None:
    """The row says when it is due."""

    async def main() -> None:
        world = World()
        async with world:
            behaviour = in_turn(asks(retry_after_seconds=1000), answers(b"ok"))
            task = await world.submit(world.deploy("f", behaviour))
            waiting = await world.reach(task, Status.RETRYING)
            await world.crash()
        async with World(store=world.store, functions=world.functions) as again:
            again.script.behaviours["f"] = answers(b"ok")
            (after,) = await again.end(task)
            began = [event.at for event in after.events if event.status == "Running"]
            assert began[1] >= waiting.due_at
            assert after.result == b"ok"

    run(main())


def test_a_running_retry_shows_no_error_of_the_attempt_before() -> None:
    """Neither its class nor its document, also in the store."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            behaviour = in_turn(asks(retry_after_seconds=1), gate)
            task = await world.submit(world.deploy("f", behaviour))
            retrying = await world.reach(task, Status.RETRYING)
            assert (retrying.error, retrying.result != b"") == (UNHANDLED, True)
            await gate.busy()
            row = world.row(task)
            assert (row.status, row.error, row.result) == (Status.RUNNING, "", b"")
            gate.leave()
            await world.end(task)

    run(main())
