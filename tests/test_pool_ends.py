"""How instances end: asked to, by themselves, with their sandbox, before they ever lived; none is lost from sight."""

from __future__ import annotations

import asyncio

import pytest

from scripted import Gate, answers, dies
from sojourn import instance
from sojourn.errors import InstanceStartFailed, SandboxUnavailable
from sojourn.pool import Instance
from sojourn.sandbox import Exit, InstanceDied, Invocation
from virtual_time import run, settle
from world import World, take

CALL = Invocation(request_id="r", payload=b"")


def test_everybody_who_stops_an_instance_waits_for_the_same_end() -> None:
    """It is ended once, and a later stop answers at once."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            function = world.deploy("f", answers())
            used = await take(world, function)
            ends = await asyncio.gather(world.pool.stop(used, "stop"), world.pool.stop(used, "timeout"))

            assert ends[0] == ends[1] == await world.pool.stop(used, "stop")
            assert len(world.script.stops) == 1
            world.pool.release(used)
            assert used.status is instance.Status.DESTROYED

    run(main())


def test_a_busy_instance_that_is_stopped_interrupts_its_call() -> None:
    """The call learns how it ended; a release in the middle of the stop does not bring the instance back."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            gate = Gate()
            function = world.deploy("f", gate)
            used = await take(world, function)
            call = asyncio.ensure_future(world.pool.invoke(used, CALL, lambda *_: None))
            await gate.busy()
            stop = asyncio.ensure_future(world.pool.stop(used, "stop"))
            await settle()
            world.pool.release(used)
            with pytest.raises(InstanceDied) as died:
                await call

            assert died.value.exit == await stop
            assert not world.pool.fleet.resting

    run(main())


def test_a_stop_that_has_only_been_asked_for_already_keeps_others_away() -> None:
    """Between the request and the first signal a released instance is given to nobody."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            used = await take(world, function)
            stop = asyncio.ensure_future(world.pool.stop(used, "stop"))
            await asyncio.sleep(0)  # the request is made, nothing has happened yet
            world.pool.release(used)
            other = world.pool.acquire(function)
            await stop

            assert other is not None
            assert other is not used
            await world.pool.ready(other)
            world.pool.release(other)

    run(main())


@pytest.mark.parametrize("busy", [True, False])
def test_an_instance_that_dies_by_itself_is_gone_from_the_books(*, busy: bool) -> None:
    """Its memory is free, and nobody gets it."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", dies(Exit(code=3)))
            used = await take(world, function)
            if busy:
                with pytest.raises(InstanceDied):
                    await world.pool.invoke(used, CALL, lambda *_: None)
                world.pool.release(used)
            else:
                world.pool.release(used)
                world.script.sandboxes[0].kill(used.id, Exit(code=3))

            assert world.leaks() == []
            assert await take(world, function) is not used

    run(main())


def test_a_lost_sandbox_takes_its_instances_and_the_next_start_makes_another() -> None:
    """Idle, busy and starting ones alike; whoever waits for one learns that it was lost."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            busy, idle = await take(world, function), await take(world, function)
            world.pool.release(idle)
            world.script.create_seconds = 0.5
            starting = world.pool.acquire(world.deploy("g", answers()))
            assert starting is not None
            await settle()
            world.script.sandboxes[0].lose()

            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(starting)
            assert failed.value.lost
            with pytest.raises(InstanceDied) as died:
                await world.pool.invoke(busy, CALL, lambda *_: None)
            assert died.value.lost
            for each in (busy, starting):
                world.pool.release(each)
            assert world.leaks() == []
            world.script.create_seconds = 0
            world.pool.release(await take(world, function))
            assert len(world.script.sandboxes) == 2

    run(main())


def lost_start() -> InstanceStartFailed:
    """What a sandbox says when it goes away under a start."""
    return InstanceStartFailed("SandboxLost", "gone", lost=True)


@pytest.mark.parametrize("error", [SandboxUnavailable("no"), OSError(28, "No space left on device"), RuntimeError("?")])
def test_a_sandbox_that_does_not_start_holds_no_memory(error: Exception) -> None:
    """Whatever the driver raises, whoever waits is told, nothing stays counted, and the next try may work."""

    async def main() -> None:
        async with World() as world:
            world.script.start_failures.append(error)
            function = world.deploy("f", answers())
            made = world.pool.acquire(function)
            assert made is not None
            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(made)
            world.pool.release(made)

            assert failed.value.lost
            await settle()
            assert world.leaks() == []
            world.pool.release(await take(world, function))

    run(main())


@pytest.mark.parametrize("error", [InstanceStartFailed("CodeMissing", "no"), lost_start()])
def test_an_instance_that_cannot_be_made_holds_no_memory(error: InstanceStartFailed) -> None:
    """The cause reaches whoever waits, unchanged."""

    async def main() -> None:
        async with World() as world:
            world.script.create_failures.append(error)
            made = world.pool.acquire(world.deploy("f", answers()))
            assert made is not None
            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(made)

            assert failed.value is error
            assert world.leaks() == []

    run(main())


def test_a_runtime_that_is_gone_is_said_so() -> None:
    """Deployed on an interpreter that the machine has no more: that is not ours to retry."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            world.runtime.missing.add("python3.12")
            made = world.pool.acquire(function)
            assert made is not None
            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(made)

            assert (failed.value.cause, failed.value.lost) == ("RuntimeMissing", False)
            assert world.leaks() == []

    run(main())


def test_an_instance_nobody_waits_for_any_more_is_kept_warm() -> None:
    """Given back while it starts, it is idle as soon as it is up."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 0.5
            function = world.deploy("f", answers())
            made = world.pool.acquire(function)
            assert made is not None
            world.pool.release(made)
            await asyncio.sleep(1)

            assert world.pool.acquire(function) is made
            world.pool.release(made)

    run(main())


def test_a_stop_of_a_starting_instance_waits_for_it_and_ends_it() -> None:
    """No process is left that nobody knows."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 0.5
            made = world.pool.acquire(world.deploy("f", answers()))
            assert made is not None
            await _placed(made)
            await world.pool.stop(made, "stop")

            assert len(world.script.made) == 1
            assert world.script.living() == []
            assert world.leaks() == []

    run(main())


def test_a_stop_before_there_is_a_sandbox_makes_nothing() -> None:
    """Else a program that never serves would be started and waited for, after it was stopped."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 500.0
            made = world.pool.acquire(world.deploy("f", answers()))
            assert made is not None
            assert made.sandbox is None
            await world.pool.stop(made, "stop")

            assert world.script.made == []
            assert world.leaks() == []

    run(main())


def test_closing_ends_everything_and_gives_nothing_out() -> None:
    """Idle, busy and starting instances; on return no sandbox is left."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", gate)
            busy = await take(world, function)
            call = asyncio.ensure_future(world.pool.invoke(busy, CALL, lambda *_: None))
            await gate.busy()
            world.pool.release(await take(world, function))
            world.script.create_seconds = 0.5
            starting = world.pool.acquire(world.deploy("g", answers()))
            assert starting is not None
            await world.pool.close()

            assert world.leaks() == []
            assert world.pool.acquire(function) is None
            assert not any(sandbox.alive for sandbox in world.script.sandboxes)
            assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], InstanceDied)

    run(main())


async def _placed(made: Instance) -> None:
    """Wait until an instance has a sandbox, which is a matter of the loop's turns."""
    for _ in range(100):
        if made.sandbox is not None:
            return
        await asyncio.sleep(0)
    raise AssertionError(made.id)
