"""Attempts: every end of user code, what it costs, and what follows."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from scripted import TERMINATED, Behaviour, Call, Gate, answers, dies, in_turn, raises, takes
from sojourn.outcome import CRASHED, OUT_OF_MEMORY, TIMEOUT
from sojourn.sandbox import Exit, Reply
from sojourn.task import HANDLED, INSTANCE_LOST, LOSSES_MAX, UNHANDLED, Status
from virtual_time import run
from world import SECOND, World, unframed

QUEUED = ["Enqueued", "Dequeued"]


FAILURES: list[tuple[str, Behaviour, str, str]] = [
    ("exception", raises("KeyError"), UNHANDLED, "KeyError"),
    ("handled", raises("Error", kind=HANDLED), HANDLED, "Error"),
    ("timeout", takes(1000), UNHANDLED, TIMEOUT),
    ("crash", dies(), UNHANDLED, CRASHED),
    ("exit 0", dies(Exit(code=0)), UNHANDLED, CRASHED),
    ("oom", dies(Exit(signal=9, oom=True)), UNHANDLED, OUT_OF_MEMORY),
]


@pytest.mark.parametrize(
    ("behaviour", "kind", "type_"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_every_failure_without_retries_ends_the_task(behaviour: Behaviour, kind: str, type_: str) -> None:
    """The record carries the wire's class and the document, the event the precise type; the next task is unharmed."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", in_turn(behaviour, answers()), retries=0, reserved=1)
            task, following = await world.submit(function), await world.submit(function)
            after, _ = await world.end(task, following)

            assert world.path(task) == [*QUEUED, "Running", "Failed"]
            assert (after.error, after.attempts, after.retries) == (kind, 1, 0)
            assert msgspec.json.decode(after.result)["errorType"] == type_
            (detail,) = world.details(task, Status.FAILED)
            assert (detail["Error"], detail["errorType"]) == (kind, type_)
            assert world.row(following).status is Status.SUCCEEDED

    run(main())


def test_a_timed_out_instance_is_ended_and_proved_gone() -> None:
    """The event tells the signals; the instance is not used again."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", in_turn(takes(1000), answers()), retries=1, timeout_seconds=3)
            task = await world.submit(function)
            (after,) = await world.end(task)

            assert after.status is Status.SUCCEEDED
            (detail,) = world.details(task, Status.RETRYING)
            assert detail["signalsSent"] == list(TERMINATED.signals_sent)
            assert detail["processesLeft"] == 0
            assert world.script.stops[0] == (world.script.made[0].id, "timeout")
            assert len(world.script.made) == 2
            running = [event for event in after.events if event.status in ("Running", "Retrying")]
            assert 3 * SECOND <= running[1].at - running[0].at < 3.1 * SECOND

    run(main())


def test_an_answer_at_the_last_moment_does_not_hand_a_doomed_instance_on() -> None:
    """When answer and timeout fall together, one of them counts and the next task runs on an instance that lives."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            function = world.deploy("f", in_turn(takes(3), answers()), retries=0, timeout_seconds=3)
            first, second = await world.submit(function), await world.submit(function)
            await world.end(first, second)

            assert world.row(second).status is Status.SUCCEEDED
            assert world.row(first).status in (Status.SUCCEEDED, Status.FAILED)

    run(main())


def test_retries_wait_longer_each_time_and_their_number_is_bounded() -> None:
    """1, 2, 4 … seconds, spread by a fifth, counted and announced; the handler is told how often it was tried."""

    async def main() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", raises(), retries=3))
            (after,) = await world.end(task)

            attempt = ["Running", "Retrying"]
            assert world.path(task) == [*QUEUED, *attempt * 3, "Running", "Failed"]
            assert (after.attempts, after.retries, after.losses) == (4, 3, 0)
            assert [invocation.retry_count for _, invocation in world.script.calls] == [0, 1, 2, 3]
            events = after.events
            waits = [
                (later.at - earlier.at) / SECOND
                for earlier, later in itertools.pairwise(events)
                if earlier.status == "Retrying"
            ]
            for wait, expected in zip(waits, (1, 2, 4), strict=True):
                assert 0.8 * expected <= wait <= 1.2 * expected + 0.01
            for event, detail in zip(events[3::2], world.details(task, Status.RETRYING), strict=False):
                assert event.at // 1000 < int(str(detail["retryAt"]))

    run(main())


def test_a_task_that_fails_twice_succeeds_in_the_third_attempt() -> None:
    """The error of earlier attempts is not what it ends with, their logs are kept apart."""

    async def main() -> None:
        async with World() as world:

            async def speak(call: Call) -> Reply:
                call.log(b"attempt %d" % call.invocation.retry_count, 0)
                return await in_turn_(call)

            in_turn_ = in_turn(raises(), raises(), answers(b"fine"))
            task = await world.submit(world.deploy("f", speak))
            (after,) = await world.end(task)

            assert (after.status, after.result, after.error, after.attempts) == (Status.SUCCEEDED, b"fine", "", 3)
            assert world.logs(task) == {1: b"attempt 0", 2: b"attempt 1", 3: b"attempt 2"}

    run(main())


def test_losses_are_ours_and_have_a_budget_of_their_own() -> None:
    """A sandbox that goes away costs no retry: with none allowed the task still runs again."""

    async def main() -> None:
        async with World() as world:

            async def lose(call: Call) -> Reply:
                call.sandbox.lose()
                return await takes(1)(call)

            once = await world.submit(world.deploy("once", in_turn(lose, answers()), retries=0))
            (after,) = await world.end(once)
            assert (after.status, after.attempts, after.retries, after.losses) == (Status.SUCCEEDED, 2, 0, 1)
            assert world.details(once, Status.RETRYING)[0]["errorType"] == INSTANCE_LOST

            poison = await world.submit(world.deploy("poison", lose, retries=0))
            (after,) = await world.end(poison)
            assert (after.status, after.attempts, after.losses) == (Status.FAILED, LOSSES_MAX + 1, LOSSES_MAX)

    run(main())


def test_errors_and_losses_do_not_eat_each_others_budget() -> None:
    """Two of each, in turn, with two retries: the fifth attempt is allowed."""

    async def main() -> None:
        async with World() as world:

            async def lose(call: Call) -> Reply:
                call.sandbox.lose()
                return await takes(1)(call)

            behaviour = in_turn(lose, raises(), lose, raises(), answers())
            task = await world.submit(world.deploy("f", behaviour, retries=2))
            (after,) = await world.end(task)

            assert (after.status, after.attempts, after.retries, after.losses) == (Status.SUCCEEDED, 5, 2, 2)
            assert [invocation.retry_count for _, invocation in world.script.calls] == [0, 1, 2, 3, 4]

    run(main())


def test_what_an_attempt_wrote_is_kept_and_shown_while_it_runs() -> None:
    """So far, then all of it, under its attempt's number, written with the end in one transaction."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()

            async def speak(call: Call) -> Reply:
                call.log(b"begin ", 0)
                reply = await gate(call)
                call.log(b"end", 0)
                return reply

            task = await world.submit(world.deploy("f", speak))
            await gate.busy()
            (so_far,) = await world.reading.read(task)
            assert (so_far.attempt, unframed(so_far.head)) == (1, b"begin ")
            gate.leave()
            await world.end(task)
            assert world.logs(task) == {1: b"begin end"}
            calls = world.store.calls
            (kept,) = await world.reading.read(task)
            assert unframed(kept.head) == b"begin end"
            assert world.store.calls == calls

    run(main())


def test_a_function_has_waits_of_its_own_between_its_attempts() -> None:
    """The first and the longest one, in place of the server's."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", raises(), retries=3)
            assert function.async_config is not None
            config = msgspec.structs.replace(
                function.async_config, retry_interval_seconds=30, retry_interval_max_seconds=50
            )
            task = await world.submit(world.change(function, async_config=config))
            (after,) = await world.end(task)
            waits = [
                (later.at - earlier.at) / SECOND
                for earlier, later in itertools.pairwise(after.events)
                if earlier.status == "Retrying"
            ]
            for wait, expected in zip(waits, (30, 50, 50), strict=True):
                assert 0.8 * expected <= wait <= 1.2 * expected + 0.01

    run(main())


def test_the_handler_is_told_when_it_must_be_done() -> None:
    """The deadline counts from the call, not from the submit or from the making of its instance."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 5.0
            function = world.deploy("f", answers(), timeout_seconds=60)
            task = await world.submit(function)
            (after,) = await world.end(task)
            ((_, invocation),) = world.script.calls

            running = next(event.at for event in after.events if event.status == "Running")
            assert running >= after.created_at + 5 * SECOND
            assert 60 * SECOND <= invocation.deadline_at - running < 61 * SECOND

    run(main())
