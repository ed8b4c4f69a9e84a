"""The processes of a sandbox as the host sees them, and their certain end.

With namespaces the process to end is the sandbox's first one: when a wait on it returns, the kernel has ended every
process in there. Without, the agent is given the chance to clear up by itself, and what remains is looked for by pid
and by mark.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from sojourn.agent import tree

from . import records
from .groups import Estate

GOODBYE_SECONDS = 5.0
_STDERR_BYTES_MAX = 8192


class Enclosure:
    """The processes below `process`.

    `namespaces` says whether its only child is the first process of a pid namespace. `mine` recognises an environment
    of this sandbox. `estate` are its control groups, removed at the end.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        directory: Path,
        mark: str,
        *,
        namespaces: bool,
        mine: Callable[[dict[str, str]], bool],
        estate: Estate | None = None,
    ) -> None:
        self._process, self._directory, self._mark = process, directory, mark
        self._namespaces, self._mine, self._estate = namespaces, mine, estate
        self._fds: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._ended: asyncio.Future[None] | None = None
        self.words = ""
        """What was written to standard error, once it has ended: why a start failed."""
        self.hold(process.pid)

    def settle(self) -> None:
        """The sandbox is up: take hold of its first process, and write the record."""
        if self._namespaces:
            for pid in tree.children(self._process.pid):
                self.hold(pid)
        self.record()

    def hold(self, pid: int) -> bool:
        """Count `pid` in: the end waits for it. False when it is known already, or gone."""
        if pid in self._fds:
            return False
        try:
            self._fds[pid] = os.pidfd_open(pid)
        except OSError:
            return False
        self._starts[pid] = tree.start_time(pid)
        return True

    def record(self) -> None:
        """Write down what is held, for the next server."""
        records.write(self._directory, self._mark, self._starts.items())

    async def end(self, *, deaf: bool = False) -> None:
        """End everything; returns when no process is left. Ending twice waits for the same end.

        `deaf` means that the agent does not react any more: it is not waited for.
        """
        if self._ended is None:
            if deaf:
                records.kill(self._fds[self._process.pid])
            self._ended = asyncio.ensure_future(self._end())
        await asyncio.shield(self._ended)

    async def _end(self) -> None:
        if self._namespaces:
            for pid in tree.children(self._process.pid):
                self.hold(pid)
            for fd in self._fds.values():
                records.kill(fd)
            await asyncio.gather(*(_gone(fd) for fd in self._fds.values()))
        else:
            await self._clear_up()
        self._process.wait()
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self._take_words()
        if self._estate is not None:
            await asyncio.to_thread(self._estate.remove)
        records.remove(self._directory)

    def _take_words(self) -> None:
        if self._process.stderr is not None:
            with self._process.stderr as stream:
                os.set_blocking(stream.fileno(), False)
                self.words = (stream.read(_STDERR_BYTES_MAX) or b"").decode("utf-8", "replace").strip()

    async def _clear_up(self) -> None:
        """Without namespaces: wait for agent and zygotes to end theirs, then kill what is left."""
        waits = [asyncio.ensure_future(_gone(fd)) for fd in self._fds.values()]
        await asyncio.wait(waits, timeout=GOODBYE_SECONDS)
        for wait in waits:
            wait.cancel()

        def left() -> list[int]:
            self._process.poll()  # or the agent stays as a zombie
            held = {pid for pid, start in self._starts.items() if start and tree.start_time(pid) == start}
            return sorted(held.union(records.marked(self._mine)))

        await asyncio.to_thread(records.kill_until_gone, left, set())


async def _gone(pid_fd: int) -> None:
    """Wait until the process behind a pidfd is gone."""
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        if not gone.done():
            gone.set_result(None)

    loop.add_reader(pid_fd, readable)
    try:
        await gone
    finally:
        loop.remove_reader(pid_fd)
