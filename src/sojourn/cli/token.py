"""`sojourn token`: access tokens, for what cannot sign requests: a browser, `curl`, a dashboard."""

from __future__ import annotations

from typing import Literal

import cyclopts

from sojourn.client import AccessToken

from .display import moment_of_text, print_facts, print_many, print_one
from .options import COMMON, Common
from .payload import seconds_of

app = cyclopts.App(name="token", help="Make, list and revoke access tokens.", help_format="plaintext")


@app.command
def create(
    *,
    scope: Literal["read", "operate", "admin"] = "read",
    name: str = "",
    ttl: str | None = None,
    common: Common = COMMON,
) -> None:
    """Make an access token of your account and print it, which is done this once.

    Send it as `Authorization: Bearer TOKEN`, or set SOJOURN_TOKEN for these commands.

    For example:

        sojourn token create --scope operate --name ci --ttl 30d

    Parameters
    ----------
    scope
        How far it opens the account: read sees, operate also submits and stops, admin does everything.
    name
        What to call it.
    ttl
        How long it is good: 1m to 3660d, or in seconds; until it is revoked without it.

    """
    with common.client() as client:
        made = client.create_token(scope, name=name, seconds=None if ttl is None else seconds_of(ttl, "--ttl"))
    print_one(
        common.output,
        made,
        lambda: print_facts(
            [
                ("Id", made.id),
                ("Scope", made.scope),
                ("Until", _until(made)),
                ("Token", f"{made.token}   (keep it: it is not shown again)"),
            ]
        ),
    )


@app.command(name="list")
def list_(*, common: Common = COMMON) -> None:
    """List the access tokens of your account, oldest first.

    For example:

        sojourn token list
    """
    with common.client() as client:
        tokens = client.list_tokens()
    print_many(common.output, tokens, ("ID", "NAME", "SCOPE", "CREATED", "UNTIL"), _row)


@app.command
def revoke(token_id: str, /, *, common: Common = COMMON) -> None:
    """Revoke an access token: it is refused from now on.

    For example:

        sojourn token revoke tok-0f1e2d3c4b5a6978

    Parameters
    ----------
    token_id
        Its id, as `sojourn token list` shows it.

    """
    with common.client() as client:
        client.revoke_token(token_id)


def _row(token: AccessToken) -> tuple[str, str, str, str, str]:
    return token.id, token.name, token.scope, moment_of_text(token.created_time), _until(token)


def _until(token: AccessToken) -> str:
    return moment_of_text(token.expiration) if token.expiration else "revoked"
