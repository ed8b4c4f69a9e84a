"""Services: create, get, update, delete, list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sojourn.api import answer, paging, precondition
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call
from sojourn.errors import InvalidArgument
from sojourn.service import Service
from sojourn.times import rfc3339

from .named import service_of


async def create(call: Call) -> Answer:
    """CreateService."""
    return _shown(call, await call.backend.services.create(call.account_id, call.json()))


async def get(call: Call) -> Answer:
    """GetService; a version or an alias is shown with what the service is now."""
    service = service_of(call)
    call.backend.services.check_qualifier(service, call.dialect.qualifier(call) or "")
    return _shown(call, service)


async def update(call: Call) -> Answer:
    """UpdateService."""
    service, body = service_of(call), call.json()
    if body.get("serviceName") not in (None, service.name):
        raise InvalidArgument("serviceName", body["serviceName"], f"must be absent or {service.name}")
    change = partial(call.backend.services.update, call.account_id, service.name, body)
    return _shown(call, await precondition.guarded(call, partial(look, call), change))


async def delete(call: Call) -> Answer:
    """DeleteService."""
    change = partial(call.backend.services.delete, call.account_id, service_of(call).name)
    await precondition.guarded(call, partial(look, call), change)
    return EMPTY


async def page(call: Call) -> Answer:
    """ListServices, also by tags (`tag_KEY=VALUE`)."""
    wanted = _tags(call.query)
    mine = call.backend.services.services(call.account_id, call.query.get("prefix", ""))
    found = [each for each in mine if all(each.tags.get(key) == value for key, value in wanted.items())]
    shown, token = paging.page("services", call.query, found, lambda each: each.name)
    return answer.of_json({"services": [service_object(each) for each in shown], "nextToken": token})


def look(call: Call) -> dict[str, object]:
    """The service that the path names, as it stands now."""
    return service_object(service_of(call))


def service_object(service: Service) -> dict[str, object]:
    """Service."""
    return {
        "serviceId": f"{service.account_id}-{service.created_at:x}",
        "serviceName": service.name,
        "description": service.description,
        "internetAccess": service.internet_access,
        "role": "",
        "logConfig": {"project": "", "logstore": "", "enableRequestMetrics": False, "enableInstanceMetrics": False},
        "vpcConfig": {"vpcId": "", "vSwitchIds": [], "securityGroupId": ""},
        "nasConfig": {"userId": -1, "groupId": -1, "mountPoints": []},
        "tracingConfig": {},
        "createdTime": rfc3339(service.created_at),
        "lastModifiedTime": rfc3339(service.modified_at),
    }


def _shown(call: Call, service: Service) -> Answer:
    return precondition.shown(call, service_object(service))


def _tags(query: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("tag_"): value for name, value in query.items() if name.startswith("tag_")}
