"""The part `storage-faults`: each call to the disk fails once, and nothing that was acknowledged is lost by it.

For every kind of call and of failure the same small workload runs again and again, with the first such call failing,
the second, the third, until one run meets no failure. A full disk may also stay full until it has room again. After
each run the database is opened on a sound disk; after a failed sync on what a loss of power would have left, since the
kernel may have dropped what it could not write.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import apsw
from proof.result import Result, Scale

from sojourn.errors import SojournError, StoreFailed
from sojourn.stores.sqlite import SqliteStore, writer

from . import disk, recovery, workload
from .disk import Disk, Failure
from .images import Images
from .power_loss import CHECKPOINTS
from .workload import Record

TASKS = 6
RUN_SECONDS_MAX = 60.0
PROBE = 1_000
"""The first number of the tasks that are submitted when the disk is well again."""

_names = itertools.count(1)


class Kind(NamedTuple):
    """A kind of call and how it fails."""

    call: str
    code: int
    lasting: bool = False


KINDS = (
    Kind(disk.WRITE, apsw.SQLITE_FULL),
    Kind(disk.WRITE, apsw.SQLITE_FULL, lasting=True),
    Kind(disk.WRITE, apsw.SQLITE_IOERR_WRITE),
    Kind(disk.SYNC, apsw.SQLITE_IOERR_FSYNC),
    Kind(disk.READ, apsw.SQLITE_IOERR_READ),
    Kind(disk.TRUNCATE, apsw.SQLITE_IOERR_TRUNCATE),
    Kind(disk.OPEN, apsw.SQLITE_CANTOPEN),
    Kind(disk.DELETE, apsw.SQLITE_IOERR_DELETE),
)


class Faults:
    """Runs of one workload, each with one failure."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory, self._seed = directory, seed
        self.runs = 0
        self.failures: Counter[Kind] = Counter()
        self.wrong: Counter[str] = Counter()
        self.examples: list[str] = []

    def all_of(self, kind: Kind, stride: int) -> None:
        """Every `stride`-th call of a kind fails, each in a run of its own."""
        for at in itertools.count(1, stride):
            if not self.one(kind, at):
                return

    def one(self, kind: Kind, at: int) -> bool:
        """One run; False when no call failed, because there are not so many."""
        home = self._directory / "home"
        shutil.rmtree(home, ignore_errors=True)
        sick = Disk(f"sojourn-fault-{next(_names)}")
        record = Record()
        sick.fail(Failure(kind.call, at, kind.code, kind.lasting))
        found: list[str] = []
        try:
            with mock.patch.multiple(writer, **CHECKPOINTS):
                asyncio.run(asyncio.wait_for(self._work(home, sick, record, found), RUN_SECONDS_MAX))
        except TimeoutError:
            found.append("hangs")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not what a store may raise
            found.append(f"surprise {type(error).__name__}: {error}")
        finally:
            sick.unregister()
        if kind.call == disk.SYNC and sick.failed:
            self._lose_power(home, sick)
        self.runs += 1
        self.failures[kind] += sick.failed
        acknowledged = {told.task_id: told.epoch for told in record.acknowledged}
        found += recovery.recovered(home, acknowledged, record.steps)
        self.wrong.update({text.split(" ", 1)[0].rstrip(":") for text in found})
        self.examples += [f"{kind.call} {kind.code} at {at}: {text}" for text in found[:3]]
        return sick.failed > 0

    async def _work(self, home: Path, sick: Disk, record: Record, found: list[str]) -> None:
        """A start, some lives, the disk made well, some more lives, an end."""
        ops: list[Any] = sick.ops
        store = SqliteStore(home, vfs=sick.name)
        try:
            await store.open()
        except StoreFailed:
            return
        try:
            await _begin(store)
            await workload.work(store, workload.lives(TASKS, 1, self._seed), record, ops)
            sick.fail(None)
            await _begin(store)
            told = len(record.acknowledged)
            await workload.work(store, workload.lives(2, PROBE, self._seed), record, ops)
            written = len(record.acknowledged) > told
            if store.failed is None and not written:
                found.append("refuses though the disk is well")
            if store.failed is not None and written:
                found.append("accepts though its disk has failed")
        finally:
            await store.close()

    def _lose_power(self, home: Path, sick: Disk) -> None:
        """Leave of the files only what a sync has covered."""
        left = Images(sick.ops).at(len(sick.ops), "nothing", random.Random(self._seed))
        for path in home.glob("sojourn.db*"):
            path.unlink()
        for name, content in left.items():
            (home / name).write_bytes(content)


async def _begin(store: SqliteStore) -> None:
    """An account and a function; a store that refuses them is asked once more, as an operator would."""
    for _ in range(2):
        try:
            await store.put_account(*workload.account())
            await store.put_function(workload.function(), 0)
        except SojournError:
            continue
        return


def careless_is_found(scale: Scale) -> bool:
    """Whether a store that says yes to what the disk refused is found out."""

    def say_yes(batch: list[writer.Write]) -> None:
        for write in batch:
            if not write.future.done():
                write.future.set_result(True if write.answer is None else write.answer)

    faults = Faults(scale.directory, scale.seed)
    with mock.patch.object(writer, "_acknowledge", say_yes):
        faults.all_of(KINDS[0], 20)
    return faults.wrong[recovery.LOST] > 0


def run(scale: Scale) -> Result:
    """Fail every call once, or at a smaller scale some of them."""
    faults = Faults(scale.directory, scale.seed)
    stride = max(round(1 / scale.share / 3), 1) if scale.share < 1 else 1
    for kind in KINDS:
        faults.all_of(kind, stride)
    found = careless_is_found(scale)
    lost, others = faults.wrong[recovery.LOST], faults.wrong.total() - faults.wrong[recovery.LOST]
    wrong = faults.examples + [
        f"no call failed: {kind.call} {kind.code}" for kind in KINDS if not faults.failures[kind]
    ]
    wrong += [] if found else ["a store that says yes to what the disk refused is not found"]
    return Result(
        line=(
            f"storage faults: {faults.runs:,} runs, {faults.failures.total():,} failed calls of {len(KINDS)} kinds, "
            f"{lost:,} lost, {others:,} otherwise wrong; "
            f"{int(found)}/1 careless stores found"
        ),
        ok=not wrong and not faults.wrong,
        details=tuple(wrong),
    )
