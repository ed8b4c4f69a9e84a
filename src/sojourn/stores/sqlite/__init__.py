"""The store on SQLite: one file beside the server, durable at every acknowledgement, nothing to install or run.

`store` is the door; behind it `writer` owns the one connection that writes, `writes` says what a change does, `reader`
and `pages` answer questions, `rows` turns tasks into rows and back, `schema` and `connection` make the file ready, and
`forgetting` lets go of what is over, and `lock` keeps a second server out.
"""

from .store import SqliteStore

__all__ = ["SqliteStore"]
