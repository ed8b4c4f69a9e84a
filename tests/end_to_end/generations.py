"""The official clients of the generations with services, with the few calls of these tests by their plain names.

Each knows a service `life` and speaks of its functions by their short names, so that one test drives all of them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import fc2
from alibabacloud_fc_open20210406 import models as open_models
from alibabacloud_fc_open20210406.client import Client as OpenClient
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions

from end_to_end.functions import HANDLER, RUNTIME
from end_to_end.generation import Document, Generation, Hooks
from live import LiveServer, archive, program

SERVICE = "life"


class Refused(Exception):
    """A call was answered with an error: its status and its code."""

    def __init__(self, status: int, code: str) -> None:
        """The same client with other keys (`key_id`, `secret`)."""
        super().__init__(status, code)
        self.status, self.code = status, code


class AlreadyThere(Refused):
    """What was to be created is there."""


def refusing(call: Any) -> Any:
    """`call`, its errors as `Refused`."""

    def wrapped(*arguments: Any, **more: Any) -> Any:
        try:
            return call(*arguments, **more)
        except Exception as error:
            status = getattr(error, "status_code", None) or getattr(error, "statusCode", None)
            code = getattr(error, "code", None) or getattr(error, "err_code", "")
            if not status:
                raise
            kind = AlreadyThere if str(code) == "ServiceAlreadyExists" else Refused
            raise kind(int(status), str(code)) from error

    return wrapped


class _OfPython:
    letter = ""

    def other(self, server: LiveServer, **keys: str) -> Any:
        return type(self)(server, **keys)  # type: ignore[call-arg]  # both take these

    def close(self) -> None:
        """Nothing more is asked of it."""


class Open(_OfPython):
    """PyPI alibabacloud-fc-open20210406."""

    def __init__(self, server: LiveServer, *, key_id: str = "", secret: str = "", token: str = "", **more: Any) -> None:
        """The same client with other keys (`key_id`, `secret`)."""
        known = server.credentials
        self.client = OpenClient(
            Config(
                access_key_id=key_id or known["accessKeyId"],
                access_key_secret=secret or known["accessKeySecret"],
                security_token=token or None,
                endpoint=known["endpoint"].removeprefix("http://"),
                protocol="http",
                region_id="local",
                **more,
            )
        )

    def create_service(self, name: str) -> None:
        """CreateService."""
        refusing(self.client.create_service)(open_models.CreateServiceRequest(service_name=name))

    def create(
        self, name: str, source: str, *, runtime: str = RUNTIME, hooks: Hooks | None = None, **settings: Any
    ) -> Document:
        """CreateFunction."""
        code = open_models.Code(zip_file=base64.b64encode(code_of(source, runtime)).decode())
        if hooks:
            initializer, pre_stop = hooks["initializer"], hooks["preStop"]
            settings |= {
                "initializer": initializer[0],
                "initialization_timeout": initializer[1],
                "instance_lifecycle_config": open_models.InstanceLifecycleConfig(
                    pre_stop=open_models.LifecycleHook(handler=pre_stop[0], timeout=pre_stop[1])
                ),
            }
        request = open_models.CreateFunctionRequest(
            function_name=name, runtime=runtime, handler=HANDLER, code=code, **({"timeout": 60} | settings)
        )
        found: Document = refusing(self.client.create_function)(SERVICE, request).body.to_map()
        return found

    def hooks_of(self, name: str) -> Hooks:
        """GetFunction: its hooks."""
        request = open_models.GetFunctionRequest()
        return hooks_in(refusing(self.client.get_function)(SERVICE, name, request).body.to_map())

    def delete(self, name: str) -> None:
        """DeleteFunction."""
        refusing(self.client.delete_function)(SERVICE, name)

    def configure(self, name: str, **settings: Any) -> Document:
        """PutFunctionAsyncInvokeConfig, with its names on the wire."""
        request = open_models.PutFunctionAsyncInvokeConfigRequest().from_map({"statefulInvocation": True, **settings})
        found: Document = refusing(self.client.put_function_async_invoke_config)(SERVICE, name, request).body.to_map()
        return found

    def config_of(self, name: str) -> Document:
        """GetFunctionAsyncInvokeConfig."""
        request = open_models.GetFunctionAsyncInvokeConfigRequest()
        found: Document = refusing(self.client.get_function_async_invoke_config)(SERVICE, name, request).body.to_map()
        return found

    def configs_of(self, name: str) -> list[Document]:
        """ListFunctionAsyncInvokeConfigs."""
        request = open_models.ListFunctionAsyncInvokeConfigsRequest(limit=10)
        answer = refusing(self.client.list_function_async_invoke_configs)(SERVICE, name, request).body
        return [each.to_map() for each in answer.configs]

    def unconfigure(self, name: str) -> None:
        """DeleteFunctionAsyncInvokeConfig."""
        request = open_models.DeleteFunctionAsyncInvokeConfigRequest()
        refusing(self.client.delete_function_async_invoke_config)(SERVICE, name, request)

    def bound(self, name: str, count: int) -> None:
        """PutFunctionOnDemandConfig."""
        request = open_models.PutFunctionOnDemandConfigRequest(maximum_instance_count=count)
        refusing(self.client.put_function_on_demand_config)(SERVICE, name, request)

    def bound_of(self, name: str) -> int:
        """GetFunctionOnDemandConfig."""
        request = open_models.GetFunctionOnDemandConfigRequest()
        found: int = refusing(self.client.get_function_on_demand_config)(
            SERVICE, name, request
        ).body.maximum_instance_count
        return found

    def unbound(self, name: str) -> None:
        """DeleteFunctionOnDemandConfig."""
        request = open_models.DeleteFunctionOnDemandConfigRequest()
        refusing(self.client.delete_function_on_demand_config)(SERVICE, name, request)

    def submit(
        self, name: str, payload: bytes = b"", task_id: str = "", qualifier: str = "LATEST", **headers: str
    ) -> str:
        """InvokeFunction, asynchronously; the task id."""
        answer = self._invoke(name, payload, qualifier, "Async", task_id, headers)
        assert answer.status_code == 202
        found: str = answer.headers["x-fc-stateful-async-invocation-id"]
        return found

    def call(self, name: str, payload: bytes = b"") -> bytes:
        """InvokeFunction."""
        found: bytes = self._invoke(name, payload, "LATEST", "Sync", "", {}).body
        return found

    def _invoke(  # noqa: PLR0917 - in the order of the call
        self, name: str, payload: bytes, qualifier: str, kind: str, task_id: str, headers: dict[str, str]
    ) -> Any:
        sent = open_models.InvokeFunctionHeaders(
            common_headers={key.replace("_", "-"): value for key, value in headers.items()},
            x_fc_invocation_type=kind,
            x_fc_stateful_async_invocation_id=task_id or None,
        )
        request = open_models.InvokeFunctionRequest(body=payload, qualifier=qualifier)
        options = RuntimeOptions(read_timeout=60_000, connect_timeout=10_000, autoretry=False)
        return refusing(self.client.invoke_function_with_options)(SERVICE, name, request, sent, options)

    def get(self, name: str, task_id: str) -> Document:
        """GetStatefulAsyncInvocation."""
        request = open_models.GetStatefulAsyncInvocationRequest()
        found: Document = refusing(self.client.get_stateful_async_invocation)(
            SERVICE, name, task_id, request
        ).body.to_map()
        return found

    def page(self, name: str, **wanted: Any) -> Document:
        """ListStatefulAsyncInvocations, with the names of its parameters on the wire."""
        request = open_models.ListStatefulAsyncInvocationsRequest().from_map(wanted)
        found: Document = refusing(self.client.list_stateful_async_invocations)(SERVICE, name, request).body.to_map()
        return found

    def stop(self, name: str, task_id: str) -> None:
        """StopStatefulAsyncInvocation."""
        request = open_models.StopStatefulAsyncInvocationRequest()
        refusing(self.client.stop_stateful_async_invocation)(SERVICE, name, task_id, request)


class Classic(_OfPython):
    """PyPI aliyun-fc2; it has no calls for tasks, so those go through its own signing of any request."""

    def __init__(self, server: LiveServer, *, key_id: str = "", secret: str = "", token: str = "") -> None:
        """The same client with other keys (`key_id`, `secret`)."""
        known = server.credentials
        self.client = fc2.Client(
            endpoint=known["endpoint"],
            accessKeyID=key_id or known["accessKeyId"],
            accessKeySecret=secret or known["accessKeySecret"],
            securityToken=token,
        )

    def create_service(self, name: str) -> None:
        """CreateService."""
        refusing(self.client.create_service)(name)

    def create(
        self, name: str, source: str, *, runtime: str = RUNTIME, hooks: Hooks | None = None, **settings: Any
    ) -> Document:
        """CreateFunction; the client knows no PreStop, so that one is added by its own signing of any request."""
        if hooks:
            settings["initializer"], settings["initializationTimeout"] = hooks["initializer"]
        with tempfile.NamedTemporaryFile(suffix=".zip") as file:
            Path(file.name).write_bytes(code_of(source, runtime))
            answer = refusing(self.client.create_function)(
                SERVICE, name, runtime, HANDLER, codeZipFile=file.name, **({"timeout": 60} | _camel(settings))
            )
        found: Document = answer.data
        if hooks:
            handler, seconds = hooks["preStop"]
            pre_stop = {"handler": handler, "timeout": seconds}
            path = f"services/{SERVICE}/functions/{name}"
            found = self._ask("PUT", path, body={"instanceLifecycleConfig": {"preStop": pre_stop}})
        return found

    def hooks_of(self, name: str) -> Hooks:
        """GetFunction: its hooks."""
        return hooks_in(refusing(self.client.get_function)(SERVICE, name).data)

    def delete(self, name: str) -> None:
        """DeleteFunction."""
        refusing(self.client.delete_function)(SERVICE, name)

    def configure(self, name: str, **settings: Any) -> Document:
        """PutFunctionAsyncInvokeConfig, with its names on the wire."""
        body = {"statefulInvocation": True, **settings}
        found: Document = refusing(self.client.put_function_async_invoke_config)(SERVICE, "LATEST", name, body).data
        return found

    def config_of(self, name: str) -> Document:
        """GetFunctionAsyncInvokeConfig."""
        found: Document = refusing(self.client.get_function_async_invoke_config)(SERVICE, "LATEST", name).data
        return found

    def configs_of(self, name: str) -> list[Document]:
        """ListFunctionAsyncInvokeConfigs."""
        found: list[Document] = refusing(self.client.list_function_async_invoke_configs)(SERVICE, name).data["configs"]
        return found

    def unconfigure(self, name: str) -> None:
        """DeleteFunctionAsyncInvokeConfig."""
        refusing(self.client.delete_function_async_invoke_config)(SERVICE, "LATEST", name)

    def bound(self, name: str, count: int) -> None:
        """PutFunctionOnDemandConfig."""
        refusing(self.client.put_on_demand_config)(SERVICE, "LATEST", name, count)

    def bound_of(self, name: str) -> int:
        """GetFunctionOnDemandConfig."""
        found: int = refusing(self.client.get_on_demand_config)(SERVICE, "LATEST", name).data["maximumInstanceCount"]
        return found

    def unbound(self, name: str) -> None:
        """DeleteFunctionOnDemandConfig."""
        refusing(self.client.delete_on_demand_config)(SERVICE, "LATEST", name)

    def submit(
        self, name: str, payload: bytes = b"", task_id: str = "", qualifier: str = "LATEST", **headers: str
    ) -> str:
        """InvokeFunction, asynchronously; the task id."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()} | {"x-fc-invocation-type": "Async"}
        if task_id:
            sent["x-fc-stateful-async-invocation-id"] = task_id
        answer = refusing(self.client.invoke_function)(
            SERVICE, name, payload=payload, qualifier=qualifier, headers=sent
        )
        found: str = {key.lower(): value for key, value in answer.headers.items()}["x-fc-stateful-async-invocation-id"]
        return found

    def call(self, name: str, payload: bytes = b"") -> bytes:
        """InvokeFunction."""
        found: bytes = refusing(self.client.invoke_function)(SERVICE, name, payload=payload).data
        return found

    def get(self, name: str, task_id: str) -> Document:
        """GetStatefulAsyncInvocation."""
        return self._ask("GET", f"{_of(name)}/stateful-async-invocations/{task_id}")

    def page(self, name: str, **wanted: Any) -> Document:
        """ListStatefulAsyncInvocations, with the names of its parameters on the wire."""
        return self._ask("GET", f"{_of(name)}/stateful-async-invocations", wanted)

    def stop(self, name: str, task_id: str) -> None:
        """StopStatefulAsyncInvocation."""
        self._ask("PUT", f"{_of(name)}/stateful-async-invocations/{task_id}")

    def _ask(self, method: str, path: str, query: Document | None = None, body: Document | None = None) -> Document:
        path = f"/2016-08-15/{path}"
        headers = self.client._build_common_headers(method, path, {})
        data = json.dumps(body).encode() if body is not None else None
        headers["content-length"] = str(len(data or b""))
        answer = refusing(self.client._do_request)(method, path, headers, params=query, body=data)
        return answer.json() if answer.content else {}


def code_of(source: str, runtime: str) -> bytes:
    """An archive with the module, or with the program of a custom runtime."""
    return program(source) if runtime.startswith("custom") else archive(source)


def hooks_in(function: Document) -> Hooks:
    """The hooks that a function of 2.0 shows, by their names in 3.0."""
    found = {name: (hook["handler"], hook["timeout"]) for name, hook in function["instanceLifecycleConfig"].items()}
    if function["initializer"]:
        found["initializer"] = (function["initializer"], function["initializationTimeout"])
    return found


def have_service(client: Generation) -> None:
    """See to it that the tests' service is there, whoever made it."""
    with contextlib.suppress(AlreadyThere):
        client.create_service(SERVICE)


def _of(name: str) -> str:
    return f"services/{SERVICE}.LATEST/functions/{name}"


def _camel(settings: Document) -> Document:
    words = {"memory_size": "memorySize", "environment_variables": "environmentVariables"}
    return {words.get(name, name): value for name, value in settings.items()}
