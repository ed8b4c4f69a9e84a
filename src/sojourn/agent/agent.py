"""The agent's work: makes instances for the host, relays executions and answers, ends what must end.

It holds the one channel to the host. Hot frames pass through without being decoded; what an instance says is checked
for form, for size, and for being the answer to what it was asked, and an instance that breaks the rules is killed. When
the channel ends, so does everything in here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from . import frames, tree, usage
from .groups import Groups
from .life import Life
from .limits import Limits
from .loop import Loop
from .namespace import PROCESSES_MAX
from .resident import Resident, make_directory
from .stream import Stream
from .templates import Template, Templates
from .zygotes import Parent, ZygoteHandle

ZYGOTE_SECONDS_MAX = 5.0
"""How long a zygote without namespaces may take to kill a tree before it is killed itself."""
_LOGS_WAITING_BYTES_MAX = 4 * frames.MEBIBYTE
_ORPHAN_PAUSE_SECONDS = 0.005


class Settings:
    """What the driver tells the agent.

    `namespaces` is whether instances get namespaces of their own, `own_user` whether the user's processes are all this
    account's. `code` is the directory of the code trees and `temporary` that of private directories; both are used
    without namespaces only.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self.namespaces = bool(facts["namespaces"])
        self.own_user = bool(facts["own_user"])
        self.code = str(facts["code"])
        self.temporary = str(facts["temporary"])
        self.facts = facts


class Agent:
    """Serves the host at the other end of `channel` until it goes."""

    def __init__(self, channel: socket.socket, settings: Settings, bootstrap: str) -> None:
        self._settings, self._bootstrap = settings, bootstrap
        self._loop = Loop()
        self._host = Stream(self._loop, channel, self._from_host, self._host_gone)
        self._limits = Limits(self._loop, Groups.of(settings.facts, PROCESSES_MAX), self._over_memory)
        self._life = Life(self._loop, self._host, self._limits, self._terminating, self._begun)
        self._residents: dict[int, Resident] = {}
        self._zygotes: dict[str, ZygoteHandle] = {}
        directories = "" if settings.namespaces else settings.temporary
        self._templates = Templates(self._loop, self._limits, directories, self._from_zygote, self._template_gone)
        self._fallen: list[ZygoteHandle] = []
        self._cleaners: set[int] = set()
        self._closing = False

    def run(self) -> None:
        """Say hello and serve."""
        self._loop.on_children(self._reap)
        hello = {"pid": os.getpid(), "namespaces": self._settings.namespaces}
        self._host.send(frames.pack(frames.HELLO, 0, 0, json.dumps(hello).encode()))
        self._host.flush()
        self._loop.run()

    # -- what the host says

    def _from_host(self, kind: int, request: int, number: int, body: bytes) -> None:
        if kind == frames.CREATE:
            self._create(request, number, json.loads(body))
        elif kind == frames.PING:
            self._host.send(frames.pack(frames.PONG, request, 0))
        resident = self._residents.get(number)
        if resident is None:
            if kind == frames.USAGE:
                self._host.send(frames.pack(frames.USED, request, number, b"{}"))
        elif kind == frames.INVOKE:
            self._life.invoke(resident, request, body)
        elif kind == frames.THAW:
            self._life.thaw(resident)
        elif kind == frames.STOP:
            self._life.stop(resident, request, json.loads(body))
        elif kind == frames.INITIALIZE:
            self._life.initialize(resident, request, json.loads(body))
        elif kind == frames.FREEZE:
            self._life.freeze(resident, request, json.loads(body))
        elif kind == frames.CANCEL:
            self._life.cancel(resident, request, body)
        elif kind == frames.USAGE:
            self._use(resident, request)

    def _use(self, resident: Resident, request: int) -> None:
        """Say what an instance uses."""
        used = usage.measure(resident.memory.pid, resident.group) if resident.memory.pid else {}
        if used:
            seen = max(resident.peak_bytes, resident.memory.peak_bytes)
            used["memory_peak_bytes"] = max(seen, used["memory_peak_bytes"])
        self._host.send(frames.pack(frames.USED, request, resident.number, json.dumps(used).encode()))

    def _create(self, request: int, number: int, spec: dict[str, Any]) -> None:
        try:
            self._make(request, number, spec)
        except (OSError, ValueError) as error:
            resident = self._residents.pop(number, None)
            if resident is not None:
                self._limits.settle(resident)
                resident.close()
                self._left(resident)
            self._refuse(request, number, "InstanceSetupFailed", str(error))

    def _make(self, request: int, number: int, spec: dict[str, Any]) -> None:
        executable = str(spec["executable"])
        try:
            zygote = self._zygote(executable)
        except OSError as error:
            self._refuse(request, number, "RuntimeMissing", executable + " does not start: " + str(error))
            return
        if not self._settings.namespaces:
            spec["directory"] = make_directory(self._settings.temporary, number)
        parent: Parent = zygote
        if spec.get("preload") or spec.get("snapshot"):
            parent = self._templates.of(spec, zygote)
        resident = Resident(number, request, parent, spec, self._loop)
        self._residents[number] = resident
        resident.stream, theirs = self._pair(resident, self._life.answered)
        descriptors = [theirs.detach()]
        output_read, output_write = os.pipe()
        descriptors.append(output_write)
        if not resident.own_program and resident.hooks.has(frames.PRE_STOP):
            resident.control, theirs = self._pair(resident, self._life.controlled)
            descriptors.append(theirs.detach())
        resident.attach(self._loop, output_read, lambda *piece: self._log(resident, *piece))
        start_seconds = int(spec["start_seconds"])
        resident.timer = self._loop.later(start_seconds, lambda: self._too_slow(resident, start_seconds))
        self._limits.impose(resident, spec)
        parent.send({"number": number, "spec": spec}, descriptors)

    def _pair(
        self, resident: Resident, on_frame: Callable[[Resident, int, int, bytes], None]
    ) -> tuple[Stream, socket.socket]:
        """A socket pair for an instance: our end as a stream, and its end."""
        ours, theirs = socket.socketpair()
        stream = Stream(
            self._loop,
            ours,
            lambda kind, request, _, body: on_frame(resident, kind, request, body),
            lambda reason: self._life.silent(resident, stream, reason),
        )
        return stream, theirs

    def _refuse(self, request: int, number: int, cause: str, message: str) -> None:
        body = json.dumps({"cause": cause, "message": message}).encode()
        self._host.send(frames.pack(frames.CREATED, request, number, body))

    def _terminating(self, resident: Resident, grace_seconds: float) -> None:
        """The signals of a stop begin: see that its zygote does its part."""
        if not self._settings.namespaces or isinstance(resident.zygote, Template):
            self._loop.later(grace_seconds + ZYGOTE_SECONDS_MAX, lambda: self._overdue(resident))

    def _overdue(self, resident: Resident) -> None:
        """Its zygote did not end it: user code can stop a template, and at level 0 a zygote. Then these have to go."""
        if not resident.gone and resident.zygote.alive:
            resident.zygote.kill()

    # -- what becomes of instances

    def _begun(self, resident: Resident, kind: int, body: bytes) -> None:
        """Take what an instance says until it is ready."""
        if kind == frames.READY:
            if resident.contained:  # then it is our own code that says where the image's program runs
                resident.memory.pid = int(body)
                self._limits.adopt(resident)
            resident.owned()
            resident.ready = True
            if resident.timer is not None and not resident.stopping:
                resident.timer.cancel()
            self._host.send(resident.created_frame())
        elif kind == frames.FAILED:
            found = json.loads(body)
            resident.cause, resident.message = str(found["cause"]), str(found["message"])
            resident.signal(signal.SIGKILL)
        else:
            self._life.hostile(resident)

    def _too_slow(self, resident: Resident, start_seconds: int) -> None:
        resident.message = "the instance was not ready within " + str(start_seconds) + " seconds"
        resident.signal(signal.SIGKILL)

    def _over_memory(self, number: int) -> None:
        resident = self._residents[number]
        resident.oom = True
        resident.signal(signal.SIGKILL)

    def _log(self, resident: Resident, request: int, dropped: int, piece: bytes) -> None:
        if self._host.waiting_bytes > _LOGS_WAITING_BYTES_MAX:
            dropped, piece = dropped + len(piece), b""
        body = frames.LOG_HEAD.pack(dropped) + piece
        self._host.send(frames.pack(frames.LOG, request, resident.number, body))

    # -- what a zygote says

    def _from_zygote(self, message: dict[str, Any]) -> None:
        resident = self._residents.get(int(message["number"]))
        if resident is None:
            self._templates.told(message)
            return
        if "pid" in message:
            resident.memory.pid = int(message["pid"])
            resident.forked_at = self._loop.time()
        elif "born" in message:
            if not message["born"]:  # it could not walk into its group
                self._limits.outside(resident)
        elif "frozen" in message:
            if message.get("outrun"):  # it forks faster than it can be stopped, and would run on
                self._life.hostile(resident)
            else:
                self._life.frozen(resident, int(message["frozen"]))
        elif "status" in message:
            resident.memory.peak_bytes = max(resident.memory.peak_bytes, int(message["peak_bytes"]))
            self._ended(resident, int(message["status"]), lost=False)
        else:
            resident.cause = "SandboxLost"  # no memory, no more processes, a kill: never the function's fault
            resident.message = "the instance could not be forked: " + str(message.get("failed"))
            self._ended(resident, None, lost=False)

    def _ended(self, resident: Resident, status: int | None, *, lost: bool) -> None:
        """Nothing of it is left: tell the host, after its last words."""
        self._life.ended(resident)
        self._limits.settle(resident)
        if resident.ready:
            self._host.send(resident.exit_frame(status, lost=lost))
        else:
            resident.cut_short(status)
            self._host.send(resident.created_frame())
        resident.close()
        del self._residents[resident.number]
        self._left(resident)
        if resident.directory:
            self._clean(resident.directory)

    def _left(self, resident: Resident) -> None:
        if isinstance(resident.zygote, Template):
            self._templates.left(resident.zygote, resident.number)

    def _template_gone(self, template: Template, cause: str, message: str) -> None:
        """Nothing of a template is left, and so of its instances."""
        for resident in [one for one in self._residents.values() if one.zygote is template]:
            if not resident.message:
                resident.cause, resident.message = cause, message
            self._ended(resident, None, lost=True)
        if template.directory:
            self._clean(template.directory)

    def _clean(self, directory: str) -> None:
        """Remove a private directory; one that holds files in a child, because they may be many."""
        with contextlib.suppress(OSError):
            os.rmdir(directory)  # noqa: PTH106 - pathlib is not loaded here
            return
        pid = os.fork()
        if pid == 0:
            try:
                import shutil  # noqa: PLC0415 - only this child needs it

                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os._exit(0)
        self._cleaners.add(pid)

    # -- processes

    def _zygote(self, executable: str) -> ZygoteHandle:
        found = self._zygotes.get(executable)
        if found is None or not found.alive:
            arguments = ["-c", self._bootstrap, "zygote", json.dumps(self._settings.facts)]
            found = ZygoteHandle(self._loop, executable, arguments, self._from_zygote)
            self._zygotes[executable] = found
        return found

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self._cleaners.discard(pid)
            for zygote in self._zygotes.values():
                if zygote.pid == pid and zygote.alive:
                    self._fall(zygote, status)
        self._mourn()

    def _fall(self, zygote: ZygoteHandle, status: int) -> None:
        """A zygote died: it will be replaced at the next demand, its instances cannot go on.

        It runs no user code. So what was on its way is lost and says nothing of the function, unless the zygote ended
        by itself before it was ready: then this runtime does not start here.
        """
        lost = zygote.ready or os.WIFSIGNALED(status)
        for resident in self._residents.values():
            if resident.zygote.root is zygote and not resident.ready and not resident.message:
                words = zygote.last_words().splitlines()
                resident.cause = "SandboxLost" if lost else "RuntimeMissing"
                resident.message = "the runtime process ended" + (": " + words[-1] if words else "")
        zygote.close()
        self._fallen.append(zygote)

    def _mourn(self) -> None:
        """End what fallen zygotes left to us, and report it once nothing is left of it."""
        if not self._fallen and not self._closing:
            return
        known = self._cleaners.union(one.pid for one in self._zygotes.values() if one.alive)
        orphans = [pid for pid in tree.children(os.getpid()) if pid not in known]
        for pid in orphans:
            tree.kill_tree(pid)
        if orphans:
            self._loop.later(_ORPHAN_PAUSE_SECONDS, self._reap)
            return
        fallen, self._fallen = self._fallen, []
        for zygote in fallen:
            self._templates.fallen(zygote)
        for resident in [one for one in self._residents.values() if one.zygote in fallen]:
            self._ended(resident, None, lost=True)
        if self._closing and not any(one.alive for one in self._zygotes.values()) and not self._cleaners:
            self._loop.ended = True

    def _host_gone(self, _reason: str) -> None:
        """The channel ended. With namespaces our own end takes everything along; else the zygotes clear up first."""
        if self._settings.namespaces:
            os._exit(0)
        self._closing = True
        for zygote in self._zygotes.values():
            if zygote.alive:
                zygote.hang_up()
        self._mourn()
