"""The official Python client of the newest generation, in the words of the others, so that one test drives all of them.

Its functions are those of the service `life`, named `life$function`; what it answers is renamed as the generations with
services have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alibabacloud_fc20230330 import models

from end_to_end.functions import RUNTIME
from end_to_end.generation import Document, Hooks
from end_to_end.generations import SERVICE, Refused, code_of, refusing
from end_to_end.test_official_sdk import Sdk
from live import LiveServer

NAMES = {
    "taskId": "invocationId",
    "taskPayload": "invocationPayload",
    "taskErrorMessage": "invocationErrorMessage",
}


class Newest:
    """PyPI alibabacloud-fc20230330; see `generation.Generation`."""

    letter = ""

    def __init__(self, server: LiveServer, *, key_id: str = "", secret: str = "") -> None:
        self._sdk = Sdk(server, key_id=key_id, secret=secret)

    def other(self, server: LiveServer, **keys: str) -> Newest:
        """The same client with other keys."""
        return Newest(server, **keys)

    def close(self) -> None:
        """Nothing more is asked of it."""

    def create_service(self, name: str) -> None:
        """There are none: a function brings its service along."""

    def create(
        self, name: str, source: str, *, runtime: str = RUNTIME, hooks: Hooks | None = None, **settings: Any
    ) -> Document:
        """CreateFunction."""
        if hooks:
            parts = {
                {"initializer": "initializer", "preStop": "pre_stop"}[hook]: models.LifecycleHook(
                    handler=handler, timeout=seconds
                )
                for hook, (handler, seconds) in hooks.items()
            }
            settings["instance_lifecycle_config"] = models.InstanceLifecycleConfig(**parts)
        made: Document = _ask(
            self._sdk.create, _of(name), code_of(source, runtime), runtime=runtime, **settings
        ).to_map()
        return made | {"functionName": made["functionName"].partition("$")[2]}

    def hooks_of(self, name: str) -> Hooks:
        """GetFunction: its hooks."""
        found = _ask(self._sdk.client.get_function, _of(name), models.GetFunctionRequest()).body.to_map()
        return {
            hook: (part["handler"], part["timeout"]) for hook, part in found["instanceLifecycleConfig"].items() if part
        }

    def delete(self, name: str) -> None:
        """DeleteFunction."""
        _ask(self._sdk.client.delete_function, _of(name))

    def configure(self, name: str, **settings: Any) -> Document:
        """PutAsyncInvokeConfig, with its names on the wire."""
        body = models.PutAsyncInvokeConfigInput().from_map({"asyncTask": True, **settings})
        request = models.PutAsyncInvokeConfigRequest(body=body)
        return _older(_ask(self._sdk.client.put_async_invoke_config, _of(name), request).body.to_map(), name)

    def config_of(self, name: str) -> Document:
        """GetAsyncInvokeConfig."""
        request = models.GetAsyncInvokeConfigRequest()
        return _older(_ask(self._sdk.client.get_async_invoke_config, _of(name), request).body.to_map(), name)

    def configs_of(self, name: str) -> list[Document]:
        """ListAsyncInvokeConfigs."""
        request = models.ListAsyncInvokeConfigsRequest(function_name=_of(name), limit=10)
        found = _ask(self._sdk.client.list_async_invoke_configs, request).body.configs
        return [_older(each.to_map(), name) for each in found]

    def unconfigure(self, name: str) -> None:
        """DeleteAsyncInvokeConfig."""
        request = models.DeleteAsyncInvokeConfigRequest()
        _ask(self._sdk.client.delete_async_invoke_config, _of(name), request)

    def bound(self, name: str, count: int) -> None:
        """PutConcurrencyConfig."""
        _ask(self._sdk.reserve, _of(name), count)

    def bound_of(self, name: str) -> int:
        """GetConcurrencyConfig."""
        found: int = _ask(self._sdk.client.get_concurrency_config, _of(name)).body.reserved_concurrency
        return found

    def unbound(self, name: str) -> None:
        """DeleteConcurrencyConfig."""
        _ask(self._sdk.client.delete_concurrency_config, _of(name))

    def submit(
        self, name: str, payload: bytes = b"", task_id: str = "", qualifier: str = "LATEST", **headers: str
    ) -> str:
        """InvokeFunction, asynchronously; the task id."""
        assert qualifier == "LATEST"
        common = {key.replace("_", "-"): value for key, value in headers.items()}
        more = {"x_fc_async_task_id": task_id} if task_id else {}
        found: str = _ask(self._sdk.submit, _of(name), payload, common_headers=common, **more)
        return found

    def call(self, name: str, payload: bytes = b"") -> bytes:
        """InvokeFunction."""
        found: bytes = _ask(self._sdk.invoke, _of(name), payload).body.read()
        return found

    def get(self, name: str, task_id: str) -> Document:
        """GetAsyncTask."""
        return _task(_ask(self._sdk.get, _of(name), task_id).to_map(), name)

    def page(self, name: str, **wanted: Any) -> Document:
        """ListAsyncTasks, with the older names of its parameters on the wire."""
        named = {{"invocationIdPrefix": "prefix"}.get(key, key): value for key, value in wanted.items()}
        request = models.ListAsyncTasksRequest().from_map(named)
        found = _ask(self._sdk.client.list_async_tasks, _of(name), request).body.to_map()
        return {
            "invocations": [_task(each, name) for each in found.get("tasks") or []],
            "nextToken": found.get("nextToken"),
        }

    def stop(self, name: str, task_id: str) -> None:
        """StopAsyncTask."""
        _ask(self._sdk.stop, _of(name), task_id)


def _ask(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """The call's answer; refusals in the words of the older generations."""
    try:
        return refusing(call)(*arguments, **more)
    except Refused as refused:
        raise Refused(refused.status, refused.code.replace("AsyncTask", "StatefulAsyncInvocation")) from refused


def _of(name: str) -> str:
    return f"{SERVICE}${name}"


def _older(config: Document, name: str) -> Document:
    older = {"statefulInvocation": config["asyncTask"], "service": SERVICE, "function": name, "qualifier": "LATEST"}
    return config | older


def _task(task: Document, name: str) -> Document:
    assert task["functionArn"].endswith(f"/{_of(name)}")
    renamed = {NAMES.get(key, key): value for key, value in task.items()}
    return renamed | {"serviceName": SERVICE, "functionName": name}
