"""The audit: silent about everything that can come about, and about nothing else."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import ReferenceStore
from sojourn import audit, identity
from sojourn.auditor import Auditor
from sojourn.clock import SystemClock
from sojourn.errors import IllegalFact, StoreFailed
from sojourn.history import append_event, unpack_events
from sojourn.store import Log
from sojourn.stores.sqlite import SqliteStore
from sojourn.task import Backoff, Fact, Status, Task, advance, judge
from stores.samples import claimed, new_delivery, new_function, returned, started
from stores.samples import new_task as stored_task
from task_samples import ERROR, FACTS, LOSS, NOW, PATHS, SECOND, new_task, task_in


def told(task: Task) -> list[str]:
    """What the audit says of a task alone."""
    return [str(violation) for violation in audit.of_task(task, task.events)]


@given(st.lists(st.tuples(st.sampled_from(sorted(FACTS)), st.integers(-5 * SECOND, 5 * SECOND)), max_size=25))
def test_whatever_facts_lead_to_is_right(steps: list[tuple[str, int]]) -> None:
    """Random facts under a clock that jumps, attempts judged as they are: no row that comes about is blamed."""
    task, now = new_task(retries_max=2), NOW
    for name, elapsed in steps:
        now += elapsed
        fact: Fact = FACTS[name]
        if name == "Started" and not task.owner:  # the table leaves it to the dispatcher to claim a Retrying task first
            continue
        if name in ("Faltered", "GaveUp"):
            failure = LOSS if elapsed < 0 else ERROR
            fact = judge(task, failure, now, Backoff(), 0.0)
        try:
            task = advance(task, fact, now)
        except IllegalFact:
            continue
        assert told(task) == []


SUCCEEDED, RETRYING = task_in(Status.SUCCEEDED), task_in(Status.RETRYING)
AFTER_THE_END = append_event(SUCCEEDED.history, "Retrying", NOW)
WRONG: dict[str, Task] = {
    "I2 a terminal status": msgspec.structs.replace(SUCCEEDED, history=AFTER_THE_END),
    "I2 ended at": msgspec.structs.replace(SUCCEEDED, ended_at=0),
    "I2 over, and yet": msgspec.structs.replace(SUCCEEDED, owner=3),
    "I3 illegal step from Succeeded": msgspec.structs.replace(SUCCEEDED, history=AFTER_THE_END),
    "I3 the row is": msgspec.structs.replace(SUCCEEDED, status=Status.FAILED),
    "I3 no events": msgspec.structs.replace(SUCCEEDED, history=b""),
    "I4 the stamps": msgspec.structs.replace(SUCCEEDED, history=append_event(SUCCEEDED.history, "Running", NOW - 1)),
    "I4 created at": msgspec.structs.replace(SUCCEEDED, created_at=NOW + 1),
    "I4 started at": msgspec.structs.replace(SUCCEEDED, started_at=0),
    "I5 epoch": msgspec.structs.replace(SUCCEEDED, epoch=2),
    "I5 Running, and nobody": msgspec.structs.replace(task_in(Status.RUNNING), owner=0),
    "I5 Enqueued, and yet": msgspec.structs.replace(task_in(Status.ENQUEUED), owner=1),
    "I8 2 attempts, 1": msgspec.structs.replace(SUCCEEDED, attempts=2),
    "I8 2 retries and": msgspec.structs.replace(RETRYING, retries=2),
    "I8 1 retries of 0": msgspec.structs.replace(RETRYING, retries_max=0),
    "I11 Expired after": msgspec.structs.replace(task_in(Status.EXPIRED), attempts=1),
    "I11 started at": msgspec.structs.replace(
        advance(task_in(Status.DEQUEUED), FACTS["Started"], NOW + 9 * SECOND), expires_at=NOW + SECOND
    ),
    "I12 Invalid after": msgspec.structs.replace(task_in(Status.INVALID), attempts=1),
    "I14 start number 1": msgspec.structs.replace(
        SUCCEEDED,
        history=task_in(Status.DEQUEUED).history + append_event(b"", "Running", NOW, {"attempt": 7}),
    ),
}


@pytest.mark.parametrize("words", WRONG)
def test_each_rule_finds_what_it_is_for(words: str) -> None:
    """A row with one thing wrong is blamed for it, by its invariant."""
    assert any(
        words.split(" ", 1)[1] in text and text.startswith(words.split(" ", maxsplit=1)[0])
        for text in told(WRONG[words])
    )


@pytest.mark.parametrize("status", PATHS)
def test_every_status_can_be_right(status: Status) -> None:
    """One task in each status: nothing to blame."""
    assert told(task_in(status)) == []


def keep(directory: Path) -> None:
    """A function, a task that succeeded with a large result and a log, and one that waits."""

    async def run() -> None:
        store = SqliteStore(directory)
        await store.open()
        assert await store.put_function(new_function(), 0)
        task = stored_task(1, "one", payload=b"p" * 5_000)
        assert await store.insert_task(task)
        await store.insert_task(stored_task(2))
        await store.apply(1, claimed(task))
        await store.apply(2, started(task))
        await store.apply(3, returned(started(task), b"r" * 5_000), Log(1, b"hello"), new_delivery(1))
        await store.close()

    asyncio.run(run())


def report(directory: Path) -> audit.Report:
    with SqliteStore(directory).records() as records:
        return audit.audit(records)


def test_a_database_is_read_without_a_trace(tmp_path: Path) -> None:
    """All is counted, nothing blamed, and the directory is as it was."""
    keep(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    found = report(tmp_path)

    assert (found.tasks, found.events, found.functions, found.violations) == (2, 5, 1, [])
    assert found.statuses == {"Enqueued": 1, "Succeeded": 1}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


STATEMENTS = {
    "UPDATE task SET attempts = 2 WHERE id = 1": "I8",
    "UPDATE task SET owner = 9 WHERE id = 1": "I5",
    "UPDATE task SET history = x'00' WHERE id = 2": "I3",
    "UPDATE task SET function_id = 7 WHERE id = 1": "I3",
    "UPDATE task SET account_id = 'b' WHERE id = 1": "I20",
    "DELETE FROM task WHERE id = 1": "I14",
    "DELETE FROM task_result": "I14",
    "DELETE FROM task_payload": "I14",
    "UPDATE task_log SET attempt = 2": "I14",
    "UPDATE delivery SET task_id = 2": "I13",
    "UPDATE delivery SET account_id = 'b'": "I13",
    "UPDATE delivery SET status = 1": "I13",
    "DROP INDEX task_by_name; UPDATE task SET name = 'one'": "I9",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_row_changed_behind_the_stores_back_is_found(tmp_path: Path, statement: str) -> None:
    """Whatever is changed, some rule no longer holds."""
    keep(tmp_path)
    connection = apsw.Connection(str(tmp_path / "sojourn.db"))
    connection.execute(statement)
    connection.close()

    assert STATEMENTS[statement] in {violation.invariant for violation in report(tmp_path).violations}


def test_a_database_is_read_beside_its_server(tmp_path: Path) -> None:
    """While a store is open and writes, each audit sees one moment of it."""
    keep(tmp_path)

    async def run() -> None:
        store = SqliteStore(tmp_path)
        await store.open()
        auditor = Auditor(store, SystemClock())
        for number in range(10, 40):
            found, kept = await asyncio.gather(auditor.audit(), store.insert_task(stored_task(number)))
            assert kept
            assert found.violations == []
        first, second = await asyncio.gather(auditor.audit(), auditor.audit())
        assert first is second
        assert first.tasks == 32
        await store.close()

    asyncio.run(run())


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    """A directory without one, and a file that is none."""
    with pytest.raises(StoreFailed, match="there is no database"):
        report(tmp_path)
    (tmp_path / "sojourn.db").write_bytes(b"something else" * 100)
    with pytest.raises(StoreFailed, match="cannot be read"):
        report(tmp_path)


def test_a_store_in_memory_has_records_too() -> None:
    """The audit asks any store."""

    async def run() -> audit.Report:
        store = ReferenceStore()
        await store.open()
        await store.insert_task(stored_task(1))
        return await Auditor(store, SystemClock()).audit()

    assert [str(violation) for violation in asyncio.run(run()).violations] == [
        "I3 task 1-00000000-00000001-" + identity.request_id(1).rpartition("-")[2] + ": there is no function 1"
    ]


def test_a_broken_history_ends_nothing_else() -> None:
    """Unpacking is tried task by task."""
    with pytest.raises(ValueError, match="ends in the middle"):
        unpack_events(b"\0")


def test_a_copy_with_a_log_is_read_whole(tmp_path: Path) -> None:
    """As a killed server leaves it: the last writes are in the log only and count; neither file is written to."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    copy.mkdir()

    async def run() -> None:
        store = SqliteStore(home)
        await store.open()
        await store.put_function(new_function(), 0)
        await store.insert_task(stored_task(1))
        for name in ("sojourn.db", "sojourn.db-wal"):
            shutil.copy(home / name, copy)
        await store.close()

    asyncio.run(run())
    before = {name: (copy / name).read_bytes() for name in ("sojourn.db", "sojourn.db-wal")}
    found = report(copy)

    assert (found.tasks, found.violations) == (1, [])
    assert {name: (copy / name).read_bytes() for name in before} == before
