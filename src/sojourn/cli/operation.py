"""`sojourn operation`: what is done to many tasks, how far it is, and cancelling it."""

from __future__ import annotations

import cyclopts

from . import bulk
from .display import print_many
from .options import COMMON, Common

app = cyclopts.App(name="operation", help="Look at operations on many tasks.", help_format="plaintext")


@app.command(name="list")
def list_(*, common: Common = COMMON) -> None:
    """List the operations of the account, the youngest first.

    For example:

        sojourn operation list -o json

    """
    with common.client() as client:
        found = client.list_operations()
    print_many(common.output, found, bulk.HEADS, bulk.row)


@app.command
def show(operation: str, /, *, wait: bool = False, common: Common = COMMON) -> None:
    """Show an operation and how far it is, with --wait once it is over.

    For example:

        sojourn operation show 1-0a5e0f3c-00400000-9f3b2c1d4e5f --wait

    Parameters
    ----------
    operation
        Its id.
    wait
        Wait until it is over.

    """
    with common.client() as client:
        found = client.get_operation(operation)
        if wait:
            found = bulk.followed(client, found)
    bulk.show(found, common)


@app.command
def cancel(operation: str, /, *, common: Common = COMMON) -> None:
    """Let an operation touch no further task; what it has done stays.

    For example:

        sojourn operation cancel 1-0a5e0f3c-00400000-9f3b2c1d4e5f

    Parameters
    ----------
    operation
        Its id.

    """
    with common.client() as client:
        bulk.show(client.cancel_operation(operation), common)
