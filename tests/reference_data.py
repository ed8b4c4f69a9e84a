"""What a reference store keeps, and what survives it."""

from __future__ import annotations

from sojourn.bulk import Operation
from sojourn.destination import Delivery
from sojourn.function import AccessKey, Account, Function
from sojourn.progress import Progress
from sojourn.service import Service
from sojourn.store import Log
from sojourn.task import Task
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
        self.services: dict[tuple[str, str], Service] = {}
        self.triggers: dict[tuple[int, str], Trigger] = {}
        self.operations: dict[int, Operation] = {}
        self.progress: dict[int, Progress] = {}
