"""The SQLite store when the disk is full, a sync fails, or the process is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from sojourn.errors import StoreFailed
from sojourn.history import unpack_events
from sojourn.store import Store
from sojourn.stores.sqlite import SqliteStore
from sojourn.stores.sqlite.connection import FILE_NAME
from sojourn.task import LEGAL_STEPS
from stores.samples import claimed, new_task, open_ids, use


class SickDisk(apsw.VFS):
    """SQLite's own file layer, but for one call that fails while `sick` names it."""

    name = "sojourn-sick-disk"

    def __init__(self) -> None:
        self.sick = ""
        self.failures = 0
        self.syncs = 0
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Open a file that asks this layer before each call."""
        return SickFile(self, name, flags)

    def ask(self, call: str, result: int) -> None:
        """Fail `call` with the extended `result` while it is the sick one."""
        if self.sick == call:
            self.failures += 1
            error = apsw.FullError("planted") if result == apsw.SQLITE_FULL else apsw.IOError("planted")
            error.extendedresult = result  # type: ignore[union-attr]  # how apsw is told it
            raise error


class SickFile(apsw.VFSFile):
    """A file on a sick disk."""

    def __init__(self, disk: SickDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """Sync, or fail as after a lost write."""
        self._disk.syncs += 1
        self._disk.ask("sync", apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        """Write, or find the disk full."""
        self._disk.ask("write", apsw.SQLITE_FULL)
        super().xWrite(data, offset)


@pytest.fixture(name="disk")
def sick_disk() -> Iterator[SickDisk]:
    """A disk that is well until told otherwise."""
    disk = SickDisk()
    yield disk
    disk.unregister()


def test_every_acknowledgement_follows_a_sync_that_it_shares(tmp_path: Path, disk: SickDisk) -> None:
    """A write alone has a sync of its own before it is acknowledged; writes that gather share one."""

    async def run() -> None:
        store = SqliteStore(tmp_path, vfs=disk.name)
        await store.open()
        await store.insert_task(new_task(1))
        for number in range(2, 12):
            before = disk.syncs
            assert await store.insert_task(new_task(number))
            assert disk.syncs > before
        before = disk.syncs
        assert all(await asyncio.gather(*(store.insert_task(new_task(number)) for number in range(100, 300))))
        assert disk.syncs - before < 100
        await store.close()

    asyncio.run(run())


def test_a_full_database_refuses_and_recovers(tmp_path: Path) -> None:
    """While no page is left, writes raise and nothing of them is there; once there is room, they work again."""

    async def limit(store: SqliteStore, pages: int) -> None:
        await store._writer.write(lambda cursor: cursor.execute(f"PRAGMA max_page_count = {pages}").get)

    async def run() -> None:
        store = SqliteStore(tmp_path)
        await store.open()
        assert await store.insert_task(new_task(1))
        await limit(store, 1)  # SQLite takes the present size for it
        large = [store.insert_task(new_task(number, payload=b"p" * 10_000)) for number in range(2, 12)]
        answers = await asyncio.gather(*large, return_exceptions=True)
        assert {str(answer) for answer in answers} == {"the change is not durable: database or disk is full"}
        assert store.failed is None
        assert await open_ids(store) == [1]
        assert await store.apply(1, claimed(new_task(1)))
        await limit(store, 1 << 30)
        assert await store.insert_task(new_task(2, payload=b"p" * 10_000))
        await store.close()

    asyncio.run(run())


def test_a_full_disk_fails_the_whole_batch_and_recovers(tmp_path: Path, disk: SickDisk) -> None:
    """When the log cannot be written at the commit, every write of the batch raises, and a later one works."""

    async def run() -> None:
        store = SqliteStore(tmp_path, vfs=disk.name)
        await store.open()
        assert await store.insert_task(new_task(1))
        disk.sick = "write"
        writes = [store.insert_task(new_task(number)) for number in range(2, 12)]
        answers = await asyncio.gather(*writes, store.apply(1, claimed(new_task(1))), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreFailed] * 11
        assert len({id(answer) for answer in answers}) == 11
        disk.sick = ""
        assert store.failed is None
        assert await open_ids(store) == [1]
        assert await store.apply(1, claimed(new_task(1)))
        await store.close()

    asyncio.run(run())

    assert disk.failures


def test_after_a_failed_sync_nothing_is_written_any_more(tmp_path: Path, disk: SickDisk) -> None:
    """The write that met it raises, every later one too although the disk is well again, and the server is told once.

    The next start finds everything that was acknowledged.
    """
    told: list[StoreFailed] = []

    async def run() -> None:
        store = SqliteStore(tmp_path, on_failed=told.append, vfs=disk.name)
        await store.open()
        assert await store.insert_task(new_task(1))
        disk.sick = "sync"
        with pytest.raises(StoreFailed, match="not durable"):
            await store.insert_task(new_task(2))
        disk.sick = ""
        for _ in range(2):
            with pytest.raises(StoreFailed):
                await store.apply(1, claimed(new_task(1)))
        assert store.failed is not None
        assert await store.task(1) == new_task(1)
        await store.close()
        with pytest.raises(StoreFailed):
            await store.insert_task(new_task(3))

    async def after(store: Store) -> None:
        assert await store.task(1) == new_task(1)
        assert await store.apply(1, claimed(new_task(1)))

    asyncio.run(run())
    use(lambda: SqliteStore(tmp_path), after)

    assert disk.failures == 1
    assert len(told) == 1


WRITER = """
import asyncio, os, sys
from pathlib import Path
from stores.samples import claimed, new_task, open_ids, returned, started
from sojourn.stores.sqlite import SqliteStore

async def life(store, number):
    while True:
        task = new_task(number, f"t{number}" if number % 2 else None, payload=b"p" * (number % 3 * 1000))
        assert await store.insert_task(task)
        os.write(1, b"%d 1\\n" % number)
        for later in (claimed(task), started(task), returned(started(task), b"r" * (number % 3 * 1000))):
            now = claimed(task) if later.epoch == 3 else started(task) if later.epoch == 4 else task
            assert await store.apply(now.epoch, later)
            os.write(1, b"%d %d\\n" % (number, later.epoch))
        number += 50

async def run():
    store = SqliteStore(Path(sys.argv[1]))
    incarnation = await store.open()
    os.write(1, b"0 %d\\n" % incarnation)
    await asyncio.gather(*(life(store, incarnation * 1_000_000 + number) for number in range(50)))

asyncio.run(run())
"""


def killed_writer(directory: Path, lines_min: int) -> dict[int, int]:
    """Run a writer under load, kill it after `lines_min` acknowledgements: the last epoch it saw for each task."""
    path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    )
    acknowledged: dict[int, int] = {}
    with process:
        assert process.stdout
        for count, line in enumerate(process.stdout):
            if count == lines_min:
                process.kill()
            if line.endswith(b"\n"):
                number, epoch = map(int, line.split())
                acknowledged[number] = epoch
    assert process.returncode == -signal.SIGKILL
    return acknowledged


def test_a_writer_killed_under_load_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Four kills in a row on one directory: every acknowledged row is there, no younger than it was seen, and whole."""
    seen: dict[int, int] = {}
    for round_number in range(1, 5):
        fresh = killed_writer(tmp_path, 3_000)
        assert fresh.pop(0) == round_number
        assert len(fresh) > 500
        seen |= fresh

    async def check(store: Store) -> None:
        for number, epoch in seen.items():
            task = await store.task(number)
            assert task is not None
            assert task.epoch >= epoch
            assert task.payload == b"p" * (number % 3 * 1000)
            path = [event.status for event in unpack_events(task.history)]
            assert len(path) == task.epoch
            assert path[-1] == task.status.value
            legal = {(before.value if before else None, now.value) for before, now in LEGAL_STEPS}
            assert set(zip([None, *path], path, strict=False)) <= legal

    use(lambda: SqliteStore(tmp_path), check)
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
