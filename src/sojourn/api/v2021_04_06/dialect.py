"""The words of API 2021-04-06: services in the path, qualifiers in the query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sojourn.api.call import Call
from sojourn.api.dialect import Dialect, Shown
from sojourn.api.v2023_03_30 import wire as newest
from sojourn.destination import Delivery
from sojourn.function import AsyncConfig, Function
from sojourn.runtime import Runtime
from sojourn.task import Task
from sojourn.trigger import Trigger

from . import wire


class V2(Dialect):
    """API 2021-04-06."""

    version = "2021-04-06"
    codes: Mapping[str, str] = {
        "AsyncTaskNotFound": "StatefulAsyncInvocationNotFound",
        "AsyncTaskAlreadyExists": "StatefulAsyncInvocationAlreadyExists",
        "AsyncTaskAlreadyCompleted": "StatefulAsyncInvocationAlreadyCompleted",
    }
    tasks = "invocations"
    task_prefix = "invocationIdPrefix"
    services = True
    etags = True

    def service_name(self, call: Call) -> str:
        """The service in the path."""
        return call.path["service"]

    def function_name(self, call: Call) -> str:
        """Service and function in one."""
        return f"{self.service_name(call)}${call.path['function']}"

    def function_body(self, body: Mapping[str, object], before: Function | None) -> Shown:
        """See `wire.function_body`."""
        return wire.function_body(body, before)

    def async_body(self, body: Mapping[str, object]) -> Shown:
        """See `wire.async_body`."""
        return wire.async_body(body)

    def arn(self, function: Function, region: str, qualifier: str) -> Shown:
        """The resource."""
        del region
        return wire.resource(function, qualifier)

    def task(
        self,
        task: Task,
        function: Function,
        region: str,
        now: int,
        *,
        delivery: Delivery | None = None,
        bodies: bool = True,
    ) -> Shown:
        """StatefulAsyncInvocation."""
        shown = newest.task_object(task, function, region, now, delivery=delivery, bodies=bodies)
        return wire.task_object(shown, function)

    def function(self, function: Function, region: str, runtimes: Iterable[Runtime]) -> Shown:
        """Function."""
        del region
        return wire.function_object(function, runtimes)

    def async_config(self, function: Function, qualifier: str, config: AsyncConfig, region: str) -> Shown:
        """AsyncInvokeConfig."""
        del region
        return wire.async_config_object(function, qualifier, config)

    def trigger(self, trigger: Trigger, function: Function, region: str, url: str) -> Shown:
        """Trigger."""
        del region
        return wire.trigger_object(trigger, function, url)
