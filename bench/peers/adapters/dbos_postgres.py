"""DBOS on PostgreSQL."""

from __future__ import annotations

from bench.peers.peer import Facts

from ._dbos import Dbos


class DbosPostgres(Dbos):
    """Its database is a server."""

    facts = Facts("postgres", "the workflow's row, synced to disk", "current one, with its steps")


ADAPTER = DbosPostgres
