"""The calls about what belongs to functions by name: services, versions, aliases, triggers.

Pure, as `calls`. A function of a service has the versions and the aliases of its service, so the calls about these are
told whether their owner is a function or a service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from .call import API_VERSION, Answer, Call, segment
from .entries import Alias, FunctionVersion, HttpConfig, Service, TimerConfig, Trigger

T = TypeVar("T")
SERVICES = "/2021-04-06/services"
FUNCTIONS = f"/{API_VERSION}/functions"
PAGE_LIMIT = "100"
_encode = msgspec.json.Encoder().encode


class Owner(NamedTuple):
    """Whose versions and aliases: a function's, or a service's."""

    name: str
    service: bool = False

    def path(self, *below: str) -> str:
        """Its path, and what is below it."""
        kind = "service" if self.service else "function"
        return "/".join((SERVICES if self.service else FUNCTIONS, segment(kind, self.name), *below))

    def action(self, verb: str) -> str:
        """The operation's name, such as ListFunctionVersions."""
        return verb.replace("?", "Service" if self.service else "Function")


class Page(NamedTuple, Generic[T]):
    """Some things, and where the list goes on, "" at its end."""

    items: list[T]
    next_token: str


def page(field: str, kind: type[T]) -> Callable[[Answer], Page[T]]:
    """How a page is read whose things of `kind` stand in `field`."""

    def decode(answer: Answer) -> Page[T]:
        document = msgspec.json.decode(answer.body, type=dict[str, Any])
        items = [msgspec.convert(each, kind) for each in document.get(field) or []]
        return Page(items, str(document.get("nextToken") or ""))

    return decode


def listing(
    action: str, path: str, decode: Callable[[Answer], Page[T]], query: Mapping[str, str] | None = None
) -> Callable[[str], Call[Page[T]]]:
    """The call for the page after a token."""

    def call(token: str) -> Call[Page[T]]:
        asked = {"limit": PAGE_LIMIT, "nextToken": token, **(query or {})}
        given = {name: value for name, value in asked.items() if value}
        return Call(action, "GET", path, decode, query=given, idempotent=True)

    return call


def one(kind: type[T]) -> Callable[[Answer], T]:
    """How one thing is read."""
    return lambda answer: msgspec.json.decode(answer.body, type=kind)


def nothing(answer: Answer) -> None:
    """How an answer without content is read."""
    del answer


def given(**fields: object) -> bytes:
    """A body of the fields that are not None."""
    return _encode({name: value for name, value in fields.items() if value is not None})


# Services -------------------------------------------------------------------------------------------------------------


def create_service(name: str, description: str | None, *, internet_access: bool | None) -> Call[Service]:
    """CreateService."""
    body = given(serviceName=name, description=description, internetAccess=internet_access)
    return Call("CreateService", "POST", SERVICES, one(Service), body=body)


def update_service(name: str, description: str | None, *, internet_access: bool | None) -> Call[Service]:
    """UpdateService."""
    body = given(description=description, internetAccess=internet_access)
    return Call("UpdateService", "PUT", _service(name), one(Service), body=body, idempotent=True)


def get_service(name: str) -> Call[Service]:
    """GetService."""
    return Call("GetService", "GET", _service(name), one(Service), idempotent=True)


def delete_service(name: str) -> Call[None]:
    """DeleteService."""
    return Call("DeleteService", "DELETE", _service(name), nothing, idempotent=True)


def list_services(prefix: str) -> Callable[[str], Call[Page[Service]]]:
    """ListServices."""
    return listing("ListServices", SERVICES, page("services", Service), {"prefix": prefix})


# Versions and aliases -------------------------------------------------------------------------------------------------


def publish(owner: Owner, description: str | None) -> Call[FunctionVersion]:
    """PublishFunctionVersion, PublishServiceVersion."""
    action, path = owner.action("Publish?Version"), owner.path("versions")
    return Call(action, "POST", path, one(FunctionVersion), body=given(description=description))


def list_versions(owner: Owner) -> Callable[[str], Call[Page[FunctionVersion]]]:
    """ListFunctionVersions, ListServiceVersions; the newest first."""
    return listing(owner.action("List?Versions"), owner.path("versions"), page("versions", FunctionVersion))


def delete_version(owner: Owner, version: str) -> Call[None]:
    """DeleteFunctionVersion, DeleteServiceVersion."""
    path = owner.path("versions", segment("version", version))
    return Call(owner.action("Delete?Version"), "DELETE", path, nothing, idempotent=True)


def create_alias(
    owner: Owner, name: str, version: str, weights: Mapping[str, float] | None, description: str | None
) -> Call[Alias]:
    """CreateAlias."""
    body = given(aliasName=name, versionId=version, additionalVersionWeight=weights, description=description)
    return Call("CreateAlias", "POST", owner.path("aliases"), one(Alias), body=body)


def update_alias(
    owner: Owner, name: str, version: str | None, weights: Mapping[str, float] | None, description: str | None
) -> Call[Alias]:
    """UpdateAlias."""
    body = given(versionId=version, additionalVersionWeight=weights, description=description)
    return Call("UpdateAlias", "PUT", _alias(owner, name), one(Alias), body=body, idempotent=True)


def get_alias(owner: Owner, name: str) -> Call[Alias]:
    """GetAlias."""
    return Call("GetAlias", "GET", _alias(owner, name), one(Alias), idempotent=True)


def delete_alias(owner: Owner, name: str) -> Call[None]:
    """DeleteAlias."""
    return Call("DeleteAlias", "DELETE", _alias(owner, name), nothing, idempotent=True)


def list_aliases(owner: Owner, prefix: str) -> Callable[[str], Call[Page[Alias]]]:
    """ListAliases."""
    return listing("ListAliases", owner.path("aliases"), page("aliases", Alias), {"prefix": prefix})


# Triggers -------------------------------------------------------------------------------------------------------------


def create_trigger(
    function: str, name: str, config: TimerConfig | HttpConfig, qualifier: str | None, description: str | None
) -> Call[Trigger]:
    """CreateTrigger; its type is that of its configuration."""
    body = given(
        triggerName=name,
        triggerType="timer" if isinstance(config, TimerConfig) else "http",
        triggerConfig=_text(config),
        qualifier=qualifier,
        description=description,
    )
    return Call("CreateTrigger", "POST", Owner(function).path("triggers"), one(Trigger), body=body)


def update_trigger(
    function: str, name: str, config: TimerConfig | HttpConfig | None, qualifier: str | None, description: str | None
) -> Call[Trigger]:
    """UpdateTrigger."""
    text = None if config is None else _text(config)
    body = given(triggerConfig=text, qualifier=qualifier, description=description)
    return Call("UpdateTrigger", "PUT", _trigger(function, name), one(Trigger), body=body, idempotent=True)


def get_trigger(function: str, name: str) -> Call[Trigger]:
    """GetTrigger."""
    return Call("GetTrigger", "GET", _trigger(function, name), one(Trigger), idempotent=True)


def delete_trigger(function: str, name: str) -> Call[None]:
    """DeleteTrigger."""
    return Call("DeleteTrigger", "DELETE", _trigger(function, name), nothing, idempotent=True)


def list_triggers(function: str) -> Callable[[str], Call[Page[Trigger]]]:
    """ListTriggers."""
    return listing("ListTriggers", Owner(function).path("triggers"), page("triggers", Trigger))


def _service(name: str) -> str:
    return Owner(name, service=True).path()


def _alias(owner: Owner, name: str) -> str:
    return owner.path("aliases", segment("alias", name))


def _trigger(function: str, name: str) -> str:
    return Owner(function).path("triggers", segment("trigger", name))


def _text(config: TimerConfig | HttpConfig) -> str:
    return _encode(config).decode()
