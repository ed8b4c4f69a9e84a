"""`sojourn account`: tenants, which only the owner's key makes and lists; and keys for a time, for everybody."""

from __future__ import annotations

import cyclopts

from sojourn.client import Account

from .display import moment_of_text, print_facts, print_many, print_one
from .options import COMMON, Common
from .payload import seconds_of

app = cyclopts.App(name="account", help="Make and list accounts; keys for a time.", help_format="plaintext")
key = cyclopts.App(name="key", help="Issue keys for a time.", help_format="plaintext")
app.command(key)


@app.command
def create(name: str, /, *, common: Common = COMMON) -> None:
    """Make an account and print its access key, which is shown this once.

    For example:

        sojourn account create team-b -o json > team-b.json

    Parameters
    ----------
    name
        The account's id.

    """
    with common.client() as client:
        made = client.create_account(name)
    print_one(
        common.output,
        made,
        lambda: print_facts(
            [
                ("Account", made.account_id),
                ("Access key id", made.access_key_id),
                ("Access key secret", f"{made.access_key_secret}   (keep it: it is not shown again)"),
            ]
        ),
    )


@app.command(name="list")
def list_(*, common: Common = COMMON) -> None:
    """List all accounts, oldest first.

    For example:

        sojourn account list
    """
    with common.client() as client:
        accounts = client.list_accounts()
    print_many(common.output, accounts, ("ACCOUNT", "CREATED", "ROLE"), _row)


@key.command
def issue(*, ttl: str | None = None, common: Common = COMMON) -> None:
    """Issue a key of your own account that ends by itself, and print it, which is done this once.

    Use it with its token: set SOJOURN_ACCESS_KEY_ID, SOJOURN_ACCESS_KEY_SECRET and SOJOURN_SECURITY_TOKEN.

    For example:

        sojourn account key issue --ttl 2h -o json

    Parameters
    ----------
    ttl
        How long it opens the server: 15m to 12h, or in seconds. [default: 1h]

    """
    with common.client() as client:
        made = client.issue_key(seconds=None if ttl is None else seconds_of(ttl, "--ttl"))
    print_one(
        common.output,
        made,
        lambda: print_facts(
            [
                ("Access key id", made.access_key_id),
                ("Access key secret", made.access_key_secret),
                ("Security token", made.security_token),
                ("Until", moment_of_text(made.expiration)),
            ]
        ),
    )


def _row(account: Account) -> tuple[str, str, str]:
    return account.account_id, moment_of_text(account.created_time), "owner" if account.owner else ""
