"""The official clients of the generations with services, with the few calls of these tests by their plain names.

Each knows a service `life` and speaks of its functions by their short names, so that one test drives all of them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any, Protocol

import fc2
from alibabacloud_fc_open20210406 import models as open_models
from alibabacloud_fc_open20210406.client import Client as OpenClient
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions

from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive

SERVICE = "life"

Document = dict[str, Any]


class Refused(Exception):
    """A call was answered with an error: its status and its code."""

    def __init__(self, status: int, code: str) -> None:
        """The same client with other keys (`key_id`, `secret`)."""
        super().__init__(status, code)
        self.status, self.code = status, code


class Generation(Protocol):
    """What the tests ask of a client; every answer is the document as the client gives it.

    Names of its functions begin with `letter`.
    """

    letter: str

    def other(self, server: LiveServer, **keys: str) -> Generation:
        """The same client with other keys (`key_id`, `secret`)."""

    def close(self) -> None:
        """Nothing more is asked of it."""

    def create_service(self, name: str) -> None:
        """CreateService."""

    def create(self, name: str, source: str, **settings: Any) -> Document:
        """CreateFunction."""

    def delete(self, name: str) -> None:
        """DeleteFunction."""

    def configure(self, name: str, **settings: Any) -> Document:
        """PutFunctionAsyncInvokeConfig, with its names on the wire."""

    def bound(self, name: str, count: int) -> None:
        """PutFunctionOnDemandConfig."""

    def submit(
        self, name: str, payload: bytes = b"", task_id: str = "", qualifier: str = "LATEST", **headers: str
    ) -> str:
        """InvokeFunction, asynchronously; the task id."""

    def call(self, name: str, payload: bytes = b"") -> bytes:
        """InvokeFunction."""

    def get(self, name: str, task_id: str) -> Document:
        """GetStatefulAsyncInvocation."""

    def page(self, name: str, **wanted: Any) -> Document:
        """ListStatefulAsyncInvocations, with the names of its parameters on the wire."""

    def stop(self, name: str, task_id: str) -> None:
        """StopStatefulAsyncInvocation."""


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

    def create(self, name: str, source: str, **settings: Any) -> Document:
        """CreateFunction."""
        code = open_models.Code(zip_file=base64.b64encode(archive(source)).decode())
        request = open_models.CreateFunctionRequest(
            function_name=name, runtime=RUNTIME, handler=HANDLER, code=code, **({"timeout": 60} | settings)
        )
        found: Document = refusing(self.client.create_function)(SERVICE, request).body.to_map()
        return found

    def delete(self, name: str) -> None:
        """DeleteFunction."""
        refusing(self.client.delete_function)(SERVICE, name)

    def configure(self, name: str, **settings: Any) -> Document:
        """PutFunctionAsyncInvokeConfig, with its names on the wire."""
        request = open_models.PutFunctionAsyncInvokeConfigRequest().from_map({"statefulInvocation": True, **settings})
        found: Document = refusing(self.client.put_function_async_invoke_config)(SERVICE, name, request).body.to_map()
        return found

    def bound(self, name: str, count: int) -> None:
        """PutFunctionOnDemandConfig."""
        request = open_models.PutFunctionOnDemandConfigRequest(maximum_instance_count=count)
        refusing(self.client.put_function_on_demand_config)(SERVICE, name, request)

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

    def create(self, name: str, source: str, **settings: Any) -> Document:
        """CreateFunction."""
        with tempfile.NamedTemporaryFile(suffix=".zip") as file:
            Path(file.name).write_bytes(archive(source))
            answer = refusing(self.client.create_function)(
                SERVICE, name, RUNTIME, HANDLER, codeZipFile=file.name, **({"timeout": 60} | _camel(settings))
            )
        found: Document = answer.data
        return found

    def delete(self, name: str) -> None:
        """DeleteFunction."""
        refusing(self.client.delete_function)(SERVICE, name)

    def configure(self, name: str, **settings: Any) -> Document:
        """PutFunctionAsyncInvokeConfig, with its names on the wire."""
        found: Document = self._ask(
            "PUT", f"{_of(name)}/async-invoke-config", body={"statefulInvocation": True, **settings}
        )
        return found

    def bound(self, name: str, count: int) -> None:
        """PutFunctionOnDemandConfig."""
        refusing(self.client.put_on_demand_config)(SERVICE, "LATEST", name, count)

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


def have_service(client: Generation) -> None:
    """See to it that the tests' service is there, whoever made it."""
    with contextlib.suppress(AlreadyThere):
        client.create_service(SERVICE)


def _of(name: str) -> str:
    return f"services/{SERVICE}.LATEST/functions/{name}"


def _camel(settings: Document) -> Document:
    words = {"memory_size": "memorySize", "environment_variables": "environmentVariables"}
    return {words.get(name, name): value for name, value in settings.items()}
