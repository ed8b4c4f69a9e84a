"""Versions, aliases, services, switches, tags, keys for a time: over HTTP, in the words of each generation."""

from __future__ import annotations

from api.door import Caller, Door, creation, zipped

OPEN, CLASSIC = "/2021-04-06", "/2016-08-15"
ASYNC = {"x-fc-invocation-type": "Async"}


def publish(caller: Caller, name: str = "f", description: str = "") -> str:
    """Publish a version of a function."""
    reply = caller("POST", f"/functions/{name}/versions", body={"description": description})
    assert reply.status == 200, reply.body
    version: str = reply.json["versionId"]
    return version


def service(caller: Caller, name: str = "s", **fields: object) -> None:
    """Create a service."""
    reply = caller("POST", f"{OPEN}/services", body={"serviceName": name, **fields})
    assert reply.status == 200, reply.body


def member(caller: Caller, name: str = "f", **fields: object) -> None:
    """Create a function of the service `s`."""
    reply = caller("POST", f"{OPEN}/services/s/functions", body=creation(name, **fields))
    assert reply.status == 200, reply.body


def test_a_version_is_what_the_function_was(caller: Caller) -> None:
    """An update leaves it as it is; it is got, listed newest first, and deleted."""
    caller.create(timeout=7)
    assert (publish(caller, description="one"), publish(caller)) == ("1", "2")
    caller("PUT", "/functions/f", body={"timeout": 9})

    assert caller("GET", "/functions/f", {"qualifier": "1"}).json["timeout"] == 7
    assert caller("GET", "/functions/f").json["timeout"] == 9
    listed = caller("GET", "/functions/f/versions", {"limit": "1"}).json
    assert [each["versionId"] for each in listed["versions"]] == ["2"]
    rest = caller("GET", "/functions/f/versions", {"nextToken": listed["nextToken"]}).json
    assert [(each["versionId"], each["description"]) for each in rest["versions"]] == [("1", "one")]
    forward = caller("GET", "/functions/f/versions", {"direction": "FORWARD"}).json["versions"]
    assert [each["versionId"] for each in forward] == ["1", "2"]
    assert caller("DELETE", "/functions/f/versions/2").status == 204
    assert publish(caller) == "3"
    caller("GET", "/functions/f", {"qualifier": "2"}).refused(404, "VersionNotFound")
    assert [one.name for one in caller.door.catalog.functions(caller.account_id)] == ["f"]


def test_a_task_keeps_the_version_that_its_alias_meant(caller: Caller) -> None:
    """At the submit; moving the alias changes nothing for it."""
    caller.create()
    first, second = publish(caller), publish(caller)
    caller("POST", "/functions/f/aliases", body={"aliasName": "prod", "versionId": first})
    reply = caller("POST", "/functions/f/invocations", {"qualifier": "prod"}, headers=ASYNC)
    task_id = reply.headers["x-fc-async-task-id"]
    caller("PUT", "/functions/f/aliases/prod", body={"versionId": second})

    catalog = caller.door.catalog
    function = catalog.function(caller.account_id, "f")
    task = caller.door.run(caller.door.queue.find(function, task_id))
    assert (task.qualifier, task.function_id) == ("prod", function.id)
    assert catalog.by_id(task.runs).version == first
    assert caller("GET", f"/functions/f/async-tasks/{task_id}").json["qualifier"] == "prod"
    assert len(caller("GET", "/functions/f/async-tasks", {"qualifier": "prod"}).json["tasks"]) == 1
    assert caller("GET", "/functions/f/async-tasks", {"qualifier": "LATEST"}).json["tasks"] == []
    assert len(caller("GET", "/functions/f/async-tasks").json["tasks"]) == 1
    caller("DELETE", f"/functions/f/versions/{second}").refused(409, "VersionInUse", "alias 'prod'")
    assert caller("DELETE", "/functions/f/aliases/prod").status == 204
    caller("GET", "/functions/f/aliases/prod").refused(404, "AliasNotFound")


def test_one_task_id_serves_all_versions(caller: Caller) -> None:
    """However an alias divides its calls, a duplicate is one."""
    caller.create()
    first, second = publish(caller), publish(caller)
    body = {"aliasName": "prod", "versionId": first, "additionalVersionWeight": {second: 0.5}}
    assert caller("POST", "/functions/f/aliases", body=body).json["additionalVersionWeight"] == {second: 0.5}
    statuses = [
        caller(
            "POST", "/functions/f/invocations", {"qualifier": "prod"}, headers={**ASYNC, "x-fc-async-task-id": "t"}
        ).status
        for _ in range(6)
    ]
    assert statuses == [202, 409, 409, 409, 409, 409]
    caller("POST", "/functions/f/aliases", body=body).refused(409, "AliasAlreadyExists")


def test_asynchronous_configurations_belong_to_qualifiers(caller: Caller) -> None:
    """Each has its own, and a task is treated by that of its own."""
    caller.create()
    version = publish(caller)
    path = "/functions/f/async-invoke-config"
    put = caller("PUT", path, {"qualifier": version}, body={"maxAsyncRetryAttempts": 0}).json
    assert put["functionArn"].endswith(f"functions/f/{version}")
    caller("GET", path).refused(404, "AsyncConfigNotExists")
    caller("PUT", path, {"qualifier": "nobody"}, body={}).refused(404, "VersionNotFound")
    caller("PUT", path, body={"maxAsyncRetryAttempts": 5})
    listed = caller("GET", "/async-invoke-configs").json["configs"]
    assert sorted(each["maxAsyncRetryAttempts"] for each in listed) == [0, 5]
    for qualifier, retries in ((version, 0), ("LATEST", 5)):
        reply = caller("POST", "/functions/f/invocations", {"qualifier": qualifier}, headers=ASYNC)
        function = caller.door.catalog.function(caller.account_id, "f")
        task = caller.door.run(caller.door.queue.find(function, reply.headers["x-fc-async-task-id"]))
        assert task.retries_max == retries
    assert caller("DELETE", path, {"qualifier": version}).status == 204


def test_a_service_lives_and_dies(caller: Caller) -> None:
    """It is listed, changed, tagged, and deleted when nothing is in it."""
    service(caller, description="first")
    caller("POST", f"{OPEN}/services", body={"serviceName": "s"}).refused(409, "ServiceAlreadyExists")
    reply = caller("PUT", f"{OPEN}/services/s", body={"description": "second"})
    assert (reply.json["description"], reply.json["serviceName"], bool(reply.headers["etag"])) == ("second", "s", True)
    stale = caller("PUT", f"{OPEN}/services/s", body={}, headers={"if-match": "stale"})
    stale.refused(412, "PreconditionFailed")
    member(caller)
    caller("DELETE", f"{OPEN}/services/s").refused(409, "ServiceNotEmpty", "functions")
    assert [each["serviceName"] for each in caller("GET", f"{CLASSIC}/services").json["services"]] == ["s"]
    assert caller("DELETE", f"{OPEN}/services/s/functions/f").status == 204
    assert caller("DELETE", f"{OPEN}/services/s").status == 204
    caller("GET", f"{OPEN}/services/s").refused(404, "ServiceNotFound", "service 's' does not exist")
    caller("GET", f"{OPEN}/services/s/functions/f").refused(404, "ServiceNotFound")


def test_a_service_decides_about_the_network_of_its_functions(caller: Caller) -> None:
    """When they are created, and when it changes."""
    service(caller, internetAccess=False)
    member(caller)
    catalog = caller.door.catalog
    assert not catalog.function(caller.account_id, "s$f").config.internet_access
    caller("PUT", f"{OPEN}/services/s", body={"internetAccess": True})
    assert catalog.function(caller.account_id, "s$f").config.internet_access


def test_functions_of_services_are_service_dollar_function_in_the_newest_generation(caller: Caller) -> None:
    """And one made there brings its service along."""
    service(caller)
    member(caller, initializer="index.init", initializationTimeout=9)
    assert caller("GET", "/functions/s%24f").json["functionName"] == "s$f"
    older = caller("GET", f"{OPEN}/services/s/functions/f").json
    assert (older["functionName"], older["initializer"], older["initializationTimeout"]) == ("f", "index.init", 9)
    assert caller("POST", "/functions", body=creation("other$g")).status == 200
    assert caller("GET", f"{CLASSIC}/services/other/functions").json["functions"][0]["functionName"] == "g"
    missing = caller("GET", f"{CLASSIC}/services/s/functions/nobody")
    missing.refused(404, "FunctionNotFound", "function 'nobody' does not exist in service 's'")


def test_a_service_is_published_as_a_whole(caller: Caller) -> None:
    """Its versions and aliases are those of its functions; the older path carries the qualifier."""
    service(caller)
    member(caller, timeout=7)
    version = caller("POST", f"{OPEN}/services/s/versions", body={"description": "one"}).json["versionId"]
    caller("PUT", f"{OPEN}/services/s/functions/f", body={"timeout": 9})
    caller("POST", f"{CLASSIC}/services/s/aliases", body={"aliasName": "prod", "versionId": version})

    assert caller("GET", f"{CLASSIC}/services/s.prod/functions/f").json["timeout"] == 7
    assert caller("GET", f"{OPEN}/services/s/functions/f", {"qualifier": "prod"}).json["timeout"] == 7
    assert caller("GET", "/functions/s%24f", {"qualifier": version}).json["timeout"] == 7
    assert caller("GET", f"{CLASSIC}/services/s/functions/f").json["timeout"] == 9
    reply = caller("POST", f"{CLASSIC}/services/s.prod/functions/f/invocations", headers=ASYNC)
    assert reply.status == 202
    listed = caller("GET", f"{CLASSIC}/services/s.prod/functions/f/stateful-async-invocations").json["invocations"]
    assert [each["qualifier"] for each in listed] == ["prod"]
    caller("POST", "/functions/s%24f/versions", body={}).refused(400, "InvalidArgument", "service")
    caller("DELETE", f"{OPEN}/services/s/versions/{version}").refused(409, "VersionInUse")
    assert caller("DELETE", f"{OPEN}/services/s/aliases/prod").status == 204
    assert caller("DELETE", f"{OPEN}/services/s/versions/{version}").status == 204
    caller("GET", f"{CLASSIC}/services/s.{version}/functions/f").refused(404, "VersionNotFound")


def test_a_disabled_function_takes_no_calls(caller: Caller) -> None:
    """With the reason, until it is enabled; waiting tasks stay."""
    caller.create()
    caller.submit()
    assert caller("POST", "/functions/f/invoke/disable", body={"reason": "broken"}).json == {"success": True}
    for headers in (ASYNC, {}):
        refused = caller("POST", "/functions/f/invocations", headers=headers)
        refused.refused(403, "FunctionInvocationDisabled", "function 'f' are disabled: broken")
    assert caller("GET", "/functions/f").json["invocationRestriction"] == {"disable": True, "reason": "broken"}
    assert [each["status"] for each in caller("GET", "/functions/f/async-tasks").json["tasks"]] == ["Enqueued"]
    assert caller("POST", "/functions/f/invoke/enable").json == {"success": True}
    assert caller("POST", "/functions/f/invocations", headers=ASYNC).status == 202
    caller("POST", "/functions/f/invoke/disable", body={"reason": 5}).refused(400, "InvalidArgument")


def test_the_code_can_be_had_for_a_while(caller: Caller, door: Door) -> None:
    """Byte for byte, by whoever has the address, and not with a letter of it changed."""
    caller.create()
    shown = caller("GET", "/functions/f/code").json
    assert door.http.get(shown["url"]).content == zipped()
    assert shown["checksum"] == caller.door.catalog.function(caller.account_id, "f").code.checksum
    changed = door.http.get(shown["url"].replace("x-fc-expires=1", "x-fc-expires=2"))
    assert (changed.status_code, changed.json()["Code"]) == (403, "SignatureNotMatch")
    bare = door.http.get(shown["url"].partition("?")[0])
    assert bare.status_code in (400, 403)


def test_tags_in_every_generation(caller: Caller) -> None:
    """Put on in one, seen in another, taken off in a third."""
    service(caller)
    member(caller)
    region, account = "test-1", caller.account_id
    arn = f"acs:fc:{region}:{account}:functions/s$f"
    body = {"ResourceType": "function", "ResourceId": [arn], "Tag": [{"Key": "a", "Value": "1"}, {"Key": "b"}]}
    assert caller("POST", "/tags-v2", body=body).status == 204
    older = {"resourceArn": f"acs:fc:{region}:{account}:services/s"}
    assert caller("POST", f"{OPEN}/tag", body={**older, "tags": {"c": "3"}}).status == 204
    assert caller("GET", f"{CLASSIC}/tag", older).json["tags"] == {"c": "3"}
    found = caller("GET", f"{OPEN}/tags").json["resources"]
    assert [each["tags"] for each in found] == [{"a": "1", "b": ""}, {"c": "3"}]
    rows = caller("GET", "/tags-v2", {"ResourceType": "function", "Tag": '[{"Key":"a","Value":"1"}]'}).json[
        "TagResources"
    ]
    assert [(each["TagKey"], each["TagValue"]) for each in rows] == [("a", "1"), ("b", "")]
    off = {"ResourceType": "function", "ResourceId": f'["{arn}"]', "TagKey": '["a"]'}
    assert caller("DELETE", "/tags-v2", off).status == 204
    assert caller("DELETE", f"{CLASSIC}/tag", body={**older, "all": True}).status == 204
    assert caller("GET", f"{OPEN}/tags").json["resources"] == [{"resourceArn": arn, "tags": {"b": ""}}]
    other = {**older, "resourceArn": "acs:fc:test-1:somebody:services/s", "tags": {"x": "y"}}
    caller("POST", f"{OPEN}/tag", body=other).refused(400, "InvalidArgument", "this account")


def test_what_an_account_can_ask(caller: Caller) -> None:
    """Settings, regions, capacities."""
    assert caller("GET", f"{OPEN}/account-settings").json["availableAZs"] == ["test-1"]
    assert caller("GET", "/regions").json["Regions"]["Region"][0]["RegionId"] == "test-1"
    assert caller("GET", f"{CLASSIC}/reservedCapacities").json == {"reservedCapacities": [], "nextToken": ""}
    assert caller("GET", f"{OPEN}/reserved-capacities").json == {"reservedCapacities": [], "nextToken": ""}


def test_on_demand_bounds_a_function(caller: Caller) -> None:
    """As reserved concurrency does, which it is."""
    service(caller)
    member(caller)
    path = f"{OPEN}/services/s/functions/f/on-demand-config"
    put = caller("PUT", path, body={"maximumInstanceCount": 3}).json
    assert put == {"resource": f"{caller.account_id}#s#LATEST#f", "maximumInstanceCount": 3}
    assert caller("GET", "/functions/s%24f/concurrency").json["reservedConcurrency"] == 3
    assert caller("GET", f"{CLASSIC}/on-demand-configs").json["configs"] == [put]
    assert caller("DELETE", path).status == 204


def test_a_name_with_two_services_is_none(caller: Caller) -> None:
    """One `$` and no more."""
    for name in ("a$b$c", "$f", "s$"):
        caller("POST", "/functions", body=creation(name)).refused(400, "InvalidArgument", "functionName")
