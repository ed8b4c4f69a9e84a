"""Versions and aliases: what is published stays, and a task keeps the version it was submitted for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sojourn.conform import programs
from sojourn.conform.check import Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE
from sojourn.conform.wire import Document

from .exhibits import refused

version = Group("version")
alias = Group("alias")

CALLS = 40


@dataclass(frozen=True)
class Published:
    """A function whose code was another one before each publication; calls return `first`, `second`, `latest`."""

    function: Function
    first: str
    second: str
    answers: tuple[Document, Document]


async def _publish(on: Site, word: str) -> Published:
    """A function with two versions, in a service of its own where there are services."""
    service = ""
    if on.generation.services:
        service = on.name("versions")
        await on.open_service(service)
    function = await on.create(word, _says("first"), service=service)
    await on.configure(function, maxAsyncRetryAttempts=0)
    answers = []
    for code in ("second", "latest"):
        answers.append((await on.sure("version.publish", function, body={"description": f"before {code}"})).document)
        await on.sure("function.update", function, body={"code": on.body(_says(code))["code"]})
    first, second = (str(answer["versionId"]) for answer in answers)
    return Published(function, first, second, (answers[0], answers[1]))


def _says(word: str) -> str:
    return programs.OTHER.replace('"other"', f'"{word}"')


@exhibit
async def published(on: Site) -> Published:
    """A function with two versions."""
    return await _publish(on, "published")


@exhibit
async def aliased(on: Site) -> Published:
    """The same with an alias `prod` of the first."""
    found = await published(on)
    await on.sure("alias.create", found.function, body={"aliasName": "prod", "versionId": found.first})
    return found


@version(DOCUMENTED)
async def numbers_count_from_one(on: Site) -> None:
    """The versions that are published are `1`, `2` and so on."""
    found = await published(on)
    same("versionId", ("1", "2"), (found.first, found.second))


@version(DOCUMENTED)
async def publish_answers_with_it(on: Site) -> None:
    """A publication is answered with the version, its description and its times."""
    answer = (await published(on)).answers[0]
    same("description", "before second", answer.get("description"))
    holds("times", all(answer.get(name) for name in ("createdTime", "lastModifiedTime")), answer)


@version(DOCUMENTED)
async def it_keeps_its_code(on: Site) -> None:
    """A version runs the code of its publication, whatever came after."""
    found = await published(on)
    bodies = [(await on.invoke(found.function, qualifier=each)).body for each in (found.first, found.second)]
    same("the bodies", [b"first", b"second"], bodies)


@version(DOCUMENTED)
async def latest_is_the_newest(on: Site) -> None:
    """LATEST and no qualifier run what the function is now."""
    function = (await published(on)).function
    bodies = [(await on.invoke(function, qualifier=each)).body for each in ("LATEST", "")]
    same("the bodies", [b"latest", b"latest"], bodies)


@version(DOCUMENTED)
async def the_answer_names_it(on: Site) -> None:
    """X-Fc-Invocation-Service-Version names the version."""
    found = await published(on)
    answer = await on.invoke(found.function, qualifier=found.first)
    same("x-fc-invocation-service-version", found.first, answer.headers.get("x-fc-invocation-service-version"))


@version(DOCUMENTED)
async def a_task_runs_it(on: Site) -> None:
    """A task with a version as its qualifier runs that version."""
    found = await published(on)
    task_id = await on.begin(found.function, b"", qualifier=found.first)
    same("returnPayload", "first", (await on.ended(found.function, task_id))["returnPayload"])


@version(DOCUMENTED)
async def a_task_names_it(on: Site) -> None:
    """`qualifier` of a task is what the caller asked for."""
    found = await published(on)
    task_id = await on.begin(found.function, b"", qualifier=found.second)
    same("qualifier", found.second, (await on.task(found.function, task_id))["qualifier"])


@version(OUR_CHOICE)
async def the_newest_is_listed_first(on: Site) -> None:
    """Versions are listed, the newest first."""
    found = await published(on)
    listed = (await on.sure("version.list", found.function)).document["versions"]
    same("the versions", [found.second, found.first], [each["versionId"] for each in listed])


@version(DOCUMENTED)
async def the_oldest_is_listed_first_when_wanted(on: Site) -> None:
    """With `direction=FORWARD` the oldest comes first."""
    found = await published(on)
    listed = (await on.sure("version.list", found.function, query={"direction": "FORWARD"})).document["versions"]
    same("the versions", [found.first, found.second], [each["versionId"] for each in listed])


@version(DOCUMENTED)
async def get_shows_it(on: Site) -> None:
    """GetFunction with a version shows the function of its publication."""
    found = await published(on)
    shown = [(await on.sure("function.get", found.function, qualifier=each)).document for each in (found.first, "")]
    holds("another checksum than now", shown[0]["codeChecksum"] != shown[1]["codeChecksum"], shown[0]["codeChecksum"])


@version(DOCUMENTED)
async def an_unknown_one_is_not_found(on: Site) -> None:
    """A call of a version that does not exist: 404."""
    same("the status", 404, (await on.invoke((await published(on)).function, qualifier="77")).status)


@version(DOCUMENTED)
async def lists_of_tasks_are_narrowed_by_it(on: Site) -> None:
    """A list of tasks with a qualifier has those that asked for it."""
    found = await published(on)
    mine = await on.begin(found.function, b"", qualifier=found.second)
    other = await on.begin(found.function, b"")
    ids = {task["taskId"] for task in await on.tasks(found.function, qualifier=found.second, limit=100)}
    holds("the one and not the other", mine in ids and other not in ids, sorted(ids))


@version(DOCUMENTED)
async def it_has_a_configuration_of_its_own(on: Site) -> None:
    """An asynchronous configuration belongs to its qualifier."""
    found = await published(on)
    await on.configure(found.function, qualifier=found.first, maxAsyncRetryAttempts=5)
    seen = [
        (await on.sure("async.get", found.function, qualifier=each)).document["maxAsyncRetryAttempts"]
        for each in (found.first, "LATEST")
    ]
    same("maxAsyncRetryAttempts", [5, 0], seen)


@version(DOCUMENTED)
async def it_is_deleted(on: Site) -> None:
    """A version is deleted with 204, and cannot be called any more."""
    found = await _publish(on, "unpublished")
    answer = await on.ask("version.delete", found.function, version=found.first)
    same("the answer", 204, answer.status)
    same("a call", 404, (await on.invoke(found.function, qualifier=found.first)).status)


@version(OUR_CHOICE)
async def one_in_use_stays(on: Site) -> None:
    """A version that an alias names is not deleted: 409."""
    found = await aliased(on)
    same("the answer", 409, (await on.ask("version.delete", found.function, version=found.first)).status)


# Aliases ------------------------------------------------------------------------------------------------------------


@alias(DOCUMENTED)
async def it_runs_its_version(on: Site) -> None:
    """A call of an alias runs the version that it names."""
    same("the body", b"first", (await on.invoke((await aliased(on)).function, qualifier="prod")).body)


@alias(DOCUMENTED)
async def it_is_shown(on: Site) -> None:
    """An alias is shown with its name, its version and its times."""
    found = await aliased(on)
    shown = (await on.sure("alias.get", found.function, alias="prod")).document
    same("aliasName, versionId", ("prod", found.first), (shown["aliasName"], shown["versionId"]))
    holds("times", shown.get("createdTime") and shown.get("lastModifiedTime"), shown)


@alias(DOCUMENTED)
async def it_is_listed(on: Site) -> None:
    """Aliases are listed."""
    listed = (await on.sure("alias.list", (await aliased(on)).function)).document["aliases"]
    holds("prod", "prod" in [each["aliasName"] for each in listed], listed)


@alias(OUR_CHOICE)
async def a_second_one_is_refused(on: Site) -> None:
    """An alias of the same name: 409 AliasAlreadyExists."""
    found = await aliased(on)
    answer = await on.ask("alias.create", found.function, body={"aliasName": "prod", "versionId": found.second})
    refused(answer, 409, "AliasAlreadyExists")


@alias(DOCUMENTED)
async def an_unknown_alias_is_not_found(on: Site) -> None:
    """An alias that does not exist: 404 AliasNotFound."""
    refused(await on.ask("alias.get", (await published(on)).function, alias="none"), 404, "AliasNotFound")


@alias(OUR_CHOICE)
async def of_an_unknown_version_is_refused(on: Site) -> None:
    """An alias of a version that does not exist is refused."""
    answer = await on.ask("alias.create", (await published(on)).function, body={"aliasName": "x", "versionId": "77"})
    refused(answer, 400, "InvalidArgument")


@alias(DOCUMENTED)
async def it_can_be_moved(on: Site) -> None:
    """An alias that is moved runs the other version from then on."""
    found = await published(on)
    await on.sure("alias.create", found.function, body={"aliasName": "moved", "versionId": found.first})
    before = (await on.invoke(found.function, qualifier="moved")).body
    await on.sure("alias.update", found.function, alias="moved", body={"versionId": found.second})
    after = (await on.invoke(found.function, qualifier="moved")).body
    same("the bodies", (b"first", b"second"), (before, after))


@alias(OUR_CHOICE)
async def a_task_keeps_its_version(on: Site) -> None:
    """A task runs the version that its alias named at the submit, also when the alias is moved before it begins."""
    found = await published(on)
    await on.sure("alias.create", found.function, body={"aliasName": "kept", "versionId": found.first})
    task_id = await on.begin(found.function, b"", qualifier="kept", delay_seconds=2)
    await on.sure("alias.update", found.function, alias="kept", body={"versionId": found.second})
    task = await on.ended(found.function, task_id)
    same("returnPayload, qualifier", ("first", "kept"), (task["returnPayload"], task["qualifier"]))


@alias(DOCUMENTED)
async def weights_share_the_calls(on: Site) -> None:
    """`additionalVersionWeight` 0.5 sends some calls to the other version, and some not."""
    found = await published(on)
    body = {"aliasName": "shared", "versionId": found.first, "additionalVersionWeight": {found.second: 0.5}}
    await on.sure("alias.create", found.function, body=body)
    bodies = [(await on.invoke(found.function, qualifier="shared")).body for _ in range(CALLS)]
    same(f"bodies of {CALLS} calls", {b"first", b"second"}, set(bodies))


@alias(DOCUMENTED)
async def a_weight_of_one_sends_all(on: Site) -> None:
    """`additionalVersionWeight` 1 sends all calls to the other version."""
    found = await published(on)
    body = {"aliasName": "all", "versionId": found.first, "additionalVersionWeight": {found.second: 1}}
    await on.sure("alias.create", found.function, body=body)
    bodies = await asyncio.gather(*(on.invoke(found.function, qualifier="all") for _ in range(4)))
    same("the bodies", {b"second"}, {answer.body for answer in bodies})


@alias(OUR_CHOICE)
async def a_weight_over_one_is_refused(on: Site) -> None:
    """A weight of more than 1 is refused."""
    found = await published(on)
    body = {"aliasName": "over", "versionId": found.first, "additionalVersionWeight": {found.second: 1.5}}
    refused(await on.ask("alias.create", found.function, body=body), 400, "InvalidArgument")


@alias(DOCUMENTED)
async def a_deleted_one_is_not_called(on: Site) -> None:
    """An alias is deleted with 204, and cannot be called any more."""
    found = await published(on)
    await on.sure("alias.create", found.function, body={"aliasName": "gone", "versionId": found.first})
    same("the answer", 204, (await on.ask("alias.delete", found.function, alias="gone")).status)
    same("a call", 404, (await on.invoke(found.function, qualifier="gone")).status)
