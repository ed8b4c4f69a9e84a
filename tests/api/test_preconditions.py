"""ETags and `If-Match`, in the generations that have them: over raw HTTP, and as the official clients send them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from alibabacloud_fc_open20210406 import models
from alibabacloud_tea_util.models import RuntimeOptions

from api.door import Caller, creation
from end_to_end.generations import Classic, Open, Refused, refusing
from live import LiveServer

OPEN, CLASSIC = "/2021-04-06", "/2016-08-15"
RIVALS = 8
FAR = '{"cronExpression": "@every 1000m", "payload": "", "enable": true}'


@pytest.fixture
def things(caller: Caller) -> Caller:
    """A caller with a service, a version of it, an alias, a function and a timer."""
    for path, body in (
        ("/services", {"serviceName": "s"}),
        ("/services/s/functions", creation("f")),
        ("/services/s/versions", {}),
        ("/services/s/aliases", {"aliasName": "prod", "versionId": "1"}),
        (
            "/services/s/functions/f/triggers",
            {"triggerName": "tick", "triggerType": "timer", "triggerConfig": FAR},
        ),
    ):
        reply = caller("POST", OPEN + path, body=body)
        assert (reply.status, bool(reply.headers.get("etag"))) == (200, "versions" not in path), reply.body
    assert (
        caller("PUT", f"{OPEN}/services/s/functions/f/on-demand-config", body={"maximumInstanceCount": 3}).status == 200
    )
    return caller


CHANGES: dict[str, Callable[[int], dict[str, object]]] = {
    "/services/s": lambda number: {"description": f"d{number}"},
    "/services/s/functions/f": lambda number: {"timeout": 10 + number},
    "/services/s/aliases/prod": lambda number: {"description": f"d{number}"},
    "/services/s/functions/f/triggers/tick": lambda number: {"description": f"d{number}"},
    "/services/s/functions/f/on-demand-config": lambda number: {"maximumInstanceCount": 10 + number},
}
"""What has an ETag, and a body that changes it."""


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_of_what_was_not_seen_is_refused(things: Caller, path: str) -> None:
    """The ETag of a look lets one change through, in both generations; the next one needs a new look."""
    seen = things("GET", OPEN + path).headers["etag"]
    assert things("GET", CLASSIC + path).headers["etag"] == seen
    reply = things("PUT", CLASSIC + path, body=CHANGES[path](1), headers={"if-match": seen})
    assert reply.status == 200, reply.body
    after = reply.headers["etag"]
    assert after != seen
    for headers in ({"if-match": seen}, {"if-match": f'"{seen}", "other"'}):
        things("PUT", OPEN + path, body=CHANGES[path](2), headers=headers).refused(
            412, "PreconditionFailed", "has been changed"
        )
        things("DELETE", OPEN + path, headers=headers).refused(412, "PreconditionFailed")
    assert things("GET", OPEN + path).headers["etag"] == after
    assert things("PUT", OPEN + path, body=CHANGES[path](3), headers={"if-match": "*"}).status == 200
    assert things("PUT", OPEN + path, body=CHANGES[path](4)).status == 200


@pytest.mark.parametrize("path", CHANGES)
def test_of_many_who_saw_the_same_one_wins(things: Caller, path: str) -> None:
    """At the same time over connections of their own: one 200, the others 412, and what stands is the winner's."""
    seen = things("GET", OPEN + path).headers["etag"]

    def change(number: int) -> tuple[int, str]:
        reply = things("PUT", OPEN + path, body=CHANGES[path](number), headers={"if-match": seen})
        return reply.status, reply.headers.get("etag", "")

    with ThreadPoolExecutor(RIVALS) as rivals:
        answers = list(rivals.map(change, range(RIVALS)))
    assert sorted(status for status, _ in answers) == [200, *[412] * (RIVALS - 1)]
    assert things("GET", OPEN + path).headers["etag"] in [found for status, found in answers if status == 200]


@pytest.mark.parametrize("path", [path for path in CHANGES if path != "/services/s"])
def test_a_deletion_and_a_change_of_the_same_sight_exclude_each_other(things: Caller, path: str) -> None:
    """Whichever is first, the other one is refused."""
    if path == "/services/s/functions/f":
        things("DELETE", f"{OPEN}{path}/triggers/tick")
    seen = things("GET", OPEN + path).headers["etag"]

    def act(method: str) -> int:
        body = CHANGES[path](1) if method == "PUT" else b""
        return things(method, OPEN + path, body=body, headers={"if-match": seen}).status

    with ThreadPoolExecutor(2) as rivals:
        put, deleted = rivals.map(act, ["PUT", "DELETE"])
    assert (put, deleted) in ((200, 412), (404, 204), (412, 204)), (put, deleted)


def test_a_provision_configuration_is_put_to_what_was_seen(things: Caller) -> None:
    """Under the ETag of a look, which stays while its instances come; a rival's put makes it an old one."""
    paths = [f"{version}/services/s/functions/f/provision-config" for version in (OPEN, CLASSIC)]
    one = {"qualifier": "1"}
    seen = things("PUT", paths[0], one, body={"target": 1}).headers["etag"]
    things.door.settled(things.account_id)
    for path in paths:
        look = things("GET", path, one)
        assert (look.headers["etag"], look.json["current"]) == (seen, 1)
    assert things("PUT", paths[1], one, body={"target": 2}, headers={"if-match": seen}).status == 200
    things("PUT", paths[0], one, body={"target": 3}, headers={"if-match": seen}).refused(412, "PreconditionFailed")
    assert things("GET", paths[0], one).json["target"] == 2
    assert things("PUT", paths[0], one, body={"target": 0}).status == 200


def test_what_is_not_shown_is_not_in_an_etag(things: Caller) -> None:
    """An alias of a service, a configuration of a function, or a timer that fires makes no sight an old one."""
    paths = ("/services/s", "/services/s/functions/f", "/services/s/functions/f/triggers/tick")
    before = [things("GET", OPEN + path).headers["etag"] for path in paths]
    things("POST", f"{OPEN}/services/s/aliases", body={"aliasName": "other", "versionId": "1"})
    things("PUT", f"{OPEN}/services/s/functions/f/async-invoke-config", body={"maxAsyncRetryAttempts": 1})
    door = things.door
    timer = door.timers.trigger(door.catalog.function(things.account_id, "s$f"), "tick")
    fired = door.run(door.timers._replace(timer, timer))
    assert fired.epoch == timer.epoch + 1
    assert [things("GET", OPEN + path).headers["etag"] for path in paths] == before


def test_a_version_is_published_of_what_was_seen(things: Caller) -> None:
    """PublishServiceVersion, under the ETag of the service."""
    seen = things("GET", f"{OPEN}/services/s").headers["etag"]
    path = f"{OPEN}/services/s/versions"
    assert things("POST", path, body={}, headers={"if-match": seen}).json["versionId"] == "2"
    things("PUT", f"{OPEN}/services/s", body={"description": "other"})
    things("POST", path, body={}, headers={"if-match": seen}).refused(412, "PreconditionFailed")
    assert [each["versionId"] for each in things("GET", path).json["versions"]] == ["2", "1"]


def test_the_newest_generation_has_none(things: Caller) -> None:
    """As in Function Compute 3.0: neither the header in answers, nor a condition in requests."""
    assert "etag" not in things("GET", "/functions/s$f").headers
    assert things("PUT", "/functions/s$f", body={"timeout": 9}, headers={"if-match": "stale"}).status == 200


@pytest.fixture
def server(things: Caller) -> LiveServer:
    """The door, as official clients are told of a server."""
    key = things.key
    credentials = {"endpoint": things.door.url, "accessKeyId": key.id, "accessKeySecret": key.secret}
    return cast(LiveServer, SimpleNamespace(credentials=credentials))


def stale(call: Callable[..., Any], *arguments: Any, **more: Any) -> None:
    """The call is refused because of its condition."""
    with pytest.raises(Refused) as raised:
        refusing(call)(*arguments, **more)
    assert (raised.value.status, raised.value.code) == (412, "PreconditionFailed")


def test_the_official_client_of_2021_04_06_sends_its_condition(server: LiveServer) -> None:
    """Service, function, alias and trigger: get, change under the ETag, and not a second time."""
    client, options = Open(server).client, RuntimeOptions()
    for get, change, names, request, headers in (
        (client.get_service, client.update_service_with_options, ["s"], models.UpdateServiceRequest(description="x"),
         models.UpdateServiceHeaders),
        (client.get_function, client.update_function_with_options, ["s", "f"], models.UpdateFunctionRequest(timeout=9),
         models.UpdateFunctionHeaders),
        (client.get_trigger, client.update_trigger_with_options, ["s", "f", "tick"],
         models.UpdateTriggerRequest(description="x"), models.UpdateTriggerHeaders),
        (client.get_alias, client.update_alias_with_options, ["s", "prod"], models.UpdateAliasRequest(description="x"),
         models.UpdateAliasHeaders),
    ):  # fmt: skip
        more = [] if get in (client.get_trigger, client.get_alias) else [getattr(models, _request(get))()]
        seen = get(*names, *more).headers["etag"]
        assert change(*names, request, headers(if_match=seen), options).headers["etag"] != seen
        stale(change, *names, request, headers(if_match=seen), options)
    stale(client.delete_function_with_options, "s", "f", models.DeleteFunctionHeaders(if_match="stale"), options)


def _request(call: Any) -> str:
    return "".join(word.capitalize() for word in call.__name__.split("_")) + "Request"


def test_the_official_client_of_2016_08_15_sends_its_condition(server: LiveServer) -> None:
    """The same, with the headers as the client documents them."""
    client = Classic(server).client
    for get, change, names, changed in (
        (client.get_service, client.update_service, ["s"], {"description": "x"}),
        (client.get_function, client.update_function, ["s", "f"], {"timeout": 9}),
        (client.get_trigger, client.update_trigger, ["s", "f", "tick"], {"description": "x"}),
        (client.get_alias, client.update_alias, ["s", "prod", "1"], {"description": "x"}),
    ):
        seen = get(*names[: 2 if get == client.get_alias else 3]).headers["etag"]
        assert change(*names, **changed, headers={"if-match": seen}).headers["etag"] != seen
        stale(change, *names, **changed, headers={"if-match": seen})
    stale(client.delete_alias, "s", "prod", headers={"if-match": "stale"})
    stale(client.publish_version, "s", headers={"if-match": "stale"})
