"""`sojourn console`: the address of the web console, and a token to sign in there."""

from __future__ import annotations

from typing import Literal

from .display import print_facts, print_one
from .options import COMMON, Common
from .payload import seconds_of

NAME = "console"
"""What the tokens are called that are made for it."""


def console(
    *,
    scope: Literal["read", "operate", "admin"] = "admin",
    ttl: str = "12h",
    common: Common = COMMON,
) -> None:
    """Print where the web console is, and an access token to sign in there.

    The token is made for this and shown this once; `sojourn token list` shows
    that it is there, `sojourn token revoke` ends it.

    For example:

        sojourn console --scope operate

    Parameters
    ----------
    scope
        How far it opens the account: read sees, operate also submits and stops, admin does everything.
    ttl
        How long it is good: 1m to 3660d, or in seconds. [default: 12h]

    """
    with common.client() as client:
        made = client.create_token(scope, name=NAME, seconds=seconds_of(ttl, "--ttl"))
        address = f"{client.connection.endpoint}/console"
    print_one(common.output, made, lambda: print_facts([("Console", address), ("Token", made.token)]))
