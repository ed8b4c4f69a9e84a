"""API 2023-03-30 (3.0): functions without services, ACS3."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.conform import signing
from sojourn.conform.wire import Key, Request

from .generation import Generation, Operation

_F = "/functions/{function}"


def _life(noun: str, action: str, path: str) -> dict[str, Operation]:
    """Put, get and delete of one of a function's configurations."""
    verbs = (("put", "Put", "PUT"), ("get", "Get", "GET"), ("delete", "Delete", "DELETE"))
    return {f"{noun}.{verb}": Operation(f"{word}{action}", method, path) for verb, word, method in verbs}


class Newest(Generation):
    """API 2023-03-30."""

    version = "2023-03-30"
    traits = frozenset({"signed body", "nonce", "functionArn"})
    operations: Mapping[str, Operation] = {
        "invoke": Operation("InvokeFunction", "POST", f"{_F}/invocations"),
        "task.get": Operation("GetAsyncTask", "GET", f"{_F}/async-tasks/{{task}}"),
        "task.list": Operation("ListAsyncTasks", "GET", f"{_F}/async-tasks"),
        "task.stop": Operation("StopAsyncTask", "PUT", f"{_F}/async-tasks/{{task}}/stop"),
        "function.create": Operation("CreateFunction", "POST", "/functions"),
        "function.list": Operation("ListFunctions", "GET", "/functions"),
        "function.get": Operation("GetFunction", "GET", _F),
        "function.update": Operation("UpdateFunction", "PUT", _F),
        "function.delete": Operation("DeleteFunction", "DELETE", _F),
        "function.code": Operation("GetFunctionCode", "GET", f"{_F}/code"),
        "invoke.disable": Operation("DisableFunctionInvocation", "POST", f"{_F}/invoke/disable"),
        "invoke.enable": Operation("EnableFunctionInvocation", "POST", f"{_F}/invoke/enable"),
        **_life("async", "AsyncInvokeConfig", f"{_F}/async-invoke-config"),
        "async.list": Operation("ListAsyncInvokeConfigs", "GET", "/async-invoke-configs"),
        **_life("cap", "ConcurrencyConfig", f"{_F}/concurrency"),
        "cap.list": Operation("ListConcurrencyConfigs", "GET", "/concurrency-configs"),
        **_life("provision", "ProvisionConfig", f"{_F}/provision-config"),
        "provision.list": Operation("ListProvisionConfigs", "GET", "/provision-configs"),
        **_life("scaling", "ScalingConfig", f"{_F}/scaling-config"),
        "scaling.list": Operation("ListScalingConfigs", "GET", "/scaling-configs"),
        "instance.list": Operation("ListInstances", "GET", f"{_F}/instances"),
        "version.publish": Operation("PublishFunctionVersion", "POST", f"{_F}/versions"),
        "version.list": Operation("ListFunctionVersions", "GET", f"{_F}/versions"),
        "version.delete": Operation("DeleteFunctionVersion", "DELETE", f"{_F}/versions/{{version}}"),
        "alias.create": Operation("CreateAlias", "POST", f"{_F}/aliases"),
        "alias.list": Operation("ListAliases", "GET", f"{_F}/aliases"),
        "alias.get": Operation("GetAlias", "GET", f"{_F}/aliases/{{alias}}"),
        "alias.update": Operation("UpdateAlias", "PUT", f"{_F}/aliases/{{alias}}"),
        "alias.delete": Operation("DeleteAlias", "DELETE", f"{_F}/aliases/{{alias}}"),
        "trigger.create": Operation("CreateTrigger", "POST", f"{_F}/triggers"),
        "trigger.list": Operation("ListTriggers", "GET", f"{_F}/triggers"),
        "trigger.get": Operation("GetTrigger", "GET", f"{_F}/triggers/{{trigger}}"),
        "trigger.update": Operation("UpdateTrigger", "PUT", f"{_F}/triggers/{{trigger}}"),
        "trigger.delete": Operation("DeleteTrigger", "DELETE", f"{_F}/triggers/{{trigger}}"),
        "tags.put": Operation("TagResources", "POST", "/tags-v2"),
        "tags.delete": Operation("UntagResources", "DELETE", "/tags-v2"),
        "tags.list": Operation("ListTagResources", "GET", "/tags-v2"),
        "account.get": Operation("GetAccountSettings", "GET", "/account-settings"),
        "regions.list": Operation("DescribeRegions", "GET", "/regions"),
    }

    def sign(self, request: Request, key: Key, now_seconds: float) -> None:
        """ACS3."""
        signing.acs3(self.version, request, key, now_seconds)
