"""What a path of the native API names: a function, also one that was deleted, because its tasks stay there; a task."""

from __future__ import annotations

from sojourn.api.call import Call
from sojourn.function import Function
from sojourn.task import Task


def function_of(call: Call) -> Function:
    """The function, or `FunctionNotFound`."""
    return call.backend.catalog.remembered(call.account_id, call.path["function"])


async def task_of(call: Call) -> Task:
    """The task of that function, or `TaskNotFound`."""
    return await call.backend.queue.find(function_of(call), call.path["task"])
