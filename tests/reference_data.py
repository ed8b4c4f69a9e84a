"""What a reference store keeps, and what survives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sojourn.access import AccessToken
from sojourn.bulk import Operation
from sojourn.destination import Delivery
from sojourn.function import AccessKey, Account, Function
from sojourn.progress import Progress
from sojourn.service import Service
from sojourn.store import Forgotten, Log, OpenTask, Stray
from sojourn.task import Status, Task
from sojourn.trail import Entry
from sojourn.trigger import Trigger


class Data:
    """What survives the store: hand it to the next one to restart on the same rows."""

    def __init__(self) -> None:
        self.incarnation = 0
        self.tasks: dict[int, Task] = {}
        self.names: dict[tuple[int, str], int] = {}
        self.logs: dict[tuple[int, int], Log] = {}
        self.deliveries: dict[int, Delivery] = {}
        self.functions: dict[int, Function] = {}
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, AccessKey] = {}
        self.audit: list[Entry] = []
        self.tokens: dict[str, AccessToken] = {}
        self.services: dict[tuple[str, str], Service] = {}
        self.triggers: dict[tuple[int, str], Trigger] = {}
        self.operations: dict[int, Operation] = {}
        self.progress: dict[int, Progress] = {}

    def forget(self, ended_before: int, after: int, limit: int) -> Forgotten:
        """Delete at most `limit` tasks beyond `after` that are over and have nothing on its way."""
        rows = sorted(self.tasks.values(), key=lambda row: row.id)
        gone = [row for row in rows if row.id > after and row.over and row.ended_at < ended_before]
        gone = [row for row in gone if row.id not in self.deliveries or self.deliveries[row.id].over][:limit]
        for row in gone:
            del self.tasks[row.id]
            self.deliveries.pop(row.id, None)
            self.progress.pop(row.id, None)
            if row.name is not None:
                del self.names[row.function_id, row.name]
            for key in [key for key in self.logs if key[0] == row.id]:
                del self.logs[key]
        return Forgotten(Counter((row.function_id, row.status) for row in gone), gone[-1].id if gone else None)

    def counts(self) -> Mapping[tuple[int, Status], int]:
        """How many tasks there are, by function and status."""
        return Counter((row.function_id, row.status) for row in self.tasks.values())

    def open_tasks(self) -> Iterator[Sequence[OpenTask]]:
        """One by one, those that somebody is busy with first."""
        for row in sorted(self.tasks.values(), key=lambda row: (row.status is Status.ENQUEUED, row.id)):
            if not row.over:
                yield [
                    OpenTask(
                        row.id, row.function_id, row.status, row.owner, row.due_at, row.expires_at, row.snapshot_id
                    )
                ]


class DataRecords:
    """What `Data` holds, as the records of a store."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def incarnation(self) -> int:
        """How many starts there were."""
        return self._data.incarnation

    def functions(self) -> Iterator[Function]:
        """All of them."""
        return iter(self._data.functions.values())

    def tasks(self) -> Iterator[Task]:
        """All of them, in the order of ids."""
        return iter(sorted(self._data.tasks.values(), key=lambda row: row.id))

    def strays(self) -> Iterator[Stray]:
        """Logs of attempts that were not."""
        for task_id, attempt in self._data.logs:
            row = self._data.tasks.get(task_id)
            if row is None or not 1 <= attempt <= row.attempts:
                yield Stray("log", task_id, f"of attempt {attempt}, which was not")
