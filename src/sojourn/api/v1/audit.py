"""The audit trail in the native API."""

from __future__ import annotations

from sojourn.api import answer, paging
from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler
from sojourn.errors import InvalidArgument
from sojourn.times import rfc3339
from sojourn.trail import Entry

from .tasks import account_of

LIST = "audit"
DIGITS_MAX = 18


async def page(call: Call) -> Answer:
    """Who changed what in the account, newest first."""
    position, limit = paging.position_of(LIST, call.query), paging.limit_of(call.query)
    if position is not None and not (position.isascii() and position.isdigit() and len(position) <= DIGITS_MAX):
        raise InvalidArgument(paging.FIELD, position, "must be a token that the previous page of this list gave")
    before = None if position is None else int(position)
    found = await call.backend.trail.audit_page(account_of(call), before, limit + 1)
    more = len(found) > limit
    return answer.of_json(
        {
            "entries": [entry_object(each) for each in found[:limit]],
            "nextToken": paging.token(LIST, str(found[limit - 1].number)) if more else "",
        }
    )


def entry_object(entry: Entry) -> dict[str, object]:
    """An entry as callers see it."""
    return {
        "time": rfc3339(entry.at),
        "account": entry.account_id,
        "actor": entry.actor,
        "operation": entry.operation,
        "method": entry.method,
        "target": entry.target,
        "requestId": entry.request_id,
        "status": entry.status,
        "code": entry.code,
    }


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (("GET", "/v1/audit", page),)
