"""What else an account may set or ask: the switch, minimum instances, tags, regions."""

from __future__ import annotations

import asyncio

from sojourn.conform.check import NEWEST, OLDER, Group
from sojourn.conform.expect import holds, member, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE
from sojourn.conform.wire import Document

from .exhibits import arn_of, refused, worker

switch = Group("function.switch", needs=("invoke.disable",))
provision = Group("instance.provision")
scaling = Group("instance.scaling", needs=("scaling.put",))
tags = Group("tag")
account = Group("account")

TARGET = {"2023-03-30": "defaultTarget"}


@exhibit
async def disabled(on: Site) -> Function:
    """A function that is disabled, with a reason."""
    function = await on.tasker("disabled", maxAsyncRetryAttempts=0)
    await on.sure("invoke.disable", function, body={"reason": "for the kit", "abortOngoingRequest": False})
    return function


@switch(OUR_CHOICE)
async def a_disabled_one_is_not_called(on: Site) -> None:
    """A call of a disabled function is refused: 403, with the reason."""
    answer = await on.invoke(await disabled(on), b"x")
    refused(answer, 403, "FunctionInvocationDisabled")
    holds("the reason", "for the kit" in answer.document["Message"], answer.document)


@switch(OUR_CHOICE)
async def nor_are_tasks_made(on: Site) -> None:
    """An asynchronous call of it is refused as well."""
    same("the status", 403, (await on.submit(await disabled(on), b"x")).status)


@switch(DOCUMENTED)
async def enabled_it_is_called(on: Site) -> None:
    """A function that is enabled again is called."""
    function = await on.create("switched")
    await on.sure("invoke.disable", function, body={"reason": "x"})
    await on.sure("invoke.enable", function, body={})
    same("the answer", (200, b"x"), ((answer := await on.invoke(function, b"x")).status, answer.body))


@switch(OUR_CHOICE)
async def tasks_that_wait_go_on_waiting(on: Site) -> None:
    """A task that was submitted before does not begin while the function is disabled, and does when it is enabled."""
    function = await on.tasker("waits", maxAsyncRetryAttempts=0)
    await on.cap(function, 0)  # so that it does not begin before the switch is thrown
    task_id = await on.begin(function, b"x")
    await on.sure("invoke.disable", function, body={})
    await on.sure("cap.delete", function)
    await asyncio.sleep(2)
    member("the status while disabled", ("Enqueued", "Dequeued"), (await on.task(function, task_id))["status"])
    await on.sure("invoke.enable", function, body={})
    same("the status then", "Succeeded", (await on.ended(function, task_id))["status"])


@switch(OUR_CHOICE)
async def what_runs_can_be_aborted(on: Site) -> None:
    """With `abortOngoingRequest` a running task is stopped."""
    function = await on.tasker("aborted", maxAsyncRetryAttempts=0)
    task_id = await on.begin(function, {"do": "sleep", "seconds": 25})
    await on.until(function, task_id, {"Running"})
    await on.sure("invoke.disable", function, body={"abortOngoingRequest": True})
    same("the status", "Stopped", (await on.ended(function, task_id))["status"])


@switch(DOCUMENTED)
async def what_runs_is_left_alone_otherwise(on: Site) -> None:
    """Without it a running task goes on to its end."""
    function = await on.tasker("unharmed", maxAsyncRetryAttempts=0)
    task_id = await on.begin(function, {"do": "sleep", "seconds": 5})
    await on.until(function, task_id, {"Running"})
    await on.sure("invoke.disable", function, body={})
    same("the status", "Succeeded", (await on.ended(function, task_id))["status"])


# Minimum instances --------------------------------------------------------------------------------------------------


@exhibit
async def provisioned(on: Site) -> tuple[Function, Document]:
    """A function that is to have one instance, and the answer to that."""
    function = await on.create("provisioned")
    qualifier = "LATEST"
    field = TARGET.get(on.generation.version, "target")
    return function, (await on.sure("provision.put", function, body={field: 1}, qualifier=qualifier)).document


@provision(DOCUMENTED)
async def put_answers_with_it(on: Site) -> None:
    """A put is answered with the target and the current number."""
    _, seen = await provisioned(on)
    field = TARGET.get(on.generation.version, "target")
    same(field, 1, seen.get(field))
    holds("current, a number", type(seen.get("current")) is int, seen)


@provision(DOCUMENTED)
async def instances_are_made_ahead(on: Site) -> None:
    """The instance is made before anything is called."""
    function, _ = await provisioned(on)

    async def current() -> bool:
        return bool((await on.sure("provision.get", function, qualifier="LATEST")).document["current"] == 1)

    await on.eventually("current 1", current)


@provision(DOCUMENTED)
async def it_is_listed(on: Site) -> None:
    """The provision configuration of a function is listed."""
    function, _ = await provisioned(on)
    query: Document = {"limit": 100, **({} if on.generation.services else {"functionName": function.name})}
    found = (await on.sure("provision.list", query=query)).document["provisionConfigs"]
    holds(f"one of {function.name}", any(function.name in str(each) for each in found), f"{len(found)} others")


@provision(DOCUMENTED)
async def less_than_none_is_refused(on: Site) -> None:
    """A target of less than 0 is refused."""
    field = TARGET.get(on.generation.version, "target")
    answer = await on.ask("provision.put", await worker(on), body={field: -1}, qualifier="LATEST")
    refused(answer, 400, "InvalidArgument")


@provision(DOCUMENTED, only=(NEWEST,), needs=("provision.delete",))
async def it_is_deleted(on: Site) -> None:
    """It is deleted with 204, and not found any more."""
    function = await on.create("unprovisioned")
    await on.sure("provision.put", function, body={"defaultTarget": 1}, qualifier="LATEST")
    same("the answer", 204, (await on.ask("provision.delete", function, qualifier="LATEST")).status)
    same("a get", 404, (await on.ask("provision.get", function, qualifier="LATEST")).status)


@scaling(DOCUMENTED)
async def minimum_instances_are_made(on: Site) -> None:
    """`minInstances` of a scaling configuration are made ahead."""
    function = await on.create("scaled")
    answer = await on.sure("scaling.put", function, body={"minInstances": 1}, qualifier="LATEST")
    same("minInstances", 1, answer.document.get("minInstances"))

    async def current() -> bool:
        return bool((await on.sure("scaling.get", function, qualifier="LATEST")).document["currentInstances"] == 1)

    await on.eventually("currentInstances 1", current)
    same("the delete", 204, (await on.ask("scaling.delete", function, qualifier="LATEST")).status)


@scaling(OUR_CHOICE)
async def none_is_not_found(on: Site) -> None:
    """A get where nothing was put: 404."""
    same("the status", 404, (await on.ask("scaling.get", await worker(on), qualifier="LATEST")).status)


# Tags ---------------------------------------------------------------------------------------------------------------


@exhibit
async def resource(on: Site) -> str:
    """The ARN of a function, in 2.0 of a service, that has two tags."""
    if on.generation.services:
        name = on.name("tagged")
        await on.open_service(name)
        function = await arn_of(on, Function(name, "x"))
        arn = f"{function.partition(':services/')[0]}:services/{name}"
        await on.sure("tag.put", body={"resourceArn": arn, "tags": {"team": "kit", "stage": "test"}})
        return arn
    arn = await arn_of(on, await on.create("tagged"))
    pairs = [{"Key": "team", "Value": "kit"}, {"Key": "stage", "Value": "test"}]
    await on.sure("tags.put", body={"ResourceType": "function", "ResourceId": [arn], "Tag": pairs})
    return arn


async def _tags(on: Site, arn: str) -> dict[str, str]:
    if on.generation.services:
        return dict((await on.sure("tag.get", query={"resourceArn": arn})).document["tags"])
    query = {"ResourceType": "function", "ResourceId": f'["{arn}"]'}
    rows = (await on.sure("tags.list", query=query)).document["TagResources"]
    return {row["TagKey"]: row["TagValue"] for row in rows}


@tags(DOCUMENTED)
async def they_are_shown(on: Site) -> None:
    """Tags are shown as they were put on."""
    same("the tags", {"team": "kit", "stage": "test"}, await _tags(on, await resource(on)))


@tags(DOCUMENTED)
async def one_is_taken_off(on: Site) -> None:
    """A tag is taken off by its key; the others stay."""
    arn = await arn_of(on, await on.create("untagged")) if not on.generation.services else await _service(on)
    if on.generation.services:
        await on.sure("tag.put", body={"resourceArn": arn, "tags": {"a": "1", "b": "2"}})
        await on.sure("tag.delete", body={"resourceArn": arn, "tagKeys": ["a"]})
    else:
        pairs = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
        await on.sure("tags.put", body={"ResourceType": "function", "ResourceId": [arn], "Tag": pairs})
        query = {"ResourceType": "function", "ResourceId": f'["{arn}"]', "TagKey": '["a"]'}
        await on.sure("tags.delete", query=query)
    same("the tags", {"b": "2"}, await _tags(on, arn))


async def _service(on: Site) -> str:
    name = on.name("untagged")
    await on.open_service(name)
    return f"{(await arn_of(on, Function(name, 'x'))).partition(':services/')[0]}:services/{name}"


@tags(DOCUMENTED, only=OLDER)
async def services_are_found_by_them(on: Site) -> None:
    """ListServices with `tag_KEY=VALUE` lists the services that have it."""
    arn = await resource(on)
    name = arn.rpartition("/")[2]
    found = [
        [each["serviceName"] for each in (await on.sure("service.list", query=query)).document["services"]]
        for query in ({"prefix": name, "tag_team": "kit"}, {"prefix": name, "tag_team": "other"})
    ]
    same("the services", [[name], []], found)


@tags(DOCUMENTED, only=(NEWEST,))
async def functions_are_found_by_them(on: Site) -> None:
    """ListFunctions with `tags` lists the functions that have them."""
    arn = await resource(on)
    name = arn.rpartition("/")[2]
    found = [
        [each["functionName"] for each in (await on.sure("function.list", query=query)).document["functions"]]
        for query in (
            {"prefix": name, "tags": '[{"Key":"team","Value":"kit"}]'},
            {"prefix": name, "tags": '[{"Key":"team","Value":"other"}]'},
        )
    ]
    same("the functions", [[name], []], found)


# The account --------------------------------------------------------------------------------------------------------


@account(DOCUMENTED)
async def it_has_zones(on: Site) -> None:
    """Account settings name the zones that there are."""
    found = (await on.sure("account.get")).document
    holds("availableAZs, a list of text", isinstance(found.get("availableAZs"), list) and found["availableAZs"], found)


@account(DOCUMENTED)
async def it_has_a_default_role(on: Site) -> None:
    """Account settings have `defaultRole`."""
    found = (await on.sure("account.get")).document
    holds("defaultRole, a text", isinstance(found.get("defaultRole"), str), found)


@account(DOCUMENTED, needs=("regions.list",))
async def there_are_regions(on: Site) -> None:
    """The regions are listed."""
    found = (await on.sure("regions.list")).document
    holds("Regions.Region, a list", isinstance(found.get("Regions", {}).get("Region"), list), found)


@account(DOCUMENTED, needs=("reserved.list",))
async def reserved_capacities_are_listed(on: Site) -> None:
    """Reserved capacities are listed."""
    found = (await on.sure("reserved.list")).document
    holds("reservedCapacities, a list", isinstance(found.get("reservedCapacities"), list), found)
