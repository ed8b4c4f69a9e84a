"""Reading what tasks write: once, or for as long as they write.

A follower gets what is there, then what comes, attempt after attempt, until the task is over. It has a bounded buffer:
a reader that is slower than the function loses the oldest part of it, with a line that says how much, and the function
never waits for a reader. The store is asked when a follower begins, and for attempts that ended while it was busy;
everything else is told to it by the queue (a task moved) and by the attempt's output (there is more).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from .attempt import Attempt
from .errors import ResourceExhausted, ServiceUnavailable
from .function import Function
from .output import Output, gap, whole
from .queue import Queue
from .store import Log
from .task import Status, Task

BUFFER_BYTES_MAX = 256 * 1024
JOINED_BYTES_MAX = 4096
"""Pieces shorter than that grow by what follows, so that many small ones cost what a large one does."""
PIECE_BYTES = 128
"""What a piece costs beside its bytes."""
FOLLOWERS_MAX = 256
FOLLOWERS_PER_ACCOUNT_MAX = 64
ATTEMPT_SOON_SECONDS = 0.05
"""A task is Running a moment before its attempt can be seen; a follower that comes in between looks again after it."""
DRAINED = b"... the server is going down, the task is not over ...\n"


def introduction(attempt: int) -> bytes:
    """The line before an attempt's output where a task has several."""
    return b"==> attempt %d <==\n" % attempt


def in_a_row(logs: Iterable[Log]) -> bytes:
    """The output of a task as it came; with a line before each attempt when there were several."""
    logs = list(logs)
    if len(logs) == 1:
        return whole(logs[0])
    return b"".join(introduction(log.attempt) + whole(log) + b"\n" for log in logs)


class Logs:
    """What the tasks of this server wrote and write.

    Parameters
    ----------
    queue: has what attempts that are over wrote, and tells when a task moves.
    attempt_of: the attempt of a task that is in progress, if one is.

    """

    def __init__(self, queue: Queue, attempt_of: Callable[[int], Attempt | None]) -> None:
        self._queue, self._attempt_of = queue, attempt_of
        self._followers: set[Follower] = set()
        self._closed = False

    async def read(self, task: Task) -> list[Log]:
        """What the attempts of a task wrote, a running one's so far included."""
        logs = await self._queue.logs(task.id)
        attempt = self._attempt_of(task.id)
        if attempt is not None and (so_far := attempt.output.log(attempt.number)) is not None:
            logs = [one for one in logs if one.attempt != so_far.attempt] + [so_far]
        return logs

    async def follow(self, function: Function, name: str) -> Follower:
        """A follower of the task that callers know as `name`; it is to be closed.

        Raises
        ------
        TaskNotFound: the function has no such task.
        ResourceExhausted: there are too many followers.
        ServiceUnavailable: the server is draining.

        """
        task = await self._queue.find(function, name)
        if self._closed:
            raise ServiceUnavailable("the server is draining and lets nobody follow a log")
        mine = sum(each.account_id == function.account_id for each in self._followers)
        if mine >= FOLLOWERS_PER_ACCOUNT_MAX or len(self._followers) >= FOLLOWERS_MAX:
            raise ResourceExhausted(
                f"{mine} logs are followed by account '{function.account_id}' and {len(self._followers)} on this "
                f"server, which allows {FOLLOWERS_PER_ACCOUNT_MAX} and {FOLLOWERS_MAX}",
                5,
            )
        follower = Follower(self._queue, self._attempt_of, task, self._followers.discard)
        self._followers.add(follower)
        try:
            follower.moved(await self._queue.find(function, name))  # for it may have moved before it was watched
        except BaseException:
            follower.close()
            raise
        return follower

    def close(self) -> None:
        """Let every follower send what it has and end; new ones are refused."""
        self._closed = True
        for follower in self._followers:
            follower.finish()


class Follower:
    """One reader of one task's log; `on_close` is called once with it."""

    def __init__(
        self,
        queue: Queue,
        attempt_of: Callable[[int], Attempt | None],
        task: Task,
        on_close: Callable[[Follower], None],
    ) -> None:
        self._queue, self._attempt_of, self._task, self._on_close = queue, attempt_of, task, on_close
        self.account_id = task.account_id
        self._news = asyncio.Event()
        self._finishing = False
        self._at_line_begin = True
        self._unwatch: Callable[[], None] | None = queue.watch(task.id, self.moved)

    def moved(self, task: Task) -> None:
        """Hear where the task stands now."""
        if task.epoch > self._task.epoch:
            self._task = task
            self._news.set()

    def finish(self) -> None:
        """End as soon as what is there has been sent."""
        self._finishing = True
        self._news.set()

    def close(self) -> None:
        """Let go of the task. Closing twice is fine."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
            self._on_close(self)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The log as it comes; ends when the task is over, or after `finish`."""
        done = 0
        while True:
            self._news.clear()
            task, live = self._task, self._attempt_of(self._task.id)
            ended = task.attempts if task.status not in (Status.RUNNING, Status.STOPPING) else 0
            until = live.number - 1 if live is not None else ended
            if until > done:
                for log in await self._queue.logs(task.id):
                    if done < log.attempt <= until:
                        yield self._introduced(log.attempt, whole(log))
                done = until
            if live is not None and live.number > done:
                async for piece in self._live(live):
                    yield piece
                done = live.number
            elif task.over or self._finishing:
                break
            else:
                await self._wait(soon=task.status is Status.RUNNING and live is None)
        if not self._task.over:
            yield DRAINED if self._at_line_begin else b"\n" + DRAINED

    async def _live(self, attempt: Attempt) -> AsyncIterator[bytes]:
        """The output of an attempt in progress, until it is over."""
        unread = Unread(attempt.output, self._news.set)
        begun = False
        try:
            while True:
                self._news.clear()
                over = self._past(attempt.number)
                if piece := unread.take():
                    yield piece if begun else self._introduced(attempt.number, piece)
                    begun = True
                    self._at_line_begin = piece.endswith(b"\n")
                if over or self._finishing:
                    return
                await self._news.wait()
        finally:
            unread.close()

    def _past(self, attempt: int) -> bool:
        """Whether attempt number `attempt` is over, so that all it wrote was heard."""
        task = self._task
        ended = task.status not in (Status.RUNNING, Status.STOPPING)
        return task.attempts > attempt or (task.attempts == attempt and ended)

    def _introduced(self, attempt: int, text: bytes) -> bytes:
        """The first piece of an attempt's output, with a line before it when the task has several."""
        head = introduction(attempt) if self._task.attempts > 1 else b""
        if head and not self._at_line_begin:
            head = b"\n" + head
        self._at_line_begin = text.endswith(b"\n")
        return head + text

    async def _wait(self, *, soon: bool) -> None:
        if not soon:
            await self._news.wait()
            return
        try:
            async with asyncio.timeout(ATTEMPT_SOON_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return


class Unread:
    """What an output holds and gets, for one reader to take; past `BUFFER_BYTES_MAX` the oldest part is dropped."""

    def __init__(self, output: Output, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._pieces: deque[tuple[int, bytearray]] = deque()  # each with what was dropped before it
        self._size_bytes = 0
        self._dropped = 0
        so_far = output.log(1)
        if so_far is not None:
            self._add(whole(so_far), 0)
        self._unlisten: Callable[[], None] | None = output.listen(self._heard)

    def take(self) -> bytes:
        """All of it; nothing when there is nothing new."""
        text = gap(self._dropped) + b"".join(gap(dropped) + piece for dropped, piece in self._pieces)
        self._pieces.clear()
        self._size_bytes = self._dropped = 0
        return text

    def close(self) -> None:
        """Hear no more."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    def _heard(self, piece: bytes, dropped: int) -> None:
        self._add(piece, dropped)
        self._wake()

    def _add(self, piece: bytes, dropped: int) -> None:
        if not dropped and self._pieces and len(self._pieces[-1][1]) < JOINED_BYTES_MAX:
            self._pieces[-1][1].extend(piece)
        else:
            self._pieces.append((dropped, bytearray(piece)))
            self._size_bytes += PIECE_BYTES
        self._size_bytes += len(piece)
        while self._size_bytes > BUFFER_BYTES_MAX:
            before, oldest = self._pieces.popleft()
            self._size_bytes -= len(oldest) + PIECE_BYTES
            self._dropped += before + len(oldest)
