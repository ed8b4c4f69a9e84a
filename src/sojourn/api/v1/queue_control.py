"""The queue of a function in the native API: letting it stand still, and go on."""

from __future__ import annotations

from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call, only
from sojourn.api.operation import Handler
from sojourn.function import Function
from sojourn.times import rfc3339


async def pause(call: Call) -> Answer:
    """Let no task of a function start until its queue is resumed; what runs goes on. Pausing twice is fine."""
    only(call.json())
    function = call.backend.catalog.function(call.account_id, call.path["function"])
    return answer.of_json(_queue(await call.backend.catalog.pause(function)))


async def resume(call: Call) -> Answer:
    """Let tasks of a function start again. Resuming twice is fine."""
    only(call.json())
    function = call.backend.catalog.function(call.account_id, call.path["function"])
    return answer.of_json(_queue(await call.backend.catalog.resume(function)))


def _queue(function: Function) -> dict[str, object]:
    return {
        "functionName": function.name,
        "paused": bool(function.paused_at),
        "pausedSince": rfc3339(function.paused_at) if function.paused_at else "",
    }


_QUEUE = "/v1/functions/{function}/queue"
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{_QUEUE}:pause", pause),
    ("POST", f"{_QUEUE}:resume", resume),
)
