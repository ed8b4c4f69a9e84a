"""How the SQLite store finds pages: each statement on its index, and how little is read for a page of a large store."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec
import pytest
from bench.fill import Mix, fill

from sojourn.identity import EPOCH_MS
from sojourn.store import Store, TaskQuery
from sojourn.stores.sqlite import SqliteStore, pages, schema
from sojourn.stores.sqlite.connection import FILE_NAME, open_reader
from sojourn.task import Status
from stores.conformance_pages import answer, population
from stores.samples import NOW, SECOND, new_function, use
from stores.test_sqlite import nothing, plan

T = TypeVar("T")

SEARCHES = {
    "task_by_function": "(function_id=? AND rowid>? AND rowid<?)",
    "task_open": "(function_id=? AND status=? AND rowid>? AND rowid<?)",
    "task_over": "(function_id=? AND status=? AND rowid>? AND rowid<?)",
    "task_by_qualifier": "(function_id=? AND qualifier=? AND rowid>? AND rowid<?)",
    "task_late": "(function_id=? AND <expr>>? AND <expr><?)",
    "task_early": "(function_id=? AND rowid>? AND rowid<?)",
    "task_by_name": "(function_id=? AND name>? AND name<?)",
}
"""What each index is asked for."""
SORTED = {"task_late", "task_by_name"}
"""Those that are not in the order of ids."""


def queries() -> Iterator[TaskQuery]:
    """Every combination of filters."""
    statuses = [
        (),
        (Status.RUNNING,),
        (Status.FAILED, Status.STOPPED),
        (Status.SUCCEEDED, Status.FAILED),
        tuple(Status),
    ]
    windows = [(None, None), (NOW, NOW + 1)]
    prefixes, qualifiers = ("", "a", "1-00", "x"), ("", "LATEST", "prod")
    for among, prefix, qualifier, (began, ended), up, after in itertools.product(
        statuses, prefixes, qualifiers, windows, (True, False), (None, 5)
    ):
        yield TaskQuery(
            function_id=1,
            statuses=among,
            name_prefix=prefix,
            qualifier=qualifier,
            began_from=began,
            began_to=ended,
            ascending=up,
            after=after,
            bodies=up,
        )


def all_statements(query: TaskQuery) -> Iterator[pages.Statement]:
    """All that a page may ask for."""
    yield from pages.statements(query)
    yield from filter(None, (pages.late_ones(query, last) for last in (None, 5)))
    if query.name_prefix:
        yield pages.many_named(query)
        yield pages.sorted_named(query)
        for walk, length in pages.walk_named(query):
            yield walk
            yield length


def test_every_page_walks_its_index_in_order(tmp_path: Path) -> None:
    """No page scans the table or sorts rows: only ids are, of names with a prefix and of those that began late."""
    use(lambda: SqliteStore(tmp_path), nothing)
    connection = open_reader(tmp_path)
    used = set()
    for query in queries():
        for text, values in all_statements(query):
            steps = plan(connection, text, values)
            first = next(step for step in steps if "INDEX" in step and "task_" in step)
            index = first.split("INDEX ")[1].split()[0]
            used.add(index)
            assert f"INDEXED BY {index} " in text  # so that no version of SQLite and no statistics choose another
            assert first.endswith(SEARCHES[index]), (first, text)
            assert not any(step.startswith("SCAN task") and "SUBQUERY" not in text for step in steps if "task_" in step)
            assert index in SORTED or not any("TEMP B-TREE" in step for step in steps), steps
    connection.close()

    assert used == set(SEARCHES)


def test_the_schema_knows_the_epoch_and_how_late_is_late() -> None:
    """Numbers that stand in SQL are those of the code."""
    begin = EPOCH_MS * 1_000
    assert f"(id >> 22) * 1000 + {begin}" == pages._MADE
    assert f"(id >> 22) * 1000 + {begin + pages.PROMPT_MICROSECONDS}" == pages._PROMPT_UNTIL
    text = schema.migrations()[8]
    assert str(begin) in text
    assert str(begin + pages.PROMPT_MICROSECONDS) in text


@pytest.mark.parametrize("walked", [3, 5_000])
@pytest.mark.parametrize("named", [0, 10, 1_000])
def test_names_are_found_alike_whichever_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: int, walked: int
) -> None:
    """Sorted when they are few, walked when they are many, sorted after all when walking takes too long."""
    monkeypatch.setattr(pages, "NAMES_SORTED_MAX", named)
    monkeypatch.setattr(pages, "ROWS_WALKED_MAX", walked)
    chance = random.Random(named + walked)
    tasks = population(chance, 200)

    async def work(store: Store) -> None:
        await asyncio.gather(*(store.insert_task(task) for task in tasks))
        for prefix, statuses, up, after in itertools.product(
            ("a", "b", "1-", "zz"),
            ((), (Status.FAILED,), (Status.SUCCEEDED, Status.RUNNING)),
            (True, False),
            (None, 100),
        ):
            query = TaskQuery(
                function_id=1,
                statuses=statuses,
                name_prefix=prefix,
                ascending=up,
                after=None if after is None else tasks[after].id,
                limit=5,
                bodies=True,
            )
            assert await store.page(query) == answer(tasks, query), query

    use(lambda: SqliteStore(tmp_path), work)


def filled(directory: Path, tasks: int, mix: Mix) -> apsw.Connection:
    """A reader of a database with so many tasks of function 1."""

    async def begin(store: Store) -> None:
        assert await store.put_function(new_function(), 0)

    use(lambda: SqliteStore(directory), begin)
    fill(directory, tasks, mix, function=new_function().name)
    return open_reader(directory)


HALF_A_DAY = 43_200 * SECOND
QUERIES = {
    "newest": TaskQuery(function_id=1),
    "oldest": TaskQuery(function_id=1, ascending=True),
    "a rare status": TaskQuery(function_id=1, statuses=(Status.STOPPED,)),
    "a status that few have, oldest first": TaskQuery(function_id=1, statuses=(Status.INVALID,), ascending=True),
    "a status that nothing has": TaskQuery(function_id=1, statuses=(Status.RUNNING,)),
    "two statuses": TaskQuery(function_id=1, statuses=(Status.SUCCEEDED, Status.INVALID)),
    "a window in the middle": TaskQuery(function_id=1, began_from=NOW - HALF_A_DAY, began_to=NOW - HALF_A_DAY + SECOND),
    "since a moment, oldest first": TaskQuery(function_id=1, began_from=NOW - HALF_A_DAY, ascending=True),
    "until a moment": TaskQuery(function_id=1, began_to=NOW - HALF_A_DAY),
    "a rare status in a window": TaskQuery(
        function_id=1, statuses=(Status.STOPPED,), began_from=NOW - HALF_A_DAY, began_to=NOW - HALF_A_DAY + 900 * SECOND
    ),
    "a rare status of a common word": TaskQuery(function_id=1, name_prefix="mail-", statuses=(Status.STOPPED,)),
    "names with a common word": TaskQuery(function_id=1, name_prefix="mail-"),
    "few names": TaskQuery(function_id=1, name_prefix="order-00"),
    "no name": TaskQuery(function_id=1, name_prefix="nothing"),
    "a qualifier that nothing has": TaskQuery(function_id=1, qualifier="prod"),
    "the usual qualifier": TaskQuery(function_id=1, qualifier="LATEST"),
    "from the middle on": TaskQuery(function_id=1, after=(NOW // 1_000 - EPOCH_MS - 40_000_000) << 22),
}

EMPTY = {"a status that nothing has", "no name", "a qualifier that nothing has"}


@pytest.fixture(name="large", scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """A day of 30,000 tasks: one in a hundred stopped, one in a thousand invalid."""
    ends = {Status.SUCCEEDED: 0.989, Status.STOPPED: 0.01, Status.INVALID: 0.001}
    connection = filled(tmp_path_factory.mktemp("large"), 30_000, Mix(until=NOW, ends=ends, named=0.5))
    yield connection
    connection.close()


@pytest.mark.parametrize("name", QUERIES)
def test_a_page_reads_little_of_a_large_store(large: apsw.Connection, name: str) -> None:
    """Counted in steps of SQLite's machine, which no clock and no cache can change: what it takes to find one page."""
    found, steps = stepping(large, lambda: pages.page(large, QUERIES[name]))

    assert steps < STEPS_MAX, (len(found), steps)
    assert bool(found) is (name not in EMPTY)


STEPS_MAX = 40_000
"""A scan of the store takes more than twice as many."""


def stepping(connection: apsw.Connection, work: Callable[[], list[T]]) -> tuple[list[T], int]:
    """What `work` finds, and about how many steps of SQLite's machine it took."""
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 100
        return False

    connection.set_progress_handler(count, 100)
    try:
        found = work()
        return found, steps
    finally:
        connection.set_progress_handler(None)


def test_a_scan_would_be_noticed(large: apsw.Connection) -> None:
    """The bound is one that a walk over all tasks breaks."""
    text = "SELECT id FROM task NOT INDEXED WHERE qualifier = 'x' AND attempts > 5"
    _, steps = stepping(large, lambda: large.execute(text).fetchall())

    assert steps > 2 * STEPS_MAX


def test_what_began_late_is_found_in_its_window(tmp_path: Path) -> None:
    """A delayed task belongs to the time it started, and not to that of its id."""
    base = population(random.Random(1), 1)[0]
    late = [
        msgspec.structs.replace(
            base,
            id=((NOW // 1_000 - EPOCH_MS + number) << 22),
            function_id=1,
            name=None,
            created_at=NOW + number * 1_000,
            started_at=NOW + delay * SECOND,
        )
        for number, delay in enumerate((1, 3, 61, 3600, 1))
    ]

    async def work(store: Store) -> None:
        for task in late:
            assert await store.insert_task(task)
        for begin, end in itertools.product((0, 1, 2, 3, 60, 61, 3600, 3601), repeat=2):
            for ascending in (True, False):
                query = TaskQuery(
                    function_id=1,
                    began_from=NOW + begin * SECOND,
                    began_to=NOW + end * SECOND,
                    ascending=ascending,
                    limit=2,
                    bodies=True,
                )
                assert await store.page(query) == answer(late, query)

    use(lambda: SqliteStore(tmp_path), work)
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    text = f"SELECT count(*) FROM task INDEXED BY task_late WHERE {pages._LATE}"  # noqa: S608 - constant text
    assert connection.execute(text).get == 3
    connection.close()


@pytest.mark.parametrize("seed", range(4))
def test_windows_of_a_store_with_prompt_and_late_ones_are_as_the_plain_program_says(tmp_path: Path, seed: int) -> None:
    """Drawn windows over tasks of which a third began late, and some before their ids were made."""
    chance = random.Random(seed)
    base = population(chance, 1)[0]
    tasks = [
        msgspec.structs.replace(
            base,
            id=(NOW // 1_000 - EPOCH_MS + 100 * number) << 22,
            function_id=1,
            name=None,
            status=chance.choice((Status.SUCCEEDED, Status.FAILED)),
            created_at=NOW + 100_000 * number,
            started_at=NOW + 100_000 * number + chance.choice((-500_000, 0, 900, 1_000_000, 5_000_000, 20_000_000)),
        )
        for number in range(200)
    ]

    async def work(store: Store) -> None:
        await asyncio.gather(*(store.insert_task(task) for task in tasks))
        for _ in range(150):
            begin, end = sorted(NOW + chance.randrange(-SECOND, 30 * SECOND) for _ in range(2))
            query = TaskQuery(
                function_id=1,
                statuses=chance.choice(((), (Status.FAILED,))),
                began_from=chance.choice((None, begin, begin)),
                began_to=chance.choice((None, end, end)),
                ascending=chance.random() < 0.5,
                after=chance.choice((None, None, chance.choice(tasks).id)),
                limit=chance.choice((1, 5, 50)),
                bodies=True,
            )
            assert await store.page(query) == answer(tasks, query), query

    use(lambda: SqliteStore(tmp_path), work)
