"""Services, in the generations that have them."""

from __future__ import annotations

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE
from sojourn.conform.wire import Answer

from .exhibits import refused, worker

service = Group("service", needs=("services",))


@exhibit
async def empty(on: Site) -> Function:
    """A service without functions."""
    name = on.name("service")
    await on.open_service(name)
    return Function(name, "")


@exhibit
async def shown(on: Site) -> Answer:
    """GetService of it."""
    return await on.sure("service.get", await empty(on))


@service(DOCUMENTED)
async def it_is_shown(on: Site) -> None:
    """GetService shows the service by its name."""
    same("serviceName", (await empty(on)).service, (await shown(on)).document["serviceName"])


@service(DOCUMENTED)
async def it_has_an_id_and_times(on: Site) -> None:
    """A service has `serviceId`, `createdTime` and `lastModifiedTime`."""
    found = (await shown(on)).document
    holds("texts", all(found.get(name) for name in ("serviceId", "createdTime", "lastModifiedTime")), found)


@service(DOCUMENTED)
async def it_has_an_etag(on: Site) -> None:
    """Its answer has an ETag."""
    holds("ETag", (await shown(on)).headers.get("etag"), dict((await shown(on)).headers))


@service(DOCUMENTED)
async def a_second_one_is_refused(on: Site) -> None:
    """A service of the same name: 409 ServiceAlreadyExists."""
    name = (await empty(on)).service
    refused(await on.ask("service.create", body={"serviceName": name}), 409, "ServiceAlreadyExists")


@service(DOCUMENTED)
async def an_unknown_one_is_not_found(on: Site) -> None:
    """A service that does not exist: 404 ServiceNotFound."""
    refused(await on.ask("service.get", Function(on.name("none"), "")), 404, "ServiceNotFound")


@service(DOCUMENTED)
async def a_function_of_an_unknown_one(on: Site) -> None:
    """A function of a service that does not exist: 404 ServiceNotFound."""
    refused(await on.ask("function.get", Function(on.name("none"), "f")), 404, "ServiceNotFound")


@service(DOCUMENTED)
async def it_can_be_changed(on: Site) -> None:
    """UpdateService changes what it names."""
    name = on.name("service")
    await on.open_service(name)
    await on.sure("service.update", Function(name, ""), body={"description": "changed"})
    found = (await on.sure("service.get", Function(name, ""))).document
    same("description", "changed", found["description"])


@service(DOCUMENTED)
async def an_older_etag_is_refused(on: Site) -> None:
    """UpdateService with `If-Match` of another state: 412 PreconditionFailed."""
    headers = {"if-match": "not-this-one"}
    answer = await on.ask("service.update", await empty(on), body={"description": "no"}, headers=headers)
    refused(answer, 412, "PreconditionFailed")


@service(DOCUMENTED)
async def they_are_listed_by_prefix(on: Site) -> None:
    """ListServices with `prefix` lists those whose names begin so."""
    name = (await empty(on)).service
    found = (await on.sure("service.list", query={"prefix": name})).document["services"]
    same("the names", [name], [each["serviceName"] for each in found])


@service(DOCUMENTED)
async def one_with_functions_stays(on: Site) -> None:
    """A service that has functions is not deleted: 409 ServiceNotEmpty."""
    await worker(on)
    refused(await on.ask("service.delete", on.of_service), 409, "ServiceNotEmpty")


@service(DOCUMENTED)
async def it_is_deleted(on: Site) -> None:
    """DeleteService answers 204, and the service is not found any more."""
    name = on.name("service")
    await on.open_service(name)
    same("DeleteService", 204, (await on.ask("service.delete", Function(name, ""))).status)
    refused(await on.ask("service.get", Function(name, "")), 404, "ServiceNotFound")


@service(OUR_CHOICE)
async def a_bad_name_is_refused(on: Site) -> None:
    """A name that begins with a digit is refused."""
    refused(await on.ask("service.create", body={"serviceName": f"1{on.prefix}"}), 400, "InvalidArgument")


@service(DOCUMENTED)
async def functions_of_two_are_apart(on: Site) -> None:
    """Two services have functions of the same name."""
    other = on.name("service")
    await on.open_service(other)
    function = await worker(on)
    _, answer = await on.try_create(function.name, on.body(), other)
    same("CreateFunction", 200, answer.status)
