"""The native API: accounts, logs, isolation."""

from __future__ import annotations

import pytest

from api.door import Caller, Door, Reply
from sojourn.store import Log
from sojourn.task import Claimed, Returned, Started, Success


def problem(reply: Reply) -> None:
    """An error of `/v1` is a problem document that the other clients can read too."""
    assert reply.headers["content-type"] == "application/problem+json"
    document = reply.json
    assert (document["status"], document["detail"]) == (reply.status, document["Message"])
    assert document["type"] == f"urn:sojourn:problem:{document['Code']}"
    assert document["title"]


def test_the_owner_creates_accounts_whose_keys_work(door: Door) -> None:
    """The secret is in the answer of the creation and never again."""
    reply = door.owner("POST", "/v1/accounts", body={"accountId": "acme-1"})
    assert reply.status == 201
    assert set(reply.json) == {"accountId", "accessKeyId", "accessKeySecret"}
    key = door.catalog.key(reply.json["accessKeyId"])
    assert key is not None
    assert Caller(door, key)("GET", "/functions").status == 200

    listed = door.owner("GET", "/v1/accounts")
    assert {"accountId", "owner", "createdTime"} == set(listed.json["accounts"][0])
    assert listed.json["accounts"][0]["accountId"] == "owner"
    assert [one["owner"] for one in listed.json["accounts"]].count(True) == 1
    assert key.secret.encode() not in listed.body


@pytest.mark.parametrize("account_id", ["", "-a", "a/b", "x" * 65, 5, None])
def test_an_account_id_outside_its_bounds_is_refused(door: Door, account_id: object) -> None:
    """The problem names the field."""
    reply = door.owner("POST", "/v1/accounts", body={"accountId": account_id})
    reply.refused(400, "InvalidArgument", "accountId must start with a letter or digit")
    problem(reply)

    assert reply.json["field"] == "accountId"


def test_an_account_is_created_once(door: Door, caller: Caller) -> None:
    """409."""
    reply = door.owner("POST", "/v1/accounts", body={"accountId": caller.account_id})
    reply.refused(409, "AccountAlreadyExists", caller.account_id)
    problem(reply)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_accounts_are_the_owners_business(caller: Caller, method: str) -> None:
    """403 for anybody else."""
    reply = caller(method, "/v1/accounts", body={"accountId": "x"} if method == "POST" else b"")
    reply.refused(403, "AccessDenied", "only the account that operates this server")
    problem(reply)


def test_logs_are_read_attempt_by_attempt(caller: Caller) -> None:
    """As JSON, or as text; a line says where something was dropped; a running attempt's so far."""
    caller.create()
    task = caller.submit(x_fc_async_task_id="t1")
    path = "/v1/functions/f/tasks/t1/logs"
    assert caller("GET", path).json == {"logs": []}
    assert caller("GET", path, {"format": "text"}).body == b""

    door = caller.door
    running = door.advance(task, Claimed(1), Started("i"))
    door.begin(task, 1).output.write(b"so far")
    assert caller("GET", path).json == {"logs": [{"attempt": 1, "text": "so far", "dropped": 0}]}
    del door.dispatcher.attempts[task.id]

    door.advance(running, Returned(Success(result=b"")), log=Log(1, b"head\xff", b"tail\n", 9))
    text = "head\ufffd\n... 9 bytes dropped ...\ntail\n"
    assert caller("GET", path).json == {"logs": [{"attempt": 1, "text": text, "dropped": 9}]}
    raw = caller("GET", path, {"format": "text"})
    assert raw.body == b"head\xff\n... 9 bytes dropped ...\ntail\n"
    assert raw.headers["content-type"].startswith("text/plain")

    door.begin(task, 2).output.write(b"again")
    both = caller("GET", path, {"format": "text"}).body
    assert both == b"==> attempt 1 <==\nhead\xff\n... 9 bytes dropped ...\ntail\n\n==> attempt 2 <==\nagain\n"
    del door.dispatcher.attempts[task.id]


def test_logs_that_are_not_there_are_problems(caller: Caller) -> None:
    """Unknown function, unknown task, unknown format."""
    for path, code in [("nobody/tasks/t", "FunctionNotFound"), ("f/tasks/t", "AsyncTaskNotFound")]:
        if code == "AsyncTaskNotFound":
            caller.create()
        reply = caller("GET", f"/v1/functions/{path}/logs")
        reply.refused(404, code)
        problem(reply)
    reply = caller("GET", "/v1/functions/f/tasks/t/logs", {"format": "xml"})
    reply.refused(400, "InvalidArgument", "format must be one of")


def test_the_isolation_in_force_is_told_in_plain_words(door: Door, caller: Caller) -> None:
    """To everybody who has a key; the network is the caller's own."""
    told = {"text": "nothing separates accounts", "limits": "a guard looks"}
    expected = {"driver": "process", "level": 0, "multiAccount": False, **told}

    assert caller("GET", "/v1/isolation").json == expected | {"network": "none"}
    assert door.owner("GET", "/v1/isolation").json == expected | {"network": "host"}


def test_the_owner_sees_that_no_promise_was_broken(door: Door, caller: Caller) -> None:
    """The number of violations in all that the store holds; other accounts do not see it."""
    caller.create()
    caller.submit()
    found = door.owner("GET", "/v1/integrity").json

    assert (found["invariantViolations"], found["violations"]) == (0, [])
    assert found["tasks"] >= 1
    assert found["functions"] >= 1
    reply = caller("GET", "/v1/integrity")
    reply.refused(403, "AccessDenied", "only the account that operates this server")
    problem(reply)


def test_a_path_that_is_not_there_is_a_problem(caller: Caller) -> None:
    """404 and 405 of the router, too."""
    reply = caller("GET", "/v1/nothing")
    reply.refused(404, "PathNotSupported")
    problem(reply)
    reply = caller("DELETE", "/v1/accounts")
    reply.refused(405, "PathNotSupported", "'DELETE' against '/v1/accounts' is not supported")
    problem(reply)
