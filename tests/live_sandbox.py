"""A real sandbox for tests: code from text, calls with their output, and a look for what is left of it.

Everything is below a fresh directory and carries a fresh mark, so tests never meet each other's processes.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import socket
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from sojourn.function import CustomContainer, CustomRuntime, Hook, Lifecycle
from sojourn.runtime import Interpreter
from sojourn.sandbox import (
    Exit,
    HookOutcome,
    InstanceSpec,
    Invocation,
    Reply,
    Sandbox,
    SandboxDriver,
    SandboxSpec,
    StopOrder,
)
from sojourn.sandboxes.bubblewrap import BubblewrapDriver
from sojourn.sandboxes.container import ContainerDriver
from sojourn.sandboxes.groups import Offer
from sojourn.sandboxes.process import ProcessDriver
from sojourn.sandboxes.start import own_interpreter
from sojourn.users import Users

ROOT = os.geteuid() == 0
DRIVERS: Mapping[str, Callable[[], SandboxDriver]] = {"process": ProcessDriver, "bubblewrap": BubblewrapDriver}
BOTH = pytest.mark.parametrize("level", sorted(DRIVERS))
_works: dict[str, str] = {}


@functools.cache
def users() -> Users:
    """User numbers that neither a server nor other tests of this machine have."""
    directory = tempfile.TemporaryDirectory(prefix="sojourn-users-")
    atexit.register(directory.cleanup)
    return Users(Path(directory.name, "users"))


async def driver(level: str) -> SandboxDriver:
    """The driver `level`; skips the test where it does not work on this machine."""
    made = ContainerDriver() if level == "container" else DRIVERS[level]()
    if level not in _works:
        _works[level] = (await made.probe()).reason
    if _works[level]:
        pytest.skip(f"{level} does not work here: {_works[level]}")
    return made


def run(body: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a test's coroutine."""
    asyncio.run(body())


class Output:
    """A log sink that keeps everything."""

    def __init__(self) -> None:
        self.data, self.dropped, self.pieces = b"", 0, 0
        self.grew = asyncio.Event()

    def __call__(self, piece: bytes, dropped: int) -> None:
        """Take a piece."""
        self.data += piece
        self.dropped += dropped
        self.pieces += 1
        self.grew.set()

    @property
    def text(self) -> str:
        """What was written."""
        return self.data.decode()

    async def until(self, words: str) -> None:
        """Wait until `words` were written."""
        while words not in self.text:
            self.grew.clear()
            await self.grew.wait()


class Wire:
    """A connection from user code to its test, by which it is let go and says how far it is; needs the host's network.

    `port` is where to connect to, as user code reads it.
    """

    async def __aenter__(self) -> Self:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = b"%d" % self._listener.getsockname()[1]
        self._taken: asyncio.Future[socket.socket] = asyncio.ensure_future(self._take())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        self._taken.cancel()
        if self._taken.done() and not self._taken.cancelled():
            self._taken.result().close()
        self._listener.close()

    async def let_go(self) -> None:
        """Send the byte that user code waits for."""
        await asyncio.get_running_loop().sock_sendall(await self._taken, b"x")

    async def said(self) -> None:
        """Wait for the byte that user code sends."""
        assert await asyncio.get_running_loop().sock_recv(await self._taken, 1) == b"x"

    async def _take(self) -> socket.socket:
        taken, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        return taken


class Live:
    """A running sandbox of one account."""

    def __init__(
        self,
        level: str,
        *,
        network: str = "host",
        place: int = 1,
        interpreters: tuple[Interpreter, ...] = (),
        offer: Offer | None = None,
    ) -> None:
        self.level, self.network, self.uid = level, network, users().of(place) if ROOT else None
        self.mark = f"test-{uuid.uuid4().hex}"
        self.exits: list[tuple[str, Exit]] = []
        self.losses = 0
        self.names: list[str] = []
        self._interpreters, self._offer = interpreters, offer
        self.lost = asyncio.Event()
        self.exited = asyncio.Event()
        self._temporary = tempfile.TemporaryDirectory(prefix="sojourn-test-")
        self.root = Path(self._temporary.name)
        self.code, self.directory = self.root / "code", self.root / "sandbox"
        self._names = 0
        self.driver: SandboxDriver
        self.sandbox: Sandbox

    async def __aenter__(self) -> Self:
        """Start it."""
        self.driver = await driver(self.level)
        if self._offer is not None:
            self.driver = BubblewrapDriver(self._offer)
        self.code.mkdir()
        self.directory.mkdir()
        self.sandbox = await self.driver.start(self.spec(), self._exited, self._lost)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, and see that nothing of it is left."""
        await self.sandbox.close()
        left = self.processes()
        self._temporary.cleanup()
        if kind is None:
            assert left == {}

    def spec(self) -> SandboxSpec:
        """Its specification."""
        return SandboxSpec(
            id=self.mark,
            account_id="account",
            code=self.code,
            directory=self.directory,
            interpreters=self._interpreters or (own_interpreter(),),
            mark=self.mark,
            network=self.network,
            uid=self.uid,
        )

    def add(self, source: str, **files: str) -> str:
        """A code tree with `source` as index.py and `files`; returns its digest."""
        self._names += 1
        digest = f"code{self._names}"
        for name, text in {"index.py": source, **files}.items():
            path = self.code / digest / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        for path in (self.code, *self.code.rglob("*")):
            path.chmod(0o755)
        return digest

    async def make(
        self,
        source: str = "",
        *,
        instance_id: str = "",
        digest: str = "",
        handler: str = "index.handler",
        memory_mb: int = 256,
        tmp_mb: int = 64,
        environment: Mapping[str, str] | None = None,
        interpreter: Interpreter | None = None,
        context: Mapping[str, object] | None = None,
        hooks: Mapping[str, int] | None = None,
        kind: str = "python",
        program: Path | None = None,
        custom: CustomRuntime | None = None,
        container: CustomContainer | None = None,
        concurrency: int = 1,
        offline: bool = False,
        cpu: float | None = None,
        preload: tuple[str, ...] = (),
        snapshot: bool = False,
    ) -> str:
        """A new instance; returns its id.

        `hooks` has the timeouts in seconds of the hooks that are configured, as functions of the same names in index.
        """
        name = instance_id or f"{self.mark}-{self._names}-{uuid.uuid4().hex[:8]}"
        spec = InstanceSpec(
            id=name,
            interpreter=interpreter or own_interpreter(),
            code_digest=digest or self.add(source),
            handler=handler,
            environment=environment or {},
            memory_mb=memory_mb,
            tmp_mb=tmp_mb,
            context=context or {},
            kind=kind,
            program=program,
            custom=custom,
            container=container,
            lifecycle=_lifecycle(hooks or {}),
            concurrency=concurrency,
            offline=offline,
            cpu=cpu,
            preload=preload,
            snapshot=snapshot,
        )
        self.names.append(name)
        await self.sandbox.create(spec)
        return name

    async def call(
        self, name: str, event: bytes = b"", log: Output | None = None, *, request_id: str = "1-test"
    ) -> Reply:
        """Call an instance's handler."""
        invocation = Invocation(request_id=request_id, payload=event)
        return await self.sandbox.invoke(name, invocation, log or Output())

    async def initialize(self, name: str, log: Output | None = None) -> HookOutcome:
        """Run an instance's Initializer."""
        return await self.sandbox.initialize(name, "1-initialize", log or Output())

    async def freeze(self, name: str, log: Output | None = None) -> HookOutcome | None:
        """Freeze an instance."""
        return await self.sandbox.freeze(name, "1-freeze", log or Output())

    async def stop(
        self,
        name: str,
        grace_seconds: float,
        log: Output | None = None,
        *,
        reason: str = "stop",
        task_id: str = "",
        pre_stop: bool = True,
    ) -> Exit:
        """End an instance."""
        order = StopOrder(
            reason=reason, grace_seconds=grace_seconds, task_id=task_id, request_id="1-stop", pre_stop=pre_stop
        )
        return await self.sandbox.stop(name, order, log or Output())

    async def tell(self, source: str, **more: str) -> object:
        """What the handler of a fresh instance answers, out of its JSON."""
        reply = await self.call(await self.make(source, **more))  # type: ignore[arg-type]  # passed on
        assert reply.ok, reply
        return json.loads(reply.payload)

    def processes(self) -> dict[int, str]:
        """What is alive with this sandbox's mark: pid and command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                environment = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"SOJOURN_SANDBOX={self.mark}".encode() in environment.split(b"\0"):
                found[int(entry.name)] = command
        return found

    def strays(self) -> list[str]:
        """What is there besides agent and zygote, as command lines; these two hide from their own user.

        An instance looks like a second zygote.
        """
        commands = [one for one in self.processes().values() if " agent {" not in one]
        zygotes = [one for one in commands if " zygote {" in one]
        return [one for one in commands if " zygote {" not in one] + zygotes[int(ROOT) :]

    def pid_of(self, role: str) -> int:
        """The host's pid of the `agent` or of the `zygote` (root only: they hide from their own user)."""
        for pid, command in sorted(self.processes().items()):
            if f" {role} {{" in command and "--unshare-all" not in command and not self._is_fork(pid):
                return pid
        raise LookupError(role)

    def _is_fork(self, pid: int) -> bool:
        """Whether a process is an instance: a fork that still shows its zygote's command line."""
        status = Path(f"/proc/{pid}/status").read_text()
        parent = int(status.partition("PPid:\t")[2].split()[0])
        return Path(f"/proc/{parent}/cmdline").read_bytes() == Path(f"/proc/{pid}/cmdline").read_bytes()

    def _exited(self, name: str, exit_: Exit) -> None:
        self.exits.append((name, exit_))
        self.exited.set()

    def _lost(self) -> None:
        self.losses += 1
        self.lost.set()


def _lifecycle(hooks: Mapping[str, int]) -> Lifecycle:
    """Hooks that are functions of their own names in index."""
    made = {name: Hook(handler=f"index.{name}", timeout=seconds) for name, seconds in hooks.items()}
    return Lifecycle(
        initializer=made.get("initializer"), pre_freeze=made.get("pre_freeze"), pre_stop=made.get("pre_stop")
    )
