"""Access tokens over HTTP: where one gets in, how far, and that no operation is left without a scope."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from api.door import VERSION, Caller, Door, Reply
from api.everything import FUNCTION, NAMES, WAYS, Heard, Way, furnish, heard, held, is_refusal, request
from sojourn.access import Scope

ORDER = list(Scope)


class Holder(NamedTuple):
    """A furnished account with a token of each scope."""

    caller: Caller
    texts: dict[Scope, str]

    def raw(self, way: Way, authorization: str) -> Heard:
        """The answer to a request that is not signed."""
        headers = {"host": self.caller.door.host, "authorization": authorization}
        return heard(self.caller.door.raw(request(way.method, way.at(NAMES), headers, way.body())))

    def ask(self, method: str, path: str, scope: Scope, body: bytes = b"", **headers: str) -> Heard:
        """The answer to a request with the token of a scope."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"host": self.caller.door.host, "authorization": f"Bearer {self.texts[scope]}"} | named
        return heard(self.caller.door.raw(request(method, path, given, body)))


def issue(caller: Caller, scope: Scope, **fields: object) -> Reply:
    """A new token."""
    return caller("POST", "/v1/tokens", body={"scope": scope.value, **fields})


@pytest.fixture(scope="module")
def holder(door: Door) -> Holder:
    """One for all."""
    caller = furnish(door.caller())
    return Holder(caller, {scope: issue(caller, scope).json["token"] for scope in Scope})


def needed(way: Way) -> Scope | None:
    """The scope that the description asks for, None where no token is taken."""
    for each in way.operation.get("security", []):
        if "token" in each:
            (name,) = each["token"]
            return Scope(name)
    return None


TAKING = [way for way in WAYS if way.path.startswith(("/v1/", VERSION + "/", "/openapi.json", "/metrics"))]
ELSEWHERE = [way for way in WAYS if way not in TAKING]
CHANGING = [way for way in TAKING if way.method not in ("GET", "HEAD")]


@pytest.mark.parametrize("way", CHANGING, ids=str)
def test_a_read_token_changes_nothing(holder: Holder, way: Way) -> None:
    """403 on every call that changes something, naming the scope that it needs; and nothing has changed."""
    before = held(holder.caller.door)
    answer = holder.raw(way, f"Bearer {holder.texts[Scope.READ]}")
    is_refusal(answer, native=way.native)
    assert (answer.status, answer.code) == (403, "InsufficientScope")
    wanted = needed(way) or Scope.ADMIN
    assert wanted is not Scope.READ
    assert f"'{wanted.value}'".encode() in answer.body
    assert b"has 'read'" in answer.body
    assert held(holder.caller.door) == before


@pytest.mark.parametrize("way", [way for way in TAKING if needed(way) is Scope.ADMIN], ids=str)
def test_an_operate_token_is_no_admin(holder: Holder, way: Way) -> None:
    """Functions, keys, tokens and configurations are not its business."""
    answer = holder.raw(way, f"Bearer {holder.texts[Scope.OPERATE]}")
    assert (answer.status, answer.code) == (403, "InsufficientScope")
    assert b"'admin'" in answer.body


def test_every_operation_says_its_scope() -> None:
    """What looks needs `read`, what changes does not; and some of each kind are there."""
    scopes = {way: needed(way) for way in TAKING if "deprecated" not in way.operation}
    assert None not in scopes.values()
    assert set(scopes.values()) == set(Scope)
    looking = [way for way, scope in scopes.items() if scope is Scope.READ]
    assert {way.method for way in looking} == {"GET"}
    operating = {way.operation["operationId"] for way, scope in scopes.items() if scope is Scope.OPERATE}
    assert {"InvokeFunction", "StopAsyncTask", "ResendDelivery"} <= operating
    secrets = {way.operation["operationId"] for way in TAKING if way.method == "GET" and needed(way) is Scope.ADMIN}
    assert secrets == {"GetWebhookSecret", "ListTokens"}


@pytest.mark.parametrize("way", [way for way in TAKING if needed(way) is Scope.READ and not way.endless], ids=str)
def test_a_read_token_sees_everything(holder: Holder, way: Way) -> None:
    """No scope and no signature is asked for; what the owner alone may see stays the owner's."""
    answer = holder.raw(way, f"Bearer {holder.texts[Scope.READ]}")
    assert answer.status in (200, 403, 404), answer
    assert answer.status == 200 or answer.code in ("AccessDenied", "InstanceNotFound", "CodeNotFound") or way.names


@pytest.mark.parametrize("way", ELSEWHERE, ids=str)
def test_elsewhere_a_token_is_nobodys(holder: Holder, way: Way) -> None:
    """The older generations, and addresses of functions, where a bearer token is the function's own business."""
    before = held(holder.caller.door)
    answer = holder.raw(way, f"Bearer {holder.texts[Scope.ADMIN]}")
    assert 400 <= answer.status < 500
    assert held(holder.caller.door) == before


@pytest.mark.parametrize("text", ["", "x", "sjt_" + "A" * 43, "Bearer", "\xff", "x y"])
def test_another_text_gets_nobody_in(holder: Holder, text: str) -> None:
    """403, as an unknown key."""
    way = next(way for way in WAYS if way.path == "/v1/isolation")
    answer = holder.raw(way, f"Bearer {text}")
    is_refusal(answer, native=True)
    assert (answer.status, answer.code) == (403, "InvalidAccessToken")


def test_a_token_works_for_its_account_and_no_other(holder: Holder) -> None:
    """Functions are its own account's; `x-fc-account-id` must agree, as with a key; case of the scheme is free."""
    mine = holder.ask("GET", f"{VERSION}/functions", Scope.READ)
    assert (mine.status, b'"functionName":"f"' in mine.body) == (200, True)
    named = holder.ask("GET", f"{VERSION}/functions", Scope.READ, x_fc_account_id="somebody")
    assert (named.status, named.code) == (403, "AccessDenied")
    way = next(way for way in WAYS if way.path == "/v1/isolation")
    assert holder.raw(way, f"bearer {holder.texts[Scope.READ]}").status == 200
    stranger = holder.caller.door.caller()
    foreign = Holder(stranger, {Scope.READ: issue(stranger, Scope.READ).json["token"]})
    assert foreign.ask("GET", f"{VERSION}{FUNCTION}", Scope.READ).status == 404


def test_operate_submits_and_stops(holder: Holder) -> None:
    """What it is for; the stop's actor is the token's id."""
    headers = {"x_fc_invocation_type": "Async", "x_fc_async_task_id": "by-token"}
    path = f"{VERSION}{FUNCTION}"
    assert holder.ask("POST", f"{path}/invocations", Scope.READ, b"x", **headers).status == 403
    assert holder.ask("POST", f"{path}/invocations", Scope.OPERATE, b"x", **headers).status == 202
    assert holder.ask("PUT", f"{path}/async-tasks/by-token/stop", Scope.OPERATE).status == 204
    known = {each.id for each in holder.caller.door.tokens.of(holder.caller.account_id)}
    assert holder.caller.door.dispatcher.actors[-1] in known


def test_code_is_had_with_the_token_itself(holder: Holder) -> None:
    """A token cannot sign an address, so the address needs it."""
    answer = holder.ask("GET", f"{VERSION}{FUNCTION}/code", Scope.READ)
    path = answer.body.decode().split('"url":"', 1)[1].split('"', 1)[0].partition(holder.caller.door.host)[2]
    assert "?" not in path
    assert holder.ask("GET", path, Scope.READ).body[:2] == b"PK"
    assert heard(holder.caller.door.raw(request("GET", path, {"host": holder.caller.door.host}, b""))).status == 400


def test_tokens_are_made_listed_and_revoked(caller: Caller) -> None:
    """The text is in the answer of the creation and never again; a revoked one gets nobody in."""
    made = issue(caller, Scope.READ, name="dashboard", expiresInSeconds=3600)
    assert made.status == 201
    token = made.json
    assert (token["scope"], token["name"]) == ("read", "dashboard")
    assert token["expiration"] > token["createdTime"]
    lasting = issue(caller, Scope.ADMIN).json
    assert lasting["expiration"] is None
    listed = caller("GET", "/v1/tokens")
    assert listed.json["tokens"] == [
        {name: value for name, value in each.items() if name != "token"} for each in (token, lasting)
    ]
    mine = Holder(caller, {Scope.READ: token["token"]})
    assert mine.ask("GET", "/v1/isolation", Scope.READ).status == 200
    assert caller("DELETE", f"/v1/tokens/{token['id']}").status == 204
    assert mine.ask("GET", "/v1/isolation", Scope.READ).code == "InvalidAccessToken"
    caller("DELETE", f"/v1/tokens/{token['id']}").refused(404, "AccessTokenNotFound", token["id"])
    other = caller.door.caller()
    other("DELETE", f"/v1/tokens/{lasting['id']}").refused(404, "AccessTokenNotFound")
    assert other("GET", "/v1/tokens").json == {"tokens": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scope"),
        ({"scope": "root"}, "scope"),
        ({"scope": ["read"]}, "scope"),
        ({"scope": "read", "name": 5}, "name"),
        ({"scope": "read", "name": "x" * 129}, "name"),
        ({"scope": "read", "expiresInSeconds": 59}, "expiresInSeconds"),
        ({"scope": "read", "expiresInSeconds": True}, "expiresInSeconds"),
        ({"scope": "read", "until": 1}, "until"),
    ],
)
def test_bad_input_names_its_field(caller: Caller, body: dict[str, object], field: str) -> None:
    """And no token is made."""
    reply = caller("POST", "/v1/tokens", body=body)
    reply.refused(400, "InvalidArgument", field)
    assert reply.json["field"] == field
    assert caller("GET", "/v1/tokens").json == {"tokens": []}


def test_what_is_good_for_a_time_makes_nothing_that_outlives_it(caller: Caller) -> None:
    """Neither a token for a time, nor a key for a time, makes a token; such a token makes no key."""
    text = issue(caller, Scope.ADMIN, expiresInSeconds=3600).json["token"]
    mine = Holder(caller, {Scope.ADMIN: text})
    for path, body in (("/v1/tokens", b'{"scope":"read"}'), ("/v1/credentials", b"{}")):
        answer = mine.ask("POST", path, Scope.ADMIN, body)
        assert (answer.status, answer.code) == (403, "AccessDenied")
    key = caller.door.run(caller.door.catalog.create_temporary_key(caller.account_id, 900))
    headers = {"x-acs-security-token": key.token}
    reply = Caller(caller.door, key)("POST", "/v1/tokens", body={"scope": "read"}, headers=headers)
    reply.refused(403, "AccessDenied", "for a time")
    assert len(caller("GET", "/v1/tokens").json["tokens"]) == 1
