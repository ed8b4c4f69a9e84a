"""What may be left of files after a loss of power at one moment of a log.

Each file is what its last sync made durable, and of the calls after that any part, in any order: a write may be lost,
whole or by sectors, and one that came later may be there. A file that was never synced may not be there at all, and
one that was deleted may be there again, until the directory is synced: SQLite does that with the first sync of a file
that it has made.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from .disk import DELETE, SYNC, SYNC_FAILED, TRUNCATE, WRITE, Op

SECTOR = 512
WAYS = ("nothing", "everything", "some", "some, torn", "some, torn and in another order", "the last ones")


class _File:
    """One file: its durable content, None while it may not be there, and the calls since."""

    def __init__(self) -> None:
        self.durable: bytearray | None = None
        self.pending: list[Op] = []
        self.synced = False

    def sync(self) -> None:
        """All that is pending becomes durable."""
        self._settle(len(self.pending))
        self.synced = True

    def sync_directory(self) -> None:
        """Its deletion becomes durable."""
        deleted = [place for place, op in enumerate(self.pending) if op.kind == DELETE]
        if deleted:
            self._settle(deleted[-1] + 1)
            self.synced = False

    def _settle(self, count: int) -> None:
        self.durable = _applied(self.durable, self.pending[:count])
        del self.pending[:count]


class Images:
    """Rolls a log forward; `at` must be asked for moments in order."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self._ops = ops
        self._position = 0
        self._files: dict[str, _File] = {}
        self.dropped = self.torn = 0

    def at(self, moment: int, way: str, dice: random.Random) -> dict[str, bytes]:
        """The files that are left when power is lost after the first `moment` calls, in one of `WAYS`."""
        while self._position < moment:
            self._take(self._ops[self._position])
            self._position += 1
        left: dict[str, bytes] = {}
        for name, file in self._files.items():
            chosen = list(self._chosen(file.pending, way, dice))
            content = _applied(file.durable, chosen)
            if content is not None:
                left[name] = bytes(content)
        return left

    def _take(self, op: Op) -> None:
        file = self._files.setdefault(op.file, _File())
        if op.kind == SYNC:
            if not file.synced:
                for each in self._files.values():
                    each.sync_directory()
            file.sync()
        elif op.kind == SYNC_FAILED:
            file.pending.clear()  # the kernel may drop what it could not write, and call the next sync a success
        elif op.kind == DELETE and op.size:
            del self._files[op.file]
        else:
            file.pending.append(op)

    def _chosen(self, pending: list[Op], way: str, dice: random.Random) -> Iterator[Op]:
        """The calls of `pending` that reached the disk."""
        if way == "nothing":
            self.dropped += len(pending)
            return
        if way == "everything":
            yield from pending
            return
        if way == "the last ones":
            first = dice.randint(0, len(pending))
            self.dropped += first
            yield from pending[first:]
            return
        likely = dice.choice((0.1, 0.5, 0.9))
        kept = [op for op in pending if dice.random() < likely]
        self.dropped += len(pending) - len(kept)
        if way.endswith("another order"):
            dice.shuffle(kept)
        for op in kept:
            if "torn" in way and op.kind == WRITE and len(op.data) > SECTOR and dice.random() < 0.5:
                self.torn += 1
                yield from _sectors(op, dice)
            else:
                yield op


def _sectors(op: Op, dice: random.Random) -> Iterator[Op]:
    """Some sectors of a write."""
    for begin in range(0, len(op.data), SECTOR):
        if dice.random() < 0.5:
            yield op._replace(offset=op.offset + begin, data=op.data[begin : begin + SECTOR])


def _applied(content: bytearray | None, ops: Sequence[Op]) -> bytearray | None:
    """A file's content after `ops`; None when it is not there."""
    content = None if content is None else bytearray(content)
    for op in ops:
        if op.kind == DELETE:
            content = None
            continue
        content = bytearray() if content is None else content
        if op.kind == TRUNCATE:
            del content[op.size :]
            content.extend(bytes(op.size - len(content)))
        else:
            content.extend(bytes(max(op.offset - len(content), 0)))
            content[op.offset : op.offset + len(op.data)] = op.data
    return content
