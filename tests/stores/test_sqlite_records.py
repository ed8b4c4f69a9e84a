"""Records of a SQLite store: what an audit reads costs little memory, however much there is to read."""

from __future__ import annotations

from pathlib import Path

import apsw
from bench.fill import Mix, fill

from sojourn.store import Store
from sojourn.stores.sqlite import SqliteStore
from sojourn.stores.sqlite.connection import FILE_NAME
from sojourn.stores.sqlite.records import CACHE_KIB, records
from sojourn.task import Status
from stores.samples import NOW, new_function, use

TASKS = 10_000


def test_reading_everything_keeps_little_of_it(tmp_path: Path) -> None:
    """A server audits itself on threads that give nothing back: whatever is kept here stays with each of them."""

    async def begin(store: Store) -> None:
        assert await store.put_function(new_function(), 0)

    use(lambda: SqliteStore(tmp_path), begin)
    fill(tmp_path, TASKS, Mix(until=NOW, ends={Status.SUCCEEDED: 1.0}), function=new_function().name)
    assert (tmp_path / FILE_NAME).stat().st_size > 8 * CACHE_KIB * 1024

    with records(tmp_path) as found:
        assert sum(1 for _ in found.tasks()) == TASKS
        used, _ = found._connection.status(apsw.SQLITE_DBSTATUS_CACHE_USED)

    assert used < 1.5 * CACHE_KIB * 1024
