"""A zygote: one process per interpreter, with the runtime loaded, that forks instances and ends them.

It stays single-threaded, runs no user code, and is the parent of its instances: only it can wait for them, so only it
signals them, and a number is never signalled after it was reaped. Requests come from the agent over a socket that keeps
messages apart, with an instance's descriptors attached.

With namespaces an instance is made by way of a launcher, because the pid namespace of `unshare` begins with the next
child: the zygote forks the launcher, the launcher unshares and forks the instance and goes, and the instance becomes
the zygote's child (it adopts orphans). Waiting for the instance then proves that its whole pid namespace is empty.
(Without a launcher the zygote would have to go back to its own pid namespace, which takes rights over that.)

Without namespaces the tree is ended by hand: whatever loses its parent becomes a child of the instance while that
lives, and of the zygote when it is gone, where a child that is no instance is an orphan and is killed with its tree.
An end is reported when no orphan is left.
"""

from __future__ import annotations

import array
import gc
import json
import os
import signal
import socket
from typing import Any

from . import groups, kernel, namespace, tree
from .loop import Loop
from .standstill import Standstill

MESSAGE_BYTES_MAX = 192 * 1024
_DESCRIPTORS_MAX = 16
_ORPHAN_PAUSE_SECONDS = 0.005
_STEPS_AT_ONCE = 4
_STEP_PAUSE_SECONDS = 0.001
_STEPS_MAX = 500
"""How often a tree is walked before it counts as stopped although some thread does not reach its stop."""


class Birth:
    """What a fresh instance knows: its specification and its descriptors, socket, output and perhaps PreStop's."""

    def __init__(
        self, spec: dict[str, Any], descriptors: list[int], go_fd: int, bounding: list[int], keep: object
    ) -> None:
        self.spec, self.go_fd, self.bounding = spec, go_fd, bounding
        self.channel_fd, self.output_fd = descriptors[:2]
        self.control_fd = descriptors[2] if len(descriptors) > 2 else -1  # noqa: PLR2004 - the third, if there is one
        self._keep = keep
        """The zygote's objects: a descriptor number closed behind their back must not be closed again by them."""


class Zygote:
    """Forks and ends instances for the agent at the other end of `control`.

    With `announced` this is a template (see `templates`), and an instance says itself that it is born, so that the
    agent has its number from the kernel: in a pid namespace of ours we do not know it, and would not be believed.
    """

    def __init__(self, control: socket.socket, *, namespaces: bool, announced: bool = False) -> None:
        self._control, self._namespaces, self._announced = control, namespaces, announced
        self._bounding = kernel.bounding_set()
        self._loop = Loop()
        self._pids: dict[int, int] = {}
        self._dead: list[tuple[int, int, int]] = []
        self._standstills: dict[int, Standstill] = {}
        self._closing = False
        self._birth: Birth | None = None

    def run(self) -> Birth:
        """Serve until the agent goes, then end everything and exit; returns only in a fresh instance."""
        kernel.adopt_orphans()
        self._loop.on_children(self._reap)
        self._loop.watch(self._control.fileno(), self._message)
        gc.collect()
        gc.freeze()
        self._say(ready=True)
        self._loop.run()
        if self._birth is not None:
            return self._birth
        os._exit(0)

    def _say(self, **message: object) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            self._close()

    def _message(self, _: int) -> None:
        size = array.array("i").itemsize * _DESCRIPTORS_MAX
        try:
            data, ancillary, _flags, _address = self._control.recvmsg(
                MESSAGE_BYTES_MAX, socket.CMSG_LEN(size), socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._close()
            return
        descriptors = array.array("i")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
        message = json.loads(data)
        number = int(message["number"])
        if "signal" in message:
            self._signal(number, int(message["signal"]))
        elif "freeze" in message:
            self._freeze(number, int(message["freeze"]))
        elif "thaw" in message:
            self._thaw(number)
        else:
            self._create(number, message["spec"], list(descriptors))

    def _create(self, number: int, spec: dict[str, Any], descriptors: list[int]) -> None:
        go_read, go_write = os.pipe()
        entries = [descriptors.pop() for _ in range(int(spec.get("entries", 0)))]
        launcher = 0
        try:
            pid, launcher = self._fork()
        except OSError as error:
            self._say(number=number, failed=str(error))
            pid = -1
        if pid == 0:
            self._begin(number, spec, entries)
            os.close(go_write)
            self._birth = Birth(spec, descriptors, go_read, self._bounding, self)
            self._loop.ended = True
            return
        if pid > 0:
            self._pids[pid] = number
            if not self._announced:
                self._say(number=number, pid=pid)
            if launcher:
                os.waitpid(launcher, 0)
            os.write(go_write, b"g")
        for fd in (*descriptors, *entries, go_read, go_write):
            os.close(fd)

    def _begin(self, number: int, spec: dict[str, Any], entries: list[int]) -> None:
        """Be a fresh instance: walk into the group, whose files may lie open in `entries`, and announce it."""
        grouped = groups.join(entries or spec.get("groups", ()))
        if not grouped:
            spec["groups"] = spec["held"] = ()
        if self._announced or not grouped:
            self._say(number=number, born=grouped)

    def _fork(self) -> tuple[int, int]:
        """Like `os.fork`, with the first process of a pid namespace as the child where there are namespaces.

        The second number is the launcher's, which is to be waited for, 0 for none.

        Raises
        ------
        OSError: the namespace or a process could not be made.

        """
        if not self._namespaces:
            return os.fork(), 0
        told_read, told_write = os.pipe()
        launcher = os.fork()
        if launcher == 0:
            told = b"0"
            try:
                namespace.begin()
                pid = os.fork()
                if pid == 0:
                    os.close(told_read)
                    os.close(told_write)
                    return 0, 0
                told = str(pid).encode()
            except OSError as error:
                told = str(error).encode()
            os.write(told_write, told)
            os._exit(0)
        os.close(told_write)
        with os.fdopen(told_read, "rb") as file:
            told = file.read()
        if not told.isdigit():
            os.waitpid(launcher, 0)
            raise OSError(told.decode() or "the launcher died")
        return int(told), launcher

    def _signal(self, number: int, which: int) -> None:
        for pid, known in self._pids.items():
            if known == number:
                if which == signal.SIGKILL and not self._namespaces:
                    tree.kill_tree(pid)
                else:
                    os.kill(pid, which)

    def _freeze(self, number: int, request: int) -> None:
        """Stop the tree of an instance and say so."""
        for pid, known in self._pids.items():
            if known == number:
                self._standstills[number] = Standstill(pid)
                self._step(number, request, self._standstills[number], 0)

    def _step(self, number: int, request: int, standstill: Standstill, steps: int) -> None:
        """Walk until nothing runs; between walks others get their turn."""
        if self._standstills.get(number) is not standstill:
            return  # thawed or dead by now
        for _ in range(_STEPS_AT_ONCE):
            if standstill.step() or steps >= _STEPS_MAX:
                self._say(number=number, frozen=request, outrun=standstill.outrun)
                return
            steps += 1
        self._loop.later(_STEP_PAUSE_SECONDS, lambda: self._step(number, request, standstill, steps))

    def _thaw(self, number: int) -> None:
        standstill = self._standstills.pop(number, None)
        if standstill is not None:
            standstill.end()

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            number = self._pids.pop(pid, None)
            if number is not None:
                self._standstills.pop(number, None)
                self._dead.append((number, status, used.ru_maxrss * 1024))
        self._report()

    def _report(self) -> None:
        """Tell the agent who is gone, once nothing of them is left."""
        if not self._dead and not self._closing:
            return
        orphans = [] if self._namespaces else [pid for pid in tree.children(os.getpid()) if pid not in self._pids]
        for pid in orphans:
            tree.kill_tree(pid)
        if orphans:
            self._loop.later(_ORPHAN_PAUSE_SECONDS, self._reap)  # SIGCHLD comes too; this is for one that does not die
            return
        dead, self._dead = self._dead, []
        for number, status, peak_bytes in dead:
            self._say(number=number, status=status, peak_bytes=peak_bytes)
        if self._closing and not self._pids:
            os._exit(0)

    def _close(self) -> None:
        """The agent is gone: end every instance with its tree, then exit."""
        if self._closing:
            return
        self._closing = True
        self._loop.unwatch(self._control.fileno())
        for pid in list(self._pids):
            tree.kill_tree(pid)
        self._report()


def main(control_fd: int, *, namespaces: bool) -> Birth:
    """Be a zygote; returns only in a fresh instance."""
    parent = os.getppid()
    kernel.hide()
    if namespaces:
        kernel.die_with_parent()
        if os.getppid() != parent:
            os._exit(0)
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    os.close(quiet)
    return Zygote(control, namespaces=namespaces).run()
