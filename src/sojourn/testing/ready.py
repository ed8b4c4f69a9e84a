"""What a test's server says of itself once it answers."""

from __future__ import annotations

import msgspec


class Ready(msgspec.Struct, rename="camel"):
    """Where it answers, and the owner's account and key pair."""

    endpoint: str
    account_id: str
    access_key_id: str
    access_key_secret: str
