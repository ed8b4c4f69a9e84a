"""Tags of functions and services: put on, taken off, listed, looked for.

A resource is named by its ARN (`acs:fc:REGION:ACCOUNT:functions/NAME`, `…:services/NAME`), also without what is the
same for all of this server's. Tags only describe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from sojourn.api import answer, paging
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call, boolean, only
from sojourn.errors import InvalidArgument
from sojourn.function import TAGS_MAX, Function
from sojourn.service import Service

RESOURCES_MAX = 50
TAG_CHARACTERS_MAX = 128
ARN = re.compile(r"(?:acs:fc:[^:/]*:([^:/]*):)?(functions|services)/([^/]+)")

KIND = re.compile(r"(?:[A-Za-z0-9_-]*:)*([Ff]unction|FUNCTION|[Ss]ervice|SERVICE)")
"""Types of resources, as `ALIYUN::FC::FUNCTION` or in short."""

Resource = Function | Service


async def tag(call: Call) -> Answer:
    """TagResource of the older generations."""
    body = only(call.json(), "resourceArn", "tags")
    found = _named(call, "resourceArn", body.get("resourceArn"))
    tags = body.get("tags")
    if not isinstance(tags, dict) or not tags:
        raise InvalidArgument("tags", tags, "must be an object of tags")
    await _put(call, found, tags_of(found) | {_text("tags", key): _text("tags", tags[key]) for key in tags})
    return EMPTY


async def untag(call: Call) -> Answer:
    """UntagResource of the older generations."""
    body = only(call.json(), "resourceArn", "tagKeys", "all")
    found = _named(call, "resourceArn", body.get("resourceArn"))
    keys, everything = body.get("tagKeys"), body.get("all")
    keys = [] if keys is None else keys
    texts = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not texts or not isinstance(everything, bool | None) or not isinstance(keys, list):
        raise InvalidArgument("tagKeys", keys, "must be a list of keys, or all must be true")
    kept = {} if everything else {key: value for key, value in tags_of(found).items() if key not in keys}
    await _put(call, found, kept)
    return EMPTY


async def get(call: Call) -> Answer:
    """GetResourceTags of the older generations."""
    found = _named(call, "resourceArn", call.query.get("resourceArn"))
    return answer.of_json({"resourceArn": arn_of(call, found), "tags": tags_of(found)})


async def page_older(call: Call) -> Answer:
    """ListTaggedResources of the older generations."""
    found = [each for each in _resources(call, ("services", "functions")) if tags_of(each)]
    shown, token = paging.page("tagged", call.query, found, lambda each: arn_of(call, each))
    resources = [{"resourceArn": arn_of(call, each), "tags": tags_of(each)} for each in shown]
    return answer.of_json({"resources": resources, "nextToken": token})


async def tag_resources(call: Call) -> Answer:
    """TagResources."""
    body = only(call.json(), "ResourceType", "ResourceId", "Tag")
    given = _pairs("Tag", body.get("Tag"))
    if not given:
        raise InvalidArgument("Tag", body.get("Tag"), "must be a list of objects with Key and Value")
    for found in _listed(call, body.get("ResourceType"), body.get("ResourceId")):
        await _put(call, found, tags_of(found) | given)
    return EMPTY


async def untag_resources(call: Call) -> Answer:
    """UntagResources."""
    query = call.query
    keys, everything = _list("TagKey", query), boolean("All", query.get("All"))
    if not keys and not everything:
        raise InvalidArgument("TagKey", "", "is required unless All is true")
    for found in _listed(call, query.get("ResourceType"), _list("ResourceId", query)):
        kept = {} if everything else {key: value for key, value in tags_of(found).items() if key not in keys}
        await _put(call, found, kept)
    return EMPTY


async def page_resources(call: Call) -> Answer:
    """ListTagResources: a row for each tag of the resources, narrowed by ids and tags."""
    query = call.query
    kind = _kind(query.get("ResourceType"))
    ids = _list("ResourceId", query)
    if "Tag" in query and not _is_json(query["Tag"]):
        raise InvalidArgument("Tag", query["Tag"], "must be a JSON list of objects with Key and Value")
    wanted = _pairs("Tag", msgspec.json.decode(query["Tag"])) if "Tag" in query else {}
    found = _listed(call, kind, ids) if ids else _resources(call, (f"{kind}s",))
    rows = [
        {
            "ResourceType": f"ALIYUN::FC::{kind.upper()}",
            "ResourceId": arn_of(call, each),
            "TagKey": key,
            "TagValue": value,
        }
        for each in found
        if all(name in tags_of(each) and text in ("", tags_of(each)[name]) for name, text in wanted.items())
        for key, value in sorted(tags_of(each).items())
    ]
    older = {"limit": query["Limit"]} if "Limit" in query else {}
    older |= {"nextToken": query["NextToken"]} if "NextToken" in query else {}
    shown, token = paging.page("tags", older, rows, lambda row: f"{row['ResourceId']} {row['TagKey']}")
    return answer.of_json({"TagResources": shown, "NextToken": token, "RequestId": call.request_id})


def tags_of(resource: Resource) -> dict[str, str]:
    """The tags of a resource."""
    if isinstance(resource, Service):
        return dict(resource.tags)
    return {tag["key"]: tag["value"] for tag in resource.config.tags}


def arn_of(call: Call, resource: Resource) -> str:
    """How a resource is named."""
    kind = "services" if isinstance(resource, Service) else "functions"
    return f"acs:fc:{call.backend.settings.region}:{resource.account_id}:{kind}/{resource.name}"


async def _put(call: Call, resource: Resource, tags: dict[str, str]) -> None:
    if len(tags) > TAGS_MAX:
        raise InvalidArgument("tags", len(tags), f"must be at most {TAGS_MAX} of one resource")
    if isinstance(resource, Service):
        await call.backend.services.tag(resource, tags)
        return
    pairs = [{"key": key, "value": value} for key, value in sorted(tags.items())]
    config = msgspec.structs.replace(resource.config, tags=pairs)
    await call.backend.catalog.replace(resource, config=config)


def _named(call: Call, field: str, text: object) -> Resource:
    match = ARN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidArgument(field, text, "must be an ARN of a function or a service of this account")
    account, kind, name = match.groups()
    if account not in (None, "", call.account_id):
        raise InvalidArgument(field, text, f"must belong to this account, {call.account_id}")
    if kind == "services":
        return call.backend.services.service(call.account_id, name)
    return call.backend.catalog.function(call.account_id, name)


def _listed(call: Call, kind: object, ids: object) -> list[Resource]:
    plural = f"{_kind(kind)}s"
    if not isinstance(ids, list) or not 0 < len(ids) <= RESOURCES_MAX:
        raise InvalidArgument("ResourceId", ids, f"must be a list of 1 to {RESOURCES_MAX} resources")
    return [
        _named(call, "ResourceId", each if isinstance(each, str) and "/" in each else f"{plural}/{each}")
        for each in ids
    ]


def _kind(text: object) -> str:
    if text in (None, ""):
        return "function"
    match = KIND.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidArgument("ResourceType", text, "must be function or service")
    return match[1].lower()


def _resources(call: Call, kinds: Iterable[str]) -> list[Resource]:
    found: list[Resource] = []
    if "services" in kinds:
        found += call.backend.services.services(call.account_id)
    if "functions" in kinds:
        found += call.backend.catalog.functions(call.account_id)
    return found


def _pairs(field: str, value: object) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in value if isinstance(value, list) else []:
        tag = {str(name).lower(): text for name, text in each.items()} if isinstance(each, dict) else {}
        pairs[_text(field, tag.get("key"))] = _text(field, "" if tag.get("value") is None else tag["value"])
    return pairs


def _list(field: str, query: Mapping[str, str]) -> list[str]:
    text = query.get(field)
    if text is None:
        return []
    if not _is_json(text):
        return [text]
    found = msgspec.json.decode(text)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InvalidArgument(field, text, "must be a JSON list of strings")
    return found


def _is_json(text: str | None) -> bool:
    if not text or not text.startswith("["):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidArgument("query", text, "must be a JSON list") from None
    return True


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > TAG_CHARACTERS_MAX:
        raise InvalidArgument(field, value, f"must hold text of at most {TAG_CHARACTERS_MAX} characters")
    return value
