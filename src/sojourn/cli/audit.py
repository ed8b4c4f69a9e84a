"""`sojourn audit`: who changed what."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from cyclopts import Parameter

from sojourn.client import AuditEntry

from .display import Cell, moment_of_text, print_many
from .failure import CommandFailed
from .options import COMMON, Common

HEADS = ("TIME", "ACTOR", "OPERATION", "TARGET", "STATUS", "CODE", "REQUEST")


def audit(
    *,
    account: str = "",
    limit: int = 20,
    all: Annotated[bool, Parameter(negative="", show_default=False)] = False,  # noqa: A002 - it is the option's name
    common: Common = COMMON,
) -> None:
    """List the calls that were to change something, newest first: who, what, and what came of it.

    For example:

        sojourn audit --limit 100 -o jsonl

    Parameters
    ----------
    account
        Of this account, for who operates the server. [default: your own]
    limit
        How many at most.
    all
        As many as there are.

    """
    if limit < 1:
        raise CommandFailed(f"--limit must be at least 1, got {limit}", "use --all for all of them")
    with common.client() as client:
        found = client.iterate_audit(account=account)
        print_many(common.output, found if all else islice(found, limit), HEADS, _row)


def _row(entry: AuditEntry) -> tuple[Cell, ...]:
    return (
        moment_of_text(entry.time),
        entry.actor,
        entry.operation,
        f"{entry.method} {entry.target}",
        str(entry.status),
        entry.code,
        entry.request_id,
    )
