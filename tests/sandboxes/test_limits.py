"""Limits: memory, /tmp, processes and CPU, held by control groups where the machine gives them and without.

Every test of what holds everywhere runs at both levels, and at level 2 once more with no control groups.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from live_sandbox import Live, run
from sojourn.agent.namespace import PROCESSES_MAX
from sojourn.sandbox import Exit, InstanceDied
from sojourn.sandboxes import groups

MEBIBYTE = 1 << 20
NONE = groups.Offer(reason="the test takes them away")
EVERYWHERE = pytest.mark.parametrize("where", ["process", "bubblewrap", "bubblewrap-without-groups"])
GONE_SECONDS_MAX = 10.0

BOMBS = {
    "one process": "kept = []\n    while True: kept.append(bytearray(8 << 20))",
    "many forks": """
    for _ in range(16):
        if os.fork() == 0:
            kept = bytearray(b"x") * (20 << 20)
            time.sleep(1000)
    time.sleep(1000)""",
    "a child that dies of it": """
    import subprocess, sys
    subprocess.run([sys.executable, "-I", "-S", "-c", "k = []\\nwhile True: k.append(bytearray(8 << 20))"])
    time.sleep(1000)""",
}
FILL = """
    def handler(event, context):
        import os
        size, path = json.loads(event)
        with open(os.environ["TMPDIR"] + "/fill" if path == "tmp" else path, "wb") as file:
            for _ in range(size):
                file.write(b"x" * (1 << 20))
                file.flush()
        return "full"
    import json
"""


def at(where: str) -> Live:
    """A sandbox of one of the places that `EVERYWHERE` names."""
    return Live("bubblewrap", offer=NONE) if where == "bubblewrap-without-groups" else Live(where)


def held(controller: str) -> groups.Offer:
    """What this machine gives, with `controller`; skips the test where it does not."""
    offer = groups.probe()
    if controller not in offer.places:
        pytest.skip(f"no control groups for {controller} here: {offer.reason or offer.text}")
    return offer


def directories(offer: groups.Offer, mark: str) -> Iterator[Path]:
    """The groups of a mark that are there."""
    for base in set(offer.places.values()):
        yield from (base / mark).glob("**/")


async def ending(live: Live, name: str, event: bytes = b"") -> Exit:
    """How an instance ends in a call."""
    with pytest.raises(InstanceDied) as died:
        await live.call(name, event)
    return died.value.exit


@EVERYWHERE
@pytest.mark.parametrize("bomb", sorted(BOMBS))
def test_a_memory_bomb_ends_as_want_of_memory_and_harms_nobody_else(where: str, bomb: str) -> None:
    """Whoever holds the limit, peak and limit are told, everything of it is gone, and its neighbour answers."""

    async def body() -> None:
        async with at(where) as live:
            neighbour = await live.make("def handler(event, context): return event")
            source = f"import os, time\ndef handler(event, context):\n    {BOMBS[bomb].strip()}\n"
            name = await live.make(source, memory_mb=128)
            end, reply = await asyncio.gather(ending(live, name), live.call(neighbour, b"here"))

            assert end.oom
            assert end.memory_limit_bytes == 128 * MEBIBYTE
            assert end.memory_peak_bytes >= 0.9 * 128 * MEBIBYTE
            assert end.processes_left == 0
            assert reply.payload == (await live.call(neighbour, b"here")).payload == b"here"

    run(body)


@EVERYWHERE
def test_a_full_tmp_is_an_error_of_the_handler(where: str) -> None:
    """More than /tmp holds is the handler's OSError, which names the file; the instance lives on."""

    async def body() -> None:
        async with at(where) as live:
            name = await live.make(FILL, memory_mb=256, tmp_mb=8)
            reply = await live.call(name, json.dumps([9, "tmp"]).encode())

            assert (reply.ok, reply.type) == (False, "OSError")
            assert ("File too large" if where == "process" else "No space left on device") in reply.message
            assert json.loads(reply.payload)["errorMessage"] == reply.message
            assert (await live.call(name, json.dumps([1, "tmp"]).encode())).payload == b"full"

    run(body)


@pytest.mark.parametrize("path", ["tmp", "/dev/shm/fill"])
def test_files_in_memory_count_toward_the_memory_limit(path: str) -> None:
    """What lies in /tmp or /dev/shm is the instance's memory, and the end says that it was."""
    held("memory")

    async def body() -> None:
        async with Live("bubblewrap") as live:
            source = FILL.replace("return", "kept = bytearray(b'x') * (80 << 20)\n        return")
            name = await live.make(source, memory_mb=128, tmp_mb=512)
            end = await ending(live, name, json.dumps([60, path]).encode())

            assert end.oom
            assert 40 * MEBIBYTE <= end.files_bytes <= 128 * MEBIBYTE

    run(body)


def test_files_in_memory_do_not_count_without_a_group() -> None:
    """The guard looks at processes only."""

    async def body() -> None:
        async with Live("bubblewrap", offer=NONE) as live:
            name = await live.make(FILL, memory_mb=128, tmp_mb=512)

            assert (await live.call(name, b'[160, "tmp"]')).payload == b"full"

    run(body)


CROWD = """
    import os, signal, time
    def handler(event, context):
        children = []
        try:
            while len(children) < 2000:
                pid = os.fork()
                if pid == 0:
                    time.sleep(1000)
                children.append(pid)
        finally:
            if event:
                open(os.environ["TMPDIR"] + "/crowded", "w").close()
                time.sleep(0.5)
            for pid in children:
                os.kill(pid, signal.SIGKILL)
"""
TEN = """
    import os
    def handler(event, context):
        for _ in range(10):
            if os.fork() == 0:
                os._exit(0)
            os.wait()
        return "started"
"""


def test_too_many_processes_are_refused_to_the_one_that_starts_them() -> None:
    """The handler gets EAGAIN, the answer says that the limit was met, a neighbour of the same account starts more."""
    held("pids")

    async def body() -> None:
        async with Live("bubblewrap") as live:
            name, neighbour = await live.make(CROWD, memory_mb=1024), await live.make(TEN)
            crowd = asyncio.ensure_future(live.call(name, b"wait"))
            started = [(await live.call(neighbour)).payload for _ in range(5)]
            reply = await crowd

            assert (reply.ok, reply.type) == (False, "BlockingIOError")
            assert reply.processes_refused >= 1
            assert started == [b"started"] * 5
            assert (await live.call(neighbour)).ok
            assert (await live.sandbox.usage(neighbour)).processes < PROCESSES_MAX

    run(body)


def test_without_a_group_processes_are_bounded_all_the_same() -> None:
    """The user's bound refuses too; nobody counts, so nothing is told."""

    async def body() -> None:
        async with Live("bubblewrap", offer=NONE) as live:
            reply = await live.call(await live.make(CROWD, memory_mb=1024))

            assert (reply.ok, reply.type, reply.processes_refused) == (False, "BlockingIOError", 0)

    run(body)


SPIN = """
    import threading, time
    def handler(event, context):
        def spin(end):
            while time.monotonic() < end: pass
        began, used = time.monotonic(), time.process_time()
        others = [threading.Thread(target=spin, args=(began + 1,)) for _ in range(2)]
        for one in others: one.start()
        for one in others: one.join()
        return (time.process_time() - used) / (time.monotonic() - began)
"""


def test_cpu_is_held_to_what_the_function_may_use() -> None:
    """A quarter of a core is about that, over a second of busy threads; without a setting nothing is held."""
    offer = held("cpu")

    async def body() -> None:
        async with Live("bubblewrap") as live:
            quarter = await live.call(await live.make(SPIN, cpu=0.25))
            free = await live.make(SPIN)
            assert 0 < float(quarter.payload) < 0.5
            quota = [path.read_text().split() for path in _quotas(offer, live.mark)]
            assert sorted(words[0] for words in quota) == ["-1" if offer.version == 1 else "max", "25000"]
            assert (await live.call(free)).ok

    run(body)


def _quotas(offer: groups.Offer, mark: str) -> list[Path]:
    name = "cpu.cfs_quota_us" if offer.version == 1 else "cpu.max"
    return [path / name for path in inhabited(offer.places["cpu"] / mark)]


def inhabited(base: Path) -> list[Path]:
    """The groups of instances below a mark's directory; one is kept ready for the next instance."""
    return [path for path in base.glob("*/*/") if path.name.isdigit() and (path / "cgroup.procs").read_text()]


def test_the_peak_is_that_of_the_call() -> None:
    """A call that needs little does not show what an earlier one needed."""
    held("memory")

    async def body() -> None:
        async with Live("bubblewrap") as live:
            source = "def handler(event, context): return len(bytearray(b'x') * (int(event) << 20))"
            name = await live.make(source, memory_mb=256)
            much, little = await live.call(name, b"100"), await live.call(name, b"1")

            assert much.memory_peak_bytes >= 100 * MEBIBYTE
            assert little.memory_peak_bytes < 50 * MEBIBYTE
            usage = await live.sandbox.usage(name)
            assert 0 < usage.memory_bytes < 50 * MEBIBYTE
            assert usage.memory_peak_bytes >= 100 * MEBIBYTE
            assert usage.cpu_seconds > 0

    run(body)


REACH = """
    import os
    def handler(event, context):
        tried = []
        for line in open("/proc/self/mountinfo"):
            place = line.split()[4]
            if " - cgroup" in line:
                tried.append(place)
        tried += ["/sys/fs/cgroup", "/sojourn/groups", "/sojourn/groups/memory"]
        found = []
        for place in tried:
            try:
                found += os.listdir(place)
            except OSError:
                pass
            for name in ("memory.limit_in_bytes", "memory.max", "cgroup.procs", "tasks"):
                try:
                    os.close(os.open(place + "/" + name, os.O_WRONLY))
                    found.append(place + "/" + name)
                except OSError:
                    pass
        return found
"""


def test_a_function_cannot_reach_its_group() -> None:
    """Not by where the sandbox has them, not by where the machine has them, not by where they are mounted."""
    held("memory")

    async def body() -> None:
        async with Live("bubblewrap") as live:
            assert await live.tell(REACH) == []

    run(body)


def test_groups_go_with_what_they_held() -> None:
    """A group with its instance, all the rest with the sandbox, also when its agent is lost."""
    offer = held("memory")

    async def body() -> None:
        async with Live("bubblewrap") as live:
            names = [await live.make("def handler(event, context): return event") for _ in range(3)]
            base = offer.places["memory"] / live.mark
            assert len(inhabited(base)) == 3
            await live.stop(names[0], 0.0)
            assert len(inhabited(base)) == 2
            assert len(list(base.glob("*/*/"))) == 3
            assert (await live.call(names[1], b"x")).payload == b"x"
        assert list(directories(offer, live.mark)) == []
        assert not list(live.directory.glob(f"{groups.FILE}*"))

    run(body)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives groups to another user")
def test_an_agent_that_cannot_make_groups_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """No right to make groups in its directory: the guard holds memory."""
    offer = held("memory")

    async def body() -> None:
        async with Live("bubblewrap") as live:
            end = await ending(
                live, await live.make("def handler(e, c): k = bytearray(b'x') * (300 << 20)", memory_mb=128)
            )
            assert end.oom
            assert end.memory_limit_bytes == 128 * MEBIBYTE
        assert list(directories(offer, live.mark)) == []

    monkeypatch.setattr("sojourn.sandboxes.groups.os.chown", lambda *_: None)
    run(body)
