"""Every operation that this server has, by generation, and what it is asked and answers in one life.

The rows stand in the order of that life. An operation that has no path in a generation does not exist there.
`{service}` is `s`, or `s.LATEST` where 2016-08-15 has the qualifier in the path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from api.door import creation

S, F = "/services/{service}", "/services/{service}/functions/f"
TIMER = {
    "triggerName": "tick",
    "triggerType": "timer",
    "triggerConfig": json.dumps({"cronExpression": "@every 999m"}),
}
ASYNC = {"x-fc-invocation-type": "Async"}
TAGGED = {"resourceArn": "services/s"}
BOTH = ("2016-08-15", "2021-04-06")
GENERATIONS = (*BOTH, "2023-03-30")


class Row(NamedTuple):
    """An operation: its name and path in 2.0, in 3.0, its method, its body, the status of its answer."""

    older: str
    newest: str
    method: str
    older_path: str
    newest_path: str
    body: object = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    only: str = ""
    """The one older generation that has it."""

    def path(self, generation: str) -> str:
        """Its path there, "" when it is not there."""
        if generation not in BOTH:
            return self.newest_path
        return self.older_path if self.only in ("", generation) else ""

    def name(self, generation: str) -> str:
        """What it is called there."""
        return self.older if generation in BOTH else self.newest or self.older


def both(name: str, method: str, older: str, newest: str, body: object = b"", *, status: int = 200) -> Row:
    """An operation of the same name everywhere."""
    return Row(name, name, method, older, newest, body, status)


OPERATIONS = (
    Row("CreateService", "", "POST", "/services", "", {"serviceName": "s"}),
    Row("GetService", "", "GET", S, ""),
    Row("UpdateService", "", "PUT", "/services/s", "", {"description": "d"}),
    Row("ListServices", "", "GET", "/services", ""),
    both("CreateFunction", "POST", "/services/s/functions", "/functions", creation("f")),
    both("GetFunction", "GET", F, "/functions/f"),
    both("UpdateFunction", "PUT", "/services/s/functions/f", "/functions/f", {"timeout": 9}),
    both("ListFunctions", "GET", f"{S}/functions", "/functions"),
    both("GetFunctionCode", "GET", f"{F}/code", "/functions/f/code"),
    Row("PublishServiceVersion", "PublishFunctionVersion", "POST", "/services/s/versions", "/functions/f/versions", {}),
    Row("ListServiceVersions", "ListFunctionVersions", "GET", "/services/s/versions", "/functions/f/versions"),
    both(
        "CreateAlias",
        "POST",
        "/services/s/aliases",
        "/functions/f/aliases",
        {"aliasName": "prod", "versionId": "1"},
    ),
    both("GetAlias", "GET", "/services/s/aliases/prod", "/functions/f/aliases/prod"),
    both("UpdateAlias", "PUT", "/services/s/aliases/prod", "/functions/f/aliases/prod", {"description": "d"}),
    both("ListAliases", "GET", "/services/s/aliases", "/functions/f/aliases"),
    Row(
        "PutFunctionAsyncInvokeConfig",
        "PutAsyncInvokeConfig",
        "PUT",
        f"{F}/async-invoke-config",
        "/functions/f/async-invoke-config",
        {"maxAsyncRetryAttempts": 1},
    ),
    Row(
        "GetFunctionAsyncInvokeConfig",
        "GetAsyncInvokeConfig",
        "GET",
        f"{F}/async-invoke-config",
        "/functions/f/async-invoke-config",
    ),
    Row(
        "ListFunctionAsyncInvokeConfigs",
        "ListAsyncInvokeConfigs",
        "GET",
        "/services/s/functions/f/async-invoke-configs",
        "/async-invoke-configs",
    ),
    Row(
        "ListStatefulAsyncInvocationFunctions",
        "",
        "GET",
        "/stateful-async-invocation-functions",
        "",
        only="2021-04-06",
    ),
    Row("", "PutConcurrencyConfig", "PUT", "", "/functions/f/concurrency", {"reservedConcurrency": 3}),
    Row("", "GetConcurrencyConfig", "GET", "", "/functions/f/concurrency"),
    Row("", "ListConcurrencyConfigs", "GET", "", "/concurrency-configs"),
    Row("PutFunctionOnDemandConfig", "", "PUT", f"{F}/on-demand-config", "", {"maximumInstanceCount": 3}),
    Row("GetFunctionOnDemandConfig", "", "GET", f"{F}/on-demand-config", ""),
    Row("ListOnDemandConfigs", "", "GET", "/on-demand-configs", ""),
    both("PutProvisionConfig", "PUT", f"{F}/provision-config", "/functions/f/provision-config", {"target": 0}),
    both("GetProvisionConfig", "GET", f"{F}/provision-config", "/functions/f/provision-config"),
    both("ListProvisionConfigs", "GET", "/provision-configs", "/provision-configs"),
    Row("", "PutScalingConfig", "PUT", "", "/functions/f/scaling-config", {"minInstances": 0}),
    Row("", "GetScalingConfig", "GET", "", "/functions/f/scaling-config"),
    Row("", "ListScalingConfigs", "GET", "", "/scaling-configs"),
    both("CreateTrigger", "POST", "/services/s/functions/f/triggers", "/functions/f/triggers", TIMER),
    both("GetTrigger", "GET", "/services/s/functions/f/triggers/tick", "/functions/f/triggers/tick"),
    both(
        "UpdateTrigger",
        "PUT",
        "/services/s/functions/f/triggers/tick",
        "/functions/f/triggers/tick",
        {"description": "d"},
    ),
    both("ListTriggers", "GET", "/services/s/functions/f/triggers", "/functions/f/triggers"),
    both("InvokeFunction", "POST", f"{F}/invocations", "/functions/f/invocations", b"bytes"),
    Row(
        "InvokeFunction",
        "InvokeFunction",
        "POST",
        f"{F}/invocations",
        "/functions/f/invocations",
        b"bytes",
        202,
        {**ASYNC, "x-fc-stateful-async-invocation-id": "t"},
    ),
    Row(
        "GetStatefulAsyncInvocation",
        "GetAsyncTask",
        "GET",
        f"{F}/stateful-async-invocations/t",
        "/functions/f/async-tasks/t",
    ),
    Row(
        "ListStatefulAsyncInvocations",
        "ListAsyncTasks",
        "GET",
        f"{F}/stateful-async-invocations",
        "/functions/f/async-tasks",
    ),
    Row(
        "StopStatefulAsyncInvocation",
        "StopAsyncTask",
        "PUT",
        f"{F}/stateful-async-invocations/t",
        "/functions/f/async-tasks/t/stop",
        status=204,
    ),
    both("ListInstances", "GET", f"{F}/instances", "/functions/f/instances"),
    Row("", "DisableFunctionInvocation", "POST", "", "/functions/f/invoke/disable", {"abortOngoingRequest": False}),
    Row("", "EnableFunctionInvocation", "POST", "", "/functions/f/invoke/enable", {}),
    Row("TagResource", "", "POST", "/tag", "", {**TAGGED, "tags": {"a": "1"}}, 204),
    Row("GetResourceTags", "", "GET", "/tag", "", query=TAGGED),
    Row("ListTaggedResources", "", "GET", "/tags", "", only="2021-04-06"),
    Row("UntagResource", "", "PUT", "/tag", "", {**TAGGED, "tagKeys": ["a"]}, 204, only="2021-04-06"),
    Row("UntagResource", "", "DELETE", "/tag", "", {**TAGGED, "tagKeys": ["a"]}, 204, only="2016-08-15"),
    Row(
        "",
        "TagResources",
        "POST",
        "",
        "/tags-v2",
        {"ResourceType": "function", "ResourceId": ["f"], "Tag": [{"Key": "a", "Value": "1"}]},
        204,
    ),
    Row("", "ListTagResources", "GET", "", "/tags-v2"),
    Row("", "UntagResources", "DELETE", "", "/tags-v2", status=204, query={"ResourceId": '["f"]', "All": "True"}),
    Row("ListReservedCapacities", "", "GET", "/reservedCapacities", "", only="2016-08-15"),
    Row("ListReservedCapacities", "", "GET", "/reserved-capacities", "", only="2021-04-06"),
    both("GetAccountSettings", "GET", "/account-settings", "/account-settings"),
    Row("", "DescribeRegions", "GET", "", "/regions"),
    both("DeleteTrigger", "DELETE", "/services/s/functions/f/triggers/tick", "/functions/f/triggers/tick", status=204),
    both("DeleteAlias", "DELETE", "/services/s/aliases/prod", "/functions/f/aliases/prod", status=204),
    Row(
        "DeleteServiceVersion",
        "DeleteFunctionVersion",
        "DELETE",
        "/services/s/versions/1",
        "/functions/f/versions/1",
        status=204,
    ),
    Row(
        "DeleteFunctionAsyncInvokeConfig",
        "DeleteAsyncInvokeConfig",
        "DELETE",
        f"{F}/async-invoke-config",
        "/functions/f/async-invoke-config",
        status=204,
    ),
    Row("", "DeleteConcurrencyConfig", "DELETE", "", "/functions/f/concurrency", status=204),
    Row("DeleteFunctionOnDemandConfig", "", "DELETE", f"{F}/on-demand-config", "", status=204),
    Row("", "DeleteProvisionConfig", "DELETE", "", "/functions/f/provision-config", status=204),
    Row("", "DeleteScalingConfig", "DELETE", "", "/functions/f/scaling-config", status=204),
    both("DeleteFunction", "DELETE", "/services/s/functions/f", "/functions/f", status=204),
    Row("DeleteService", "", "DELETE", "/services/s", "", status=204),
)
LEFT_OUT_OF_CLASSIC = """
POST /custom-domains CreateCustomDomain
GET /custom-domains ListCustomDomains
GET /custom-domains/x GetCustomDomain
PUT /custom-domains/x UpdateCustomDomain
DELETE /custom-domains/x DeleteCustomDomain
GET /layers ListLayers
POST /layers/x/versions CreateLayerVersion
GET /layers/x/versions ListLayerVersions
GET /layers/x/versions/1 GetLayerVersion
DELETE /layers/x/versions/1 DeleteLayerVersion
PUT /layers/x/acl PutLayerACL
GET /layerarn/x GetLayerVersionByArn
POST /services/s/bindings CreateVpcBinding
GET /services/s/bindings ListVpcBindings
DELETE /services/s/bindings/x DeleteVpcBinding
GET /services/s/functions/f/instances/i/exec InstanceExec
GET /accountConfigs GetAccountConfigs
GET /tempBucketToken GetTempBucketToken
GET /services/s/tempCodeBucketToken GetTempCodeBucketToken
"""
"""What the clients of 2016-08-15 can ask beside these; what those of the others can is read from their source."""
