"""Templates: modules that are imported once for all instances of a function, and what that must not change."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from live import until
from live_sandbox import BOTH, ROOT, Live, Wire, run
from sojourn.errors import InstanceStartFailed

NAMESPACES = "bubblewrap"
HEAVY = "import os\nTOKEN = os.urandom(8).hex()\nPID = os.getpid()\n"
HANDLER = "import os, heavy\ndef handler(event, context): return [heavy.TOKEN, heavy.PID, os.getpid()]\n"
_AS_ROOT = pytest.mark.skipif(not ROOT, reason="looks at processes of another user")


async def _told(live: Live, digest: str, **more: object) -> list[object]:
    """What the handler of a fresh instance with `heavy` preloaded answers."""
    name = await live.make(digest=digest, preload=("heavy",), **more)  # type: ignore[arg-type]  # passed on
    reply = await live.call(name)
    assert reply.ok, reply
    answer: list[object] = json.loads(reply.payload)
    return answer


@BOTH
def test_instances_share_what_their_template_has_imported(level: str) -> None:
    """The module was run once, in another process; without `preload` every instance runs it."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(HANDLER, **{"heavy.py": HEAVY})
            first, second = await _told(live, digest), await _told(live, digest)
            alone = json.loads((await live.call(await live.make(digest=digest))).payload)

            assert first[0] == second[0] != alone[0]
            if level != NAMESPACES:  # there each is the first process of its own namespace
                assert first[1] == second[1] not in (first[2], second[2])

    run(body)


@BOTH
def test_functions_do_not_share_a_template(level: str) -> None:
    """Neither other code nor another environment gets what was imported for the first."""

    async def body() -> None:
        async with Live(level) as live:
            digest, other = (live.add(HANDLER, **{"heavy.py": HEAVY}) for _ in range(2))
            told = [
                await _told(live, digest, environment={"FC_FUNCTION_NAME": "one"}),
                await _told(live, digest, environment={"FC_FUNCTION_NAME": "two"}),
                await _told(live, other, environment={"FC_FUNCTION_NAME": "one"}),
            ]

            assert len({token for token, *_ in told}) == 3

    run(body)


@BOTH
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "import nothing_there",
            "module 'heavy' cannot be imported: ModuleNotFoundError: No module named 'nothing_there'",
        ),
        ("raise SystemExit(7)", "module 'heavy' cannot be imported: SystemExit: 7"),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()", "threads"),
        ("import subprocess\nkept = subprocess.Popen(['/bin/sleep', '99'])", "starts processes"),
    ],
)
def test_a_module_that_cannot_be_preloaded_fails_the_start_and_is_named(level: str, source: str, words: str) -> None:
    """The function is at fault, not the sandbox; nothing stays behind, and other functions are served."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(HANDLER, **{"heavy.py": source})
            for _ in range(2):
                with pytest.raises(InstanceStartFailed) as failed:
                    await live.make(digest=digest, preload=("json", "heavy"))

                assert (failed.value.cause, failed.value.lost) == ("PreloadFailed", False)
                assert "preload: module 'heavy'" in failed.value.message
                assert words in failed.value.message
            assert await live.tell("def handler(event, context): return 1") == 1

    run(body)


@BOTH
def test_a_change_leaves_running_instances_alone_and_ends_the_template_after_them(level: str) -> None:
    """New instances get what is configured now; the older template goes with its last instance."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(HANDLER, **{"heavy.py": HEAVY, "lighter.py": ""})
            older = await live.make(digest=digest, preload=("heavy",))
            before = json.loads((await live.call(older)).payload)
            newer = await live.make(digest=digest, preload=("lighter",))
            with_older = len(live.processes())

            assert json.loads((await live.call(older)).payload) == before
            assert json.loads((await live.call(newer)).payload)[0] != before[0]
            await live.stop(older, 0.0)
            if ROOT:
                gone = lambda: len(live.processes()) == with_older - 2  # noqa: E731 - the instance and its template
                await asyncio.to_thread(until, gone, 10.0, "the older template is gone")

    run(body)


@BOTH
@_AS_ROOT
def test_the_death_of_a_template_takes_its_instances_and_the_next_start_makes_another(level: str) -> None:
    """They are lost, which is nobody's fault; the function is served again at once."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(HANDLER, **{"heavy.py": HEAVY})
            zygotes = set(live.processes())
            bystander = await live.make("def handler(event, context): return 'here'")
            others = set(live.processes())
            name = await live.make(digest=digest, preload=("heavy",))
            template = min(set(live.processes()) - others, key=_age)
            before = json.loads((await live.call(name)).payload)
            os.kill(template, signal.SIGKILL)
            await live.exited.wait()

            assert [one for one, _ in live.exits] == [name]
            assert (await _told(live, digest))[0] != before[0]
            assert (await live.call(bystander)).payload == b"here"
            assert zygotes <= set(live.processes())

    run(body)


@BOTH
@_AS_ROOT
def test_a_start_whose_template_is_killed_while_it_imports_is_lost(level: str) -> None:
    """Nothing is known of the function then; it is tried again."""

    async def body() -> None:
        async with Live(level) as live, Wire() as wire:
            await live.make("def handler(event, context): pass")
            others = set(live.processes())
            source = (
                "import os, socket\nif 'PORT' in os.environ:\n"
                "    end = socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))\n"
                "    end.sendall(b'x')\n    end.recv(1)\nTOKEN = PID = 0\n"
            )
            digest = live.add(HANDLER, **{"heavy.py": source})
            made = asyncio.ensure_future(
                live.make(digest=digest, preload=("heavy",), environment={"PORT": wire.port.decode()})
            )
            await wire.said()
            (template,) = set(live.processes()) - others
            os.kill(template, signal.SIGKILL)
            with pytest.raises(InstanceStartFailed) as failed:
                await made

            assert (failed.value.cause, failed.value.lost) == ("SandboxLost", True)
            assert (await _told(live, digest))[:2] == [0, 0]

    run(body)


@BOTH
def test_an_instance_can_be_stopped_while_its_template_imports(level: str) -> None:
    """It is not waited for: the instance ends, and the next one gets the template when it is ready."""

    async def body() -> None:
        async with Live(level) as live, Wire() as wire:
            source = (
                "import os, socket\n"
                "end = socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))\n"
                "end.sendall(b'x')\nend.recv(1)\nend.close()\nTOKEN = PID = 0\n"
            )
            digest = live.add(HANDLER, **{"heavy.py": source})
            environment = {"PORT": wire.port.decode()}
            made = asyncio.ensure_future(
                live.make(digest=digest, preload=("heavy",), environment=environment, instance_id="stopped")
            )
            await wire.said()
            await live.stop("stopped", 0.0)
            with pytest.raises(InstanceStartFailed):
                await made
            await wire.let_go()

            assert (await _told(live, digest, environment=environment))[:2] == [0, 0]

    run(body)


@BOTH
@_AS_ROOT
def test_stopping_one_takes_its_whole_tree_and_nothing_else(level: str) -> None:
    """Also what left its session; the template and the other instance stay."""

    async def body() -> None:
        async with Live(level) as live:
            source = """
                import os, subprocess, heavy
                def handler(event, context):
                    if event:
                        for _ in range(2):
                            subprocess.Popen(["/bin/sleep", "99"], start_new_session=True)
                    return heavy.TOKEN
            """
            digest = live.add(source, **{"heavy.py": HEAVY})
            stays = await live.make(digest=digest, preload=("heavy",))
            before = set(live.processes())
            goes = await live.make(digest=digest, preload=("heavy",))
            assert (await live.call(goes, b"x")).ok
            exit_ = await live.stop(goes, 0.0)

            assert (exit_.signal, exit_.processes_left) == (signal.SIGKILL, 0)
            assert set(live.processes()) == before
            assert (await live.call(stays)).ok

    run(body)


@BOTH
def test_memory_of_an_instance_of_a_template_is_held(level: str) -> None:
    """As that of any other."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(
                "import heavy\ndef handler(event, context):\n    kept = []\n    while 1: kept.append(b'x' * 10**6)\n",
                **{"heavy.py": HEAVY},
            )
            name = await live.make(digest=digest, preload=("heavy",), memory_mb=128)
            with pytest.raises(Exception, match="oom=True"):
                await live.call(name)

    run(body)


def test_a_template_has_no_rights_over_what_is_there() -> None:
    """With namespaces: it sees itself alone, the room is closed, no mount of the sandbox can be lifted or changed."""

    async def body() -> None:
        source = """
            import ctypes, os
            libc = ctypes.CDLL(None, use_errno=True)
            def failed(call, *arguments):
                return call(*arguments) == -1
            SEEN = {
                "alone": sorted(one for one in os.listdir("/proc") if one.isdigit()) == ["1"],
                "room": not os.access("/sojourn/code", os.F_OK),
                "umount": failed(libc.umount2, b"/sojourn", 2),
                "cover": failed(libc.mount, b"none", b"/usr", b"tmpfs", 0, None),
                "groups": failed(libc.unshare, 0x02000000),
                "users": failed(libc.unshare, 0x10000000),
                "code": failed(libc.mount, None, b"/code", None, 32 | 4096, None),
                "chroot": failed(libc.chroot, b"/tmp"),
            }
        """
        handler = "import heavy\ndef handler(event, context): return heavy.SEEN"
        async with Live(NAMESPACES) as live:
            digest = live.add(handler, **{"heavy.py": source})
            name = await live.make(digest=digest, preload=("heavy",))
            seen = json.loads((await live.call(name)).payload)

            assert seen == dict.fromkeys(seen, True)

    run(body)


def test_an_instance_of_a_template_is_as_apart_as_any() -> None:
    """With namespaces: own processes, own /tmp, no capabilities, no way to more of either."""

    async def body() -> None:
        source = """
            import ctypes, os, heavy
            libc = ctypes.CDLL(None)
            def handler(event, context):
                status = dict(line.split(":", 1) for line in open("/proc/self/status"))
                return [
                    os.getpid(), sorted(one for one in os.listdir("/proc") if one.isdigit()), os.listdir("/tmp"),
                    [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")],
                    [libc.unshare(flag) for flag in (0x20000, 0x20000000, 0x10000000)],
                    libc.mount(b"none", b"/tmp", b"tmpfs", 0, None), os.access("/sojourn/code", os.F_OK),
                    sorted(os.listdir("/proc/self/fd"))[:4],
                ]
        """
        async with Live(NAMESPACES) as live:
            digest = live.add(source, **{"heavy.py": "open('/tmp/of the template', 'w').close()\n"})
            for _ in range(2):
                told = await _told(live, digest)
                assert told == [1, ["1"], [], [0] * 5, [-1] * 3, -1, False, ["0", "1", "2", "3"]]

    run(body)


@BOTH
@pytest.mark.parametrize(
    "lie",
    [
        '{"number": number, "status": 0, "peak_bytes": 0}',
        '{"number": 999, "status": 0, "peak_bytes": 0}',
        '{"number": []}',
    ],
)
def test_a_template_that_lies_is_ended_with_its_instances(level: str, lie: str) -> None:
    """An end that the kernel knows nothing of, an instance of another function, no message: nothing is believed."""

    async def body() -> None:
        source = f"""
            import sys, json
            zygote = sys.modules["agent.zygote"].Zygote
            truth = zygote._say
            def say(self, **message):
                truth(self, **message)
                if "born" in message:
                    number = message["number"]
                    self._control.send(json.dumps({lie}).encode())
            zygote._say = say
        """
        async with Live(level) as live:
            digest = live.add("def handler(event, context): return 'lives'", **{"heavy.py": source})
            bystander = await live.make("def handler(event, context): return 'here'")
            try:
                await live.make(digest=digest, preload=("heavy",))
            except InstanceStartFailed as error:
                assert error.lost  # noqa: PT017 - either is right, by what was read first
            else:
                await live.exited.wait()

            assert (await live.call(bystander)).payload == b"here"

    run(body)


def _age(pid: int) -> int:
    """When a process started."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
