"""Operations on many tasks in the native API: begun or only counted, looked at, cancelled."""

from __future__ import annotations

from sojourn import identity
from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call, only
from sojourn.api.operation import Handler
from sojourn.bulk import Operation, Verb
from sojourn.errors import InvalidArgument
from sojourn.times import rfc3339

ACCEPTED = 202


async def stop(call: Call) -> Answer:
    """Stop every task that a filter means, as stopping each of them would."""
    return await _begin(call, Verb.STOP)


async def rerun(call: Call) -> Answer:
    """Run every task that a filter means again, of those that are over; each as a new task."""
    return await _begin(call, Verb.RERUN)


async def expire(call: Call) -> Answer:
    """Let every task that a filter means count as too old, of those that wait."""
    return await _begin(call, Verb.EXPIRE)


async def delete(call: Call) -> Answer:
    """Forget every task that a filter means, of those that are over, with all that is kept of it."""
    return await _begin(call, Verb.DELETE)


async def page(call: Call) -> Answer:
    """The account's operations, the youngest first."""
    found = call.backend.operations.of(call.account_id)
    return answer.of_json({"operations": [operation_object(each) for each in found]})


async def get(call: Call) -> Answer:
    """One operation, and how far it is."""
    return answer.of_json(operation_object(call.backend.operations.get(call.account_id, call.path["operation"])))


async def cancel(call: Call) -> Answer:
    """Let an operation touch no further task; what it has done stays."""
    operation = await call.backend.operations.cancel(call.account_id, call.path["operation"])
    return answer.of_json(operation_object(operation))


def operation_object(operation: Operation) -> dict[str, object]:
    """An operation as callers see it; a number or a time that is not known yet is null."""
    return {
        "operationId": identity.request_id(operation.id),
        "verb": operation.verb.value,
        "filter": dict(operation.fields),
        "status": operation.status.value,
        "actor": operation.actor,
        "total": None if operation.total < 0 else operation.total,
        "done": operation.done,
        "skipped": operation.skipped,
        "skippedReason": operation.skipped_why,
        "createdTime": rfc3339(operation.created_at),
        "endTime": rfc3339(operation.ended_at) if operation.ended_at else None,
    }


async def _begin(call: Call, verb: Verb) -> Answer:
    body = only(call.json(), "filter", "dryRun")
    fields, dry = body.get("filter"), body.get("dryRun")
    if not isinstance(fields, dict):
        raise InvalidArgument("filter", fields, "must be an object with the fields of a filter")
    if dry is not None and not isinstance(dry, bool):
        raise InvalidArgument("dryRun", dry, "must be true or false")
    given = {name: value for name, value in fields.items() if value is not None}
    operations = call.backend.operations
    if dry:
        return answer.of_json({"dryRun": True, "count": await operations.count(call.account_id, verb, given)})
    operation = await operations.begin(call.account_id, verb, given, call.key.id)
    place = f"/v1/operations/{identity.request_id(operation.id)}"
    return answer.of_json(operation_object(operation), ACCEPTED)._replace(headers=((b"location", place.encode()),))


_OPERATION = "/v1/operations/{operation}"
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/tasks:stop", stop),
    ("POST", "/v1/tasks:rerun", rerun),
    ("POST", "/v1/tasks:expire", expire),
    ("POST", "/v1/tasks:delete", delete),
    ("GET", "/v1/operations", page),
    ("GET", _OPERATION, get),
    ("DELETE", _OPERATION, cancel),
)
