"""Where an account's containers live: an agent beside the account's sandbox, with a container engine in its hands.

The agent runs none of the account's code: its instances are processes of ours that each start one container, speak
HTTP with it and end with it (`agent.container_runtime`). The verbs are those of every sandbox with an agent. What is
added here are the words by which the engine starts a container, and that nothing counts as ended before the engine has
forgotten it. Containers share the machine's kernel, as everything of level 2 does.

Every container bears the server's mark and its sandbox's name as labels, so that the next server finds what this one
left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from sojourn import engine
from sojourn.answers import Created
from sojourn.crashpoint import crashpoint
from sojourn.engine import Engine
from sojourn.errors import InstanceStartFailed
from sojourn.function import CustomContainer
from sojourn.homes import CONTAINERS_SUFFIX
from sojourn.sandbox import (
    Capabilities,
    Exit,
    HookOutcome,
    InstanceDied,
    InstanceSpec,
    Invocation,
    LogSink,
    Reply,
    Sandbox,
    SandboxSpec,
)

from . import groups, records
from .agent_sandbox import AgentSandbox
from .start import AGENT_PACKAGE, agent_command, check_user, own_interpreter, prepare_directory, start

log = logging.getLogger(__name__)

_MARK, _SANDBOX = "sojourn.mark", "sojourn.sandbox"
_TEXT = "Isolation: containers. Each has its own processes and files; the kernel is shared by all."
_NOTHING = CustomContainer(image="")
_SHARED_MEMORY_MB_MAX = 64
_HIERARCHIES = Path("/sys/fs/cgroup")
_RUNTIMES = ("runc", "crun")
_GROUP = re.compile(r"/libpod-([0-9a-f]{64})")
_KILLED = 137
"""The exit code of a program that was killed, by the kernel for want of memory for example."""


class ContainerDriver:
    """Starts what containers live in."""

    name = "container"
    level = 2

    async def probe(self) -> Capabilities:
        """Whether there is an engine that runs containers."""
        found = await asyncio.to_thread(engine.found)
        return Capabilities(
            driver=self.name,
            level=self.level,
            works=found.works,
            reason=found.reason,
            text=_TEXT,
            networks=("host", "none"),
            multi_account=True,
        )

    async def start(
        self, spec: SandboxSpec, on_exit: Callable[[str, Exit], None], on_lost: Callable[[], None]
    ) -> Sandbox:
        """See the contract."""
        check_user(spec)
        found = await asyncio.to_thread(engine.found)
        ours = msgspec.structs.replace(spec, uid=None)  # the agent has the rights of the server: so must the engine
        temporary = await asyncio.to_thread(prepare_directory, ours)
        interpreter = own_interpreter()
        facts: dict[str, object] = {
            "namespaces": False,
            "own_user": False,
            "code": str(spec.code.resolve()),
            "temporary": str(temporary.resolve()),
        }
        return await start(
            ours,
            on_exit,
            on_lost,
            command=lambda fd: agent_command(interpreter, str(AGENT_PACKAGE), {**facts, "channel_fd": fd}),
            reach=(),
            namespaces=False,
            kind=lambda *arguments, **named: ContainerSandbox(*arguments, **named, user=spec.uid, found=found),
        )

    async def reap(self, directory: Path, mark: str) -> int:
        """See the contract; containers of another server are left alone."""
        return await asyncio.to_thread(_reap, directory, mark)


class ContainerSandbox(AgentSandbox):
    """The containers of an account, whose processes belong to `user`; None leaves that to engine and image."""

    def __init__(
        self,
        spec: SandboxSpec,
        on_exit: Callable[[str, Exit], None],
        on_lost: Callable[[], None],
        *,
        zygotes_seen: bool,
        user: int | None,
        found: Engine,
    ) -> None:
        super().__init__(spec, on_exit, on_lost, zygotes_seen=zygotes_seen)
        self._user, self._engine = user, found
        self._burials: dict[str, asyncio.Task[None]] = {}
        self._forsaken: set[asyncio.Task[None]] = set()
        self._engine_ids: dict[str, str] = {}
        """What the engine calls the containers of instances, where that is known."""

    def _orders(self, spec: InstanceSpec) -> Mapping[str, object]:
        """How the engine is to be called."""
        image = spec.container or _NOTHING
        own_network = self._spec.network == "none" or spec.offline
        words = ["run", "--detach", "--replace", f"--name={_name(self._spec.mark, spec.id)}"]
        words += [f"--label={_MARK}={self._spec.mark}", f"--label={_SANDBOX}={self._spec.id}"]
        words += [*engine.confinement(self._engine, self._user), *engine.limits(self._engine, spec.memory_mb, spec.cpu)]
        words += [f"--network={'none' if own_network else 'host'}"]
        words += [f"--tmpfs=/tmp:rw,nosuid,nodev,size={spec.tmp_mb}m,mode=1777"]
        words += [f"--shm-size={min(spec.tmp_mb, _SHARED_MEMORY_MB_MAX)}m"]
        if os.geteuid() == 0:
            words += [f"--cgroup-parent=/{self._spec.mark}/{_name(self._spec.mark, spec.id)}"]
        if spec.code_digest:
            words += [f"--volume={self._spec.code.resolve() / spec.code_digest}:/code:ro"]
        if image.entrypoint:
            words += ["--entrypoint=" + json.dumps(image.entrypoint)]
        variables = {
            "HOME": "/tmp",  # noqa: S108 - the container's own, and all it can write to
            **spec.environment,
            **({"FC_FUNC_CODE_PATH": "/code"} if spec.code_digest else {}),
            "FC_INSTANCE_ID": spec.id,
            records.VARIABLE: self._spec.mark,
        }
        ours = {"FC_INSTANCE_ID": spec.id, records.VARIABLE: self._spec.mark, records.ID_VARIABLE: self._spec.id}
        return {
            "environment": variables,
            "engine": {
                "command": [*self._engine.command, *words],
                "image": [image.image, *image.command],
                "shown": " ".join([image.image, *image.entrypoint, *image.command]),
                "own_network": own_network,
                "environment": {**engine.environment(), **ours},
            },
        }

    async def create(self, spec: InstanceSpec) -> Mapping[str, float]:
        """See the contract."""
        image = (spec.container or _NOTHING).image
        try:
            return await super().create(spec)
        except asyncio.CancelledError:
            forsaken = asyncio.ensure_future(self._clear_up(spec.id))
            self._forsaken.add(forsaken)
            forsaken.add_done_callback(self._forsaken.discard)
            raise
        except InstanceStartFailed as error:
            await self._removed(spec.id, look=True)
            if not error.lost:
                status, _, _ = await asyncio.to_thread(engine.call, self._engine, "image", "exists", image)
                if status == 1:
                    raise InstanceStartFailed("ImageMissing", _missing(image)) from None
            raise

    async def _clear_up(self, instance_id: str) -> None:
        """Remove the container of a create that nobody waits for, once its instance is gone."""
        entry = self._entries.get(instance_id)
        if entry is not None:
            await entry.gone
        await self._removed(instance_id, look=True)

    async def invoke(self, instance_id: str, invocation: Invocation, log: LogSink) -> Reply:
        """See the contract."""
        try:
            return await super().invoke(instance_id, invocation, log)
        except InstanceDied as died:
            raise await self._told(instance_id, died) from None

    async def initialize(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome:
        """See the contract."""
        try:
            return await super().initialize(instance_id, request_id, log)
        except InstanceDied as died:
            raise await self._told(instance_id, died) from None

    async def freeze(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome | None:
        """See the contract."""
        try:
            return await super().freeze(instance_id, request_id, log)
        except InstanceDied as died:
            raise await self._told(instance_id, died) from None

    def exited(self, number: int, exit_: Exit, lost: bool) -> None:  # noqa: FBT001 - a callback of the channel
        """An instance ended, as the agent says: once the engine has forgotten it, so do we."""
        name = self._ids.get(number)
        if name is not None and name not in self._burials:
            self._burials[name] = asyncio.ensure_future(self._bury(name, number, exit_, lost=lost))

    async def _bury(self, name: str, number: int, exit_: Exit, *, lost: bool) -> None:
        try:
            crashpoint("container.ended")
            starved = await self._removed(name, look=exit_.code == _KILLED)
            crashpoint("container.forgotten")
            exit_ = msgspec.structs.replace(exit_, oom=exit_.oom or (starved and not exit_.signals_sent))
        finally:
            super().exited(number, exit_, lost)
            del self._burials[name]

    async def _told(self, instance_id: str, died: InstanceDied) -> InstanceDied:
        """`died` with all that is known of the end, once it is complete."""
        burial = self._burials.get(instance_id)
        if burial is not None:
            await asyncio.shield(burial)
        return InstanceDied(self._exits.get(instance_id, died.exit), lost=died.lost)

    def _created(self, number: int, created: Created) -> None:
        name = self._ids.get(number, "")
        super()._created(number, created)
        if not created.cause and (id_ := _engine_id(created.pid)):
            self._engine_ids[name] = id_

    async def _removed(self, instance_id: str, *, look: bool) -> bool:
        """Have the engine forget a container; True when it says that memory was its end, for which it has to `look`."""
        id_ = self._engine_ids.pop(instance_id, "")
        return await asyncio.to_thread(
            _remove, self._engine, _name(self._spec.mark, instance_id), self._spec.mark, "" if look else id_
        )

    async def _end(self, *, tell: bool) -> None:
        await super()._end(tell=False)
        if under_way := {*self._burials.values(), *self._forsaken}:
            await asyncio.wait(under_way)
        await asyncio.to_thread(_remove_all, self._engine, f"{_SANDBOX}={self._spec.id}", self._spec.mark)
        if tell:
            self._on_lost()


def _reap(directory: Path, mark: str) -> int:
    """End and remove what containers a server with `mark` left, if it ever had some."""
    if not any(directory.glob("*" + CONTAINERS_SUFFIX)):
        return 0
    ended = records.reap(directory, mark)
    crashpoint("container.reaped")
    found = engine.found()
    if found.works:
        _remove_all(found, f"{_MARK}={mark}", mark)
    return ended


def _name(mark: str, instance_id: str) -> str:
    """What a container is called: two servers on one machine may call an instance the same."""
    return f"{mark}-{instance_id}"


def _missing(image: str) -> str:
    return (
        f"the image {image} is not on this server's machine, and it is not fetched by itself: bring it there with "
        f"podman pull, load or import, as the user that the server runs as"
    )


def _engine_id(pid: int) -> str:
    """What the engine calls the container of `pid`, as far as its control group says that."""
    try:
        found = _GROUP.search(Path(f"/proc/{pid}/cgroup").read_text())
    except OSError:
        return ""
    return found[1] if found else ""


def _remove(found: Engine, name: str, mark: str, id_: str = "") -> bool:
    """Remove a container and what the engine may leave of one that was killed; True when it died for want of memory.

    With its `id_` the engine is not asked about it first.
    """
    starved = ""
    if not id_:
        status, said, _ = engine.call(found, "container", "inspect", "--format={{.Id}} {{.State.OOMKilled}}", name)
        if status != 0:  # it was never made
            _sweep(mark, name)
            return False
        id_, _, starved = said.strip().partition(" ")
    status, _, errors = engine.call(found, "rm", "--force", "--time=0", name)
    if status != 0:
        log.warning("container %s could not be removed: %s", name, errors.strip())
    _sweep(mark, name, id_)
    return starved == "true"


def _remove_all(found: Engine, label: str, mark: str) -> None:
    """Remove the containers that bear `label`."""
    words = ("ps", "--all", "--no-trunc", "--format={{.Names}}", f"--filter=label={label}")
    _, said, _ = engine.call(found, *words)
    for name in said.split():
        _remove(found, name, mark)
    _sweep(mark)


def _sweep(mark: str, name: str = "", id_: str = "") -> None:
    """Remove control groups, and a runtime's record, of a container that was killed together with its monitor."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        for place in (_HIERARCHIES, *_HIERARCHIES.iterdir()):
            top = place / mark
            if not top.is_dir():
                continue
            if name:
                groups.remove([top / name] if (top / name).is_dir() else [])
            with contextlib.suppress(OSError):  # another container is in there
                top.rmdir()
    for runtime in _RUNTIMES if id_ else ():
        shutil.rmtree(Path("/run", runtime, id_), ignore_errors=True)
