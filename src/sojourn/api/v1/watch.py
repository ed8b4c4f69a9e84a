"""Watching tasks in the native API: a stream of server-sent events, one for each step that has become durable."""

from __future__ import annotations

from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler
from sojourn.errors import InvalidArgument

EVENTS = b"text/event-stream"
LAST_ID = b"last-event-id"
_LIVE = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
"""For proxies: nothing of it is kept, and nothing of it is held back."""


async def watch(call: Call) -> Answer:
    """Steps of tasks as they become durable: of the whole account, of one function, or of one task.

    A watcher that comes back says with `Last-Event-ID` (or `lastEventId` in the query) which event it has.
    """
    backend, name, task_id = call.backend, call.query.get("function"), call.query.get("taskId")
    if task_id is not None and name is None:
        raise InvalidArgument("taskId", task_id, "must come with the function that it is a task of")
    function = None if name is None else backend.catalog.remembered(call.account_id, name)
    number = 0 if task_id is None or function is None else (await backend.queue.find(function, task_id)).id
    last_id = call.header(LAST_ID) or call.query.get("lastEventId", "")
    stream = backend.feed.watch(call.account_id, function.root if function else 0, number, last_id)
    return Answer(200, b"", EVENTS, _LIVE, stream)


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (("GET", "/v1/watch", watch),)
