"""The audit trail: who changed what, and what came of it. Pure: what an entry is.

Which calls leave one is said in `api.auditing`; keeping them is the store's.
"""

from __future__ import annotations

import msgspec

ENTRIES_MAX = 1_000_000
"""Of all accounts; the oldest go first."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was to change something.

    `at` is in microseconds since 1970. `actor` is the id of the key or of the access token that it came with. `target`
    is the path, `status` that of the answer, `code` the error's, "" when there was none. `number` is the store's, each
    greater than the one before.
    """

    at: int
    account_id: str
    actor: str
    operation: str
    method: str
    target: str
    request_id: str
    status: int
    code: str = ""
    number: int = 0
