"""How a page of tasks is found: which statements, on which index, and how their answers become one page.

Every statement walks one index in the order of ids and stops after `limit` rows, so a page costs the same at any
depth and in a store of any size. A query that no single index serves in that order becomes several statements, whose
answers are merged: one for each status; two for a prefix that both chosen names and request ids may begin with; two
for a window of time, see below. Each names its index: without statistics SQLite may prefer to walk the whole table, and
a partial index serves only a statement that repeats its condition word for word.

Windows of time
    Ids are made of time, so a window is a range of ids for all tasks that began within two seconds of their submission.
    The few whose clock had been set back are walked apart. Those that began later (delayed, or behind a backlog) have
    an index by the time they began, from which the ids in the window are sorted; newest first, only those that can
    come before what was found already. A window that holds very many of them costs accordingly.

Prefixes of names
    Names are not in the order of ids. A few that begin with a prefix are sorted; when there are many, the tasks are
    walked in order instead, because the page is full soon. Only when it is not (many, and all of them far away) are
    many sorted after all.

What is filtered while walking: a name, and the qualifier LATEST, which is nearly everybody's. Pages are read outside
the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

from sojourn.function import LATEST
from sojourn.identity import made_at, number_at, request_id
from sojourn.store import TaskQuery
from sojourn.task import Task

from . import rows

INTEGER_MAX = (1 << 63) - 1
NAMES_SORTED_MAX = 500
"""How many names may begin with a prefix and be sorted before another way is tried."""
ROWS_WALKED_MAX = 5_000
"""How many tasks are looked at on that other way."""
PROMPT_MICROSECONDS = 2_000_000
"""How long after its submission a task may begin to be found by its id alone; stands in the schema too."""
_NONE = (1, 0)
_LAST_CHARACTER = "\U0010ffff"
_BEGAN = "(CASE WHEN started_at > 0 THEN started_at ELSE created_at END)"
_MADE, _PROMPT_UNTIL = "(id >> 22) * 1000 + 1767225600000000", "(id >> 22) * 1000 + 1767225602000000"
_LATE, _EARLY = f"{_BEGAN} > {_PROMPT_UNTIL}", f"{_BEGAN} < {_MADE}"
_USUAL_QUALIFIERS = ("", LATEST)
_OVER_MIN = 10
"""The first code of a status that nothing follows."""

Statement = tuple[str, dict[str, Any]]


def page(connection: apsw.Connection, query: TaskQuery) -> list[Task]:
    """At most `query.limit` tasks that match, in the order asked for."""
    if query.limit <= 0:
        return []

    def first(found: list[rows.Row]) -> list[rows.Row]:
        return sorted(found, key=_id_of, reverse=not query.ascending)[: query.limit]

    found = first([row for text, values in statements(query) for row in connection.execute(text, values)])
    if (late := late_ones(query, found[-1][0] if len(found) == query.limit else None)) is not None:
        found += connection.execute(*late)
    if query.name_prefix and query.name_prefix.isascii():  # as every name is
        found += _named(connection, query)
    return [rows.task_of(row) for row in first(found)]


def _id_of(row: rows.Row) -> int:
    number: int = row[0]
    return number


def statements(query: TaskQuery) -> Iterator[Statement]:
    """The statements whose answers together hold the page, but for chosen names and late ones."""
    low, high, unnamed = _unnamed(query)
    if not _has_window(query):
        yield from _walks(query, (low, high), unnamed)
        return
    near, far = low, high
    if query.began_from is not None:
        near = max(near, number_at(query.began_from - PROMPT_MICROSECONDS))
    if query.began_to is not None:
        far = min(far, number_at(query.began_to + 1_000) - 1)
    yield from _walks(query, (near, far), f" AND {_BEGAN} BETWEEN {_MADE} AND {_PROMPT_UNTIL}{unnamed}")
    yield _walk(query, (low, high), "task_early", f" AND {_EARLY}{_among(_codes(query))}{unnamed}")


def late_ones(query: TaskQuery, last: int | None) -> Statement | None:
    """The tasks that began late, in the window of time, when there is one: ids are sorted, then the rows are read.

    `last` is the id that ends the page so far. None of them began before its id was made.
    """
    if not _has_window(query):
        return None
    low, high, unnamed = _unnamed(query)
    after = ""
    if last is not None:
        low, high = (low, min(high, last)) if query.ascending else (max(low, last), high)
        after = "" if query.ascending else f" AND {_BEGAN} >= :made_at"
    text = (
        f"SELECT {_columns(query)} FROM task WHERE id IN (SELECT id FROM task INDEXED BY task_late "  # noqa: S608 - constant text
        f"WHERE function_id = :function AND {_LATE} AND id BETWEEN :low AND :high{after}"
        f"{_among(_codes(query))}{unnamed}{_also(query)} ORDER BY id {_direction(query)} LIMIT :limit) "
        f"ORDER BY id {_direction(query)}"
    )
    return text, _values(query, (low, high)) | {"made_at": 0 if last is None else made_at(last)}


def _has_window(query: TaskQuery) -> bool:
    return query.began_from is not None or query.began_to is not None


def _unnamed(query: TaskQuery) -> tuple[int, int, str]:
    """The lowest and highest id of tasks that may match by their ids, and what else they must be."""
    if not query.name_prefix:
        return *_bounds(query, 0, INTEGER_MAX), ""
    ids = request_ids(query.name_prefix)
    return *(_NONE if ids is None else _bounds(query, *ids)), " AND name IS NULL"


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
    for index, condition in _indexes(query):
        yield _walk(query, bounds, index, condition + extra)


def _walk(query: TaskQuery, bounds: tuple[int, int], index: str, condition: str) -> Statement:
    text = (
        f"SELECT {_columns(query)} FROM task INDEXED BY {index} "  # noqa: S608 - constant text
        f"WHERE function_id = :function AND id BETWEEN :low AND :high{condition}{_also(query)} "
        f"ORDER BY id {_direction(query)} LIMIT :limit"
    )
    return text, _values(query, bounds)


def _indexes(query: TaskQuery) -> Iterator[tuple[str, str]]:
    """The indexes that hold what is asked for in the order of ids, each with the condition that makes it serve."""
    codes = _codes(query)
    if query.qualifier not in _USUAL_QUALIFIERS:
        yield "task_by_qualifier", f" AND qualifier = :qualifier AND qualifier NOT IN ('', 'LATEST'){_among(codes)}"
    elif not codes:
        yield "task_by_function", ""
    for code in codes if query.qualifier in _USUAL_QUALIFIERS else ():
        index, kind = ("task_open", "status < 10") if code < _OVER_MIN else ("task_over", "status >= 10")
        yield index, f" AND status = {code} AND {kind}"


def _named(connection: apsw.Connection, query: TaskQuery) -> list[rows.Row]:
    """The tasks whose chosen name begins with the prefix."""
    found = _walked(connection, query) if _ask(connection, many_named(query)) > NAMES_SORTED_MAX else None
    if found is None:
        text, values = sorted_named(query)
        found = connection.execute(text, values).fetchall()
    return found


def _walked(connection: apsw.Connection, query: TaskQuery) -> list[rows.Row] | None:
    """The same from walking the tasks in order; None when that would take too long."""
    found: list[rows.Row] = []
    for (text, values), length in walk_named(query):
        some = connection.execute(text, values).fetchall()
        if len(some) < query.limit and _ask(connection, length) > ROWS_WALKED_MAX:
            return None
        found += some
    return found


def _ask(connection: apsw.Connection, statement: Statement) -> int:
    return int(connection.execute(*statement).get)


def many_named(query: TaskQuery) -> Statement:
    """How many names begin with the prefix, as far as it matters."""
    text = (
        "SELECT count(*) FROM (SELECT 1 FROM task INDEXED BY task_by_name WHERE function_id = :function "
        "AND name IS NOT NULL AND name BETWEEN :first AND :last LIMIT :most)"
    )
    return text, {"function": query.function_id, "most": NAMES_SORTED_MAX + 1, **_ends(query)}


def walk_named(query: TaskQuery) -> Iterator[tuple[Statement, Statement]]:
    """The first of the tasks with such a name among so many of all; and how many those are, as far as it matters."""
    values = _values(query, _bounds(query, 0, INTEGER_MAX)) | {"most": ROWS_WALKED_MAX, **_ends(query)}
    for index, condition in _indexes(query):
        where = (
            f"FROM task INDEXED BY {index} WHERE function_id = :function AND id BETWEEN :low AND :high{condition} "
            f"ORDER BY id {_direction(query)} LIMIT :most"
        )
        walk = (
            f"SELECT {_columns(query)} FROM (SELECT * {where}) AS task "  # noqa: S608 - constant text
            f"WHERE name BETWEEN :first AND :last{_also(query)} LIMIT :limit"
        )
        yield (walk, values), (f"SELECT count(*) FROM (SELECT 1 {where} + 1)", values)  # noqa: S608 - constant text


def sorted_named(query: TaskQuery) -> Statement:
    """All the tasks with such a name: their ids are sorted, then the page's rows are read."""
    text = (
        f"SELECT {_columns(query)} FROM task WHERE id IN (SELECT id FROM task INDEXED BY task_by_name "  # noqa: S608 - constant text
        "WHERE function_id = :function AND name IS NOT NULL AND name BETWEEN :first AND :last AND id BETWEEN :low AND "
        f":high{_among(_codes(query))}{_also(query)} ORDER BY id {_direction(query)} LIMIT :limit) "
        f"ORDER BY id {_direction(query)}"
    )
    return text, _values(query, _bounds(query, 0, INTEGER_MAX)) | _ends(query)


def _ends(query: TaskQuery) -> dict[str, str]:
    return {"first": query.name_prefix, "last": query.name_prefix + _LAST_CHARACTER}


def _codes(query: TaskQuery) -> list[int]:
    """The codes of the statuses asked for; none when all are."""
    codes = sorted({rows.STATUS_CODES[status] for status in query.statuses})
    return codes if len(codes) < len(rows.STATUS_CODES) else []


def _columns(query: TaskQuery) -> str:
    return rows.COLUMNS if query.bodies else rows.COLUMNS_WITHOUT_BODIES


def _direction(query: TaskQuery) -> str:
    return "ASC" if query.ascending else "DESC"


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
