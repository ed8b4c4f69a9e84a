"""Groups: an instance's cgroup, where its sandbox was given directories to make some in.

A group bounds memory, processes and CPU of everything an instance starts, and counts them. The instance's first
process walks in by itself (`join`) before it does anything else, which costs microseconds, where moving a process from
outside waits for every CPU of the machine. The directories are seen by agent and zygote only; an instance
covers them before user code runs (`namespace.furnish`), for the same user could raise its own limits through them.

Control groups of version 1 have a directory per controller, those of version 2 one for all. The freezer of version 1
is not used: a process that it holds does not die when it is killed, so one would outlive a server that was killed.
Where there is no group, the guard looks at memory and the rest is bounded per process or not at all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .loop import Loop

CPU_PERIOD_US = 100_000
_CPU_QUOTA_US_MIN = 1000
_READ_BYTES = 8192
_V1_MEMORY = ("memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control")
_V2_MEMORY = ("memory.current", "memory.peak", "memory.events")
_NAMES = {1: _V1_MEMORY, 2: _V2_MEMORY}


class Groups:
    """Makes groups for a sandbox.

    `version` is that of the control groups. `places` maps each controller to the directory to make groups in; with
    version 2 that is the same for all, and `freezer` stands for what needs no controller. `processes_max` bounds the
    processes and threads of a group.
    """

    def __init__(self, version: int, places: Mapping[str, str], processes_max: int) -> None:
        self.version, self.places, self._processes_max = version, dict(places), processes_max
        self._made = 0
        self._spare: Group | None = None

    @classmethod
    def of(cls, facts: Mapping[str, Any], processes_max: int) -> Groups:
        """Those that the driver's facts tell of; makes none where there are none."""
        found = facts.get("groups") or {"version": 0, "places": {}}
        return cls(int(found["version"]), found["places"], processes_max)

    def make(self, memory_bytes: int, cpu: float | None) -> Group | None:
        """A group for an instance, None where there is none to be had; `cpu` in cores, None for no bound."""
        if not self.places:
            return None
        self.prepare()
        group, self._spare = self._spare, None
        if group is not None:
            try:
                group.bound(memory_bytes, cpu)
            except OSError:
                group.destroy()
                return None
        return group

    def prepare(self) -> None:
        """Make the next one in advance, when there is time; what goes wrong shows when it is needed."""
        if self._spare is not None or not self.places:
            return
        self._made += 1
        group = Group(self.version, {name: f"{place}/{self._made}" for name, place in self.places.items()})
        try:
            group.create(self._processes_max)
        except OSError:
            group.destroy()
        else:
            self._spare = group


class Group:
    """The group in `directories`, one per controller."""

    def __init__(self, version: int, directories: Mapping[str, str]) -> None:
        self._version, self._directories = version, directories
        self._all = tuple(dict.fromkeys(directories.values()))
        self._now, self._peak, self._events = _NAMES[version]
        self._peak_fd = self._pids_fd = self._oom_fd = self._event_fd = -1
        self._loop: Loop | None = None
        self._refused = 0
        self._frozen = False
        self.entries = tuple(one + ("/tasks" if version == 1 else "/cgroup.procs") for one in self._all)
        """The files into which a process writes 0 to walk in. (`tasks` moves one thread, and needs no lock for it.)"""

    def holds(self, controller: str) -> bool:
        """Whether it bounds and counts `memory`, `pids` or `cpu`."""
        return controller in self._directories

    def create(self, processes_max: int) -> None:
        """Make the directories, and bound what is the same for all.

        Raises
        ------
        OSError: it cannot be; what was made is there until `destroy`.

        """
        for one in self._all:
            os.mkdir(one)  # noqa: PTH102 - pathlib is not loaded here
        if self.holds("pids"):
            self._write("pids", "pids.max", str(processes_max))
        self.look()

    def look(self) -> None:
        """Open what is counted; what a kernel does not count is left out."""
        if self.holds("pids"):
            with contextlib.suppress(OSError):
                self._pids_fd = os.open(self._path("pids", "pids.events"), os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError, KeyError):  # `memory.peak` came with Linux 5.19
            self._peak_fd = os.open(self._path("memory", self._peak), os.O_RDWR | os.O_CLOEXEC)

    def bound(self, memory_bytes: int, cpu: float | None) -> None:
        """Set the bounds of its instance.

        Raises
        ------
        OSError: one cannot be set.

        """
        if self.holds("memory"):
            self._bound_memory(memory_bytes)
        if self.holds("cpu") and cpu is not None:
            quota = str(max(int(cpu * CPU_PERIOD_US), _CPU_QUOTA_US_MIN))
            if self._version == 1:
                self._write("cpu", "cpu.cfs_period_us", str(CPU_PERIOD_US))
                self._write("cpu", "cpu.cfs_quota_us", quota)
            else:
                self._write("cpu", "cpu.max", f"{quota} {CPU_PERIOD_US}")

    def _bound_memory(self, limit_bytes: int) -> None:
        limit = str(limit_bytes)
        if self._version == 1:
            self._write("memory", "memory.limit_in_bytes", limit)
            with contextlib.suppress(OSError):  # kernels that do not count swap
                self._write("memory", "memory.memsw.limit_in_bytes", limit)
        else:
            self._write("memory", "memory.max", limit)
            with contextlib.suppress(OSError):
                self._write("memory", "memory.swap.max", "0")
            with contextlib.suppress(OSError):
                self._write("memory", "memory.oom.group", "1")

    def watch(self, loop: Loop, on_over: Callable[[], None]) -> None:
        """Call `on_over` when the kernel begins to end processes for want of memory.

        Version 1 only, where it ends one of them and leaves the others; version 2 ends all by itself.
        """
        if self._version != 1 or not self.holds("memory"):
            return
        with contextlib.suppress(OSError):
            self._oom_fd = os.open(self._path("memory", self._events), os.O_RDONLY | os.O_CLOEXEC)
            self._event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._write("memory", "cgroup.event_control", f"{self._event_fd} {self._oom_fd}")
            self._loop = loop
            loop.watch(self._event_fd, lambda _: self._noticed(on_over))

    def _noticed(self, on_over: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.unwatch(self._event_fd)
            self._loop = None
            on_over()

    def begin(self) -> None:
        """Count peaks and refusals from here on; a peak that the kernel cannot forget goes on."""
        self._refused = self._refusals()
        if self._peak_fd >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._peak_fd, b"0", 0)

    @property
    def peak_bytes(self) -> int:
        """The most memory it held since `begin`, 0 when nobody counts."""
        if self._peak_fd < 0:
            return 0
        try:
            return int(os.pread(self._peak_fd, 32, 0))
        except (OSError, ValueError):
            return 0

    @property
    def refused(self) -> int:
        """How many processes or threads it was not allowed to start since `begin`."""
        return self._refusals() - self._refused

    def _refusals(self) -> int:
        if self._pids_fd < 0:
            return 0
        try:
            return _value(os.pread(self._pids_fd, _READ_BYTES, 0), b"max")
        except OSError:
            return 0

    @property
    def oom_kills(self) -> int:
        """How many of its processes the kernel ended for want of memory."""
        return self._count("memory", self._events, "oom_kill")

    @property
    def files_bytes(self) -> int:
        """How much of its memory is files of its own: /tmp and /dev/shm lie in memory."""
        return self._count("memory", "memory.stat", "shmem")

    @property
    def memory_bytes(self) -> int:
        """What it holds now, without file contents that can be read again."""
        held = self._number("memory", self._now)
        return max(held - self._count("memory", "memory.stat", "inactive_file"), 0)

    @property
    def processes(self) -> int:
        """Its processes and threads now."""
        return self._number("pids", "pids.current")

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that it has used."""
        if self._version == 1:
            return self._number("cpuacct", "cpuacct.usage") / 1e9
        return self._count("freezer", "cpu.stat", "usage_usec") / 1e6

    def freeze(self) -> bool:
        """Have the CPU taken from everything in it; False where that cannot be, and signals have to do.

        It is done when `stands`. A process that is frozen this way still dies when it is killed.
        """
        self._frozen = self._version != 1 and self._set_frozen("1")
        return self._frozen

    @property
    def stands(self) -> bool:
        """Whether nothing in it runs any more, after `freeze`."""
        return self._count("freezer", "cgroup.events", "frozen") == 1

    def thaw(self) -> bool:
        """Give the CPU back; False when it was not taken here."""
        was, self._frozen = self._frozen, False
        return was and self._set_frozen("0")

    def _set_frozen(self, value: str) -> bool:
        try:
            self._write("freezer", "cgroup.freeze", value)
        except (OSError, KeyError):
            return False
        return True

    def destroy(self) -> None:
        """Remove it; nothing of the instance is left by now. What cannot be removed goes with the sandbox."""
        if self._loop is not None:
            self._loop.unwatch(self._event_fd)
            self._loop = None
        for fd in (self._peak_fd, self._pids_fd, self._oom_fd, self._event_fd):
            if fd >= 0:
                os.close(fd)
        self._peak_fd = self._pids_fd = self._oom_fd = self._event_fd = -1
        for one in self._all:
            with contextlib.suppress(OSError):
                os.rmdir(one)  # noqa: PTH106 - as above

    def _path(self, controller: str, name: str) -> str:
        return self._directories[controller] + "/" + name

    def _write(self, controller: str, name: str, value: str) -> None:
        fd = os.open(self._path(controller, name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)

    def _read(self, controller: str, name: str) -> bytes:
        if controller not in self._directories:
            return b""
        try:
            fd = os.open(self._path(controller, name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.read(fd, _READ_BYTES)
        except OSError:
            return b""
        finally:
            os.close(fd)

    def _number(self, controller: str, name: str) -> int:
        text = self._read(controller, name).strip()
        return int(text) if text.isdigit() else 0

    def _count(self, controller: str, name: str, key: str) -> int:
        """The number behind `key` in a file of keys and numbers, 0 when it is not there."""
        return _value(self._read(controller, name), key.encode())


def _value(text: bytes, key: bytes) -> int:
    """The number behind `key` in lines of keys and numbers, 0 when it is not there."""
    for line in text.splitlines():
        word, _, rest = line.partition(b" ")
        if word == key and rest.strip().isdigit():
            return int(rest)
    return 0


def join(entries: Iterable[str | int]) -> bool:
    """Walk into the group behind `entries`, with this process and what it forks; False when that did not work.

    An entry is a path, or a descriptor of one for a process that does not see it, which is closed.
    """
    for entry in entries:
        try:
            fd = entry if isinstance(entry, int) else os.open(entry, os.O_WRONLY)
            try:
                os.write(fd, b"0")
            finally:
                os.close(fd)
        except OSError:
            return False
    return True
