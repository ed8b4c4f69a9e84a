"""The audit trail in the native API."""

from __future__ import annotations

from sojourn.api import answer, paging
from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler
from sojourn.times import rfc3339
from sojourn.trail import Entry

from .tasks import account_of

LIST = "audit"


async def page(call: Call) -> Answer:
    """Who changed what in the account, newest first."""
    before, limit = paging.number_of(LIST, call.query), paging.limit_of(call.query)
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
