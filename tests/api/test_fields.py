"""Each field of the official models is effective, only describes and is shown, or is refused by its name."""

from __future__ import annotations

import base64
import inspect
import re
from typing import Any

import alibabacloud_fc20230330.models as newest
import alibabacloud_fc_open20210406.models as older
import msgspec
import pytest

from api import fields
from api.door import Caller, zipped
from api.everything import FUNCTION, MEMBER, OPEN, furnish
from api.fields import DESCRIBES, EFFECTIVE, REFUSED, Field

TABLE: dict[str, tuple[Any, dict[str, Field], str, str]] = {
    "CreateFunctionInput": (newest, fields.FUNCTION, "PUT", FUNCTION),
    "UpdateFunctionInput": (newest, fields.FUNCTION, "PUT", FUNCTION),
    "PutAsyncInvokeConfigInput": (newest, fields.ASYNC, "PUT", f"{FUNCTION}/async-invoke-config"),
    "PutConcurrencyInput": (newest, fields.CONCURRENCY, "PUT", f"{FUNCTION}/concurrency"),
    "PutProvisionConfigInput": (newest, fields.PROVISION, "PUT", f"{FUNCTION}/provision-config"),
    "PutScalingConfigInput": (newest, fields.SCALING, "PUT", f"{FUNCTION}/scaling-config"),
    "CreateTriggerInput": (newest, fields.TRIGGER, "PUT", f"{FUNCTION}/triggers/t"),
    "UpdateTriggerInput": (newest, fields.TRIGGER, "PUT", f"{FUNCTION}/triggers/t"),
    "CreateAliasInput": (newest, fields.ALIAS, "PUT", f"{FUNCTION}/aliases/a"),
    "UpdateAliasInput": (newest, fields.ALIAS, "PUT", f"{FUNCTION}/aliases/a"),
    "PublishVersionInput": (newest, {"description": fields.ALIAS["description"]}, "POST", f"{FUNCTION}/versions"),
    "CreateFunctionRequest": (older, fields.OLDER_FUNCTION, "PUT", MEMBER),
    "UpdateFunctionRequest": (older, fields.OLDER_FUNCTION, "PUT", MEMBER),
    "CreateServiceRequest": (older, fields.SERVICE, "PUT", f"{OPEN}/services/s"),
    "UpdateServiceRequest": (older, fields.SERVICE, "PUT", f"{OPEN}/services/s"),
    "PutFunctionAsyncInvokeConfigRequest": (older, fields.ASYNC, "PUT", f"{MEMBER}/async-invoke-config"),
    "PutFunctionOnDemandConfigRequest": (older, fields.ON_DEMAND, "PUT", f"{MEMBER}/on-demand-config"),
    "PutProvisionConfigRequest": (older, fields.PROVISION, "PUT", f"{MEMBER}/provision-config"),
    "CreateTriggerRequest": (older, fields.TRIGGER, "PUT", f"{MEMBER}/triggers/t"),
    "UpdateTriggerRequest": (older, fields.TRIGGER, "PUT", f"{MEMBER}/triggers/t"),
    "CreateAliasRequest": (older, fields.ALIAS, "PUT", f"{OPEN}/services/s/aliases/a"),
    "UpdateAliasRequest": (older, fields.ALIAS, "PUT", f"{OPEN}/services/s/aliases/a"),
    "PublishServiceVersionRequest": (
        older,
        {"description": fields.ALIAS["description"]},
        "POST",
        f"{OPEN}/services/s/versions",
    ),
}
"""By the official model of a body: its package, the verdicts, and where a value is tried on something that is there."""
QUERIES: dict[str, tuple[Any, str]] = {
    "ListFunctionsRequest": (newest, "/functions"),
    "ListAsyncTasksRequest": (newest, f"{FUNCTION}/async-tasks"),
    "ListInstancesRequest": (newest, f"{FUNCTION}/instances"),
    "ListAliasesRequest": (newest, f"{FUNCTION}/aliases"),
    "ListFunctionVersionsRequest": (newest, f"{FUNCTION}/versions"),
    "ListTriggersRequest": (newest, f"{FUNCTION}/triggers"),
    "ListAsyncInvokeConfigsRequest": (newest, "/async-invoke-configs"),
    "ListConcurrencyConfigsRequest": (newest, "/concurrency-configs"),
    "GetAsyncTaskRequest": (newest, f"{FUNCTION}/async-tasks/t1"),
    "GetFunctionRequest": (newest, FUNCTION),
    "GetFunctionCodeRequest": (newest, f"{FUNCTION}/code"),
    "ListServicesRequest": (older, f"{OPEN}/services"),
    "ListServiceVersionsRequest": (older, f"{OPEN}/services/s/versions"),
    "ListStatefulAsyncInvocationsRequest": (older, f"{MEMBER}/stateful-async-invocations"),
    "GetStatefulAsyncInvocationRequest": (older, f"{MEMBER}/stateful-async-invocations/t1"),
    "ListStatefulAsyncInvocationFunctionsRequest": (older, f"{OPEN}/stateful-async-invocation-functions"),
    "ListFunctionAsyncInvokeConfigsRequest": (older, f"{MEMBER}/async-invoke-configs"),
    "ListOnDemandConfigsRequest": (older, f"{OPEN}/on-demand-configs"),
    "ListTaggedResourcesRequest": (older, f"{OPEN}/tags"),
}
INERT = {
    ("ListFunctionsRequest", "resourceGroupId"): "there are no resource groups",
    ("ListOnDemandConfigsRequest", "prefix"): "undocumented",
    ("ListInstancesRequest", "withAllActive"): "only together with a time",
    ("ListInstancesRequest", "startKey"): "there are no instances here, see test_instances",
}


def sent_by(package: Any, model: str) -> list[str]:
    """The names on the wire of a model's fields, as its own source sends them."""
    source = inspect.getsource(getattr(package, model).to_map)
    return sorted(set(re.findall(r"^        (?:    )*result\['([^']+)'\] =", source, re.MULTILINE)))


CASES = [
    pytest.param(model, name, id=f"{model}.{name}")
    for model, (package, *_) in TABLE.items()
    for name in sent_by(package, model)
]


@pytest.fixture
def full(caller: Caller) -> Caller:
    """An account that has one of everything."""
    return furnish(caller)


def held(caller: Caller) -> bytes:
    """Everything that the server holds of an account, without what only says that it changed."""
    door = caller.door
    found: list[object] = [each for each in door.store.data.functions.values() if each.account_id == caller.account_id]
    found += [each for each in door.store.data.services.values() if each.account_id == caller.account_id]
    ids = {each.id for each in found if hasattr(each, "id")}
    found += [each for each in door.store.data.triggers.values() if each.function_id in ids]
    text = msgspec.json.encode(found).decode()
    return re.sub(r'"(revision|epoch|modified_at|modifiedAt)":\d+', "", text).encode()


@pytest.mark.parametrize(("model", "name"), CASES)
def test_a_field_of_a_body(full: Caller, model: str, name: str) -> None:
    """As its verdict says."""
    _, verdicts, method, path = TABLE[model]
    field = verdicts[name]
    value = field.value
    if value == "ZIP":
        value = {"zipFile": base64.b64encode(zipped({"main.py": model})).decode()}
    if field.verdict == fields.NAMES:
        if name != "qualifier":
            refused = full(method, path, body={name: "another"})
            refused.refused(400, "InvalidArgument", name)
        return
    before = held(full)
    reply = full(method, path, body={**field.beside, name: value})
    if field.verdict == REFUSED:
        reply.refused(400, "InvalidArgument", name)
        assert held(full) == before
        return
    assert reply.status == 200, reply.body
    shown = reply.json.get("instanceConcurrency" if name == "InstanceConcurrency" else name)
    if field.verdict == DESCRIBES:
        assert shown == value
        return
    assert field.verdict == EFFECTIVE
    assert held(full) != before
    if name not in ("code", "triggerConfig"):  # code is not shown, and the text is written anew
        assert shown == value or (isinstance(value, dict) and value.items() <= shown.items())


def test_every_field_has_a_verdict() -> None:
    """A new version of a package may bring a field; it has to be judged before it is sent here."""
    missing = [
        f"{model}.{name}"
        for model, (package, verdicts, *_) in TABLE.items()
        for name in sent_by(package, model)
        if name not in verdicts
    ]
    assert missing == []
    assert len(CASES) > 150


@pytest.mark.parametrize(
    ("model", "name"),
    [
        pytest.param(model, name, id=f"{model}.{name}")
        for model, (package, _) in QUERIES.items()
        for name in sent_by(package, model)
        if (model, name) not in INERT
    ],
)
def test_a_parameter_of_a_query(full: Caller, model: str, name: str) -> None:
    """It changes the answer, or a value that cannot be is refused by its name."""
    _, path = QUERIES[model]
    plain = full("GET", path)
    assert plain.status == 200, plain.body
    wanted = {"tags": '[{"key":"zz"}]', "fcVersion": "v2", "sortOrderByTime": "sideways"}.get(name, "zz")
    reply = full("GET", path, {name: wanted})
    assert reply.status in (200, 400, 404)
    if reply.status == 200:
        drop = re.compile(rb'"requestId":"[^"]*"')
        assert drop.sub(b"", reply.body) != drop.sub(b"", plain.body), name
    else:
        assert name in reply.json["Message"] or reply.json["Code"] == "VersionNotFound"
