"""Functions: made, shown, changed, listed, taken away, and what is refused."""

from __future__ import annotations

from sojourn.conform import programs
from sojourn.conform.check import NEWEST, OLDER, Group
from sojourn.conform.expect import holds, same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, Source
from sojourn.conform.wire import Answer, Document

from .exhibits import refused, worker

function = Group("function")
code = Group("function.code")
listing = Group("function.list")
refusal = Group("function.refused")

VARIABLES = {"CONFORM": "told", "CONFORM_EMPTY": ""}


@exhibit
async def made(on: Site) -> tuple[Function, Document]:
    """A function with settings, and the answer to its creation."""
    body = on.body(description="made by the kit", memorySize=256, timeout=9, environmentVariables=VARIABLES)
    named, answer = await on.try_create(on.name("made"), body)
    same("CreateFunction", 200, answer.status if answer.status == 200 else str(answer))
    return named, answer.document


@function(DOCUMENTED)
async def its_settings_are_shown(on: Site) -> None:
    """CreateFunction answers with what it was given."""
    named, seen = await made(on)
    wanted = {
        "functionName": named.name,
        "runtime": on.runtime,
        "handler": programs.HANDLER,
        "description": "made by the kit",
        "memorySize": 256,
        "timeout": 9,
        "environmentVariables": VARIABLES,
    }
    same("the settings", wanted, {name: seen.get(name) for name in wanted})


def _there(field: str, kind: type, only: tuple[str, ...] = (*OLDER, NEWEST)) -> None:
    async def look(on: Site) -> None:
        _, seen = await made(on)
        holds(f"{field}, {kind.__name__}", type(seen.get(field)) is kind and seen[field], repr(seen.get(field)))

    function.add(f"{field}-is-there", f"A function shows its `{field}`", DOCUMENTED, look, only=only)


for _field in ("functionId", "codeChecksum", "createdTime", "lastModifiedTime"):
    _there(_field, str)
_there("codeSize", int)
_there("functionArn", str, (NEWEST,))


@function(DOCUMENTED, only=(NEWEST,))
async def it_is_active(on: Site) -> None:
    """Its `state` is Active."""
    named, _ = await made(on)

    async def active() -> bool:
        return bool((await on.sure("function.get", named)).document["state"] == "Active")

    await on.eventually("state Active", active)


@function(DOCUMENTED)
async def the_code_is_not_shown(on: Site) -> None:
    """The code itself is not shown."""
    holds("no code", "code" not in (await made(on))[1], sorted((await made(on))[1]))


@function(DOCUMENTED)
async def get_shows_the_same(on: Site) -> None:
    """GetFunction shows what CreateFunction has answered."""
    named, seen = await made(on)
    found = (await on.sure("function.get", named)).document
    fields = ("functionName", "handler", "memorySize", "timeout", "environmentVariables", "codeChecksum", "createdTime")
    same("the fields", [seen.get(name) for name in fields], [found.get(name) for name in fields])


@function(DOCUMENTED, only=(NEWEST,))
async def the_timeout_is_three_seconds(on: Site) -> None:
    """Without a timeout it is 3 s."""
    _, answer = await on.try_create(on.name("plain"), on.body(timeout=None))
    same("timeout", 3, answer.document.get("timeout"))


@function(DOCUMENTED)
async def the_concurrency_is_one(on: Site) -> None:
    """Without `instanceConcurrency` it is 1."""
    same("instanceConcurrency", 1, (await made(on))[1].get("instanceConcurrency"))


@function(DOCUMENTED)
async def a_second_one_is_refused(on: Site) -> None:
    """A function of the same name: 409 FunctionAlreadyExists."""
    named, _ = await made(on)
    answer = await on.ask("function.create", named, body={"functionName": named.name, **on.body()})
    refused(answer, 409, "FunctionAlreadyExists")


@function(DOCUMENTED)
async def an_unknown_one_is_not_found(on: Site) -> None:
    """A function that does not exist: 404 FunctionNotFound."""
    refused(await on.ask("function.get", Function(on.service, on.name("none"))), 404, "FunctionNotFound")


@function(DOCUMENTED)
async def an_update_keeps_the_rest(on: Site) -> None:
    """UpdateFunction changes what it names and keeps the rest."""
    named = await on.create("kept", description="first", environmentVariables=VARIABLES)
    await on.sure("function.update", named, body={"description": "second"})
    found = (await on.sure("function.get", named)).document
    same("description, variables", ("second", VARIABLES), (found["description"], found["environmentVariables"]))


@function(DOCUMENTED)
async def an_update_of_an_unknown_one(on: Site) -> None:
    """UpdateFunction of a function that does not exist: 404 FunctionNotFound."""
    answer = await on.ask("function.update", Function(on.service, on.name("none")), body={"timeout": 5})
    refused(answer, 404, "FunctionNotFound")


@function(DOCUMENTED)
async def an_update_moves_the_time(on: Site) -> None:
    """UpdateFunction moves `lastModifiedTime`, not `createdTime`."""
    named = await on.create("moved")
    before = (await on.sure("function.get", named)).document
    after = (await on.sure("function.update", named, body={"description": "x"})).document
    same("createdTime", before["createdTime"], after["createdTime"])
    holds("a later lastModifiedTime", after["lastModifiedTime"] >= before["lastModifiedTime"], after)


@function(DOCUMENTED)
async def variables_reach_the_code(on: Site) -> None:
    """The code sees its environment variables."""
    answer = await on.invoke((await made(on))[0], {"do": "tell"})
    told = answer.document["environment"]
    same("CONFORM, CONFORM_EMPTY", VARIABLES, {name: told.get(name) for name in VARIABLES})


@function(DOCUMENTED)
async def an_update_reaches_the_code(on: Site) -> None:
    """A call after UpdateFunction sees the new variables."""
    named = await on.create("variables", environmentVariables={"CONFORM": "before"})
    await on.invoke(named, {"do": "tell"})
    await on.sure("function.update", named, body={"environmentVariables": {"CONFORM": "after"}})
    answer = await on.invoke(named, {"do": "tell"})
    same("CONFORM", "after", answer.document["environment"].get("CONFORM"))


@function(DOCUMENTED)
async def it_is_deleted(on: Site) -> None:
    """DeleteFunction answers 204 with nothing, and the function is not found any more."""
    named = await on.create("deleted")
    answer = await on.ask("function.delete", named)
    same("DeleteFunction", (204, b""), (answer.status, answer.body))
    refused(await on.ask("function.get", named), 404, "FunctionNotFound")


@function(DOCUMENTED)
async def a_deleted_one_is_not_called(on: Site) -> None:
    """A deleted function cannot be called: 404 FunctionNotFound."""
    named = await on.create("uncalled")
    await on.sure("function.delete", named)
    refused(await on.invoke(named), 404, "FunctionNotFound")


@function(DOCUMENTED)
async def a_second_delete_is_not_found(on: Site) -> None:
    """DeleteFunction of a function that does not exist: 404 FunctionNotFound."""
    refused(await on.ask("function.delete", Function(on.service, on.name("none"))), 404, "FunctionNotFound")


# Code ---------------------------------------------------------------------------------------------------------------


@exhibit
async def download(on: Site) -> Answer:
    """GetFunctionCode of a worker."""
    return await on.sure("function.code", await worker(on))


@code(DOCUMENTED)
async def it_is_given_by_address(on: Site) -> None:
    """GetFunctionCode gives an address."""
    holds("url", str((await download(on)).document.get("url", "")).startswith("http"), (await download(on)).document)


@code(DOCUMENTED)
async def the_address_gives_the_archive(on: Site) -> None:
    """The address gives the archive byte for byte, without a signature of the caller's."""
    answer = await on.wire.fetch("GET", (await download(on)).document["url"])
    same("the archive", (200, programs.archive(programs.WORKER)), (answer.status, answer.body))


@code(DOCUMENTED)
async def the_checksum_is_the_functions(on: Site) -> None:
    """Its checksum is the function's `codeChecksum`."""
    found = (await on.sure("function.get", await worker(on))).document
    same("checksum", found["codeChecksum"], (await download(on)).document["checksum"])


@code(DOCUMENTED)
async def an_update_changes_what_runs(on: Site) -> None:
    """A call after an update of the code runs the new code."""
    named = await on.create("recoded")
    same("before", b"x", (await on.invoke(named, b"x")).body)
    await on.sure("function.update", named, body={"code": on.body(programs.OTHER)["code"]})
    same("after", b"other", (await on.invoke(named, b"x")).body)


@code(DOCUMENTED)
async def an_update_changes_the_checksum(on: Site) -> None:
    """An update of the code changes `codeChecksum` and `codeSize`."""
    named = await on.create("checksum")
    before = (await on.sure("function.get", named)).document
    after = (await on.sure("function.update", named, body={"code": on.body(programs.OTHER)["code"]})).document
    holds("another checksum", after["codeChecksum"] != before["codeChecksum"], after["codeChecksum"])


# Lists --------------------------------------------------------------------------------------------------------------


@exhibit
async def three(on: Site) -> tuple[str, list[str]]:
    """A prefix, and the names of three functions that begin with it."""
    prefix = on.name("listed")
    names = [f"{prefix}-{letter}" for letter in "abc"]
    for each in names:
        await on.try_create(each, on.body())
    return prefix, names


def _names(answer: Answer) -> list[str]:
    return [each["functionName"] for each in answer.document["functions"]]


@listing(DOCUMENTED)
async def a_prefix_narrows_it(on: Site) -> None:
    """ListFunctions with `prefix` lists those whose names begin so."""
    prefix, names = await three(on)
    found = await on.sure("function.list", on.of_service, query={"prefix": prefix})
    same("the names", names, sorted(_names(found)))


@listing(DOCUMENTED)
async def the_last_page_has_no_token(on: Site) -> None:
    """The last page has no `nextToken`, or an empty one."""
    prefix, _ = await three(on)
    found = await on.sure("function.list", on.of_service, query={"prefix": prefix})
    holds("no token", not found.document.get("nextToken"), found.document.get("nextToken"))


@listing(DOCUMENTED)
async def pages_follow_one_another(on: Site) -> None:
    """Pages with `limit` and `nextToken` give each function once."""
    prefix, names = await three(on)
    query = {"prefix": prefix, "limit": 2}
    first = await on.sure("function.list", on.of_service, query=query)
    same("the first page", 2, len(_names(first)))
    second = await on.sure("function.list", on.of_service, query={**query, "nextToken": first.document["nextToken"]})
    same("both pages", names, sorted(_names(first) + _names(second)))


@listing(OUR_CHOICE)
async def a_limit_of_more_than_a_hundred(on: Site) -> None:
    """A `limit` of more than 100 is refused."""
    refused(await on.ask("function.list", on.of_service, query={"limit": 101}), 400, "InvalidArgument")


@listing(DOCUMENTED)
async def a_deleted_one_is_gone(on: Site) -> None:
    """A deleted function is not listed."""
    named = await on.create("unlisted")
    await on.sure("function.delete", named)
    found = await on.sure("function.list", on.of_service, query={"prefix": named.name})
    same("the names", [], _names(found))


# What is refused ----------------------------------------------------------------------------------------------------


def _refuses(word: str, sentence: str, source: Source = DOCUMENTED, **changes: object) -> None:
    async def look(on: Site) -> None:
        body = {**on.body(), **changes}
        name = str(body.pop("functionName", on.name("refused")))
        _, answer = await on.try_create(name, {key: value for key, value in body.items() if value != "absent"})
        refused(answer, 400, "InvalidArgument")

    refusal.add(word, f"{sentence} is refused: 400 InvalidArgument", source, look)


_refuses("a-digit-begins-the-name", "A name that begins with a digit", functionName="1function")
_refuses("a-dash-begins-the-name", "A name that begins with `-`", functionName="-function")
_refuses("a-dot-in-the-name", "A name with a dot", functionName="a.b")
_refuses("an-empty-name", "An empty name", functionName="")
_refuses("a-name-too-long", "A name of 300 characters", functionName="f" * 300)
_refuses("an-unknown-runtime", "A runtime that does not exist", runtime="cobol74")
_refuses("no-runtime", "A function without a runtime", runtime="absent")
_refuses("no-handler", "A function without a handler", handler="absent")
_refuses("no-code", "A function without code", code="absent")
_refuses("code-that-is-no-archive", "Code that is no zip", code={"zipFile": "bm8gemlw"})
_refuses("code-that-is-no-base64", "Code that is no base64", code={"zipFile": "*no base64*"})
_refuses("memory-too-small", "Less than 128 MB", memorySize=64)
_refuses("memory-too-large", "More than 32768 MB", memorySize=32_832)
_refuses("memory-between-the-steps", "Memory that is no multiple of 64 MB", memorySize=200)
_refuses("no-time", "A timeout of 0", timeout=0)
_refuses("too-much-time", "A timeout of more than 86400 s", timeout=86_401)
_refuses("time-as-text", "A timeout that is text", timeout="soon")
_refuses("a-variable-that-begins-with-a-digit", "A variable that begins with a digit", environmentVariables={"1A": "x"})
_refuses("a-reserved-variable", "A variable that begins with FC_", environmentVariables={"FC_X": "x"})
_refuses("too-many-variables", "Variables of more than 4 KiB", environmentVariables={"A": "x" * 5000})
_refuses("no-concurrency", "An `instanceConcurrency` of 0", instanceConcurrency=0)
_refuses("too-much-concurrency", "An `instanceConcurrency` of more than 200", instanceConcurrency=201)
_refuses(
    "concurrency-of-a-built-in-runtime",
    "An `instanceConcurrency` of more than 1 with a built-in runtime",
    instanceConcurrency=5,
)
