"""API 2021-04-06 (2.0, "fc-open"): functions of services, qualifiers in the query, ACS3."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.conform import signing
from sojourn.conform.wire import Document, Key, Request

from .generation import Function, Generation, Operation

_S = "/services/{service}"
_F = f"{_S}/functions/{{function}}"
_TASKS = f"{_F}/stateful-async-invocations"

SHARED: Mapping[str, Operation] = {
    "service.create": Operation("CreateService", "POST", "/services"),
    "service.list": Operation("ListServices", "GET", "/services"),
    "service.get": Operation("GetService", "GET", _S),
    "service.update": Operation("UpdateService", "PUT", _S),
    "service.delete": Operation("DeleteService", "DELETE", _S),
    "invoke": Operation("InvokeFunction", "POST", f"{_F}/invocations"),
    "task.get": Operation("GetStatefulAsyncInvocation", "GET", f"{_TASKS}/{{task}}"),
    "task.list": Operation("ListStatefulAsyncInvocations", "GET", _TASKS),
    "task.stop": Operation("StopStatefulAsyncInvocation", "PUT", f"{_TASKS}/{{task}}"),
    "function.create": Operation("CreateFunction", "POST", f"{_S}/functions"),
    "function.list": Operation("ListFunctions", "GET", f"{_S}/functions"),
    "function.get": Operation("GetFunction", "GET", _F),
    "function.update": Operation("UpdateFunction", "PUT", _F),
    "function.delete": Operation("DeleteFunction", "DELETE", _F),
    "function.code": Operation("GetFunctionCode", "GET", f"{_F}/code"),
    "async.put": Operation("PutFunctionAsyncInvokeConfig", "PUT", f"{_F}/async-invoke-config"),
    "async.get": Operation("GetFunctionAsyncInvokeConfig", "GET", f"{_F}/async-invoke-config"),
    "async.delete": Operation("DeleteFunctionAsyncInvokeConfig", "DELETE", f"{_F}/async-invoke-config"),
    "async.list": Operation("ListFunctionAsyncInvokeConfigs", "GET", f"{_F}/async-invoke-configs"),
    "cap.put": Operation("PutFunctionOnDemandConfig", "PUT", f"{_F}/on-demand-config"),
    "cap.get": Operation("GetFunctionOnDemandConfig", "GET", f"{_F}/on-demand-config"),
    "cap.delete": Operation("DeleteFunctionOnDemandConfig", "DELETE", f"{_F}/on-demand-config"),
    "cap.list": Operation("ListOnDemandConfigs", "GET", "/on-demand-configs"),
    "provision.put": Operation("PutProvisionConfig", "PUT", f"{_F}/provision-config"),
    "provision.get": Operation("GetProvisionConfig", "GET", f"{_F}/provision-config"),
    "provision.list": Operation("ListProvisionConfigs", "GET", "/provision-configs"),
    "instance.list": Operation("ListInstances", "GET", f"{_F}/instances"),
    "version.publish": Operation("PublishServiceVersion", "POST", f"{_S}/versions"),
    "version.list": Operation("ListServiceVersions", "GET", f"{_S}/versions"),
    "version.delete": Operation("DeleteServiceVersion", "DELETE", f"{_S}/versions/{{version}}"),
    "alias.create": Operation("CreateAlias", "POST", f"{_S}/aliases"),
    "alias.list": Operation("ListAliases", "GET", f"{_S}/aliases"),
    "alias.get": Operation("GetAlias", "GET", f"{_S}/aliases/{{alias}}"),
    "alias.update": Operation("UpdateAlias", "PUT", f"{_S}/aliases/{{alias}}"),
    "alias.delete": Operation("DeleteAlias", "DELETE", f"{_S}/aliases/{{alias}}"),
    "trigger.create": Operation("CreateTrigger", "POST", f"{_F}/triggers"),
    "trigger.list": Operation("ListTriggers", "GET", f"{_F}/triggers"),
    "trigger.get": Operation("GetTrigger", "GET", f"{_F}/triggers/{{trigger}}"),
    "trigger.update": Operation("UpdateTrigger", "PUT", f"{_F}/triggers/{{trigger}}"),
    "trigger.delete": Operation("DeleteTrigger", "DELETE", f"{_F}/triggers/{{trigger}}"),
    "tag.put": Operation("TagResource", "POST", "/tag"),
    "tag.get": Operation("GetResourceTags", "GET", "/tag"),
    "account.get": Operation("GetAccountSettings", "GET", "/account-settings"),
}
"""What both generations with services have at the same paths."""


class Open(Generation):
    """API 2021-04-06."""

    version = "2021-04-06"
    traits = frozenset({"signed body", "nonce", "services", "preFreeze"})
    operations: Mapping[str, Operation] = {
        **SHARED,
        "task.functions": Operation(
            "ListStatefulAsyncInvocationFunctions", "GET", "/stateful-async-invocation-functions"
        ),
        "tag.delete": Operation("UntagResource", "PUT", "/tag"),
        "tag.list": Operation("ListTaggedResources", "GET", "/tags"),
        "reserved.list": Operation("ListReservedCapacities", "GET", "/reserved-capacities"),
    }
    task_words: Mapping[str, str] = {
        "taskId": "invocationId",
        "taskErrorMessage": "invocationErrorMessage",
        "taskPayload": "invocationPayload",
    }
    codes: Mapping[str, str] = {
        "AsyncTaskNotFound": "StatefulAsyncInvocationNotFound",
        "AsyncTaskAlreadyExists": "StatefulAsyncInvocationAlreadyExists",
        "AsyncTaskAlreadyCompleted": "StatefulAsyncInvocationAlreadyCompleted",
    }
    task_header = "x-fc-stateful-async-invocation-id"
    tasks_field = "invocations"
    task_prefix = "invocationIdPrefix"
    task_switch = "statefulInvocation"
    cap_field = "maximumInstanceCount"
    services = True

    def sign(self, request: Request, key: Key, now_seconds: float) -> None:
        """ACS3."""
        signing.acs3(self.version, request, key, now_seconds)

    def function_body(self, body: Document) -> Document:
        """The Initializer and a program's port stand outside in these generations, and a new one needs its class."""
        own = dict(body)
        hooks = dict(own.pop("instanceLifecycleConfig", None) or {})
        if initializer := hooks.pop("initializer", None):
            own |= {"initializer": initializer["handler"], "initializationTimeout": initializer["timeout"]}
        if hooks:
            own["instanceLifecycleConfig"] = hooks
        if program := own.get("customRuntimeConfig"):
            own["customRuntimeConfig"] = {name: value for name, value in program.items() if name != "port"}
            own["caPort"] = program["port"]
        return own

    def arn(self, region: str, account: str, function: Function) -> str:
        """With the service and its qualifier."""
        return f"acs:fc:{region}:{account}:services/{function.service}.LATEST/functions/{function.name}"
