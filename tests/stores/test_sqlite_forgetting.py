"""How the SQLite store lets go: pieces are bounded in bytes too, wait for others, and leave pages for later tasks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import apsw
import msgspec
import pytest
from bench.fill import Mix, fill

from sojourn.audit import audit
from sojourn.store import Log, Store
from sojourn.stores.sqlite import SqliteStore, forgetting, writer
from sojourn.stores.sqlite.connection import FILE_NAME, open_reader
from sojourn.task import Task
from stores.conformance_retention import LATER, all_forgotten, ended, tasks_of
from stores.samples import NOW, claimed, new_function, use
from stores.test_sqlite import nothing, plan
from stores.test_sqlite_writer import gathered


async def keep_ended(store: Store, tasks: list[Task], *, output: bytes = b"") -> None:
    """Tasks that are over, each with a log when there is output."""
    await asyncio.gather(*(store.insert_task(task) for task in tasks))
    log = Log(1, output) if output else None
    assert all(await asyncio.gather(*(store.apply(task.epoch, ended(task), log) for task in tasks)))


def test_a_piece_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside the rows counts, logs included; a task larger than any piece goes all the same."""
    monkeypatch.setattr(forgetting, "BYTES_MAX", 10_000)
    sizes = (3_000, 3_000, 3_000, 50_000, 3_000, 3_000)
    tasks = [msgspec.structs.replace(task, payload=b"p" * size) for task, size in zip(tasks_of(6), sizes, strict=True)]

    async def work(store: Store) -> list[int]:
        await keep_ended(store, tasks, output=b"o" * 1_000)
        return [each.tasks for each in await all_forgotten(store, LATER)]

    assert use(lambda: SqliteStore(tmp_path), work) == [2, 1, 1, 2]


def test_deleting_waits_for_those_who_write_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gathers meanwhile goes first, but for so many batches only; each piece has a transaction of its own."""
    monkeypatch.setattr(writer, "BATCH_WRITES_MAX", 2)
    batches: list[str] = []
    settle = writer.Writer._settle

    def noted(self: writer.Writer, batch: list[writer.Write]) -> None:
        batches.append("".join("d" if each.can_wait else "w" for each in batch))
        settle(self, batch)

    monkeypatch.setattr(writer.Writer, "_settle", noted)
    over, *others = tasks_of(9)

    async def run() -> list[bool]:
        store = SqliteStore(tmp_path)
        await store.open()
        await keep_ended(store, [over])
        for task in others:
            await store.insert_task(task)
        batches.clear()

        async def delete() -> bool:
            ids = [over.id]
            return bool(await store._writer.write(lambda cursor: forgetting.forget(cursor, LATER, ids), can_wait=True))

        answers = await gathered(store, delete(), *(store.apply(1, claimed(task)) for task in others))
        await store.close()
        return answers

    assert asyncio.run(run()) == [True] * 9
    assert batches == ["w", "ww", "ww", "d", "ww", "ww"]


def test_pages_of_what_is_gone_are_used_again(tmp_path: Path) -> None:
    """A store that forgets as much as it takes does not grow."""

    async def work(store: Store) -> list[int]:
        sizes = []
        for _ in range(4):
            await keep_ended(store, tasks_of(400), output=b"o" * 2_000)
            assert sum(each.tasks for each in await all_forgotten(store, LATER)) == 400
            connection = open_reader(tmp_path)
            sizes.append(int(connection.pragma("page_count")))
            connection.close()
        return sizes

    first, *later = use(lambda: SqliteStore(tmp_path), work)
    assert max(later) <= first * 1.1


def test_a_record_that_is_sent_again_in_the_last_moment_keeps_its_task(tmp_path: Path) -> None:
    """Between being found and being deleted: the writer looks once more."""
    first, second = tasks_of(2)

    async def work(store: Store) -> None:
        assert isinstance(store, SqliteStore)
        await keep_ended(store, [first, second])
        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        found = forgetting.find(connection, LATER, 0, 10)
        connection.execute(
            "INSERT INTO delivery VALUES (?, 1, '1234567890', 't', 0, 1, 1, 0, ?, '', ?, ?, 0)",
            (first.id, NOW, NOW, NOW),
        )
        connection.close()
        said = await store._writer.write(lambda cursor: forgetting.forget(cursor, LATER, found), can_wait=True)
        assert (said.tasks, said.last) == (1, second.id)
        assert await store.task(first.id) is not None

    use(lambda: SqliteStore(tmp_path), work)


def test_finding_and_deleting_read_only_what_goes(tmp_path: Path) -> None:
    """By ids alone, and no table is walked."""
    use(lambda: SqliteStore(tmp_path), nothing)
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    values = {"after": 0, "high": 9, "ended_before": 9, "limit": 9, "ids": "[1]"}
    for text in (forgetting._FIND, forgetting._DELETE, *forgetting._DELETE_BESIDE):
        steps = plan(connection, text, values)
        assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step], steps
    assert "rowid>? AND rowid<?" in plan(connection, forgetting._FIND, values)[0]
    connection.close()


def test_a_filled_store_is_sound_before_and_after(tmp_path: Path) -> None:
    """What the bench makes at the level of rows is what the product would have written, and forgetting leaves it so."""
    until = time.time_ns() // 1_000

    async def begin(store: Store) -> None:
        assert await store.put_function(new_function(), 0)

    async def look(store: Store) -> None:
        with store.records() as records:
            report = audit(records)
        assert (report.tasks, report.violations) == (3_000, [])
        counts = await store.counts()
        assert sum(counts.values()) == 3_000
        assert {status.value: tasks for (_, status), tasks in counts.items()} == report.statuses
        said = await all_forgotten(store, until - 3_600_000_000, 500)
        assert 1_400 < sum(each.tasks for each in said) < 1_600
        with store.records() as records:
            report = audit(records)
        assert report.violations == []
        assert {status.value: tasks for (_, status), tasks in (await store.counts()).items()} == report.statuses

    use(lambda: SqliteStore(tmp_path), begin)
    fill(tmp_path, 3_000, Mix(until=until, span_seconds=7200), function=new_function().name)
    use(lambda: SqliteStore(tmp_path), look)
