"""How tasks are found by a filter: in steps that each look at a bounded number of rows, on whichever index fits best.

A search has sources, each of which walks one index in the order of ids: the names that begin so, the rows of a tag, of
each function and status, of each function, or all rows. A source looks at its share of `ROWS_MAX` rows and gives the
ids among them that can match, and where it stopped when there were more. What all sources have looked at is complete,
so the page ends where the first of them stopped, and says so: the next step goes on from there. So no statement takes
long, however many tasks there are and however few match; a filter that no index serves takes several steps instead.

Statements check what they can; `filter.matches` has the last word. An id tells when its task was submitted, to within
an hour for clocks that were set back, which bounds the ids where times are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apsw
import orjson

from sojourn import filter as filters
from sojourn.clock import MICROSECONDS_PER_SECOND
from sojourn.identity import number_at
from sojourn.store import Found, Search
from sojourn.task import Status

from . import rows
from .pages import INTEGER_MAX, request_ids

ROWS_MAX = 20_000
"""Looked at in one step, all sources together."""
SOURCES_MAX = 64
SOURCE_ROWS_MIN = 200
NAMES_MAX = 2_000
"""Ids that begin with a prefix are sorted when they are no more than that."""
SLACK = 3600 * MICROSECONDS_PER_SECOND
_LAST_CHARACTER = "\U0010ffff"
_OPEN_CODE_MAX = 10
_OF_IDS = "FROM task WHERE id IN (SELECT value FROM json_each(:ids))"
_ROWS = f"SELECT {rows.COLUMNS_WITHOUT_BODIES} {_OF_IDS}"
_WHOLE_ROWS = f"SELECT {rows.COLUMNS} {_OF_IDS}"
_NAMES = (
    "SELECT id FROM task INDEXED BY task_by_name WHERE function_id = :function AND name IS NOT NULL "
    "AND name BETWEEN :first AND :last LIMIT :limit"
)


_TAGGED = "EXISTS (SELECT 1 FROM task_tag WHERE account_id = :account AND task_id = task.id"


class Source(NamedTuple):
    """A part of an index: the table's or index's rows `among` which, by the column `key`, and what holds for each."""

    among: str
    where: str
    key: str = "id"


def find(connection: apsw.Connection, search: Search) -> Found:
    """One step of a search."""
    low, high = _bounds(search)
    if low > high or not search.functions or search.limit <= 0:
        return Found()
    names = _named(connection, search)
    if names is not None:
        ids, stopped = [each for each in names if low <= each <= high], None
        ids = _sorted(_checked(connection, search, ids), search)
    else:
        ids, stopped = _walked(connection, search, (low, high))
    taken = ids[: search.limit]
    after = taken[-1] if len(ids) > search.limit else stopped
    text = _WHOLE_ROWS if search.bodies else _ROWS
    tasks = [rows.task_of(row) for row in connection.execute(text, {"ids": _json(taken)})]
    order = {task_id: place for place, task_id in enumerate(taken)}
    tasks.sort(key=lambda task: order[task.id])
    wanted, known = search.wanted, search.functions
    return Found(
        [task for task in tasks if filters.matches(wanted, task, known.get(task.function_id, ""), search.now)], after
    )


def _walked(connection: apsw.Connection, search: Search, bounds: tuple[int, int]) -> tuple[list[int], int | None]:
    """The ids that all sources are done with, in order, and where the first of them stopped; None when none did."""
    sources = _sources(search)
    rows_max = max(ROWS_MAX // len(sources), SOURCE_ROWS_MIN)
    found: list[int] = []
    stops: list[int] = []
    for source in sources:
        ids, stop = _step(connection, search, source, bounds, rows_max)
        found += ids
        if stop is not None:
            stops.append(stop)
    if not stops:
        return _sorted(found, search), None
    stopped = min(stops) if search.ascending else max(stops)
    done = [each for each in found if (each <= stopped if search.ascending else each >= stopped)]
    return _sorted(done, search), stopped


def _step(
    connection: apsw.Connection, search: Search, source: Source, bounds: tuple[int, int], rows_max: int
) -> tuple[list[int], int | None]:
    """The ids that a source gives, at most one more than a page holds, and where it stopped if there is more."""
    direction = "ASC" if search.ascending else "DESC"
    key = source.key
    inner = (
        f"SELECT {key} AS found FROM {source.among} WHERE {source.where} AND {key} BETWEEN :low AND :high "  # noqa: S608 - constant text
        f"ORDER BY {key} {direction} LIMIT :rows"
    )
    values = _values(search) | {"low": bounds[0], "high": bounds[1], "rows": rows_max, "limit": search.limit + 1}
    conditions = " AND ".join(_conditions(search))
    text = f"SELECT task.id FROM ({inner}) CROSS JOIN task ON task.id = found WHERE {conditions} LIMIT :limit"  # noqa: S608 - constant text
    ids = [row[0] for row in connection.execute(text, values)]
    if len(ids) > search.limit:
        return ids, ids[-1]
    end = "max" if search.ascending else "min"
    ((last, count),) = connection.execute(f"SELECT {end}(found), count(*) FROM ({inner})", values)  # noqa: S608 - constant text
    return ids, last if count >= rows_max else None


def _sources(search: Search) -> list[Source]:
    """The narrowest walk that the filter allows."""
    codes = sorted(rows.STATUS_CODES[status] for status in search.wanted.statuses)
    functions = sorted(search.functions)
    if search.wanted.tags:
        return [Source("task_tag", "account_id = :account AND tag = :tag0", "task_id")]
    if codes and rows.STATUS_CODES[Status.SUCCEEDED] not in codes and len(codes) * len(functions) <= SOURCES_MAX:
        return [Source(*_of_status(function, code)) for function in functions for code in codes]
    if len(functions) <= SOURCES_MAX:
        return [Source("task INDEXED BY task_by_function", f"function_id = {int(each)}") for each in functions]
    return [Source("task NOT INDEXED", "TRUE")]


def _of_status(function: int, code: int) -> tuple[str, str]:
    index, condition = ("task_open", "status < 10") if code < _OPEN_CODE_MAX else ("task_bad", "status > 10")
    return f"task INDEXED BY {index}", f"function_id = {int(function)} AND status = {code} AND {condition}"


def _named(connection: apsw.Connection, search: Search) -> list[int] | None:
    """The ids of all tasks whose chosen name begins as asked for; None when they are to be walked instead."""
    prefix = search.wanted.id_prefix
    if not prefix or request_ids(prefix) is not None or len(search.functions) > SOURCES_MAX:
        return None
    found: list[int] = []
    for function in search.functions:
        values = {"function": function, "first": prefix, "last": prefix + _LAST_CHARACTER, "limit": NAMES_MAX + 1}
        found += [row[0] for row in connection.execute(_NAMES, values)]
        if len(found) > NAMES_MAX:
            return None
    return found


def _checked(connection: apsw.Connection, search: Search, ids: list[int]) -> list[int]:
    text = (
        "SELECT task.id FROM task WHERE id IN (SELECT value FROM json_each(:ids)) AND "  # noqa: S608 - constant text
        + " AND ".join(_conditions(search))
    )
    return [row[0] for row in connection.execute(text, _values(search) | {"ids": _json(ids)})]


def _conditions(search: Search) -> Iterator[str]:
    """What holds for a row that matches, as far as a statement can tell."""
    wanted = search.wanted
    yield "task.account_id = :account"
    if wanted.function:
        yield f"task.function_id IN ({', '.join(str(int(each)) for each in search.functions)})"
    if wanted.statuses:
        yield f"task.status IN ({', '.join(str(rows.STATUS_CODES[each]) for each in wanted.statuses)})"
    if wanted.created_from is not None:
        yield "task.created_at >= :created_from"
    if wanted.created_to is not None:
        yield "task.created_at <= :created_to"
    if wanted.ended_from is not None or wanted.ended_to is not None:
        yield "task.ended_at > 0"
    if wanted.ended_from is not None:
        yield "task.ended_at >= :ended_from"
    if wanted.ended_to is not None:
        yield "task.ended_at <= :ended_to"
    if wanted.id_prefix:
        yield "(task.name IS NULL OR task.name BETWEEN :first AND :last)"
    for number in range(len(wanted.tags)):
        yield f"{_TAGGED} AND tag = :tag{number})"
    yield from _lasted(search)
    if wanted.error_text:
        yield from _error(wanted.error_text)


def _lasted(search: Search) -> Iterator[str]:
    lasted = "max((CASE task.ended_at WHEN 0 THEN :now ELSE task.ended_at END) - task.started_at, 0)"
    if search.wanted.duration_min is not None or search.wanted.duration_max is not None:
        yield "task.started_at > 0"
    if search.wanted.duration_min is not None:
        yield f"{lasted} >= :duration_min"
    if search.wanted.duration_max is not None:
        yield f"{lasted} <= :duration_max"


def _error(text: str) -> Iterator[str]:
    yield "(task.error <> '' OR instr(task.history, x'224572726F7222') > 0)"  # the bytes of "Error" in quotes
    if text.isascii() and text.isprintable():  # SQLite folds no other letters
        yield "(instr(lower(task.error), :error) > 0 OR instr(lower(CAST(task.history AS TEXT)), :error) > 0)"


def _values(search: Search) -> dict[str, Any]:
    wanted = search.wanted
    values: dict[str, Any] = {
        "account": search.account_id,
        "now": search.now,
        "created_from": wanted.created_from,
        "created_to": wanted.created_to,
        "ended_from": wanted.ended_from,
        "ended_to": wanted.ended_to,
        "first": wanted.id_prefix,
        "last": wanted.id_prefix + _LAST_CHARACTER,
        "duration_min": wanted.duration_min,
        "duration_max": wanted.duration_max,
        "error": wanted.error_text.lower(),
    }
    return values | {f"tag{place}": f"{key}={value}" for place, (key, value) in enumerate(wanted.tags.items())}


def _bounds(search: Search) -> tuple[int, int]:
    """The lowest and highest id that can match, after what was looked at before."""
    wanted = search.wanted
    low, high = 0, INTEGER_MAX
    if wanted.created_from is not None:
        low = max(low, number_at(wanted.created_from - SLACK))
    latest = min((each for each in (wanted.created_to, wanted.ended_to) if each is not None), default=None)
    if latest is not None:
        high = min(high, number_at(latest + SLACK))
    numbers = request_ids(wanted.id_prefix) if wanted.id_prefix else None
    if numbers is not None:
        low, high = max(low, numbers[0]), min(high, numbers[1])
    if search.after is not None:
        low, high = (max(low, search.after + 1), high) if search.ascending else (low, min(high, search.after - 1))
    return low, high


def _sorted(ids: Iterable[int], search: Search) -> list[int]:
    return sorted(ids, reverse=not search.ascending)


def _json(ids: list[int]) -> str:
    return orjson.dumps(ids).decode()
