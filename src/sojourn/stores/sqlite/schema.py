"""The schema's versions and how a file gets from one to the next.

Each migration is a numbered SQL file in `migrations/`, applied in order, each in one transaction together with the
version number it leads to. A published one is never edited; a change is the next number. What the tables mean is told
in those files.
"""

from __future__ import annotations

from importlib.resources import files

import apsw

from sojourn.crashpoint import crashpoint
from sojourn.errors import SchemaTooNew


def migrations() -> dict[int, str]:
    """SQL text by version number, in order."""
    folder = files(__package__) / "migrations"
    found = {int(each.name[:4]): each for each in folder.iterdir() if each.name.endswith(".sql")}
    return {version: found[version].read_text(encoding="utf-8") for version in sorted(found)}


def version_of(connection: apsw.Connection) -> int:
    """The version of the schema in the file, 0 when it is empty."""
    return int(connection.pragma("user_version"))


def migrate(connection: apsw.Connection) -> None:
    """Bring the file to the newest version known here.

    Raises
    ------
    SchemaTooNew: it already has a newer one; nothing was changed.

    """
    known = migrations()
    found = version_of(connection)
    if found > max(known):
        raise SchemaTooNew(found, max(known))
    for version, text in known.items():
        if version > found:
            crashpoint("store.migration.begun")
            with connection:
                connection.execute(f"{text}\nPRAGMA user_version = {version}")
                crashpoint("store.migration.made")
            crashpoint("store.migration.committed")


def next_incarnation(connection: apsw.Connection) -> int:
    """Count one more start of a server, durably."""
    number = int(
        connection.execute(
            "INSERT INTO meta(key, value) VALUES ('incarnation', 1) "
            "ON CONFLICT(key) DO UPDATE SET value = value + 1 RETURNING value"
        ).get
    )
    crashpoint("store.start.counted")
    return number
