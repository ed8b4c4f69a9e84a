"""The hooks: one test for each rule of the table, on the real pool, attempts and dispatcher."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from scripted import Call, Gate, answers, errs, in_turn, kills, lasts, takes
from sojourn import hook
from sojourn.configuration import new_config
from sojourn.errors import InvalidArgument
from sojourn.function import Hook, Lifecycle
from sojourn.hook import HOOKS, INITIALIZER, PRE_FREEZE, PRE_STOP
from sojourn.identity import request_id
from sojourn.instance import Status as InstanceStatus
from sojourn.outcome import CRASHED, OUT_OF_MEMORY, TIMEOUT
from sojourn.sandbox import Exit, Reply
from sojourn.task import INITIALIZATION, UNHANDLED, Status
from virtual_time import run, settle
from world import World

ALL = Lifecycle(
    initializer=Hook(handler="index.initialize", timeout=5),
    pre_freeze=Hook(handler="index.freeze", timeout=5),
    pre_stop=Hook(handler="index.stop", timeout=5),
)


def hooked(lifecycle: Lifecycle = ALL, **config: Any) -> dict[str, Any]:
    """Settings of a function with these hooks."""
    return {"instance_lifecycle_config": lifecycle, **config}


def calls_of(world: World, name: str) -> list[tuple[str, str]]:
    """The calls of a hook: instance and request id."""
    return [(instance_id, request) for which, instance_id, request in world.script.hooks if which == name]


def test_a_hook_that_is_not_configured_is_never_called() -> None:
    """Through a whole life: start, call, freeze, thaw, call, end (the scripted sandbox writes offences down)."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            for _ in range(2):
                await world.end(await world.submit(function))
                await asyncio.sleep(1)

            assert world.script.hooks == []
            assert len(world.script.made) == 1

    run(main())


@pytest.mark.parametrize("rule", HOOKS.values(), ids=HOOKS)
def test_a_timeout_is_within_the_bounds_of_its_row(rule: hook.Rule) -> None:
    """The bounds and the default of the table are those that a configuration is held to."""

    def configured(**hook_: object) -> Hook:
        body = {"runtime": "python3.12", "handler": "index.handler", "instanceLifecycleConfig": {rule.name: hook_}}
        made: Hook = getattr(new_config(body).instance_lifecycle_config, rule.attribute)
        return made

    low, high = rule.seconds
    assert configured(handler="index.h").timeout == rule.seconds_default
    for seconds in rule.seconds:
        assert configured(handler="index.h", timeout=seconds).timeout == seconds
    for seconds in (low - 1, high + 1):
        with pytest.raises(InvalidArgument, match=f"between {low} and {high}"):
            configured(handler="index.h", timeout=seconds)


def test_the_initializer_runs_once_before_the_first_handler_under_the_tasks_request_id() -> None:
    """`Running` is durable first; its output stands in its own section of the attempt's log."""

    async def main() -> None:
        async with World() as world:
            seen: list[Status] = []

            async def initialize(call: Call):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a hook's behaviour
                seen.append(world.row(tasks[0]).status)
                return await lasts(2)(call)

            world.script.hook_behaviours["f", INITIALIZER] = initialize
            function = world.deploy("f", answers(), reserved=1, config=hooked())
            tasks = [await world.submit(function)]
            tasks.append(await world.submit(function))
            await world.end(*tasks)

            assert calls_of(world, INITIALIZER) == [(world.script.made[0].id, request_id(tasks[0].id))]
            assert seen == [Status.RUNNING]
            first, second = (world.details(task, Status.SUCCEEDED)[0] for task in tasks)
            assert (first["isColdStart"], first["initializerMs"]) == (True, 2000)
            assert second["isColdStart"] is False
            assert "initializerMs" not in second
            (log,) = [each for (owner, _), each in world.store.data.logs.items() if owner == tasks[0].id]
            lines = log.head.decode().splitlines()
            own = request_id(tasks[0].id)
            assert lines == [f"FC Initialize Start RequestId: {own}", "hook", f"FC Initialize End RequestId: {own}"]

    run(main())


def test_the_initializer_has_a_timeout_of_its_own() -> None:
    """Longer than the function's, and the function's begins after it."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", INITIALIZER] = lasts(4)
            function = world.deploy("f", takes(2), timeout_seconds=3, config=hooked())
            (after,) = await world.end(await world.submit(function))
            assert after.status is Status.SUCCEEDED

    run(main())


INITIALIZER_FAILURES: list[tuple[str, Any, str, str, str]] = [
    ("error", errs("KeyError", "no such key"), INITIALIZATION, "KeyError", "no such key"),
    ("timeout", lasts(100), INITIALIZATION, TIMEOUT, "Function initialization timed out after 5 seconds"),
    ("exit", kills(Exit(code=3)), INITIALIZATION, CRASHED, "exit status 3"),
    ("oom", kills(Exit(signal=9, oom=True)), UNHANDLED, OUT_OF_MEMORY, "memory limit"),
]


@pytest.mark.parametrize(
    ("behaviour", "kind", "type_", "message"),
    [row[1:] for row in INITIALIZER_FAILURES],
    ids=[row[0] for row in INITIALIZER_FAILURES],
)
def test_an_initializer_that_fails_fails_the_attempt_and_destroys_the_instance(
    behaviour: Any, kind: str, type_: str, message: str
) -> None:
    """No PreStop, since it was never initialized; the retry gets a new instance and runs Initializer again."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", INITIALIZER] = behaviour
            function = world.deploy("f", answers(), retries=1, config=hooked())
            task = await world.submit(function)
            await world.reach(task, Status.RETRYING)
            del world.script.hook_behaviours["f", INITIALIZER]
            (after,) = await world.end(task)

            (detail,) = world.details(task, Status.RETRYING)
            assert (detail["Error"], detail["errorType"]) == (kind, type_)
            assert message in str(detail["errorMessage"])
            assert after.status is Status.SUCCEEDED
            assert [each for each, _ in calls_of(world, INITIALIZER)] == [each.id for each in world.script.made]
            assert len(world.script.made) == 2
            assert calls_of(world, PRE_STOP) == []
            assert all(not order.pre_stop for _, order in world.script.orders)

    run(main())


def test_the_document_of_a_failed_initializer_is_the_tasks_result() -> None:
    """As with any function error."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", INITIALIZER] = errs("KeyError", "no such key")
            task = await world.submit(world.deploy("f", answers(), retries=0, config=hooked()))
            (after,) = await world.end(task)

            assert (after.status, after.error) == (Status.FAILED, INITIALIZATION)
            assert msgspec.json.decode(after.result) == {"errorMessage": "no such key", "errorType": "KeyError"}

    run(main())


def test_an_instance_whose_task_was_lost_before_it_ran_is_initialized_all_the_same() -> None:
    """Under a request id of its own; the next task finds it ready, and it is no cold start."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 1
            function = world.deploy("f", answers(), config=hooked())
            task = await world.submit(function)
            await world.reach(task, Status.DEQUEUED)
            await world.stop(task)
            await asyncio.sleep(3)
            ((_, own),) = calls_of(world, INITIALIZER)
            assert own != request_id(task.id)
            following = await world.submit(function)
            await world.end(following)

            assert len(calls_of(world, INITIALIZER)) == 1
            assert world.details(following, Status.SUCCEEDED)[0]["isColdStart"] is False

    run(main())


def test_a_stop_during_the_initializer_ends_it_without_pre_stop() -> None:
    """The instance was never initialized."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", INITIALIZER] = lasts(4)
            task = await world.submit(world.deploy("f", answers(), config=hooked()))
            await world.reach(task, Status.RUNNING)
            await asyncio.sleep(1)
            await world.stop(task)
            (after,) = await world.end(task)

            assert after.status is Status.STOPPED
            assert calls_of(world, PRE_STOP) == []
            assert world.script.calls == []

    run(main())


def test_pre_freeze_runs_once_per_freeze_after_the_last_invocation() -> None:
    """Under an id of its own; what it came to, and what it wrote, are events of the instance."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", PRE_FREEZE] = lasts(1)
            function = world.deploy("f", answers(), config=hooked())
            for count in (1, 2):
                await world.warm_up(function)
                await asyncio.sleep(5)
                assert len(calls_of(world, PRE_FREEZE)) == count
            (used,) = world.pool.instances()

            assert used.status is InstanceStatus.FROZEN
            assert len({request for _, request in calls_of(world, PRE_FREEZE)}) == 2
            events = [event for event in used.events if event.name == PRE_FREEZE]
            assert [(event.detail["ok"], event.detail["ms"], event.detail["output"]) for event in events] == [
                (True, 1000, "hook")
            ] * 2

    run(main())


def test_a_pre_freeze_that_fails_keeps_nobody_awake() -> None:
    """The freeze goes ahead."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", PRE_FREEZE] = errs()
            await world.warm_up(world.deploy("f", answers(), config=hooked()))
            await asyncio.sleep(10)
            (used,) = world.pool.instances()

            assert used.status is InstanceStatus.FROZEN
            (event,) = [event for event in used.events if event.name == PRE_FREEZE]
            assert event.detail["ok"] is False

    run(main())


def test_an_instance_whose_pre_freeze_does_not_return_is_ended() -> None:
    """It is frozen, and goes through PreStop before anybody gets it: the hook is still in there."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", PRE_FREEZE] = lasts(100)
            function = world.deploy("f", answers(), config=hooked())
            await world.warm_up(function)
            (used,) = world.pool.instances()
            await asyncio.sleep(10)

            assert used.status is InstanceStatus.DESTROYED
            assert [event.name for event in used.events][-6:] == [
                PRE_FREEZE,
                "Frozen",
                "StopBegun",
                "Thawed",
                PRE_STOP,
                "Destroyed",
            ]
            await world.warm_up(function)

    run(main())


def test_pre_stop_runs_while_the_handler_is_busy_and_its_outcome_is_evidence() -> None:
    """A stop tells it why and which task; its section stands in the log of the stopped attempt."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            world.script.hook_behaviours["f", PRE_STOP] = lasts(2)
            function = world.deploy("f", gate, config=hooked())
            task = await world.submit(function, name="mine")
            await gate.busy()
            await world.stop(task)
            await world.end(task)

            ((_, own),) = calls_of(world, PRE_STOP)
            ((_, order),) = world.script.orders
            assert (order.reason, order.task_id, order.request_id, order.pre_stop) == ("stop", "mine", own, True)
            assert own != request_id(task.id)
            (detail,) = world.details(task, Status.STOPPED)
            assert detail["preStop"] == {"ok": True, "ms": 2000, "timedOut": False}
            assert detail["processesLeft"] == 0
            (log,) = world.store.data.logs.values()
            assert log.head.decode().splitlines()[-3:] == [
                f"FC PreStop Start RequestId: {own}",
                "hook",
                f"FC PreStop End RequestId: {own}",
            ]

    run(main())


@pytest.mark.parametrize("behaviour", [errs(), lasts(100)], ids=["error", "timeout"])
def test_a_pre_stop_that_fails_stops_nobody_from_stopping(behaviour: Any) -> None:
    """The stop goes ahead, and tells."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            world.script.hook_behaviours["f", PRE_STOP] = behaviour
            task = await world.submit(world.deploy("f", gate, config=hooked()))
            await gate.busy()
            await world.stop(task)
            (after,) = await world.end(task)

            assert after.status is Status.STOPPED
            shown = world.details(task, Status.STOPPED)[0]["preStop"]
            assert isinstance(shown, dict)
            assert shown["ok"] is False

    run(main())


def test_a_frozen_instance_is_thawed_before_its_pre_stop() -> None:
    """Whatever the reason: here it has idled long enough (the scripted sandbox writes offences down)."""

    async def main() -> None:
        async with World(idle_seconds=5) as world:
            await world.warm_up(world.deploy("f", answers(), config=hooked()))
            await asyncio.sleep(10)

            assert world.pool.instances() == []
            assert len(calls_of(world, PRE_STOP)) == 1
            assert world.script.stops[0][1] == "idle"

    run(main())


def test_after_a_crash_no_hook_runs() -> None:
    """There is nobody to run it."""

    async def main() -> None:
        async with World() as world:

            async def crash(call: Call) -> Reply:
                call.die(Exit(code=1))
                return await takes(100)(call)

            await world.end(await world.submit(world.deploy("f", crash, retries=0, config=hooked())))
            assert calls_of(world, PRE_STOP) == []

    run(main())


def test_an_answer_that_comes_while_a_timeout_ends_its_instance_is_too_late() -> None:
    """PreStop takes its time and the handler answers meanwhile: the attempt has timed out all the same."""

    async def main() -> None:
        async with World() as world:
            world.script.hook_behaviours["f", PRE_STOP] = lasts(3)
            function = world.deploy("f", in_turn(takes(4)), timeout_seconds=3, retries=0, config=hooked())
            task = await world.submit(function)
            (after,) = await world.end(task)

            assert after.status is Status.FAILED
            (detail,) = world.details(task, Status.FAILED)
            assert detail["errorType"] == TIMEOUT
            ((_, order),) = world.script.orders
            assert order.reason == "timeout"
            await settle()

    run(main())


def test_the_table_is_printed_with_a_row_for_each_hook() -> None:
    """The docs show it, see `tests/test_docs.py`."""
    lines = hook.table().splitlines()

    assert [line.split("|")[1] for line in lines[2:]] == list(HOOKS)
    assert len({line.count("|") for line in lines}) == 1
