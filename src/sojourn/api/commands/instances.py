"""ListInstances: the instances of a function, those that were destroyed not long ago too when a time is asked for."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call, boolean
from sojourn.clock import milliseconds
from sojourn.errors import InvalidArgument
from sojourn.function import LATEST, check_digits
from sojourn.instance import Status
from sojourn.pool import Instance

from .named import function_of, qualifier_of, version_of
from .tasks import MILLISECONDS_BOUNDS

LIMIT_BOUNDS = (1, 1000)
LIMIT_DEFAULT = 100
_SHOWN = {Status.CREATING: "Creating", Status.INITIALIZING: "Creating", Status.DESTROYED: "Destroyed"}
"""FC knows three statuses of an instance; what is none of these is Running. `/v1` tells them all."""


async def page(call: Call) -> Answer:
    """Some instances of a function, the oldest first."""
    function, query, pool = function_of(call), call.query, call.backend.pool
    only = version_of(call).id if qualifier_of(call, function) != LATEST else 0
    limit = check_digits("limit", query["limit"], LIMIT_BOUNDS) if "limit" in query else LIMIT_DEFAULT
    begin, end = (_moment(field, query) for field in ("startTimeMs", "endTimeMs"))
    ids, statuses = _texts("instanceIds", query), _texts("instanceStatus", query)
    all_active = boolean("withAllActive", query.get("withAllActive"))
    after = query.get("startKey", "")
    gone = pool.destroyed() if (begin, end) != (None, None) or ids or statuses else []
    found = [
        each
        for each in (*gone, *pool.instances())
        if each.function.root == function.id
        and only in (0, each.function.id)
        and each.id > after
        and (not ids or each.id in ids)
        and (not statuses or _status(each) in statuses)
        and (_lived(each, begin, end) or (all_active and each.status is not Status.DESTROYED))
    ]
    shown = sorted(found, key=lambda each: each.id)[:limit]
    return answer.of_json({"instances": [instance_object(each) for each in shown], "requestId": call.request_id})


def instance_object(each: Instance) -> dict[str, object]:
    """InstanceInfo; `versionId` of LATEST is 0, as FC has it."""
    return {
        "instanceId": each.id,
        "qualifier": each.function.qualifier,
        "versionId": each.function.version or "0",
        "status": _status(each),
        "resourceType": "Provision" if each.ahead else "OnDemand",
        "createdTimeMs": milliseconds(each.created_at),
        "destroyedTimeMs": milliseconds(each.since) if each.status is Status.DESTROYED else 0,
    }


def _status(each: Instance) -> str:
    return _SHOWN.get(each.status, "Running")


def _lived(each: Instance, begin: int | None, end: int | None) -> bool:
    """Whether some of its life lies between two moments (ms since 1970)."""
    over = each.status is Status.DESTROYED and begin is not None and milliseconds(each.since) < begin
    return not over and (end is None or milliseconds(each.created_at) <= end)


def _moment(field: str, query: Mapping[str, str]) -> int | None:
    text = query.get(field)
    return None if text is None else check_digits(field, text, MILLISECONDS_BOUNDS, "milliseconds since 1970")


def _texts(field: str, query: Mapping[str, str]) -> list[str]:
    """A list of the query, which official clients spell in JSON."""
    text = query.get(field)
    if text is None:
        return []
    try:
        decoded = orjson.loads(text)
    except orjson.JSONDecodeError:
        decoded = None
    if not isinstance(decoded, list) or not all(isinstance(each, str) for each in decoded):
        raise InvalidArgument(field, text, "must be a JSON list of strings")
    return decoded
