"""`sojourn version`: which command this is, and which server it talks to."""

from __future__ import annotations

import msgspec

from sojourn import __version__

from .display import print_facts, print_one
from .options import COMMON, Common


class _Versions(msgspec.Struct):
    client: str
    server: str
    endpoint: str


def version(*, common: Common = COMMON) -> None:
    """Show the version of this command and of the server.

    For example:

        sojourn version --endpoint http://127.0.0.1:9000
    """
    with common.client(key_needed=False) as client:
        found = _Versions(__version__, client.version().version, client.connection.endpoint)
    print_one(
        common.output,
        found,
        lambda: print_facts([("Client", found.client), ("Server", f"{found.server} at {found.endpoint}")]),
    )
