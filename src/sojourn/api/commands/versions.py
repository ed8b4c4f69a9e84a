"""Versions and aliases: of a function, or of a service where functions have services."""

from __future__ import annotations

from functools import partial

from sojourn.alias import VERSION
from sojourn.api import answer, paging, precondition
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call, only
from sojourn.errors import InvalidArgument
from sojourn.function import Alias, Function
from sojourn.service import Service
from sojourn.times import rfc3339

from .named import function_of, service_of
from .services import look


async def publish(call: Call) -> Answer:
    """PublishFunctionVersion, PublishServiceVersion."""
    body, services = only(call.json(), "description"), call.backend.services
    if call.dialect.services:
        version = await precondition.guarded(
            call, partial(look, call), lambda: services.publish(service_of(call), body.get("description"))
        )
        made = service_of(call).versions[version]
        return answer.of_json(version_object(version, made.description, made.created_at))
    published = await services.publish_function(function_of(call), body.get("description"))
    return answer.of_json(_of_function(published))


async def page_versions(call: Call) -> Answer:
    """ListFunctionVersions, ListServiceVersions: the newest first (`direction` BACKWARD), or the oldest."""
    direction = call.query.get("direction", "BACKWARD").upper()
    if direction not in ("FORWARD", "BACKWARD"):
        raise InvalidArgument("direction", direction, "must be FORWARD or BACKWARD")
    if call.dialect.services:
        versions = service_of(call).versions
        found = [version_object(each, made.description, made.created_at) for each, made in versions.items()]
    else:
        found = [_of_function(each) for each in call.backend.catalog.versions(function_of(call))]
    forward = direction == "FORWARD"
    query = {name: value for name, value in call.query.items() if name != "startKey"}
    if start := call.query.get("startKey"):
        if not VERSION.fullmatch(start):
            raise InvalidArgument("startKey", start, "must be the number of a version")
        found = [each for each in found if (_number(each) >= int(start)) is forward or _number(each) == int(start)]

    def key(each: dict[str, object]) -> str:
        number = _number(each)
        return f"{number if forward else _LAST - number:020d}"

    shown, token = paging.page("versions", query, found, key)
    return answer.of_json({"versions": shown, "nextToken": token, "direction": direction})


async def delete_version(call: Call) -> Answer:
    """DeleteFunctionVersion, DeleteServiceVersion."""
    version = call.path["version"]
    if call.dialect.services:
        await call.backend.services.delete_version(service_of(call), version)
    else:
        await call.backend.catalog.delete_version(function_of(call), version)
    return EMPTY


async def create_alias(call: Call) -> Answer:
    """CreateAlias."""
    body = call.json()
    name = body.get("aliasName")
    made = await call.backend.services.put_alias(_owner(call), name if isinstance(name, str) else "", body, new=True)
    return precondition.shown(call, alias_object(str(name), made))


async def get_alias(call: Call) -> Answer:
    """GetAlias."""
    return precondition.shown(call, _look(call))


async def update_alias(call: Call) -> Answer:
    """UpdateAlias."""
    name, body = call.path["alias"], call.json()
    if body.get("aliasName") not in (None, name):
        raise InvalidArgument("aliasName", body["aliasName"], f"must be absent or {name}: a name is for ever")
    made = await precondition.guarded(
        call, partial(_look, call), lambda: call.backend.services.put_alias(_owner(call), name, body, new=False)
    )
    return precondition.shown(call, alias_object(name, made))


async def delete_alias(call: Call) -> Answer:
    """DeleteAlias."""
    name, services = call.path["alias"], call.backend.services
    await precondition.guarded(call, partial(_look, call), lambda: services.delete_alias(_owner(call), name))
    return EMPTY


async def page_aliases(call: Call) -> Answer:
    """ListAliases."""
    owner, prefix = _owner(call), call.query.get("prefix", "")
    aliases = owner.aliases if isinstance(owner, Service) else call.backend.services.aliases_of(owner)
    names = [name for name in aliases if name.startswith(prefix)]
    shown, token = paging.page("aliases", call.query, names, str)
    return answer.of_json({"aliases": [alias_object(name, aliases[name]) for name in shown], "nextToken": token})


def alias_object(name: str, alias: Alias) -> dict[str, object]:
    """Alias."""
    return {
        "aliasName": name,
        "versionId": alias.version_id,
        "description": alias.description,
        "additionalVersionWeight": alias.additional_version_weight,
        "createdTime": rfc3339(alias.created_at),
        "lastModifiedTime": rfc3339(alias.modified_at),
    }


def version_object(version: str, description: str, at: int) -> dict[str, object]:
    """Version."""
    stamp = rfc3339(at)
    return {"versionId": version, "description": description, "createdTime": stamp, "lastModifiedTime": stamp}


def _of_function(each: Function) -> dict[str, object]:
    return version_object(each.version, each.version_description, each.created_at)


def _look(call: Call) -> dict[str, object]:
    name = call.path["alias"]
    return alias_object(name, call.backend.services.alias(_owner(call), name))


def _owner(call: Call) -> Service | Function:
    return service_of(call) if call.dialect.services else function_of(call)


def _number(shown: dict[str, object]) -> int:
    return int(str(shown["versionId"]))


_LAST = 10**18
