"""Files of older versions become files of this one, with everything that is in them."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path

import apsw

from sojourn.function import AccessKey
from sojourn.store import TaskQuery
from sojourn.stores.sqlite import SqliteStore, schema
from sojourn.stores.sqlite.connection import FILE_NAME
from sojourn.task import Status
from stores.samples import NOW, open_tasks


def test_functions_tasks_and_keys_from_before_versions(tmp_path: Path) -> None:
    """A function keeps its id and has no version, a task runs it, what is over is counted, a key has no end."""
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    for version, text in schema.migrations().items():
        if version <= 3:
            connection.execute(f"{text}\nPRAGMA user_version = {version}")
    connection.execute(
        "INSERT INTO function(id, account_id, name, generation, revision, deleted, created_at, modified_at, "
        "config, code) VALUES (7, 'a', 'f', 2, 5, 0, 1, 2, ?, ?)",
        ('{"runtime":"python3.12","handler":"index.handler"}', '{"digest":"d","size":1,"checksum":"c"}'),
    )
    connection.execute("INSERT INTO account(id, created_at, owner) VALUES ('a', 1, 1)")
    connection.execute("INSERT INTO access_key VALUES ('k', 's', 'a', 1)")
    insert = (
        "INSERT INTO task(id, account_id, function_id, generation, qualifier, status, epoch, attempts, retries, "
        "losses, retries_max, due_at, expires_at, created_at, started_at, ended_at, owner, instance_id, error, "
        "history, payload) VALUES (?, 'a', 7, 2, 'LATEST', ?, 1, 0, 0, 0, 3, ?, 0, ?, 0, 0, 0, '', '', x'', x'01')"
    )
    connection.executemany(insert, [(9, 1, NOW, NOW), (10, 10, 0, NOW), (11, 11, 0, NOW), (12, 10, 0, NOW)])
    connection.close()

    async def look() -> None:
        store = SqliteStore(tmp_path)
        await store.open()
        (function,) = await store.functions()
        assert (function.id, function.name, function.version, function.root, function.revision) == (7, "f", "", 7, 5)
        (row,) = await open_tasks(store)
        assert (row.id, row.runs) == (9, 7)
        assert await store.counts() == {(7, Status.SUCCEEDED): 2, (7, Status.FAILED): 1, (7, Status.DEQUEUED): 1}
        failed = TaskQuery(function_id=7, statuses=(Status.FAILED,), began_from=NOW)
        assert [each.id for each in await store.page(failed)] == [11]
        assert list(await store.access_keys()) == [AccessKey(id="k", secret="s", account_id="a", created_at=1)]
        assert not await store.services()
        assert not await store.triggers()
        await store.close()

    asyncio.run(look())


def test_each_migration_has_a_number_of_its_own() -> None:
    """Two files of one number would be one, and the other's tables would not be there."""
    folder = files(schema.__package__) / "migrations"
    names = [each.name for each in folder.iterdir() if each.name.endswith(".sql")]
    assert len(names) == len({name[:4] for name in names}) == len(schema.migrations())
