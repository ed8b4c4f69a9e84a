"""Whether a store that was opened on what was left has everything that was acknowledged, and nothing that cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import apsw

from sojourn.audit import audit
from sojourn.errors import SojournError
from sojourn.stores.sqlite import SqliteStore
from sojourn.stores.sqlite.connection import FILE_NAME

from .workload import Step

LOST, DAMAGED = "lost", "damaged"
Steps = Mapping[tuple[int, int], Step]


def recovered(directory: Path, acknowledged: Mapping[int, int], steps: Steps, starts: int = 0) -> list[str]:
    """What is wrong with the database in `directory`, each beginning with `lost` or `damaged`.

    Parameters
    ----------
    directory: where it lies; it is opened by the real store, and written to.
    acknowledged: the last epoch of each task that its caller was told of.
    steps: every write that may have happened, by task and epoch.
    starts: how many starts of a server were acknowledged.

    """
    return asyncio.run(_recovered(directory, acknowledged, steps, starts))


async def _recovered(directory: Path, acknowledged: Mapping[int, int], steps: Steps, starts: int) -> list[str]:
    store = SqliteStore(directory)
    try:
        incarnation = await store.open()
    except SojournError as error:
        return [f"{LOST} everything: {error.message}" if acknowledged else f"{DAMAGED}: {error.message}"]
    wrong = [] if incarnation > starts else [f"{DAMAGED} start {incarnation} after {starts}"]
    try:
        for task_id, epoch in acknowledged.items():
            row = await store.task(task_id)
            if row is None or row.epoch < epoch:
                wrong.append(f"{LOST} task {task_id}: {row and row.epoch} after {epoch}")
        with store.records() as records:
            found = list(records.tasks())
            report = audit(records)
        deliveries = {one.task_id: one for one in await store.deliveries([row.id for row in found])}
        for row in found:
            step = steps.get((row.id, row.epoch))
            if step is None or await store.task(row.id) != step.row:
                wrong.append(f"{DAMAGED} task {row.id}: the row of epoch {row.epoch} is not as it was written")
            elif deliveries.get(row.id) != step.delivery:
                wrong.append(f"{DAMAGED} task {row.id}: its end and the record of it were not written together")
        wrong += [f"{DAMAGED} {violation}" for violation in report.violations]
    except Exception as error:  # noqa: BLE001 - rows that no store wrote may break whatever reads them
        wrong.append(f"{DAMAGED}: {type(error).__name__} {error}")
    await store.close()
    return wrong + checked(directory)


def checked(directory: Path) -> list[str]:
    """What SQLite itself finds."""
    connection = apsw.Connection(str(directory / FILE_NAME))
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except apsw.Error as error:
        found = [str(error)]
    finally:
        connection.close()
    return [] if found == ["ok"] else [f"{DAMAGED} {text}" for text in found]
