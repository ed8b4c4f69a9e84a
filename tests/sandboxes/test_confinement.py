"""What a function can see and do; every attack is harmless where it succeeds."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from live_sandbox import BOTH, ROOT, Live, run
from sojourn.errors import SandboxUnavailable

CANARY = "SOJOURN_TEST_CANARY"
NAMESPACES = "bubblewrap"


def _asked(expression: str, imports: str = "os") -> str:
    return f"import {imports}\ndef handler(event, context):\n    return {expression}\n"


@BOTH
def test_an_instance_has_four_descriptors(level: str) -> None:
    """0, 1, 2 and its own socket, which programs it executes do not inherit; nothing else."""

    async def body() -> None:
        source = """
            import os, subprocess
            def handler(event, context):
                own = sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd))
                listed = subprocess.run(["/bin/ls", "/proc/self/fd"], capture_output=True, text=True).stdout.split()
                return [own, sorted(int(fd) for fd in listed)[:3], os.readlink("/proc/self/fd/0")]
        """
        async with Live(level) as live:
            for _ in range(3):
                assert await live.tell(source) == [[0, 1, 2, 3], [0, 1, 2], "/dev/null"]

    run(body)


@BOTH
def test_the_environment_is_the_functions_own(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly the function's variables and the documented ones; nothing of the server's, in /proc neither."""
    monkeypatch.setenv(CANARY, "1")

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                raw = open("/proc/self/environ").read()
                return [dict(os.environ), raw]
        """
        async with Live(level) as live:
            name = await live.make(source, environment={"MINE": "1", "FC_REGION": "local"})
            seen, raw = json.loads((await live.call(name)).payload)
            temporary = seen["TMPDIR"]
            root = "/code" if level == NAMESPACES else str(live.code / "code1")

            assert seen == {
                "MINE": "1",
                "FC_REGION": "local",
                "FC_INSTANCE_ID": name,
                "FC_FUNC_CODE_PATH": root,
                "HOME": temporary,
                "TMPDIR": temporary,
                "LANG": "C.UTF-8",
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "SOJOURN_SANDBOX": live.mark,
            }
            assert CANARY not in raw
            if level == NAMESPACES:
                assert temporary == "/tmp"

    run(body)


@BOTH
def test_functions_never_run_as_root(level: str) -> None:
    """The process has the sandbox's user, no groups and no capability; a root server without a user for it refuses."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
                rights = [status["CapEff"].strip(), status["NoNewPrivs"].strip()]
                return [os.getuid(), os.getgid(), os.getgroups(), rights]
        """
        async with Live(level) as live:
            seen = await live.tell(source)
            assert isinstance(seen, list)
            uid, gid, groups, rights = seen

            assert uid == (live.uid if ROOT else os.geteuid())
            assert rights == ["0" * 16, "1"]
            if ROOT:
                assert (gid, groups) == (live.uid, [])
                refused = Live(level)
                refused.uid = None
                with pytest.raises(SandboxUnavailable, match="functions never do"):
                    await refused.__aenter__()
                refused._temporary.cleanup()

    run(body)


@BOTH
def test_code_cannot_be_changed(level: str) -> None:
    """A function's code tree is read-only for it."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                try:
                    open(os.path.join(os.environ["FC_FUNC_CODE_PATH"], "new"), "w").close()
                except OSError as error:
                    return error.errno
        """
        async with Live(level) as live:
            if level == NAMESPACES or ROOT:
                assert await live.tell(source) in (13, 30)

    run(body)


@BOTH
def test_temporary_files_are_private_and_go_with_the_instance(level: str) -> None:
    """Two instances do not see each other's files; afterwards they are gone."""

    async def body() -> None:
        source = """
            import os, tempfile
            def handler(event, context):
                seen = os.listdir(tempfile.gettempdir())
                open(os.path.join(tempfile.gettempdir(), "mine"), "w").close()
                return seen
        """
        async with Live(level) as live:
            digest = live.add(source)
            first, second = await live.make(digest=digest), await live.make(digest=digest)

            assert json.loads((await live.call(first)).payload) == []
            assert json.loads((await live.call(second)).payload) == []
            assert json.loads((await live.call(second)).payload) == ["mine"]
        assert not live.directory.exists() or list((live.directory / "tmp").iterdir()) == []

    run(body)


@BOTH
def test_temporary_files_have_a_limit(level: str) -> None:
    """Writing more than the function's disk fails for it: ENOSPC, or EFBIG where /tmp is no filesystem of its own."""

    async def body() -> None:
        source = """
            import os, tempfile
            def handler(event, context):
                written = 0
                try:
                    with open(os.path.join(tempfile.gettempdir(), "big"), "wb", buffering=0) as file:
                        for _ in range(64):
                            written += file.write(bytes(1 << 20))
                except OSError as error:
                    return [error.errno, written >> 20]
        """
        async with Live(level) as live:
            reply = await live.call(await live.make(source, tmp_mb=8))

            assert json.loads(reply.payload) == [28 if level == NAMESPACES else 27, 8]

    run(body)


def test_nothing_else_can_be_filled() -> None:
    """Outside /tmp, and /dev/shm within its size, there is no place to write to."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                writable = []
                for directory, names, _ in os.walk("/"):
                    if directory.startswith(("/proc", "/sys")):
                        names.clear()
                        continue
                    try:
                        open(directory + "/test", "w").close()
                        writable.append(directory)
                    except OSError:
                        pass
                return [sorted(writable), os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize]
        """
        async with Live(NAMESPACES) as live:
            assert await live.tell(source) == [["/dev/shm", "/tmp"], 64 << 20]

    run(body)


def test_what_is_not_the_functions_is_not_there() -> None:
    """The server's data, other accounts' and functions' code, other processes, the agent: all out of sight."""

    async def body() -> None:
        source = """
            import os
            def look(path):
                try:
                    return sorted(os.listdir(path))
                except OSError as error:
                    return error.errno
            def handler(event, context):
                pids = [name for name in os.listdir("/proc") if name.isdigit()]
                return [[look(path) for path in event.decode().split(",")], pids, look("/code"), look("/")]
        """
        async with Live(NAMESPACES) as live, Live(NAMESPACES, place=2) as other:
            live.add("secret = 1")
            other.add("secret = 2")
            (live.root / "store.db").write_text("secret")
            paths = [str(one) for one in (live.root, live.code, live.directory, other.code, Path.home())]
            event = ",".join([*paths, "/sojourn/code", "/sojourn", "/sojourn/agent", "/var", "/home"]).encode()
            name = await live.make(source)
            seen, pids, code, root = json.loads((await live.call(name, event)).payload)

            assert [one for one in seen if isinstance(one, list) and one not in ([], [".pyenv"])] == []
            assert pids == ["1"]
            assert code == ["index.py"]
            assert "work" not in root

    run(body)


def test_agent_and_zygote_cannot_be_reached() -> None:
    """From its pid namespace a function cannot signal anything but itself; kill(-1) does not leave it."""

    async def body() -> None:
        source = """
            import os, signal
            def handler(event, context):
                for pid in range(2, 300):
                    try:
                        os.kill(pid, signal.SIGKILL)
                        return pid
                    except ProcessLookupError:
                        pass
                try:
                    os.kill(-1, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                return ["alone"]
        """
        async with Live(NAMESPACES) as live:
            other = await live.make(_asked("'here'"))

            assert await live.tell(source) == ["alone"]
            assert (await live.call(other)).payload == b"here"

    run(body)


def test_the_network_can_be_withheld() -> None:
    """With network none the host's loopback and abstract sockets are out of reach; with host they are not."""

    async def body() -> None:
        source = """
            import socket
            def attempt(family, address):
                try:
                    with socket.socket(family) as sock:
                        sock.settimeout(5)
                        sock.connect(address)
                        return "connected"
                except OSError as error:
                    return type(error).__name__
            def handler(event, context):
                port, name = event.decode().split()
                return [attempt(socket.AF_INET, ("127.0.0.1", int(port))), attempt(socket.AF_UNIX, "\\0" + name),
                        socket.gethostbyname("localhost")]
        """
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
            name = f"sojourn-test-{os.getpid()}"
            abstract.bind("\0" + name)
            abstract.listen()
            event = f"{tcp.getsockname()[1]} {name}".encode()
            for network, seen in (("none", "ConnectionRefusedError"), ("host", "connected")):
                async with Live(NAMESPACES, network=network) as live:
                    reply = await live.call(await live.make(source), event)

                    assert json.loads(reply.payload) == [seen, seen, "127.0.0.1"], network

    run(body)


def test_a_driver_that_cannot_withhold_the_network_refuses() -> None:
    """Processes of level 0 have the host's network: asked for none, the driver says so and starts nothing."""

    async def body() -> None:
        live = Live("process", network="none")
        with pytest.raises(SandboxUnavailable, match="cannot withhold the network"):
            await live.__aenter__()
        live._temporary.cleanup()

    run(body)


@BOTH
def test_a_fork_bomb_stays_within_its_limit(level: str) -> None:
    """A function cannot have more processes than its limit, and the sandbox goes on making instances."""
    if level == "process" and not ROOT:
        pytest.skip("without a user of its own an account's processes cannot be counted")

    async def body() -> None:
        source = """
            import os, resource, time
            resource.setrlimit(resource.RLIMIT_NPROC, (40, 40))
            def handler(event, context):
                made = 0
                for _ in range(100):
                    try:
                        pid = os.fork()
                    except BlockingIOError:
                        break
                    if pid == 0:
                        time.sleep(1000)
                    made += 1
                return [made, resource.getrlimit(resource.RLIMIT_CORE)[1]]
        """
        async with Live(level) as live:
            name = await live.make(source)
            made, core = json.loads((await live.call(name)).payload)

            assert made < 40
            assert core == 0
            assert await live.tell(_asked("1")) == 1
            assert (await live.stop(name, 1.0)).processes_left == 0

    run(body)


@pytest.mark.skipif(not ROOT, reason="needs root: another user")
def test_the_closed_directories_of_root_stay_closed() -> None:
    """With the code below a directory of mode 0700 a function reaches its code and nothing beside it."""

    async def body() -> None:
        async with Live("process") as live:
            (live.root / "secret").write_text("secret")
            reply = await live.call(await live.make(_asked("os.listdir(event.decode())")), str(live.root).encode())

            assert stat.S_IMODE(live.root.stat().st_mode) == 0o700
            assert sorted(json.loads(reply.payload)) == ["code", "sandbox"]

    run(body)
