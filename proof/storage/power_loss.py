"""The part `power-loss`: the real SQLite store, and everything that a loss of power may leave of its files.

The store works on a disk that writes down each call; then power is lost at moments all over that log, in each way that
`images` knows, and the real store is opened on what is left. A store that does not wait for its syncs must be found
out: that is tried each time too.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import apsw
from proof.result import Result, Scale

from sojourn.stores.sqlite import SqliteStore, connection, store, writer

from . import recovery, workload
from .disk import SYNC, Disk
from .images import WAYS, Images
from .workload import Record

IMAGES = 2_000
TASKS = 200
RESTARTS = 3
CHECKPOINTS: dict[str, Any] = {"CHECKPOINT_PAGES_IDLE": 20, "CHECKPOINT_PAGES_BUSY": 60, "CHECKPOINT_PAGES_FORCED": 150}
"""So that a small workload has many."""
CARELESS = ("synchronous OFF", "synchronous NORMAL", "a disk that lies")
CARELESS_IMAGES = 60

_names = itertools.count(1)


class Loss:
    """One workload on a recording disk, and the losses made of it. `careless` is one of `CARELESS`, or nothing."""

    def __init__(self, directory: Path, seed: int, careless: str = "") -> None:
        self._directory, self._seed, self._careless = directory, seed, careless
        self.record = Record()
        self.starts: list[int] = []
        self.wrong: Counter[str] = Counter()
        self.examples: list[str] = []
        self.images = self.dropped = self.torn = 0
        self.ops = 0

    def run(self, images: int, tasks: int) -> None:
        """Work, then lose power in `images` ways."""
        disk = Disk(f"sojourn-power-{next(_names)}", lying=self._careless == CARELESS[2])
        try:
            with mock.patch.multiple(writer, **CHECKPOINTS), self._care():
                asyncio.run(self._work(disk, tasks))
        finally:
            disk.unregister()
        self._lose(disk, images)

    async def _work(self, disk: Disk, tasks: int) -> None:
        """Several starts of a store on one database."""
        home = self._directory / "home"
        ops: list[Any] = disk.ops
        for restart in range(RESTARTS):
            opened = SqliteStore(home, vfs=disk.name)
            await opened.open()
            self.starts.append(len(ops))
            if not restart:
                await opened.put_account(*workload.account())
                await opened.put_function(workload.function(), 0)
            plan = workload.lives(tasks // RESTARTS, 1 + restart * tasks, self._seed + restart)
            await workload.work(opened, plan, self.record, ops)
            await opened.close()

    @contextmanager
    def _care(self) -> Iterator[None]:
        """Let the store be careless, if it is to be."""
        kind, _, level = self._careless.partition(" ")
        made: Callable[..., apsw.Connection] = connection.open_writer

        def careless(*arguments: Any) -> apsw.Connection:
            opened = made(*arguments)
            opened.pragma("synchronous", level)
            return opened

        with mock.patch.object(store, "open_writer", careless if kind == "synchronous" else made):
            yield

    def _lose(self, disk: Disk, images: int) -> None:
        dice = random.Random(self._seed)
        log = Images(disk.ops)
        self.ops = len(disk.ops)
        acknowledged: dict[int, int] = {}
        told = iter(self.record.acknowledged)
        after = next(told, None)
        for moment in _moments(disk, images, dice):
            while after is not None and after.position <= moment:
                acknowledged[after.task_id] = after.epoch
                after = next(told, None)
            way = WAYS[self.images % len(WAYS)]
            self._judge(log.at(moment, way, dice), acknowledged, moment, way)
        self.dropped, self.torn = log.dropped, log.torn

    def _judge(self, files: dict[str, bytes], acknowledged: dict[int, int], moment: int, way: str) -> None:
        self.images += 1
        image = self._directory / "image"
        shutil.rmtree(image, ignore_errors=True)
        image.mkdir()
        for name, content in files.items():
            (image / name).write_bytes(content)
        starts = sum(position <= moment for position in self.starts)
        found = recovery.recovered(image, acknowledged, self.record.steps, starts)
        self.wrong.update({text.split(" ", 1)[0].rstrip(":") for text in found})
        self.examples += [f"seed {self._seed}, moment {moment}, {way}: {text}" for text in found[:3]]


def _moments(disk: Disk, images: int, dice: random.Random) -> list[int]:
    """Where in the log power is lost: half of the moments anywhere, half just before a sync, when most is at stake."""
    syncs = [place for place, op in enumerate(disk.ops) if op.kind == SYNC]
    anywhere = [dice.randint(0, len(disk.ops)) for _ in range(images)]
    return sorted(dice.choice(syncs) if syncs and turn % 2 else place for turn, place in enumerate(anywhere))


def run(scale: Scale) -> Result:
    """Lose power in as many ways as the scale has; a new workload for every 500."""
    images, lost, damaged, dropped, torn, acknowledged = 0, 0, 0, 0, 0, 0
    details: list[str] = []
    wanted = scale.count(IMAGES)
    for number in itertools.count():
        if images >= wanted:
            break
        loss = Loss(scale.directory / f"{number}", scale.seed + number)
        loss.run(min(500, wanted - images), scale.count(TASKS, 30) if scale.share < 1 else TASKS)
        shutil.rmtree(scale.directory / f"{number}")
        images += loss.images
        lost += loss.wrong[recovery.LOST]
        damaged += loss.wrong[recovery.DAMAGED]
        dropped, torn = dropped + loss.dropped, torn + loss.torn
        acknowledged += len(loss.record.acknowledged)
        details += loss.examples[:20]
    missed = [careless for careless in CARELESS if not careless_is_found(scale, careless)]
    found = len(CARELESS) - len(missed)
    if not dropped or (not torn and scale.share >= 1):  # among a few images none need be torn
        missed.append("a write that is torn" if dropped else "a write that is lost")
    details += [f"not found: {each}" for each in missed]
    return Result(
        line=(
            f"power loss: {images:,} images, {lost:,} lost, {damaged:,} damaged "
            f"({acknowledged:,} acknowledged, {dropped:,} writes dropped, {torn:,} torn); "
            f"{found}/{len(CARELESS)} careless stores found"
        ),
        ok=not (lost or damaged or missed) and images >= wanted,
        details=tuple(details),
    )


def careless_is_found(scale: Scale, careless: str) -> bool:
    """Whether a store that does not wait for its syncs, or a disk that ignores them, loses what was acknowledged."""
    place = scale.directory / "careless"
    loss = Loss(place, scale.seed, careless)
    loss.run(CARELESS_IMAGES, 30)
    shutil.rmtree(place)
    return loss.wrong[recovery.LOST] > 0
