"""Asynchronous configuration and reserved concurrency over HTTP."""

from __future__ import annotations

import pytest
from alibabacloud_fc20230330 import models

from api.door import Caller

ASYNC, LIMIT = "/functions/f/async-invoke-config", "/functions/f/concurrency"


def test_an_async_config_is_put_in_parts(caller: Caller) -> None:
    """What a PUT does not give stays; null and absent are the same; both spellings of the qualifier mean one."""
    caller.create()
    first = caller("PUT", ASYNC, {"qualifier": "LATEST"}, body={"maxAsyncRetryAttempts": 0, "destinationConfig": None})
    assert first.status == 200
    second = caller("PUT", ASYNC, body={"maxAsyncEventAgeInSeconds": 60, "maxAsyncRetryAttempts": None}).json

    assert (second["maxAsyncRetryAttempts"], second["maxAsyncEventAgeInSeconds"]) == (0, 60)
    assert second["createdTime"] == first.json["createdTime"]
    assert caller("GET", ASYNC).json == caller("GET", ASYNC, {"qualifier": "LATEST"}).json == second
    task = caller.submit()
    assert (task.retries_max, task.expires_at - task.created_at) == (0, 60_000_000)


def test_what_is_ours_in_an_async_config_is_shown_when_it_is_set(caller: Caller) -> None:
    """A typed client of Function Compute sees nothing it does not know unless it was set; ours sees it."""
    caller.create()
    plain = caller("PUT", ASYNC, body={"queueWeight": 1}).json
    assert not {"retryIntervalSeconds", "retryIntervalMaxSeconds", "queueWeight"} & set(plain)
    ours = {"retryIntervalSeconds": 0, "retryIntervalMaxSeconds": 60, "queueWeight": 7}
    caller("PUT", ASYNC, body=ours)

    shown = caller("GET", ASYNC).json
    assert shown == plain | ours | {"lastModifiedTime": shown["lastModifiedTime"]}
    read = models.AsyncConfig().from_map(shown)
    assert (read.max_async_retry_attempts, read.function_arn) == (3, shown["functionArn"])
    refused = caller("PUT", ASYNC, body={"retryIntervalSeconds": 61})
    refused.refused(400, "InvalidArgument", "retryIntervalMaxSeconds must be at least")
    assert caller("GET", ASYNC).json == shown


def test_an_async_config_that_is_not_there_is_404(caller: Caller) -> None:
    """Before it is put, and after it is deleted."""
    caller.create()
    caller("GET", ASYNC).refused(404, "AsyncConfigNotExists", "function 'f' has no async invoke config")
    caller("DELETE", ASYNC).refused(404, "AsyncConfigNotExists")
    assert caller("PUT", ASYNC, body=b"").status == 200
    reply = caller("DELETE", ASYNC)
    assert (reply.status, reply.body) == (204, b"")
    caller("GET", ASYNC).refused(404, "AsyncConfigNotExists")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"maxAsyncRetryAttempts": 9}, "maxAsyncRetryAttempts must be a whole number between 0 and 8, got 9"),
        (
            {"maxAsyncEventAgeInSeconds": 0},
            "maxAsyncEventAgeInSeconds must be a whole number between 1 and 604800 seconds",
        ),
        ({"asyncTask": "yes"}, "asyncTask must be true or false, got 'yes'"),
        (
            {"retryIntervalSeconds": 9, "retryIntervalMaxSeconds": 8},
            "retryIntervalMaxSeconds must be at least retryIntervalSeconds (9), got 8",
        ),
        ([1], "request body must be a JSON object"),
    ],
)
def test_an_async_config_outside_its_bounds_is_refused(caller: Caller, body: object, words: str) -> None:
    """And nothing of it is kept."""
    caller.create()
    caller("PUT", ASYNC, body=body).refused(400, "InvalidArgument", words)
    caller("GET", ASYNC).refused(404, "AsyncConfigNotExists")


def test_reserved_concurrency_is_put_read_and_deleted(caller: Caller) -> None:
    """404 while there is none; 0 is one."""
    function = caller.create()
    caller("GET", LIMIT).refused(404, "ConcurrencyConfigNotExists", "function 'f' has no concurrency config")
    caller("DELETE", LIMIT).refused(404, "ConcurrencyConfigNotExists")
    put = caller("PUT", LIMIT, body={"reservedConcurrency": 0})
    assert put.json["reservedConcurrency"] == 0
    assert put.json["functionArn"].endswith(f":{function.account_id}:functions/f")
    assert caller("GET", LIMIT).json == put.json
    assert caller("DELETE", LIMIT).status == 204
    caller("GET", LIMIT).refused(404, "ConcurrencyConfigNotExists")


@pytest.mark.parametrize("value", [-1, 100_001, "1", None, 1.5])
def test_reserved_concurrency_outside_its_bounds_is_refused(caller: Caller, value: object) -> None:
    """Field, bound and value are told."""
    caller.create()
    reply = caller("PUT", LIMIT, body={"reservedConcurrency": value})
    reply.refused(400, "InvalidArgument", "reservedConcurrency must be a whole number between 0 and 100000")


@pytest.mark.parametrize("path", [ASYNC, LIMIT])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_function_or_qualifier_is_404(caller: Caller, path: str, method: str) -> None:
    """For every operation."""
    caller(method, path).refused(404, "FunctionNotFound")
    caller.create()
    caller(method, path, {"qualifier": "2"}).refused(404, "VersionNotFound")


@pytest.mark.parametrize(
    ("one", "many", "body"),
    [
        ("async-invoke-config", "/async-invoke-configs", {"maxAsyncRetryAttempts": 1}),
        ("concurrency", "/concurrency-configs", {"reservedConcurrency": 1}),
    ],
)
def test_configurations_are_listed_page_by_page(caller: Caller, one: str, many: str, body: object) -> None:
    """Of the functions that have one, by name; of one function by its name."""
    for name in ("a", "b", "c", "none"):
        caller.create(name)
        if name != "none":
            assert caller("PUT", f"/functions/{name}/{one}", body=body).status == 200
    first = caller("GET", many, {"limit": "2"}).json
    second = caller("GET", many, {"limit": "2", "nextToken": first["nextToken"]}).json
    names = [item["functionArn"].rpartition("/")[2] for item in first["configs"] + second["configs"]]

    assert (names, second["nextToken"]) == (["a", "b", "c"], "")
    assert len(caller("GET", many, {"functionName": "b"}).json["configs"]) == 1
    assert caller("GET", many, {"functionName": "none"}).json == {"configs": [], "nextToken": ""}
    caller("GET", many, {"limit": "0"}).refused(400, "InvalidArgument", "limit")
    caller("GET", many, {"nextToken": "x"}).refused(400, "InvalidArgument", "nextToken")
