"""How the program of a custom runtime is started: what is executed, which port it gets, when it counts as ready."""

from __future__ import annotations

import asyncio
import socket

import pytest

from live_sandbox import BOTH, Live, run
from programs import SERVER, SHEBANG
from runtimes.bootstraps import made, refused
from sojourn.agent import ports, serving
from sojourn.agent.failure import StartFailed
from sojourn.agent.program import Program
from sojourn.errors import InstanceStartFailed
from sojourn.function import CustomRuntime, HealthCheck
from sojourn.sandbox import InstanceDied, Reply

PATIENT = HealthCheck(http_get_url="/health", period_seconds=1, timeout_seconds=3, failure_threshold=30)
"""For a program that gets healthy: how long that takes is the machine's business."""


def test_a_program_that_is_not_there_or_not_one_is_told_so() -> None:
    """CAFileNotFound says which file and what is wrong with it."""

    async def body() -> None:
        async with Live("bubblewrap") as live:
            digest = live.add("", other="x")
            with pytest.raises(InstanceStartFailed, match="/code/bootstrap does not exist") as caught:
                await live.make(digest=digest, kind="custom")
            assert caught.value.cause == "CAFileNotFound"
            assert "cannot be executed" in await refused(live, "no program")
            assert "interpreter (after #!) that does not exist" in await refused(live, "#!/no/such\n")
            assert "not found on PATH" in await refused(live, custom=CustomRuntime(command=["no-such-program"]))
            digest = live.add("", bootstrap=SERVER)
            (live.code / digest / "bootstrap").chmod(0o644)
            with pytest.raises(InstanceStartFailed, match="is not executable"):
                await live.make(digest=digest, kind="custom")

    run(body)


@BOTH
def test_a_program_that_ends_at_once_is_told_with_its_last_words(level: str) -> None:
    """CAExited, the code, the start command, and what it wrote."""

    async def body() -> None:
        async with Live(level) as live:
            source = SHEBANG + "import sys\nprint('no licence', file=sys.stderr)\nsys.exit(3)\n"
            said = await refused(live, source, CustomRuntime(command=["/code/bootstrap"], args=["--fast"]))
        assert said.startswith("CAExited: ")
        assert "Function instance exited unexpectedly(code 3, message:exit status 3) with start command '" in said
        assert "bootstrap --fast'" in said
        assert "no licence" in said

    run(body)


def test_a_command_may_name_a_program_of_the_machine() -> None:
    """It is looked up on PATH, and paths below /code mean the function's code at every level."""

    async def body() -> None:
        async with Live("process") as live:
            digest = live.add("", **{"app.py": SERVER})
            custom = CustomRuntime(command=["env", "python3"], args=["/code/app.py"])
            name = await live.make(digest=digest, kind="custom", custom=custom)
            assert (await live.call(name, b"x")).payload == b"x"

    run(body)


def test_instances_side_by_side_get_ports_of_their_own() -> None:
    """The first gets the port that is configured; each is told its own by three variables."""

    async def body() -> None:
        async with Live("process") as live:
            source = SERVER.replace(
                'print("listening on"',
                'assert {str(port)} == {os.environ["PORT"], os.environ["FC_CUSTOM_LISTEN_PORT"]}\nprint("listening on"',
            )
            names = await asyncio.gather(*(made(live, source) for _ in range(5)))
            replies: list[Reply] = await asyncio.gather(*(live.call(name, name.encode()) for name in names))
        assert [reply.payload.decode() for reply in replies] == list(names)

    run(body)


def test_instances_with_networks_of_their_own_may_all_use_one_port() -> None:
    """Then a program that listens where it likes runs any number of times."""

    async def body() -> None:
        async with Live("bubblewrap") as live:
            fixed = {"FIXED_PORT": "9000"}
            names = [await made(live, offline=True, environment=fixed) for _ in range(3)]
            replies = [await live.call(name, name.encode()) for name in names]
        assert [reply.payload.decode() for reply in replies] == names

    run(body)


def test_a_program_that_always_listens_on_one_port_waits_for_it() -> None:
    """Until the other instance that has it is gone; then it is started again."""

    async def body() -> None:
        async with Live("process") as live:
            held = next(filter(None, (ports._take(number) for number in range(20_000, 30_000))))
            held.release()  # the kernel gives it to no outgoing connection of whatever else runs here
            port = held.number
            fixed, custom = {"FIXED_PORT": str(port)}, CustomRuntime(port=port)
            first = await made(live, custom=custom, environment=fixed)
            second = asyncio.ensure_future(made(live, custom=custom, environment=fixed))
            assert (await live.call(first, b"x")).payload == b"x"
            assert not second.done()
            await live.stop(first, 1.0)
            assert (await live.call(await second, b"y")).payload == b"y"

    run(body)


def test_a_program_that_does_not_get_its_port_is_told_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """How it ended, what it was told, and what to change."""
    told: list[object] = []
    monkeypatch.setattr(serving, "wait_for", lambda *asked: told.append(asked))
    monkeypatch.setattr(serving, "_held", [])
    given: list[int] = []

    def make(port: int) -> Program:
        given.append(port)
        program = Program(["false"], "/code")
        program.start()
        return program

    with socket.create_server(("", 0)) as other:
        wanted = other.getsockname()[1]
        with pytest.raises(StartFailed) as caught:
            serving.started(make, None, wanted)
    assert told == [(wanted, 30.0)]
    assert caught.value.cause == "CAExited"
    assert f"port {wanted} is in use, and the program was told by FC_SERVER_PORT to listen on {given[0]}" in (
        caught.value.message
    )


@BOTH
def test_memory_over_the_limit_ends_the_instance(level: str) -> None:
    """What counts is the program's memory, wherever in the tree it is."""

    async def body() -> None:
        async with Live(level) as live:
            name = await made(live, memory_mb=128)
            with pytest.raises(InstanceDied) as caught:
                await live.call(name, b"much")
        assert caught.value.exit.oom

    run(body)


def test_a_health_check_must_hold_before_the_first_invocation() -> None:
    """A program that never gets healthy does not start; one that does, does."""

    async def body() -> None:
        async with Live("bubblewrap") as live:
            check = HealthCheck(http_get_url="/health", period_seconds=1, failure_threshold=2)
            custom = CustomRuntime(health_check_config=check)
            said = await refused(live, custom=custom)
            assert said.startswith("FunctionNotStarted: Function instance health check failed on port ")
            custom = CustomRuntime(health_check_config=PATIENT)
            name = await made(live, custom=custom, environment={"HEALTHY": "1"})
            assert (await live.call(name, b"x")).ok

    run(body)


def test_a_health_check_waits_for_initializer() -> None:
    """What Initializer must do first may be what makes it healthy; when it does not, Initializer has failed."""

    async def body() -> None:
        async with Live("bubblewrap") as live:
            check = HealthCheck(http_get_url="/health", period_seconds=1, failure_threshold=1)
            custom = CustomRuntime(health_check_config=PATIENT)
            heals = SERVER.replace(
                'print("initializing"', 'open("/tmp/healthy", "w").close()\n            print("initializing"'
            )
            name = await made(live, heals, custom, hooks={"initializer": 20})
            assert (await live.initialize(name)).ok
            assert (await live.call(name, b"x")).ok
            name = await made(live, SERVER, CustomRuntime(health_check_config=check), hooks={"initializer": 20})
            outcome = await live.initialize(name)
        assert (outcome.ok, outcome.type) == (False, "FunctionNotStarted")

    run(body)
