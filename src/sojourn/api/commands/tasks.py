"""GetAsyncTask, ListAsyncTasks, StopAsyncTask.

A function that was deleted keeps its tasks, so functions are looked up as they are remembered, always within the
caller's account.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sojourn.api import answer, paging
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call, boolean
from sojourn.clock import MICROSECONDS_PER_MILLISECOND
from sojourn.errors import InvalidArgument
from sojourn.function import check_digits
from sojourn.store import TaskQuery
from sojourn.task import Status

from .named import remembered

LIST = "tasks"
MILLISECONDS_BOUNDS = (0, 253_402_300_799_999)
"""Until the end of the year 9999."""
PREFIX_CHARACTERS_MAX = 128
_STATUSES = {status.value: status for status in Status}
_ORDERS = {"asc": True, "desc": False}


async def get(call: Call) -> Answer:
    """One task, payload and result included."""
    function = remembered(call)
    backend = call.backend
    task = await backend.queue.find(function, call.path["task"])
    delivery = (await backend.deliveries.of([task])).get(task.id)
    shown = call.dialect.task(task, function, backend.settings.region, backend.clock.now(), delivery=delivery)
    return answer.of_json(shown)


async def page(call: Call) -> Answer:
    """Some tasks of a function, the youngest first unless asked otherwise."""
    function = remembered(call)
    backend, queue, dialect = call.backend, call.backend.queue, call.dialect
    query = decode_query(
        function.id,
        call.query,
        prefix=dialect.task_prefix,
        limit=dialect.tasks_limit,
        qualifier=dialect.qualifier(call) or "",
    )
    tasks = await queue.page(query)
    more = False
    if len(tasks) == query.limit:  # a full page may be the last one: a look ahead spares callers an empty page
        next_query = msgspec.structs.replace(query, after=tasks[-1].id, limit=1, bodies=False)
        more = bool(await queue.page(next_query))
    deliveries = await backend.deliveries.of(tasks)
    now, region = backend.clock.now(), backend.settings.region
    return answer.of_json(
        {
            dialect.tasks: [
                dialect.task(task, function, region, now, delivery=deliveries.get(task.id), bodies=query.bodies)
                for task in tasks
            ],
            "nextToken": paging.token(LIST, str(tasks[-1].id)) if more else "",
        }
    )


async def stop(call: Call) -> Answer:
    """Stop a task; the answer says that the stop is durable."""
    await call.backend.dispatcher.stop(remembered(call), call.path["task"], call.key.id)
    return EMPTY


def decode_query(
    function_id: int,
    query: Mapping[str, str],
    *,
    prefix: str = "prefix",
    limit: int = paging.LIMIT_DEFAULT,
    qualifier: str = "",
) -> TaskQuery:
    """Which tasks the parameters of ListAsyncTasks ask for.

    Parameters
    ----------
    function_id: whose.
    query: the parameters.
    prefix: the name of the one that narrows ids.
    limit: the size of a page where none is given.
    qualifier: what they were submitted with, "" for whatever it was.

    Raises
    ------
    InvalidArgument: one of them is not what it must be.

    """
    status = query.get("status")
    if status is not None and status not in _STATUSES:
        raise InvalidArgument("status", status, f"must be one of {', '.join(_STATUSES)}")
    order = query.get("sortOrderByTime", "desc")
    if order.lower() not in _ORDERS:
        raise InvalidArgument("sortOrderByTime", order, "must be asc or desc")
    beginning = query.get(prefix, "")
    if len(beginning) > PREFIX_CHARACTERS_MAX:
        raise InvalidArgument(prefix, beginning, f"must hold at most {PREFIX_CHARACTERS_MAX} characters")
    begin, end = (_milliseconds(field, query) for field in ("startedTimeBegin", "startedTimeEnd"))
    if begin is not None and end is not None and begin > end:
        raise InvalidArgument("startedTimeBegin", begin, f"must not be after startedTimeEnd ({end})")
    return TaskQuery(
        function_id=function_id,
        statuses=(_STATUSES[status],) if status is not None else (),
        name_prefix=beginning,
        qualifier=qualifier,
        began_from=None if begin is None else begin * MICROSECONDS_PER_MILLISECOND,
        began_to=None if end is None else (end + 1) * MICROSECONDS_PER_MILLISECOND - 1,  # the whole millisecond
        ascending=_ORDERS[order.lower()],
        after=paging.number_of(LIST, query),
        limit=paging.limit_of(query, limit),
        bodies=boolean("includePayload", query.get("includePayload")),
    )


def _milliseconds(field: str, query: Mapping[str, str]) -> int | None:
    text = query.get(field)
    return None if text is None else check_digits(field, text, MILLISECONDS_BOUNDS, "milliseconds since 1970")
