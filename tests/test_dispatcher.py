"""The dispatcher on its normal way: who is next, what becomes durable when, and what never starts."""

from __future__ import annotations

import asyncio
from collections import Counter

from scripted import Gate, answers, dies, raises, takes
from sojourn.errors import InstanceStartFailed
from sojourn.identity import request_id
from sojourn.task import MESSAGE_TOO_OLD, Status
from virtual_time import run
from world import SECOND, World

QUEUED = ["Enqueued", "Dequeued"]


def test_a_task_on_a_warm_instance_costs_three_writes() -> None:
    """Submit, claim and start in one, result: and `Running` is durable before user code is called (see `World`)."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b"42"))
            await world.warm(function)
            task = await world.submit(function, b"event")
            (after,) = await world.end(task)

            assert world.store.calls == 3
            assert world.path(task) == [*QUEUED, "Running", "Succeeded"]
            assert (after.result, after.error, after.attempts, after.owner) == (b"42", "", 1, 0)
            assert after.instance_id == world.script.made[0].id
            ((_, invocation),) = world.script.calls
            assert (invocation.request_id, invocation.payload, invocation.retry_count) == (
                request_id(task.id),
                b"event",
                0,
            )
            assert world.details(task, Status.SUCCEEDED)[0]["maxMemoryUsageMB"] == 1.0

    run(main())


def test_while_an_instance_is_made_the_task_shows_as_dequeued() -> None:
    """The claim is durable first, the start when the instance is up."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 1
            task = await world.submit(world.deploy("f", answers()))
            await asyncio.sleep(0.5)
            assert world.path(task) == QUEUED
            await world.end(task)
            assert world.path(task) == [*QUEUED, "Running", "Succeeded"]

    run(main())


def test_claims_are_bounded_by_capacity() -> None:
    """What cannot run stays Enqueued, so that it can be stopped, expires, and costs no attempt."""

    async def main() -> None:
        async with World(memory_mb=384) as world:
            gate = Gate()
            function = world.deploy("f", gate)
            tasks = [await world.submit(function) for _ in range(10)]
            await gate.busy(3)
            await asyncio.sleep(5)

            statuses = Counter(world.row(task).status for task in tasks)
            assert statuses == {Status.RUNNING: 3, Status.ENQUEUED: 7}
            gate.leave()
            await world.end(*tasks)
            assert {world.row(task).attempts for task in tasks} == {1}

    run(main())


def test_reserved_concurrency_bounds_a_function_and_zero_stops_it() -> None:
    """One at a time, in order; none at all; lifted, everything runs."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            single, none = world.deploy("single", gate, reserved=1), world.deploy("none", answers(), reserved=0)
            tasks = [await world.submit(single) for _ in range(3)]
            waiting = await world.submit(none)
            await gate.busy()
            await asyncio.sleep(5)
            assert gate.arrived == 1
            assert [world.row(task).status for task in [*tasks, waiting]] == [
                Status.RUNNING,
                Status.ENQUEUED,
                Status.ENQUEUED,
                Status.ENQUEUED,
            ]
            gate.leave()
            await world.end(*tasks)
            assert [call.invocation.request_id for call in gate.calls] == [request_id(task.id) for task in tasks]
            assert world.script.instances_peak == 1
            world.change(none, reserved_concurrency=None)
            await world.end(waiting)

    run(main())


def test_a_crowd_before_one_function_keeps_no_other_waiting() -> None:
    """A thousand due tasks of one function; the first task of another one is among the next to run."""

    async def main() -> None:
        async with World(memory_mb=256) as world:
            crowd, other = world.deploy("crowd", takes(0.1)), world.deploy("other", takes(0.1))
            many = [await world.submit(crowd) for _ in range(1000)]
            late = await world.submit(other)
            await world.end(late)

            assert sum(world.row(task).over for task in many) <= 10
            await world.end(*many)

    run(main())


def test_a_delayed_task_starts_at_its_moment() -> None:
    """Not before, and at once then."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            await world.warm(function)
            task = await world.submit(function, delay_seconds=30)
            (after,) = await world.end(task)

            assert after.started_at - task.created_at == 30 * SECOND

    run(main())


def test_a_task_behind_a_busy_function_expires_within_a_second_of_its_age() -> None:
    """Although nothing is dequeued meanwhile; it never ran."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", gate, reserved=1, age_seconds=5)
            await world.submit(function)
            late = await world.submit(function)
            (after,) = await world.end(late)

            assert world.path(late) == [*QUEUED, "Expired"]
            assert 0 < after.ended_at - late.expires_at <= SECOND
            assert world.details(late, Status.EXPIRED)[0]["cause"] == MESSAGE_TOO_OLD
            assert (after.attempts, gate.arrived) == (0, 1)
            gate.leave()

    run(main())


def test_the_delay_counts_toward_the_age() -> None:
    """A task whose delay is longer than its age expires at its age, unseen by any instance."""

    async def main() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", answers(), age_seconds=5), delay_seconds=3600)
            (after,) = await world.end(task)

            assert after.status is Status.EXPIRED
            assert after.ended_at - task.expires_at <= SECOND
            assert world.script.made == []

    run(main())


def test_a_task_that_grows_too_old_while_its_instance_is_made_expires() -> None:
    """The age is looked at again before the start."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 10
            task = await world.submit(world.deploy("f", answers(), age_seconds=5))
            (after,) = await world.end(task)

            assert after.status is Status.EXPIRED
            assert world.script.calls == []

    run(main())


def test_a_task_that_has_run_and_grows_too_old_ends_failed() -> None:
    """Expired means never started."""

    async def main() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", raises(), retries=8, age_seconds=5))
            (after,) = await world.end(task)

            assert world.path(task)[-2:] == ["Retrying", "Failed"]
            assert world.details(task, Status.FAILED)[0]["cause"] == MESSAGE_TOO_OLD
            assert after.ended_at - task.expires_at <= SECOND

    run(main())


def test_a_flood_of_old_tasks_all_expire() -> None:
    """Five thousand at a time."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers(), reserved=0, age_seconds=5)
            tasks = [await world.submit(function) for _ in range(5000)]
            ended = await world.end(*tasks)

            assert Counter(task.status for task in ended) == {Status.EXPIRED: 5000}

    run(main())


def test_tasks_of_a_deleted_function_become_invalid_and_running_ones_finish() -> None:
    """Invalid was never started; no instance is made to find that out."""

    async def main() -> None:
        async with World() as world:
            gate = Gate(b"finished")
            function = world.deploy("f", gate, reserved=1)
            running, waiting = await world.submit(function), await world.submit(function)
            await gate.busy()
            world.change(function, deleted=True, reserved_concurrency=None)
            await world.end(waiting)
            gate.leave()
            (after,) = await world.end(running)

            assert world.path(waiting) == [*QUEUED, "Invalid"]
            assert world.details(waiting, Status.INVALID)[0]["Error"] == "FunctionDeleted"
            assert (after.status, after.result) == (Status.SUCCEEDED, b"finished")
            assert len(world.script.made) == 1

    run(main())


def test_a_function_that_is_deleted_while_its_instance_is_made_does_not_run() -> None:
    """It is looked at again before the start."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 1
            function = world.deploy("f", answers())
            task = await world.submit(function)
            await world.reach(task, Status.DEQUEUED)
            world.change(function, deleted=True)
            await world.end(task)

            assert world.path(task) == [*QUEUED, "Invalid"]
            assert world.script.calls == []

    run(main())


def test_a_retry_whose_function_was_deleted_ends_failed() -> None:
    """Invalid means never started."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", raises())
            task = await world.submit(function)
            await world.reach(task, Status.RETRYING)
            world.change(function, deleted=True)
            await world.end(task)

            assert world.path(task)[-2:] == ["Retrying", "Failed"]
            assert len(world.script.calls) == 1

    run(main())


def test_a_function_created_again_under_the_same_name_does_not_run_the_old_ones_tasks() -> None:
    """Another generation is another function."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers(), reserved=0)
            old = await world.submit(function)
            function = world.change(function, generation=2, reserved_concurrency=None)
            new = await world.submit(function)
            await world.end(old, new)

            assert world.row(old).status is Status.INVALID
            assert world.row(new).status is Status.SUCCEEDED

    run(main())


def test_an_instance_that_is_lost_while_it_starts_is_tried_again() -> None:
    """It costs no attempt; user code has not run."""

    async def main() -> None:
        async with World() as world:
            world.script.create_failures = [InstanceStartFailed("SandboxLost", "gone", lost=True) for _ in range(3)]
            task = await world.submit(world.deploy("f", answers()))
            (after,) = await world.end(task)

            assert (after.status, after.attempts, after.losses) == (Status.SUCCEEDED, 1, 0)
            assert world.dispatcher._executor.starts_lost == {}

    run(main())


def test_an_instance_that_is_lost_at_every_start_makes_the_task_invalid() -> None:
    """Not for ever: it could never be triggered."""

    async def main() -> None:
        async with World() as world:
            world.script.create_failures = [InstanceStartFailed("SandboxLost", "gone", lost=True) for _ in range(99)]
            task = await world.submit(world.deploy("f", answers()))
            (after,) = await world.end(task)

            assert (after.status, after.attempts) == (Status.INVALID, 0)
            assert world.details(task, Status.INVALID)[0]["Error"] == "SandboxLost"
            assert world.dispatcher._executor.starts_lost == {}

    run(main())


def test_an_instance_that_cannot_be_made_makes_the_task_invalid_at_once() -> None:
    """Trying again would not help; a Retrying task ends Failed for the same reason."""

    async def main() -> None:
        async with World() as world:
            world.script.create_failures = [InstanceStartFailed("CodeMissing", "the code is gone")]
            task = await world.submit(world.deploy("f", answers()))
            await world.end(task)
            assert world.path(task) == [*QUEUED, "Invalid"]
            assert world.details(task, Status.INVALID)[0] == {"Error": "CodeMissing", "message": "the code is gone"}

            again = await world.submit(world.deploy("g", dies()))
            await world.reach(again, Status.RETRYING)
            world.script.create_failures = [InstanceStartFailed("CodeMissing", "the code is gone")]
            await world.end(again)
            assert world.path(again)[-2:] == ["Retrying", "Failed"]

    run(main())


def test_a_full_disk_under_the_sandbox_delays_a_task_and_loses_none() -> None:
    """Whatever a start raises, the task is tried again and its memory is free."""

    async def main() -> None:
        async with World() as world:
            world.script.start_failures = [OSError(28, "No space left on device"), RuntimeError("unheard of")]
            task = await world.submit(world.deploy("f", answers()))
            (after,) = await world.end(task)

            assert after.status is Status.SUCCEEDED

    run(main())


def test_an_eviction_never_fails_somebody_elses_task() -> None:
    """Functions that crowd each other out of memory cost time, never an attempt."""

    async def main() -> None:
        async with World(memory_mb=512) as world:
            functions = [
                world.deploy(f"f{number}", takes(0.01), memory_mb=128 + 64 * (number % 3), retries=0)
                for number in range(8)
            ]
            tasks = [await world.submit(function) for _ in range(30) for function in functions]
            ended = await world.end(*tasks)

            assert Counter(task.status for task in ended) == {Status.SUCCEEDED: 240}
            assert {task.attempts for task in ended} == {1}

    run(main())


def test_a_clock_that_steps_back_leaves_histories_in_order() -> None:
    """Stamps never decrease within a task (see `World`), and the work goes on."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", gate)
            task = await world.submit(function)
            await gate.busy()
            world.clock.ahead_us = -3600 * SECOND
            late = await world.submit(function)
            gate.leave()
            ended = await world.end(task, late)

            assert {each.status for each in ended} == {Status.SUCCEEDED}
            assert late.id > task.id

    run(main())
