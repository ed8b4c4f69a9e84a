"""What a reference store keeps, and what survives it."""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.access import AccessToken
from sojourn.bulk import Operation
from sojourn.destination import Delivery
from sojourn.function import AccessKey, Account, Function
from sojourn.progress import Progress
from sojourn.service import Service
from sojourn.store import Log, Stray
from sojourn.task import Task
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
