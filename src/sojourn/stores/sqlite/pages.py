"""How a page of tasks is found: which statements, on which index, and how their answers become one page.

Every statement walks one index in the order of ids and stops after `limit` rows, so a page costs the same at any
depth. A query that no single index serves in that order (several statuses; a prefix that both chosen names and request
ids may begin with) becomes several statements, whose answers are merged. Each names its index: without statistics
SQLite may prefer to walk the whole table, and a partial index serves only a statement that repeats its condition word
for word.

What no index orders is filtered while walking (succeeded tasks among a function's tasks, the time bounds) or sorted
(the ids of the names that begin with a prefix). Such a page can be slow when few match, or very many: pages are read
outside the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

from sojourn.identity import request_id
from sojourn.store import TaskQuery
from sojourn.task import Status, Task

from . import rows

INTEGER_MAX = (1 << 63) - 1
_NONE = (1, 0)
_LAST_CHARACTER = "\U0010ffff"
_BEGAN = "(CASE WHEN started_at > 0 THEN started_at ELSE created_at END)"

Statement = tuple[str, dict[str, Any]]


def page(connection: apsw.Connection, query: TaskQuery) -> list[Task]:
    """At most `query.limit` tasks that match, in the order asked for."""
    found = [rows.task_of(row) for text, values in statements(query) for row in connection.execute(text, values)]
    found.sort(key=lambda task: task.id, reverse=not query.ascending)
    return found[: max(query.limit, 0)]


def statements(query: TaskQuery) -> Iterator[Statement]:
    """The statements whose answers together hold the page; no task is in two of them."""
    if query.limit <= 0:
        return
    if not query.name_prefix:
        yield from _walks(query, _bounds(query, 0, INTEGER_MAX), "")
        return
    ids = request_ids(query.name_prefix)
    if ids is not None:
        yield from _walks(query, _bounds(query, *ids), " AND name IS NULL")
    if query.name_prefix.isascii():  # as every name is
        yield _named(query)


def request_ids(prefix: str) -> tuple[int, int] | None:
    """The lowest and highest number whose request id begins with `prefix`; None when there is none."""
    digits = prefix[2:].replace("-", "")[:16]
    try:
        low, high = int(digits.ljust(16, "0"), 16), int(digits.ljust(16, "f"), 16)
    except ValueError:
        return None
    # Whether the dashes stand where they should, and what follows the number, is for the request id itself to say.
    if not 0 <= low <= INTEGER_MAX or not request_id(low).startswith(prefix):
        return None
    return low, min(high, INTEGER_MAX)


def _bounds(query: TaskQuery, low: int, high: int) -> tuple[int, int]:
    """`low` and `high`, narrowed to what follows the previous page."""
    if query.after is None:
        return low, high
    if query.ascending:
        return (max(low, query.after + 1), high) if query.after < INTEGER_MAX else _NONE
    return (low, min(high, query.after - 1)) if query.after > 0 else _NONE


def _walks(query: TaskQuery, bounds: tuple[int, int], extra: str) -> Iterator[Statement]:
    """Walk the tasks of the function; when only open and badly ended ones are asked for, walk those of each status."""
    codes = sorted({rows.STATUS_CODES[status] for status in query.statuses})
    if not codes or rows.STATUS_CODES[Status.SUCCEEDED] in codes:
        yield _walk(query, bounds, "task_by_function", _among(codes) + extra)
        return
    for code in codes:
        index, condition = ("task_open", "status < 10") if code < 10 else ("task_bad", "status > 10")  # noqa: PLR2004 - as in SQL
        yield _walk(query, bounds, index, f" AND status = {code} AND {condition}{extra}")


def _walk(query: TaskQuery, bounds: tuple[int, int], index: str, condition: str) -> Statement:
    columns = rows.COLUMNS if query.bodies else rows.COLUMNS_WITHOUT_BODIES
    direction = "ASC" if query.ascending else "DESC"
    text = (
        f"SELECT {columns} FROM task INDEXED BY {index} WHERE function_id = :function AND id BETWEEN :low AND :high"  # noqa: S608 - constant text
        f"{condition}{_also(query)} ORDER BY id {direction} LIMIT :limit"
    )
    return text, _values(query, bounds)


def _named(query: TaskQuery) -> Statement:
    """The tasks whose chosen name begins with the prefix: only their ids are sorted, then the page's rows are read."""
    columns = rows.COLUMNS if query.bodies else rows.COLUMNS_WITHOUT_BODIES
    direction = "ASC" if query.ascending else "DESC"
    codes = sorted({rows.STATUS_CODES[status] for status in query.statuses})
    text = (
        f"SELECT {columns} FROM task WHERE id IN (SELECT id FROM task INDEXED BY task_by_name "  # noqa: S608 - constant text
        "WHERE function_id = :function AND name IS NOT NULL AND name BETWEEN :first AND :last "
        f"AND id BETWEEN :low AND :high{_among(codes)}{_also(query)} ORDER BY id {direction} LIMIT :limit) "
        f"ORDER BY id {direction}"
    )
    values = _values(query, _bounds(query, 0, INTEGER_MAX))
    return text, values | {"first": query.name_prefix, "last": query.name_prefix + _LAST_CHARACTER}


def _among(codes: list[int]) -> str:
    return f" AND status IN ({', '.join(map(str, codes))})" if codes else ""


def _also(query: TaskQuery) -> str:
    text = " AND qualifier = :qualifier" if query.qualifier else ""
    if query.began_from is not None:
        text += f" AND {_BEGAN} >= :began_from"
    if query.began_to is not None:
        text += f" AND {_BEGAN} <= :began_to"
    return text


def _values(query: TaskQuery, bounds: tuple[int, int]) -> dict[str, Any]:
    return {
        "function": query.function_id,
        "low": bounds[0],
        "high": bounds[1],
        "qualifier": query.qualifier,
        "began_from": query.began_from,
        "began_to": query.began_to,
        "limit": query.limit,
    }
