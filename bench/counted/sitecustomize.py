"""Counts the SQL statements of a process, from outside: Python imports this at its start where PYTHONPATH leads here.

The number stands in the file that BENCH_SQL_COUNT names, as eight bytes, least first. `groups.idle` reads it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct

NUMBER = struct.Struct("<Q")


def _count(path: str) -> None:
    """Count from now on, in every connection that is opened."""
    import apsw  # noqa: PLC0415 - other processes of the server have none

    with open(path, "r+b") as file:  # noqa: PTH123 - before anything else is imported
        shared = mmap.mmap(file.fileno(), NUMBER.size)

    def more(_event: object) -> None:
        NUMBER.pack_into(shared, 0, NUMBER.unpack_from(shared)[0] + 1)

    def opened(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, more, id=_count)

    apsw.connection_hooks.append(opened)


if (_path := os.environ.get("BENCH_SQL_COUNT")) and os.path.exists(_path):  # noqa: PTH110 - as above
    with contextlib.suppress(ImportError, OSError):  # other interpreters have no apsw
        _count(_path)
