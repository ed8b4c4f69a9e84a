"""DBOS on SQLite."""

from __future__ import annotations

from bench.peers.peer import Facts

from ._dbos import Dbos


class DbosSqlite(Dbos):
    """Its database is a file."""

    facts = Facts("", "the workflow's row, synced as SQLite does by default", "current one, with its steps")

    @property
    def database(self) -> str:
        """The file."""
        return f"sqlite:///{self.directory / 'dbos.sqlite'}"


ADAPTER = DbosSqlite
