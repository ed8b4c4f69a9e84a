"""What both clients ask about functions, services, versions, aliases, triggers and configurations, of a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client.driven import Driven
from end_to_end.functions import ECHO, HANDLER, RUNTIME
from live import LiveServer, archive
from sojourn.client import Client, Conflict, Connection, HttpConfig, NotFound, Refused, TimerConfig, Unauthorized

CODE = archive(ECHO)
MANY = 101
"""More than a page holds."""


@pytest.fixture(scope="module")
def live() -> Iterator[LiveServer]:
    """The server."""
    with LiveServer() as running:
        yield running


@pytest.fixture
def verbs(kind: str, live: LiveServer) -> Driven:
    """A client of it, which has a function of its own, named after its kind."""
    made = Driven(kind, live.client().connection)
    made.deploy(kind, CODE, handler=HANDLER, runtime=RUNTIME)
    return made


def test_services_versions_and_aliases(verbs: Driven, kind: str) -> None:
    """Of a function and of a service: the same verbs, told whose."""
    service = f"s-{kind}"
    assert verbs.create_service(service, description="d").service_name == service
    with pytest.raises(Conflict):
        verbs.create_service(service)
    assert verbs.update_service(service, internet_access=True).description == "d"
    assert service in [each.service_name for each in verbs.list_services(prefix="s-")]
    for owner, of_service in ((kind, False), (service, True)):
        assert verbs.publish_version(owner, description="first", service=of_service).version_id == "1"
        assert verbs.publish_version(owner, service=of_service).version_id == "2"
        assert [each.version_id for each in verbs.list_versions(owner, service=of_service)] == ["2", "1"]
        assert verbs.create_alias(owner, "prod", "1", weights={"2": 0.25}, service=of_service).version_id == "1"
        changed = verbs.update_alias(owner, "prod", version="2", weights={}, service=of_service)
        assert (changed.version_id, changed.additional_version_weight) == ("2", {})
        assert verbs.get_alias(owner, "prod", service=of_service) == changed
        assert [each.alias_name for each in verbs.list_aliases(owner, service=of_service)] == ["prod"]
        with pytest.raises(Conflict):
            verbs.delete_version(owner, "2", service=of_service)
        verbs.delete_alias(owner, "prod", service=of_service)
        verbs.delete_version(owner, "2", service=of_service)
        with pytest.raises(NotFound):
            verbs.get_alias(owner, "prod", service=of_service)
    assert verbs.get_function(kind, qualifier="1").version_id == "1"
    verbs.delete_version(service, "1", service=True)
    verbs.delete_service(service)
    with pytest.raises(NotFound):
        verbs.get_service(service)


def test_triggers(verbs: Driven, kind: str) -> None:
    """Their configuration comes back as it was given; an address is there to be called."""
    timer = TimerConfig(cron_expression="0 0 4 * * *", payload="ü", enable=False)
    assert verbs.create_trigger(kind, "tick", timer, description="d").config == timer
    changed = verbs.update_trigger(kind, "tick", TimerConfig(cron_expression="@every 5m", enable=False))
    assert (changed.config.cron_expression, changed.description, changed.url) == ("@every 5m", "d", "")
    web = verbs.create_trigger(kind, "web", HttpConfig(auth_type="anonymous", methods=["GET"]))
    assert (web.config.auth_type, list(web.config.methods)) == ("anonymous", ["GET"])
    assert web.url.startswith("http://")
    assert verbs.get_trigger(kind, "web") == web
    assert [each.trigger_name for each in verbs.list_triggers(kind)] == ["tick", "web"]
    for name in ("tick", "web"):
        verbs.delete_trigger(kind, name)
    assert verbs.list_triggers(kind) == []


def test_configurations(verbs: Driven, kind: str) -> None:
    """By qualifier; listed; gone when they are deleted."""
    version = verbs.publish_version(kind).version_id
    verbs.put_async_config(kind, retries=5, on_success="https://hook.example/")
    assert verbs.put_async_config(kind, qualifier=version, retries=0).max_async_retry_attempts == 0
    mine = verbs.list_async_configs(kind)
    assert sorted(each.max_async_retry_attempts for each in mine) == [0, 5]
    assert verbs.get_async_config(kind).destination_config["onSuccess"]["destination"] == "https://hook.example/"
    verbs.delete_async_config(kind, qualifier=version)
    with pytest.raises(NotFound):
        verbs.get_async_config(kind, qualifier=version)
    verbs.put_concurrency(kind, 7)
    assert 7 in [each.reserved_concurrency for each in verbs.list_concurrency()]
    verbs.delete_concurrency(kind)
    assert verbs.put_provision(kind, 0, qualifier=version).target == 0
    assert verbs.get_provision(kind, qualifier=version).function_arn.endswith(f"{kind}/{version}")
    assert verbs.put_scaling(kind, 0).min_instances == 0
    assert verbs.get_scaling(kind).current_instances == 0
    assert kind in {each.function_arn.split("/")[1] for each in verbs.list_provision()}
    assert kind in {each.function_arn.split("/")[1] for each in verbs.list_scaling()}
    verbs.delete_provision(kind, qualifier=version)
    verbs.delete_scaling(kind)
    with pytest.raises(NotFound):
        verbs.get_scaling(kind)
    with pytest.raises(Refused):
        verbs.put_scaling(kind, -1)


def test_the_switch_code_and_tags(verbs: Driven, kind: str) -> None:
    """Off with a reason and on again; the archive as it was; tags of a function."""
    verbs.disable_function(kind, reason="why")
    assert (verbs.get_function(kind).disabled, verbs.get_function(kind).invocation_restriction["reason"]) == (
        True,
        "why",
    )
    verbs.enable_function(kind)
    assert verbs.get_function(kind).disabled is False
    assert verbs.download_code(kind) == CODE
    verbs.tag(kind, {"a": "1", "b": ""})
    assert verbs.tags(kind) == {"a": "1", "b": ""}
    verbs.untag(kind, ["a"])
    assert verbs.tags(kind) == {"b": ""}
    verbs.untag(kind)
    assert verbs.tags(kind) == {}


def test_a_key_for_a_time(verbs: Driven, kind: str, live: LiveServer) -> None:
    """It works with its token, and not without."""
    key = verbs.issue_key(seconds=900)
    assert key.expiration
    whole = Connection(live.endpoint, key.access_key_id, key.access_key_secret, key.security_token)
    assert Driven(kind, whole).get_function(kind).function_name == kind
    with pytest.raises(Unauthorized):
        Driven(kind, Connection(live.endpoint, key.access_key_id, key.access_key_secret)).get_function(kind)


def test_access_tokens(verbs: Driven, kind: str, live: LiveServer) -> None:
    """A client with one sends it instead of a signature; its scope holds; revoked, it opens nothing."""
    made = verbs.create_token("read", name=kind, seconds=900)
    assert made.expiration
    mine = Driven(kind, Connection(live.endpoint, token=made.token))
    assert mine.get_function(kind).function_name == kind
    with pytest.raises(Unauthorized, match="'operate'"):
        mine.submit(kind, b"x")
    assert kind in [each.name for each in verbs.list_tokens()]
    assert verbs.create_token().expiration is None
    verbs.revoke_token(made.id)
    with pytest.raises(Unauthorized, match="revoked"):
        mine.get_function(kind)


def test_lists_come_whole_however_many_pages(live: LiveServer) -> None:
    """More services than one page holds."""
    client: Client = live.client()
    for number in range(MANY):
        client.create_service(f"many-{number:03d}")
    assert [each.service_name for each in client.list_services(prefix="many-")] == [
        f"many-{n:03d}" for n in range(MANY)
    ]
