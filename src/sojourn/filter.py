"""Filters: which tasks of an account are meant, by whoever lists them and whoever steers many at once.

Pure: a filter is read from named fields, checked, and held against a task. All of its fields must hold; a field that is
not given holds for every task. How a store finds the tasks without looking at each, and what is then done to them, is
left to others; `matches` is the meaning that they all must keep.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from . import identity
from .clock import MICROSECONDS_PER_MILLISECOND
from .errors import InvalidArgument
from .function import check_digits, check_function_name, check_integer
from .tags import check_tags, parse_tags
from .task import Status, Task
from .times import microseconds_of

FIELDS = (
    "status",
    "function",
    "createdFrom",
    "createdTo",
    "endedFrom",
    "endedTo",
    "idPrefix",
    "errorText",
    "tags",
    "minDurationMs",
    "maxDurationMs",
)
TEXT_CHARACTERS_MAX = 128
DURATION_MS_BOUNDS = (0, 10**12)
_STATUSES = {status.value: status for status in Status}


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks are meant.

    `statuses` empty means any. `function` is a name. Times are inclusive, in microseconds since 1970: when the task was
    submitted, and when it ended, which no open task has. `id_prefix` begins the task id as callers see it. `error_text`
    stands somewhere in what went wrong, in capitals or not. `tags` are all to be there. Durations are inclusive, in
    microseconds, from a task's first start to its end, or to now while it is not over; a task that never started has
    none.
    """

    statuses: tuple[Status, ...] = ()
    function: str = ""
    created_from: int | None = None
    created_to: int | None = None
    ended_from: int | None = None
    ended_to: int | None = None
    id_prefix: str = ""
    error_text: str = ""
    tags: Mapping[str, str] = {}
    duration_min: int | None = None
    duration_max: int | None = None

    @property
    def empty(self) -> bool:
        """Whether every task is meant."""
        return self == Filter()


def parse(fields: Mapping[str, object]) -> Filter:
    """The filter that `fields` spell, from JSON or from the parameters of a query.

    `status` is a list, or names with commas between them; `tags` an object, or `key=value` pairs with commas between
    them; a time is RFC 3339 or milliseconds since 1970; a number may be text.

    Raises
    ------
    InvalidArgument: a field is not known or not what it must be, or two contradict each other.

    """
    for name in fields:
        if name not in FIELDS:
            raise InvalidArgument(name, fields[name], f"is no field of a filter, which has {', '.join(FIELDS)}")
    function = fields.get("function")
    tags = fields.get("tags")
    found = Filter(
        statuses=_statuses(fields.get("status")),
        function="" if function is None else check_function_name(function),
        created_from=_moment("createdFrom", fields),
        created_to=_until("createdTo", fields),
        ended_from=_moment("endedFrom", fields),
        ended_to=_until("endedTo", fields),
        id_prefix=_text("idPrefix", fields),
        error_text=_text("errorText", fields),
        tags=parse_tags("tags", tags) if isinstance(tags, str) else check_tags("tags", {} if tags is None else tags),
        duration_min=_duration("minDurationMs", fields),
        duration_max=_duration("maxDurationMs", fields),
    )
    _in_order("createdFrom", found.created_from, "createdTo", found.created_to)
    _in_order("endedFrom", found.ended_from, "endedTo", found.ended_to)
    _in_order("minDurationMs", found.duration_min, "maxDurationMs", found.duration_max)
    return found


def matches(wanted: Filter, task: Task, function: str, now: int) -> bool:
    """Whether `task`, a task of the function of that name, is one of those that are meant at `now`."""
    return (
        (not wanted.statuses or task.status in wanted.statuses)
        and (not wanted.function or wanted.function == function)
        and (wanted.created_from is None or task.created_at >= wanted.created_from)
        and (wanted.created_to is None or task.created_at <= wanted.created_to)
        and _ended(wanted, task)
        and (not wanted.id_prefix or _id(task).startswith(wanted.id_prefix))
        and all(task.tags.get(key) == value for key, value in wanted.tags.items())
        and _lasted(wanted, task, now)
        and (not wanted.error_text or wanted.error_text.lower() in error_of(task).lower())
    )


def error_of(task: Task) -> str:
    """All that says what went wrong with a task: its error class, then the details of events that name an error."""
    details = [event.detail for event in task.events if '"Error"' in event.detail]
    return "\n".join(filter(None, (task.error, *details)))


def duration_of(task: Task, now: int) -> int | None:
    """Microseconds from a task's first start to its end, or to `now`; None when it never started."""
    return max((task.ended_at or now) - task.started_at, 0) if task.started_at else None


def _ended(wanted: Filter, task: Task) -> bool:
    if wanted.ended_from is None and wanted.ended_to is None:
        return True
    return (
        task.ended_at > 0
        and (wanted.ended_from is None or task.ended_at >= wanted.ended_from)
        and (wanted.ended_to is None or task.ended_at <= wanted.ended_to)
    )


def _lasted(wanted: Filter, task: Task, now: int) -> bool:
    if wanted.duration_min is None and wanted.duration_max is None:
        return True
    lasted = duration_of(task, now)
    return (
        lasted is not None
        and (wanted.duration_min is None or lasted >= wanted.duration_min)
        and (wanted.duration_max is None or lasted <= wanted.duration_max)
    )


def _id(task: Task) -> str:
    return task.name if task.name is not None else identity.request_id(task.id)


def _statuses(value: object) -> tuple[Status, ...]:
    if value is None:
        return ()
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names:
        raise InvalidArgument("status", value, f"must be a list of {', '.join(_STATUSES)}")
    for name in names:
        if not isinstance(name, str) or name not in _STATUSES:
            raise InvalidArgument("status", name, f"must be of {', '.join(_STATUSES)}")
    return tuple(status for name, status in _STATUSES.items() if name in names)


def _text(field: str, fields: Mapping[str, object]) -> str:
    value = fields.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
        raise InvalidArgument(field, value, f"must be text of at most {TEXT_CHARACTERS_MAX} characters")
    return value


def _moment(field: str, fields: Mapping[str, object]) -> int | None:
    value = fields.get(field)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    found = microseconds_of(value) if isinstance(value, str) else None
    if found is None:
        bound = "must be a time such as 2026-11-24T01:50:00Z, or milliseconds since 1970"
        raise InvalidArgument(field, fields[field], bound)
    return found


def _until(field: str, fields: Mapping[str, object]) -> int | None:
    """A time that is the end of a range: the whole millisecond belongs to it."""
    found = _moment(field, fields)
    return None if found is None else found + MICROSECONDS_PER_MILLISECOND - 1


def _duration(field: str, fields: Mapping[str, object]) -> int | None:
    value = fields.get(field)
    if value is None:
        return None
    if isinstance(value, str):
        found = check_digits(field, value, DURATION_MS_BOUNDS, "milliseconds")
    else:
        found = check_integer(field, value, DURATION_MS_BOUNDS, "milliseconds")
    return found * MICROSECONDS_PER_MILLISECOND


def _in_order(field: str, low: int | None, field_of_high: str, high: int | None) -> None:
    if low is not None and high is not None and low > high:
        raise InvalidArgument(field, low // MICROSECONDS_PER_MILLISECOND, f"must not be above {field_of_high}")
