"""What a caller may do: scopes, and the access tokens that carry one.

Pure. Which scope an operation needs is said in `api.scopes`; making, keeping and finding tokens is left to `tokens`.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class Scope(Enum):
    """How much of its account a caller may use; each one includes those before it."""

    READ = "read"
    """See everything of the account."""
    OPERATE = "operate"
    """Act on what runs: submit, stop, send again, pause."""
    ADMIN = "admin"
    """Change what there is: functions, configurations, keys, tokens. Access keys have this scope."""

    def covers(self, needed: Scope) -> bool:
        """Whether a caller of this scope may do what needs `needed`."""
        return _ORDER[self] >= _ORDER[needed]

    __hash__ = object.__hash__  # members are single; Enum's own hash is computed in Python at every look into a table


_ORDER = {scope: place for place, scope in enumerate(Scope)}


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token of an account as it is kept: `digest` is the SHA-256 of its text, which only its holder has.

    `name` is what its maker calls it. Times are microseconds since 1970; `expires_at` is 0 for one without an end.
    """

    id: str
    account_id: str
    name: str
    scope: Scope
    digest: str
    created_at: int
    expires_at: int = 0
