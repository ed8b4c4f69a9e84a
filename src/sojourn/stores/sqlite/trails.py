"""The audit trail in the tables: adding to it, dropping what is too old, and reading it page by page."""

from __future__ import annotations

import apsw

from sojourn.trail import ENTRIES_MAX, Entry

_COLUMNS = "at, account_id, actor, operation, method, target, request_id, status, code"
_INSERT = f"INSERT INTO audit({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constant text
_DROP = "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?"
_PAGE = (
    f"SELECT number, {_COLUMNS} FROM audit INDEXED BY audit_by_account "  # noqa: S608 - constant text
    "WHERE account_id = ? AND number < ? ORDER BY number DESC LIMIT ?"
)
INTEGER_MAX = (1 << 63) - 1


def add(cursor: apsw.Cursor, entry: Entry) -> None:
    """Keep an entry, within the writer's transaction."""
    values = (entry.at, entry.account_id, entry.actor, entry.operation, entry.method, entry.target)
    cursor.execute(_INSERT, (*values, entry.request_id, entry.status, entry.code))
    cursor.execute(_DROP, (ENTRIES_MAX,))


def page(connection: apsw.Connection, account_id: str, before: int | None, limit: int) -> list[Entry]:
    """The newest entries of an account, or the newest of those before one."""
    found = connection.execute(_PAGE, (account_id, INTEGER_MAX if before is None else before, limit))
    return [
        Entry(
            number=row[0],
            at=row[1],
            account_id=row[2],
            actor=row[3],
            operation=row[4],
            method=row[5],
            target=row[6],
            request_id=row[7],
            status=row[8],
            code=row[9],
        )
        for row in found
    ]
