"""The audit trail over HTTP: every call that is to change something leaves one entry, and no other does."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from api.door import VERSION, Caller, Door
from api.everything import NAMES, WAYS, Way, furnish, heard, request, signed
from sojourn.errors import StoreFailed

TRAFFIC = {"InvokeFunction", "SubmitTask", "SubmitTasks", "ReportProgress"}
ADDRESSES = ("/http/", "/2016-08-15/proxy/")
CHANGING = [way for way in WAYS if way.method not in ("GET", "HEAD") and not way.path.startswith(ADDRESSES)]


def entries(caller: Caller, **query: str) -> list[dict[str, Any]]:
    """The account's trail, newest first."""
    found: list[dict[str, Any]] = caller("GET", "/v1/audit", {"limit": "100", **query}).json["entries"]
    return found


def test_an_entry_tells_who_did_what(caller: Caller) -> None:
    """When, with which key or token, which operation, on what, and what came of it."""
    made = caller("POST", "/v1/tokens", body={"scope": "operate"})
    token = made.json
    caller.create("f")
    task = caller.submit("f", x_fc_async_task_id="t1")
    assert task.name == "t1"
    authorization = {"host": caller.door.host, "authorization": f"Bearer {token['token']}"}
    stop = request("PUT", f"{VERSION}/functions/f/async-tasks/t1/stop", authorization, b"")
    assert heard(caller.door.raw(stop)).status == 204
    assert heard(caller.door.raw(stop)).status == 412
    stopped_twice, stopped, created, tokened = entries(caller)
    assert (tokened["operation"], tokened["actor"], tokened["status"]) == ("CreateToken", caller.key.id, 201)
    assert (tokened["target"], tokened["method"]) == ("/v1/tokens", "POST")
    assert (tokened["requestId"], tokened["account"]) == (made.headers["x-fc-request-id"], caller.account_id)
    assert (created["operation"], created["target"]) == ("CreateFunction", f"{VERSION}/functions")
    assert (stopped["operation"], stopped["actor"], stopped["status"]) == ("StopAsyncTask", token["id"], 204)
    assert (stopped_twice["status"], stopped_twice["code"]) == (412, "AsyncTaskAlreadyCompleted")
    times = [each["time"] for each in entries(caller)]
    assert times == sorted(times, reverse=True)
    assert token["token"] not in repr(entries(caller))


@pytest.mark.parametrize("way", CHANGING, ids=str)
def test_every_change_leaves_one_entry(door: Door, way: Way) -> None:
    """Whatever comes of it; submissions and calls do not, and looking at it does not."""
    caller = furnish(door.caller())
    before = len(entries(caller))
    target, body = way.at(NAMES), way.body()
    answer = heard(door.raw(request(way.method, target, signed(caller, way.method, target, body), body)))
    after = entries(caller)
    if way.operation["operationId"] in TRAFFIC:
        assert len(after) == before
        return
    assert len(after) == before + 1
    assert after[0]["operation"]
    assert (after[0]["status"], after[0]["target"]) == (answer.status, target)
    assert after[0]["code"] == (orjson.loads(answer.body)["Code"] if answer.status >= 400 else "")


def test_pages_and_whose(door: Door, caller: Caller) -> None:
    """Each entry once; of one's own account, and of another one for the operator."""
    for name in ("a", "b", "c"):
        caller.create(name)
    first = caller("GET", "/v1/audit", {"limit": "2"}).json
    second = caller("GET", "/v1/audit", {"limit": "2", "nextToken": first["nextToken"]}).json
    assert (len(first["entries"]), len(second["entries"]), second["nextToken"]) == (2, 1, "")
    assert entries(door.owner, account=caller.account_id) == entries(caller)
    other = door.caller()
    assert entries(other) == []
    other("GET", "/v1/audit", {"account": caller.account_id}).refused(403, "AccessDenied")
    caller("GET", "/v1/audit", {"nextToken": "x"}).refused(400, "InvalidArgument", "nextToken")


def test_a_trail_that_cannot_be_written_undoes_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller hears what became of its call; the log hears of the entry."""

    async def fails(_: object) -> None:
        raise StoreFailed("full")

    monkeypatch.setattr(caller.door.store, "add_audit", fails)
    caller.create("f")
    assert "the audit trail lacks" in caplog.text
