"""Addresses of functions: which trigger a request means, one for each version and alias, and those that are closed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.door import Caller, creation

RIVALS = 8
ANONYMOUS, SIGNED = '{"authType": "anonymous"}', '{"authType": "function"}'


def trigger(name: str, config: str = ANONYMOUS, qualifier: str | None = None) -> Mapping[str, object]:
    """The body of a CreateTrigger."""
    return {"triggerName": name, "triggerType": "http", "triggerConfig": config, "qualifier": qualifier}


@pytest.fixture
def web(caller: Caller) -> Caller:
    """A caller with a function `s$f`, its version 1 and an alias of that."""
    for path, body in (
        ("/2021-04-06/services", {"serviceName": "s"}),
        ("/2021-04-06/services/s/functions", creation("f")),
        ("/2021-04-06/services/s/versions", {}),
        ("/2021-04-06/services/s/aliases", {"aliasName": "prod", "versionId": "1"}),
    ):
        assert caller("POST", path, body=body).status == 200
    return caller


def asked(web: Caller, address: str) -> httpx.Response:
    """What somebody gets who does not sign and asks for a task."""
    url = address if address.startswith("http") else f"{web.door.url}{address}"
    headers = {"x-fc-invocation-type": "Async", "x-fc-account-id": web.account_id}
    return web.door.http.get(url, headers=headers)


def qualifier_of(web: Caller, answer: httpx.Response) -> str:
    """As what the task of an answer was asked for."""
    assert answer.status_code == 202, answer.text
    task = web("GET", f"/functions/s$f/async-tasks/{answer.headers['x-fc-async-task-id']}")
    return str(task.json["qualifier"])


def url_of(document: dict[str, Any]) -> str:
    """Where a trigger is reached."""
    return str((document["httpTrigger"] or {}).get("urlInternet", ""))


def test_each_version_and_alias_has_an_address(web: Caller) -> None:
    """Requests run the one whose address they ask at; without a qualifier that is LATEST, where LATEST has one."""
    triggers = "/functions/s$f/triggers"
    prod = url_of(web("POST", triggers, body=trigger("a-prod", qualifier="prod")).json)
    assert prod.endswith("/http/" + web.account_id + "/s$f.prod/")
    assert qualifier_of(web, asked(web, f"/http/{web.account_id}/s$f/x")) == "prod"  # it has no other

    latest = url_of(web("POST", triggers, body=trigger("b-latest")).json)
    one = url_of(web("POST", triggers, body=trigger("c-one", SIGNED, "1")).json)
    assert [qualifier_of(web, asked(web, url)) for url in (prod, latest, f"{latest}x")] == ["prod", "LATEST", "LATEST"]
    proxy = "/2016-08-15/proxy/s{}/f/x"
    assert [qualifier_of(web, asked(web, proxy.format(it))) for it in ("", ".LATEST", ".prod")] == [
        "LATEST",
        "LATEST",
        "prod",
    ]
    for url in (one, proxy.format(".1"), latest.replace("f/", "f.2/"), latest.replace("s$f", ".s$f")):
        assert asked(web, url).status_code in (400, 403), url
    document = web("GET", "/2021-04-06/services/s/functions/f/triggers/a-prod").json
    assert document["urlInternet"] == prod


def test_each_version_and_alias_has_one_address(web: Caller) -> None:
    """A second one is refused at create and at update; a version may take what another one gave up."""
    triggers = "/functions/s$f/triggers"
    for name, qualifier in (("latest", None), ("prod", "prod")):
        assert web("POST", triggers, body=trigger(name, qualifier=qualifier)).status == 200
    for qualifier, words in (("LATEST", "latest, and LATEST has one"), ("prod", "prod, and prod has one")):
        body = trigger("more", qualifier=qualifier)
        web("POST", triggers, body=body).refused(409, "TriggerAlreadyExists", words)
    web("PUT", f"{triggers}/prod", body={"qualifier": "LATEST"}).refused(409, "TriggerAlreadyExists")
    assert web("PUT", f"{triggers}/prod", body={"qualifier": "prod", "description": "same"}).status == 200
    assert web("PUT", f"{triggers}/prod", body={"qualifier": "1"}).status == 200
    assert web("POST", triggers, body=trigger("more", qualifier="prod")).status == 200


def test_of_many_triggers_at_once_one_gets_the_address(web: Caller) -> None:
    """Over connections of their own, under names of their own."""
    with ThreadPoolExecutor(RIVALS) as rivals:
        answers = list(
            rivals.map(lambda n: web("POST", "/functions/s$f/triggers", body=trigger(f"t{n}")).status, range(RIVALS))
        )
    assert sorted(answers) == [200, *[409] * (RIVALS - 1)]
    assert len(web("GET", "/functions/s$f/triggers").json["triggers"]) == 1


@pytest.mark.parametrize("kind", ["anonymous", "function"])
def test_an_address_that_is_closed_answers_nobody(web: Caller, kind: str) -> None:
    """403, also to who signs; it is not shown any more, and open again when the trigger says so."""
    own, proxy = f"/http/{web.account_id}/s$f/x", "/2016-08-15/proxy/s/f/x"
    config = {"authType": kind, "disableURLInternet": True}
    made = web("POST", "/functions/s$f/triggers", body=trigger("web", json.dumps(config))).json
    assert url_of(made) == ""
    for path in (own, proxy):
        web("GET", path).refused(403, "AccessDenied", "closed")
        assert asked(web, path).status_code in (400, 403)
    assert web("GET", "/functions/s$f/async-tasks").json["tasks"] == []

    config["disableURLInternet"] = False
    assert web("PUT", "/functions/s$f/triggers/web", body={"triggerConfig": json.dumps(config)}).status == 200
    assert [web("GET", path).status for path in (own, proxy)] == [200, 200]
