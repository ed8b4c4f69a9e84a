"""CreateFunction, GetFunction, UpdateFunction, DeleteFunction, ListFunctions over HTTP."""

from __future__ import annotations

import base64
import hashlib

import pytest

from api.door import VERSION, Caller, creation, zipped
from sojourn.api.commands.functions import UPLOAD_BYTES_MAX


def test_a_created_function_is_shown_without_its_code(caller: Caller) -> None:
    """200, and the same again from a GET, with and without a qualifier."""
    reply = caller("POST", "/functions", body=creation("f", memorySize=1024, description="words"))
    assert reply.status == 200
    assert (reply.json["functionName"], reply.json["memorySize"], reply.json["state"]) == ("f", 1024, "Active")
    assert reply.json["codeSize"] == len(zipped())
    assert "code" not in reply.json

    assert caller("GET", "/functions/f").json == reply.json
    assert caller("GET", "/functions/f", {"qualifier": "LATEST"}).json == reply.json
    caller("GET", "/functions/f", {"qualifier": "1"}).refused(404, "VersionNotFound")


def test_a_function_with_another_interpreter_says_so(caller: Caller) -> None:
    """In `runtimeNote`."""
    reply = caller("POST", "/functions", body=creation("f", runtime="python3.9"))

    assert reply.json["runtimeNote"] == "python3.9 is not here, it runs on 3.12.1"


def test_a_name_is_taken_once(caller: Caller) -> None:
    """409, and the first function is as it was."""
    before = caller.create(description="first")
    reply = caller("POST", "/functions", body=creation("f", description="second"))
    reply.refused(409, "FunctionAlreadyExists", "function 'f' already exists")

    assert caller.door.catalog.function(caller.account_id, "f") == before


def test_an_update_changes_what_it_gives(caller: Caller) -> None:
    """Settings, code, or both; null keeps the value; the name may be repeated, not changed."""
    before = caller.create(description="words")
    reply = caller("PUT", "/functions/f", body={"timeout": 9, "description": None, "functionName": "f"})
    assert (reply.json["timeout"], reply.json["description"]) == (9, "words")
    code = {"zipFile": base64.b64encode(zipped({"other.py": ""})).decode()}
    assert caller("PUT", "/functions/f", body={"code": code}).json["codeChecksum"] != before.code.checksum

    caller("PUT", "/functions/f", body={"functionName": "g"}).refused(400, "InvalidArgument", "functionName", "'g'")
    caller("PUT", "/functions/g", body={"timeout": 9}).refused(404, "FunctionNotFound", "'g'")
    caller("PUT", "/functions/f", body={"timeout": 0}).refused(400, "InvalidArgument", "timeout must be a whole")


def test_a_deleted_function_is_gone_and_its_name_free(caller: Caller) -> None:
    """204, then 404; a new one of that name is another generation."""
    before = caller.create()
    reply = caller("DELETE", "/functions/f")
    assert (reply.status, reply.body) == (204, b"")
    caller("GET", "/functions/f").refused(404, "FunctionNotFound", "function 'f' does not exist")
    caller("DELETE", "/functions/f").refused(404, "FunctionNotFound")

    assert caller.create().generation == before.generation + 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"functionName": "1f"}, "functionName must start with a letter or '_' and hold at most 64"),
        ({"functionName": None}, "functionName"),
        ({"runtime": None}, "runtime is required"),
        ({"handler": "x"}, "handler must be spelled module.function"),
        ({"memorySize": 100}, "memorySize must be a whole number between 128 and 32768 MB, got 100"),
        ({"timeout": 86401}, "timeout must be a whole number between 1 and 86400 seconds, got 86401"),
        ({"code": None}, "code must be an object with zipFile"),
        ({"code": {"zipFile": 5}}, "code must be an object with zipFile"),
        ({"code": {"ossBucketName": "b", "ossObjectName": "o"}}, "code must be an object with zipFile"),
        ({"code": {"zipFile": "not base64!"}}, "code.zipFile must be base64, got 'not base64!'"),
        ({"code": {"zipFile": "QUJD"}}, "code.zipFile must be a whole zip archive"),
        (
            {"code": {"zipFile": base64.b64encode(zipped({"../evil": ""})).decode()}},
            "code.zipFile must have names without '..' and without empty parts, got '../evil'",
        ),
        ({"layers": ["arn"]}, "layers is not supported"),
    ],
)
def test_a_creation_outside_its_bounds_is_refused(caller: Caller, fields: dict[str, object], words: str) -> None:
    """Field, bound and value are told, and no function and no code is there."""
    before = sorted(caller.door.catalog._code.directory(caller.account_id).iterdir())
    caller("POST", "/functions", body=creation("f") | fields).refused(400, "InvalidArgument", words)

    assert caller("GET", "/functions").json == {"functions": [], "nextToken": ""}
    assert sorted(caller.door.catalog._code.directory(caller.account_id).iterdir()) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "request body must be JSON"),
        (b"nonsense", "request body must be JSON"),
        (b'{"timeout": NaN}', "request body must be JSON"),
        (b'{"timeout": Infinity}', "request body must be JSON"),
        (b"{'a': 1}", "request body must be JSON"),
        (b'{"a": "\xff"}', "request body must be JSON"),
        (b'{"a": "\\ud800"}', "request body must be JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "request body must be JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "request body must be JSON"),
        (b"[]", "request body must be a JSON object"),
        (b'"text"', "request body must be a JSON object"),
        (b"null", "request body must be a JSON object"),
        (b'{"functionName": "f"}', "runtime is required"),
        (b"", "functionName"),
        (b'{"functionName": "f", "timeout": 1e400}', ""),
        (b'{"functionName": "f", "timeout": 123456789012345678901234567890}', ""),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(caller: Caller, body: bytes, words: str) -> None:
    """400 and never 500, however deep or odd it is."""
    caller("POST", "/functions", body=body).refused(400, "InvalidArgument", words)


def test_an_upload_over_its_bound_is_refused_before_it_is_sent(caller: Caller) -> None:
    """By what Content-Length announces; a body of settings has a smaller bound."""
    caller.create()
    for method, path, bound in [
        ("POST", "/functions", UPLOAD_BYTES_MAX),
        ("PUT", "/functions/f/async-invoke-config", 65536),
    ]:
        headers = caller.signed(method, VERSION + path, "", b"")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        size = f"content-length: {bound + 1}\r\nconnection: close\r\n\r\n"
        answer = caller.door.raw(f"{method} {VERSION}{path} HTTP/1.1\r\n{lines}{size}".encode())

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert f"maximum allowed size ({bound} bytes): the request body has {bound + 1} bytes".encode() in answer


def test_a_large_upload_is_accepted(caller: Caller) -> None:
    """More than one read of the socket, hashed beside the loop."""
    noise = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(80_000))
    archive = zipped({"index.py": "", "data.txt": base64.b64encode(noise).decode()})
    body = creation("f", code={"zipFile": base64.b64encode(archive).decode()})

    assert caller("POST", "/functions", body=body).json["codeSize"] == len(archive)


def test_functions_are_listed_by_name_page_by_page(caller: Caller) -> None:
    """Every one once; the last page has no token."""
    for name in ("c", "a", "b2", "b1"):
        caller.create(name)
    seen: list[str] = []
    token, pages = "", 0
    while token or not pages:
        reply = caller("GET", "/functions", {"limit": "2", "nextToken": token}).json
        seen += [function["functionName"] for function in reply["functions"]]
        token, pages = reply["nextToken"], pages + 1

    assert (seen, pages) == (["a", "b1", "b2", "c"], 2)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"prefix": "al"}, ["alpha"]),
        ({"functionName": "a"}, ["alpha", "beta"]),
        ({"description": "first"}, ["alpha"]),
        ({"runtime": "python3.9"}, ["beta"]),
        ({"fcVersion": "v3"}, ["alpha", "beta"]),
        ({"fcVersion": "v2"}, []),
        ({"gpuType": "any"}, []),
        ({"resourceGroupId": "rg"}, ["alpha", "beta"]),
        ({"tags": '[{"Key":"team","Value":"x"}]'}, ["alpha"]),
        ({"tags": '[{"key":"team"}]'}, ["alpha", "beta"]),
        ({"tags": '[{"key":"team","value":"x"},{"key":"none"}]'}, []),
        ({"tags": "[]"}, ["alpha", "beta"]),
        ({"prefix": "a", "runtime": "python3.9"}, []),
    ],
)
def test_every_filter_of_the_list_filters(caller: Caller, query: dict[str, str], names: list[str]) -> None:
    """Each alone, and together they all must hold."""
    caller.create("alpha", description="the first one", tags=[{"key": "team", "value": "x"}])
    caller.create("beta", runtime="python3.9", tags=[{"key": "team", "value": "y"}])

    assert [one["functionName"] for one in caller("GET", "/functions", query).json["functions"]] == names


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": "0"}, "limit must be a whole number between 1 and 100"),
        ({"limit": "101"}, "limit must be a whole number between 1 and 100"),
        ({"nextToken": "zzz"}, "nextToken must be a token"),
        ({"fcVersion": "v1"}, "fcVersion must be one of"),
        ({"tags": "team"}, "tags must be a JSON list"),
        ({"tags": '{"key":"k"}'}, "tags must be a JSON list"),
        ({"tags": '["k"]'}, "tags must be a JSON list"),
        ({"tags": '[{"value":"v"}]'}, "tags must be a JSON list"),
        ({"tags": '[{"key":1}]'}, "tags must be a JSON list"),
    ],
)
def test_a_list_parameter_outside_its_bounds_is_refused(caller: Caller, query: dict[str, str], words: str) -> None:
    """Field, bound and value are told."""
    caller("GET", "/functions", query).refused(400, "InvalidArgument", words)
