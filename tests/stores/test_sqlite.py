"""The SQLite store: the conformance suite, and what is its own: the file, its schema, its plans, its failures."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from sojourn.errors import DataDirectoryLocked, SchemaTooNew, StoreFailed
from sojourn.store import Store, TaskQuery
from sojourn.stores.sqlite import SqliteStore, reader, rows, schema
from sojourn.stores.sqlite.connection import (
    FILE_NAME,
    READER_CACHE_KIB,
    WRITER_CACHE_KIB,
    check_library,
    open_reader,
    open_writer,
)
from sojourn.task import TERMINAL
from stores.conformance import StoreConformance
from stores.samples import LARGE, Factory, faltered, new_task, returned, started, use


@pytest.fixture(name="factory")
def sqlite_factory(tmp_path: Path) -> Factory:
    """Stores on one new directory."""
    return lambda: SqliteStore(tmp_path / "data")


class TestConformance(StoreConformance):
    """The suite that every store passes."""


def opened(directory: Path) -> apsw.Connection:
    """A connection of the test's own to the database of a closed store."""
    return apsw.Connection(str(directory / FILE_NAME))


def test_what_is_kept_in_memory_is_told_and_bounded(tmp_path: Path) -> None:
    """The writer's pages and each reader's; nothing of a store that is closed."""

    async def fill(store: Store) -> None:
        for number in range(1, 40):
            await store.insert_task(new_task(number, payload=b"x" * LARGE))
        written = store.cached_bytes()
        await store.page(TaskQuery(function_id=1, limit=50))

        assert 0 < written < store.cached_bytes() < (WRITER_CACHE_KIB + 4 * READER_CACHE_KIB) * 1024

    store = SqliteStore(tmp_path)
    use(lambda: store, fill)
    assert store.cached_bytes() == 0


async def nothing(_store: Store) -> None:
    """Only open and close."""


def test_the_codes_tell_open_from_over() -> None:
    """The indexes and the list of open tasks depend on it: terminal statuses, and only they, are 10 or more."""
    assert {status for status, code in rows.STATUS_CODES.items() if code >= 10} == TERMINAL


def test_an_empty_directory_becomes_the_newest_schema(tmp_path: Path) -> None:
    """Every migration is applied, in order, and applying none is fine as well."""
    use(lambda: SqliteStore(tmp_path), nothing)
    connection = opened(tmp_path)

    assert list(schema.migrations()) == list(range(1, len(schema.migrations()) + 1))
    assert schema.version_of(connection) == max(schema.migrations())

    schema.migrate(connection)
    assert connection.pragma("integrity_check") == "ok"
    connection.close()


def test_a_migration_that_fails_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a migration is none."""
    broken = schema.migrations() | {2: "CREATE TABLE half(id INTEGER); CREATE TABLE task(id INTEGER);"}
    monkeypatch.setattr(schema, "migrations", lambda: broken)
    connection = open_writer(tmp_path)
    with pytest.raises(apsw.SQLError, match="task already exists"):
        schema.migrate(connection)

    assert schema.version_of(connection) == 1
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").get == 0
    connection.close()


def test_a_newer_schema_is_refused_with_both_numbers_and_left_alone(tmp_path: Path) -> None:
    """The message names what was found and what is known; the lock is free again afterwards."""
    use(lambda: SqliteStore(tmp_path), nothing)
    newest = max(schema.migrations())
    connection = opened(tmp_path)
    connection.pragma("user_version", 77)
    connection.close()
    with pytest.raises(SchemaTooNew, match=f"schema 77.*up to {newest}") as caught:
        use(lambda: SqliteStore(tmp_path), nothing)

    assert (caught.value.found, caught.value.known) == (77, newest)
    connection = opened(tmp_path)
    assert connection.execute("SELECT value FROM meta WHERE key = 'incarnation'").get == 1
    connection.pragma("user_version", newest)
    connection.close()
    use(lambda: SqliteStore(tmp_path), nothing)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """The message names the directory, and the file is not touched."""
    text = b"this is not a database, it is a letter" * 100
    (tmp_path / FILE_NAME).write_bytes(text)
    with pytest.raises(StoreFailed, match=re.escape(str(tmp_path))):
        use(lambda: SqliteStore(tmp_path), nothing)

    assert (tmp_path / FILE_NAME).read_bytes() == text


@pytest.mark.parametrize(("version", "trusted"), [("3.40.1", 0), ("3.51.2", 0), ("3.51.3", 1), ("4.0", 1)])
def test_a_library_that_can_lose_commits_is_refused(version: str, *, trusted: int) -> None:
    """The message names the version at hand and the one that is needed."""
    if trusted:
        check_library(version)
    else:
        with pytest.raises(StoreFailed, match=f"SQLite {version} can lose.*3.51.3 or newer"):
            check_library(version)


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """Neither another process nor another store in this one gets a directory that is held; afterwards both do."""
    script = (
        "import asyncio, sys; from pathlib import Path; from sojourn.stores.sqlite import SqliteStore\n"
        "async def run():\n"
        "    store = SqliteStore(Path(sys.argv[1])); print(await store.open()); await store.close()\n"
        "asyncio.run(run())"
    )

    def other() -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    async def work(store: Store) -> None:
        refused = await asyncio.to_thread(other)
        assert refused.returncode == 1
        assert f"DataDirectoryLocked: another server holds the data directory {tmp_path}" in refused.stderr
        with pytest.raises(DataDirectoryLocked):
            await SqliteStore(tmp_path).open()
        assert await store.insert_task(new_task(1))

    use(lambda: SqliteStore(tmp_path), work)
    assert other().stdout == "2\n"


def test_no_child_process_inherits_the_lock_or_the_database(tmp_path: Path) -> None:
    """A child that outlives the server must not keep the next one out, nor reach into the file."""

    async def work(store: Store) -> list[bool]:
        assert await store.insert_task(new_task(1))
        return [os.get_inheritable(descriptor) for descriptor in descriptors_below(tmp_path)]

    answers = use(lambda: SqliteStore(tmp_path), work)

    assert len(answers) >= 3
    assert not any(answers)


def descriptors_below(directory: Path) -> list[int]:
    """The descriptors of this process that lead to files in `directory`."""
    links = ((link.name, os.path.realpath(link)) for link in Path("/proc/self/fd").iterdir())
    return [int(name) for name, target in links if target.startswith(str(directory))]


def test_all_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Directory 0700 and files 0600, whatever the umask, also when the file was more open before."""
    directory = tmp_path / "a" / "b"

    async def work(store: Store) -> dict[str, int]:
        await store.insert_task(new_task(1))
        return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}

    before = os.umask(0)
    try:
        modes = use(lambda: SqliteStore(directory), work)
        assert directory.stat().st_mode & 0o777 == 0o700
        (directory / FILE_NAME).chmod(0o644)
        again = use(lambda: SqliteStore(directory), work_again)
    finally:
        os.umask(before)

    assert set(modes) >= {FILE_NAME, f"{FILE_NAME}-wal", "lock"}
    assert set(modes.values()) == {0o600}
    assert again is None
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


async def work_again(store: Store) -> None:
    """One more task."""
    await store.insert_task(new_task(2))


def test_closing_leaves_one_file_without_a_log(tmp_path: Path) -> None:
    """A closed database is one file that can be copied, also when somebody was in the middle of reading."""

    async def run() -> list[str]:
        store = SqliteStore(tmp_path)
        await store.open()
        await store.insert_task(new_task(1))
        await store.page(TaskQuery(function_id=1))
        scan = store.open_tasks()
        await anext(scan)
        await store.close()
        left = file_names(tmp_path)
        with pytest.raises(StoreFailed):
            await anext(scan)
        return left

    assert asyncio.run(run()) == ["lock", FILE_NAME]


def file_names(directory: Path) -> list[str]:
    """What lies in `directory`."""
    return sorted(path.name for path in directory.iterdir())


def plan(connection: apsw.Connection, text: str, values: object = None) -> list[str]:
    """What SQLite means to do, one line a step."""
    cursor = connection.cursor()
    return [str(row[3]) for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}", values)]  # type: ignore[arg-type]  # any


def test_lookups_and_the_list_of_open_tasks_use_their_index(tmp_path: Path) -> None:
    """Recovery reads open tasks only, whatever lies beside them; a name and an id are one search."""
    use(lambda: SqliteStore(tmp_path), nothing)
    connection = open_reader(tmp_path)

    walked = plan(connection, reader._OPEN_TASKS, (1, 0))
    assert walked == ["SEARCH task USING INDEX task_open (function_id=? AND status=?)"]
    assert plan(connection, reader._OPEN_COUNTS) == ["SCAN task USING COVERING INDEX task_open"]
    assert plan(connection, reader._TASK, (1,))[0] == "SEARCH task USING INTEGER PRIMARY KEY (rowid=?)"
    found = plan(connection, reader._TASK_NAMED, (1, "a"))[0]
    assert found == "SEARCH task USING INDEX task_by_name (function_id=? AND name=?)"
    assert plan(connection, reader._LOGS, (1,))[0].startswith("SEARCH task_log USING INDEX")
    connection.close()


def test_large_bodies_lie_beside_the_row_and_leave_no_trace(tmp_path: Path) -> None:
    """A row with large bodies is small; a result that shrinks in a later attempt gives its space back."""
    task = new_task(1, payload=b"p" * LARGE)
    failed = faltered(started(task), b"x" * LARGE)
    ended = returned(started(failed), b"ok")

    def lengths() -> list[object]:
        connection = open_reader(tmp_path)
        tables = ("SELECT payload, result FROM task", "SELECT id FROM task_payload", "SELECT id FROM task_result")
        found: list[object] = [connection.execute(text).fetchall() for text in tables]
        connection.close()
        return found

    async def work(store: Store) -> None:
        await store.insert_task(task)
        assert await store.apply(1, failed)
        assert lengths() == [[(None, None)], [(1,)], [(1,)]]
        assert await store.apply(failed.epoch, ended)
        assert lengths() == [[(None, b"ok")], [(1,)], []]

    use(lambda: SqliteStore(tmp_path), work)


def test_the_same_submit_twice_is_an_answer(tmp_path: Path) -> None:
    """A submit that is sent again, id and name alike, is refused like any other of that name, not failed."""

    async def work(store: Store) -> None:
        assert await store.insert_task(new_task(1, "same"))
        assert not await store.insert_task(new_task(1, "same"))

    use(lambda: SqliteStore(tmp_path), work)
