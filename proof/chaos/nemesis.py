"""What goes wrong, and when: a list drawn from the seed, carried out one after another on real processes.

Signals go through descriptors of processes (pidfd) that were looked at before: a number that means another process by
now is never hit. A fault that finds nobody to hit is put off to the end of the list.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping

from . import processes, records
from .aims import Aims, Watch
from .clients import Churn
from .functions import DESIGNS
from .journal import Journal
from .phases import PHASES
from .place import Disk
from .records import Fault, Writer
from .server import Supervisor

KILLS: Mapping[str, float] = {
    "kill-server": 6.0,
    "kill-agent": 4.0,
    "kill-outer": 3.0,
    "kill-zygote": 4.0,
    "kill-instance": 11.4,
    "kill-program": 2.4,
    "kill-shim": 2.4,
}
"""SIGKILLs in a minute. The outer process is bubblewrap's; a shim is the parent of a custom runtime's program."""
OTHERS: Mapping[str, float] = {
    "pause-server": 2.0,
    "pause-instance": 1.4,
    "pause-agent": 0.6,
    "full-disk": 1.4,
    "restart": 1.4,
    "rival": 0.8,
    "update": 2.0,
    "delete": 2.0,
    "configure": 1.0,
}
SERVER_PAUSE_SECONDS, INSTANCE_PAUSE_SECONDS = (0.3, 2.5), (0.2, 1.0)
AGENT_PAUSE_SECONDS = (3.5, 4.5)
"""Longer than three heartbeats: the server takes the agent for lost."""
FULL_SECONDS = (0.3, 1.2)
AIMED = ("kill-server", "restart", "pause-server")
"""What meets every task at once, and so surely the one that was brought into a phase."""
AIMED_SHARE = 0.4
FILE_BYTES_MAX = 4096
ROLE_TRIES, ROLE_PAUSE_SECONDS = 40, 0.1
PATIENCE_SHARE, PATIENCE_SECONDS = 0.5, 40.0
"""How much longer than planned it goes on for faults that found nobody to hit, on a slow machine."""


def planned(minutes: float, chance: random.Random, *, outer: bool, only: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The faults of so many minutes in their order, each with the phase to wait for, "" for none.

    `outer` is whether there are outer processes, `only` the kinds that are wanted when it is not all of them: then not
    every phase need be met either.
    """
    kinds: list[str] = []
    for kind, per_minute in {**KILLS, **OTHERS}.items():
        if (kind != "kill-outer" or outer) and (not only or kind in only):
            kinds += [kind] * max(1, math.ceil(per_minute * minutes))
    chance.shuffle(kinds)
    aims = list(PHASES)
    chance.shuffle(aims)
    plan, aimed = [], 0
    for kind in kinds:
        aim = ""
        if kind in AIMED and (aimed < len(PHASES) or chance.random() < AIMED_SHARE):
            aim = aims[aimed % len(aims)]
            aimed += 1
        elif kind == "kill-instance" and chance.random() < AIMED_SHARE:
            aim = chance.choice(aims)
        plan.append((kind, aim))
    return plan if only else plan + [("kill-server", aim) for aim in aims[aimed:]]


class Nemesis:
    """Carries a plan out."""

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        journal: Journal,
        watch: Watch,
        aims: Aims,
        churn: Churn,
        disk: Disk | None,
        written: Writer,
        chance: random.Random,
    ) -> None:
        self._supervisor, self._journal, self._watch, self._aims = supervisor, journal, watch, aims
        self._churn, self._disk, self._written, self._chance = churn, disk, written, chance
        self._ways: dict[str, Callable[[str], Awaitable[int]]] = {
            "kill-server": self._kill_server,
            "kill-agent": lambda _: self._hit("agent"),
            "kill-outer": lambda _: self._hit("outer"),
            "kill-zygote": lambda _: self._hit("zygote"),
            "kill-instance": self._kill_instance,
            "kill-program": lambda _: self._kill_program(parent=False),
            "kill-shim": lambda _: self._kill_program(parent=True),
            "pause-server": self._pause_server,
            "pause-instance": self._pause_instance,
            "pause-agent": self._pause_agent,
            "full-disk": self._full_disk,
            "restart": self._restart,
            "rival": self._rival,
            "update": lambda _: self._change("plain", "hooked", "custom", "versioned", "limited"),
            "delete": lambda _: self._change("churned"),
            "configure": self._configure,
        }
        self.hit = ""
        """The instance that the fault at hand was for."""
        self._at = 0
        """When it began: it may have had to wait for somebody to hit."""

    async def carry_out(self, plan: list[tuple[str, str]], seconds: float) -> None:
        """All of `plan`, spread over `seconds`; longer when it takes longer."""
        loop = asyncio.get_running_loop()
        began, count, done = loop.time(), len(plan), 0
        waiting = list(plan)
        while waiting and loop.time() < began + seconds * (1 + PATIENCE_SHARE) + PATIENCE_SECONDS:
            due = began + seconds * min(done, count) / count
            await asyncio.sleep(max(due - loop.time(), 0.01))
            await self._supervisor.up.wait()
            kind, aim = waiting.pop(0)
            met, self.hit = await self._aims.bring(aim) if aim else (True, "")
            self._at = records.now()
            pid = await self._ways[kind](self.hit) if met else 0
            if pid:
                done += 1
                self._written.write(
                    Fault(kind=kind, at=self._at, until=records.now(), pid=pid, aim=aim, instance=self.hit)
                )
            else:
                waiting.append((kind, aim))

    # Kills; each answers with the pid that was hit, 0 for nobody ------------------------------------------------------

    async def _kill_server(self, _focus: str) -> int:
        pid = self._supervisor.kill(signal.SIGKILL)
        await self._supervisor.down.wait()
        return pid

    async def _hit(self, role: str) -> int:
        found = await self._there(role)
        return self._strike(self._chance.choice(found)) if found else 0

    async def _there(self, role: str) -> list[int]:
        """The processes of a role; after a start of the server it may take a moment until there are some."""
        for _ in range(ROLE_TRIES):
            if found := processes.roles(self._supervisor.mark, self._supervisor.pid)[role]:
                return found
            await asyncio.sleep(ROLE_PAUSE_SECONDS)
        return []

    async def _kill_instance(self, focus: str) -> int:
        self.hit = focus or await self._busy("plain", "hooked", "limited", "churned", "versioned")
        pid = self._journal.pids.get(self.hit, 0)
        return self._strike(pid) if pid and self._ours(pid) else 0

    async def _kill_program(self, *, parent: bool) -> int:
        self.hit = await self._busy("custom")
        pid = self._journal.pids.get(self.hit, 0)
        if not pid or not self._ours(pid):
            return 0
        target = processes.ancestry(pid)[0] if parent else pid
        return self._strike(target) if self._ours(target) else 0

    # Pauses -----------------------------------------------------------------------------------------------------------

    async def _pause_server(self, _focus: str) -> int:
        return await self._pause(self._supervisor.pid, SERVER_PAUSE_SECONDS)

    async def _pause_agent(self, _focus: str) -> int:
        found = await self._there("agent")
        return await self._pause(found[0], AGENT_PAUSE_SECONDS) if found else 0

    async def _pause_instance(self, _focus: str) -> int:
        self.hit = await self._busy("plain", "hooked", "limited", "churned", "custom")
        pid = self._journal.pids.get(self.hit, 0)
        return await self._pause(pid, INSTANCE_PAUSE_SECONDS) if pid and self._ours(pid) else 0

    async def _pause(self, pid: int, seconds: tuple[float, float]) -> int:
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return 0
        self._at = records.now()
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
            await asyncio.sleep(self._chance.uniform(*seconds))
        except ProcessLookupError:
            return 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)
            os.close(descriptor)
        return pid

    # The rest ---------------------------------------------------------------------------------------------------------

    async def _full_disk(self, _focus: str) -> int:
        pid = self._supervisor.pid
        if self._disk is None:
            _limit_files(pid, FILE_BYTES_MAX)
        else:
            self._disk.fill()
        await asyncio.sleep(self._chance.uniform(*FULL_SECONDS))
        if self._disk is None:
            for each in (pid, *processes.look(self._supervisor.mark, "")):
                _limit_files(each, resource.RLIM_INFINITY)
        else:
            self._disk.free()
        return pid

    async def _restart(self, _focus: str) -> int:
        pid = self._supervisor.kill(signal.SIGTERM)
        await self._supervisor.down.wait()
        return pid

    async def _rival(self, _focus: str) -> int:
        """A second server on the same data while the first one stands still: it must give up."""
        pid = self._supervisor.pid
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return 0
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
            status = await self._supervisor.rival()
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)
            os.close(descriptor)
        if status == 0:
            self._written.write(Fault(kind="rival-ran", at=records.now(), until=records.now(), pid=pid))
        return pid

    async def _change(self, *names: str) -> int:
        await self._churn.change(DESIGNS[self._chance.choice(names)])
        return self._supervisor.pid or -1

    async def _configure(self, _focus: str) -> int:
        await self._churn.configure(DESIGNS["plain"], self._chance.choice((1, 2, 3)))
        return self._supervisor.pid or -1

    async def _busy(self, *functions: str) -> str:
        """A living instance of these functions that is in the middle of something; the first one is asked to be."""
        for name in self._watch.busy(*functions):
            pid = self._journal.pids.get(name, 0)
            if pid and self._ours(pid):
                return name
        return await self._aims.busy(functions[0])

    def _strike(self, pid: int) -> int:
        """SIGKILL to a process that was looked at before; its pid, 0 when it is gone."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return 0
        self._at = records.now()
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return 0
        finally:
            os.close(descriptor)
        return pid

    def _ours(self, pid: int) -> bool:
        """Whether a process is below the server under test: only such are ever signalled."""
        server = self._supervisor.pid
        return bool(server) and server in processes.ancestry(pid)


def _limit_files(pid: int, size: int) -> None:
    with contextlib.suppress(OSError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
