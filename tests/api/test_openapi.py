"""The descriptions of the APIs: made from the routes, complete, committed as they are, and had by whoever has a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from api import fields
from api.door import Caller, Door
from api.everything import DOCUMENTS, OPEN, ROUTES
from api.test_fields import QUERIES, TABLE, sent_by
from sojourn.api.openapi import document
from sojourn.api.openapi.bodies import ASYNC, FUNCTION
from sojourn.api.openapi.document import NAMES, render, ways
from sojourn.configuration import ASYNC_RULES, RULES

COPIES = Path(__file__).resolve().parents[2] / "docs" / "openapi"


@pytest.mark.parametrize("api", NAMES)
def test_the_committed_copy_is_what_is_made(api: str) -> None:
    """Byte for byte; `sojourn openapi --api NAME > docs/openapi/NAME.json` renews one."""
    assert (COPIES / f"{api}.json").read_bytes() == render(api)
    assert {path.stem for path in COPIES.iterdir()} == set(NAMES)


def test_every_route_is_described_and_nothing_else(door: Door) -> None:
    """The router's methods and paths are those of the four descriptions together; the console is for browsers."""
    described = {(way.method, way.path) for way in ROUTES}
    routed = {
        (method, route.path.replace("{rest:path}", "{rest}"))
        for route in door.app.routes
        for method in route.methods
        if not route.path.startswith("/console")
        if method != "HEAD" or route.path.replace("/{rest:path}", "") in ADDRESSES
    }
    assert described == routed
    assert len(described) > 200


ADDRESSES = ("/http/{account}/{function}", "/2016-08-15/proxy/{service}/{function}")


@pytest.mark.parametrize("api", NAMES)
def test_a_description_is_one(api: str) -> None:
    """It is OpenAPI 3.1, its operations have names of their own, and its schemas are schemas."""
    schemathesis.openapi.from_dict(json.loads(render(api))).validate()
    names = [way.operation["operationId"] for way in ROUTES if way.api == api]
    assert len(names) == len(set(names))
    for schema in DOCUMENTS[api]["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    for name, answer in DOCUMENTS[api]["components"]["responses"].items():
        assert answer["content"], name


def test_what_is_decoded_is_described() -> None:
    """The tables of fields have the same names."""
    assert FUNCTION.keys() == RULES.keys()
    assert ASYNC.keys() == ASYNC_RULES.keys()


@pytest.mark.parametrize("model", TABLE)
def test_fields_are_described_as_they_are_judged(model: str) -> None:
    """A field of an official model that is accepted is in the schema of the body, one that is refused is not."""
    package, verdicts, method, path = TABLE[model]
    if model.startswith("Create"):
        method, path = "POST", path.rsplit("/", 1)[0]
    schema = body_of(method, path)
    for name in sent_by(package, model):
        refused = verdicts[name].verdict == fields.REFUSED
        neutral = name in ("resolvePolicy", "enableOnDemandScaling", "instanceType", "qualifier")
        assert neutral or (name in schema["properties"]) is not refused, name


@pytest.mark.parametrize("model", QUERIES)
def test_parameters_are_described(model: str) -> None:
    """Those of the official models, but one that says nothing here."""
    package, path = QUERIES[model]
    found = {each["name"] for each in operation_at("GET", path)["parameters"]}
    for name in sent_by(package, model):
        if name not in ("resourceGroupId", "prefix", "tags") or name in found:
            assert name in found, name


def test_the_description_is_had_with_a_key(door: Door, caller: Caller) -> None:
    """The native one unless another is asked for; it is no secret, but nothing answers to a stranger."""
    for api in NAMES:
        assert caller("GET", "/openapi.json", {"api": api}).body == render(api)
    assert caller("GET", "/openapi.json").body == render("v1")
    reply = caller("GET", "/openapi.json", {"api": "2000-01-01"})
    reply.refused(400, "InvalidArgument", "api", "2023-03-30")
    assert reply.headers["content-type"] == "application/problem+json"
    assert door.http.get(f"{door.url}/openapi.json").json()["Code"] == "MissingRequiredHeader"


def test_a_command_that_is_not_described_cannot_be_routed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new route without a description is found at once."""

    async def unknown(_: object) -> None:
        """Nothing."""

    more = [*ways("v1"), document.Way("GET", "/v1/new", unknown)]  # type: ignore[arg-type]  # it is no command
    monkeypatch.setattr(document, "ways", lambda _: more)
    with pytest.raises(KeyError):
        render("v1")


def operation_at(method: str, path: str) -> dict[str, Any]:
    """The operation that a path as the tests of fields spell it means."""
    whole = path if path.startswith(OPEN) else f"/2023-03-30{path}"
    for name, there in (("function", "/functions/f"), ("service", "/services/s"), ("trigger", "/triggers/t")):
        whole = whole.replace(there, f"{there.rsplit('/', 1)[0]}/{{{name}}}")
    whole = whole.replace("/aliases/a", "/aliases/{alias}").removesuffix("/t1")
    paths = DOCUMENTS[whole.split("/")[1]]["paths"]
    if path.endswith("/t1"):
        whole += "/{task}"
    found: dict[str, Any] = paths[whole][method.lower()]
    return found


def body_of(method: str, path: str) -> dict[str, Any]:
    """The schema of an operation's body."""
    operation = operation_at(method, path)
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    api = "2021-04-06" if path.startswith(OPEN) else "2023-03-30"
    found: dict[str, Any] = DOCUMENTS[api]["components"]["schemas"][name]
    return found
