"""`sojourn account`: tenants and their keys; only the owner's key may do this."""

from __future__ import annotations

import cyclopts

from sojourn.client import Account

from .display import moment_of_text, print_facts, print_many, print_one
from .options import COMMON, Common

app = cyclopts.App(name="account", help="Make and list accounts.", help_format="plaintext")


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
        key = client.create_account(name)
    print_one(
        common.output,
        key,
        lambda: print_facts(
            [
                ("Account", key.account_id),
                ("Access key id", key.access_key_id),
                ("Access key secret", f"{key.access_key_secret}   (keep it: it is not shown again)"),
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


def _row(account: Account) -> tuple[str, str, str]:
    return account.account_id, moment_of_text(account.created_time), "owner" if account.owner else ""
