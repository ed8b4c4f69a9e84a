"""The SQLite store's writer: what it commits together, and how it keeps its log short."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import apsw
import pytest

from sojourn.store import Store
from sojourn.stores.sqlite import SqliteStore, writer
from sojourn.stores.sqlite.connection import FILE_NAME, open_reader
from stores.samples import claimed, new_task, open_ids, use


@pytest.fixture(name="batches")
def recorded_batches(monkeypatch: pytest.MonkeyPatch) -> list[list[writer.Write]]:
    """The batches that are committed from now on."""
    batches: list[list[writer.Write]] = []
    settle = writer.Writer._settle

    def noted(self: writer.Writer, batch: list[writer.Write]) -> None:
        batches.append(batch)
        settle(self, batch)

    monkeypatch.setattr(writer.Writer, "_settle", noted)
    return batches


async def gathered(store: SqliteStore, *writes: Coroutine[Any, Any, bool]) -> list[bool]:
    """The answers of `writes`, all of which gathered during one commit."""
    taken, goes_on = threading.Event(), threading.Event()

    def hold(_cursor: apsw.Cursor) -> bool:
        taken.set()
        return goes_on.wait(60)

    first = asyncio.ensure_future(store._writer.write(hold))
    await asyncio.to_thread(taken.wait, 60)
    begun = [asyncio.ensure_future(write) for write in writes]
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # what one turn has to write is handed over in the next
    goes_on.set()
    assert await first
    return await asyncio.gather(*begun)


def test_a_flood_of_submits_does_not_hold_back_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: list[list[writer.Write]]
) -> None:
    """What gathers during a commit is committed in bounded batches, with changes first and new tasks last."""
    monkeypatch.setattr(writer, "BATCH_WRITES_MAX", 4)

    async def run() -> list[bool]:
        store = SqliteStore(tmp_path)
        await store.open()
        await store.insert_task(new_task(1))
        submits = [store.insert_task(new_task(number)) for number in range(10, 20)]
        answers = await gathered(store, *submits, store.apply(1, claimed(new_task(1))))
        await store.close()
        return answers

    assert asyncio.run(run()) == [True] * 11
    kinds = [[int(write.starts_a_task) for write in batch] for batch in batches]
    assert kinds == [[1], [0], [0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1]]


def test_a_batch_is_bounded_in_bytes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: list[list[writer.Write]]
) -> None:
    """Large bodies make small batches, and one that is larger than any batch still goes through."""
    monkeypatch.setattr(writer, "BATCH_BYTES_MAX", 1_000)

    async def run() -> list[bool]:
        store = SqliteStore(tmp_path)
        await store.open()
        sizes = enumerate((10, 5_000, 10, 900, 900, 900))
        answers = await gathered(
            store, *(store.insert_task(new_task(number, payload=b"p" * size)) for number, size in sizes)
        )
        await store.close()
        return answers

    assert asyncio.run(run()) == [True] * 6
    assert [[write.size_bytes for write in batch] for batch in batches[1:]] == [[10, 5_000], [10, 900, 900], [900]]


async def fill(store: Store, ids: range) -> None:
    """Some 4 KB for each id, ten at a time."""
    for start in ids[::10]:
        tasks = (new_task(number, payload=b"p" * 4000) for number in range(start, start + 10))
        await asyncio.gather(*(store.insert_task(task) for task in tasks))


@pytest.fixture(name="log_pages_max")
def small_log(monkeypatch: pytest.MonkeyPatch) -> int:
    """A log that is copied back early; pages it should not grow past."""
    monkeypatch.setattr(writer, "CHECKPOINT_PAGES_IDLE", 50)
    monkeypatch.setattr(writer, "CHECKPOINT_PAGES_BUSY", 100)
    monkeypatch.setattr(writer, "CHECKPOINT_PAGES_FORCED", 300)
    return 300


def test_the_log_is_copied_back_while_the_store_works(tmp_path: Path, log_pages_max: int) -> None:
    """The log does not grow with what is written; while a reader stays in an old snapshot it does, losing nothing."""
    log = tmp_path / f"{FILE_NAME}-wal"

    async def work(store: Store) -> None:
        await fill(store, range(1000))
        assert log.stat().st_size < log_pages_max * 4200
        snapshot = open_reader(tmp_path)
        held = snapshot.execute("SELECT id FROM task")
        next(held)
        await fill(store, range(1000, 1500))
        assert log.stat().st_size > log_pages_max * 4200
        snapshot.close(force=True)
        await fill(store, range(1500, 2000))
        assert await open_ids(store) == list(range(2000))

    use(lambda: SqliteStore(tmp_path), work)


def read_without_a_gap(directory: Path, over: threading.Event) -> None:
    """Stay in a snapshot until it is outdated (or for a moment, when nobody writes), and enter the next one first."""
    one, other, watch = (open_reader(directory) for _ in range(3))
    held = one.execute("SELECT id FROM task")
    next(held)
    while not over.is_set():
        version, patience = watch.pragma("data_version"), 10
        while watch.pragma("data_version") == version and patience and not over.wait(0.001):
            patience -= 1
        one, other = other, one
        following = one.execute("SELECT id FROM task")
        next(following)
        held.close(force=True)
        held = following
    for connection in (one, other, watch):
        connection.close(force=True)


def test_the_log_begins_again_although_there_is_always_a_reader(tmp_path: Path, log_pages_max: int) -> None:
    """Readers that overlap without a gap do not let the log grow for ever."""

    async def work(store: Store) -> int:
        await fill(store, range(10))
        over = threading.Event()
        reading = asyncio.get_running_loop().run_in_executor(None, read_without_a_gap, tmp_path, over)
        try:
            await fill(store, range(10, 4000))
        finally:
            over.set()
            await reading
        return (tmp_path / f"{FILE_NAME}-wal").stat().st_size

    assert use(lambda: SqliteStore(tmp_path), work) < 5 * log_pages_max * 4200


def test_what_one_turn_writes_is_handed_over_at_once(tmp_path: Path) -> None:
    """The first change of a turn gets no commit of its own while the loop makes the others."""

    async def run() -> None:
        store = SqliteStore(tmp_path)
        await store.open()
        taken, goes_on = threading.Event(), threading.Event()

        def hold(_cursor: apsw.Cursor) -> bool:
            taken.set()
            return goes_on.wait(60)

        first = asyncio.ensure_future(store._writer.write(hold))
        await asyncio.to_thread(taken.wait, 60)
        begun = [asyncio.ensure_future(store.insert_task(new_task(number))) for number in range(20)]
        await asyncio.sleep(0)
        assert store._writer._arrived.qsize() == 0
        await asyncio.sleep(0)
        assert store._writer._arrived.qsize() == 1
        goes_on.set()
        assert all(await asyncio.gather(first, *begun))
        await store.close()

    asyncio.run(run())


def test_a_close_finishes_what_its_own_turn_has_written(tmp_path: Path) -> None:
    """Nobody who was not refused is left without an answer."""

    async def run() -> bool:
        store = SqliteStore(tmp_path)
        await store.open()
        last = asyncio.ensure_future(store.insert_task(new_task(1)))

        async def let_the_thread_end_within_the_turn() -> None:
            store._writer._thread.join(60)

        await asyncio.gather(last, store._writer.close(), let_the_thread_end_within_the_turn())
        await store.close()
        return last.result()

    assert asyncio.run(asyncio.wait_for(run(), 10))
