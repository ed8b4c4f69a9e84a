"""Function Compute's API of 2023-03-30 (3.0): its paths, and which function answers at each."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route

from sojourn.api.operation import Handler, Limit, Operation, small

from . import configs, functions, instances, invocations, scaling, tasks

_PREFIX = "/2023-03-30"
_FUNCTION = "/functions/{function}"

_OPERATIONS: tuple[tuple[str, str, Handler, Limit], ...] = (
    ("POST", f"{_FUNCTION}/invocations", invocations.invoke, invocations.payload_limit),  # first: the busiest
    ("GET", f"{_FUNCTION}/async-tasks/{{task}}", tasks.get, small),
    ("GET", f"{_FUNCTION}/async-tasks", tasks.page, small),
    ("PUT", f"{_FUNCTION}/async-tasks/{{task}}/stop", tasks.stop, small),
    ("POST", "/functions", functions.create, functions.upload),
    ("GET", "/functions", functions.page, small),
    ("GET", _FUNCTION, functions.get, small),
    ("PUT", _FUNCTION, functions.update, functions.upload),
    ("DELETE", _FUNCTION, functions.delete, small),
    ("PUT", f"{_FUNCTION}/async-invoke-config", configs.put_async, small),
    ("GET", f"{_FUNCTION}/async-invoke-config", configs.get_async, small),
    ("DELETE", f"{_FUNCTION}/async-invoke-config", configs.delete_async, small),
    ("GET", "/async-invoke-configs", configs.page_async, small),
    ("PUT", f"{_FUNCTION}/concurrency", configs.put_concurrency, small),
    ("GET", f"{_FUNCTION}/concurrency", configs.get_concurrency, small),
    ("DELETE", f"{_FUNCTION}/concurrency", configs.delete_concurrency, small),
    ("GET", "/concurrency-configs", configs.page_concurrency, small),
    ("PUT", f"{_FUNCTION}/provision-config", scaling.put_provision, small),
    ("GET", f"{_FUNCTION}/provision-config", scaling.get_provision, small),
    ("DELETE", f"{_FUNCTION}/provision-config", scaling.delete_provision, small),
    ("GET", "/provision-configs", scaling.page_provision, small),
    ("PUT", f"{_FUNCTION}/scaling-config", scaling.put_scaling, small),
    ("GET", f"{_FUNCTION}/scaling-config", scaling.get_scaling, small),
    ("DELETE", f"{_FUNCTION}/scaling-config", scaling.delete_scaling, small),
    ("GET", "/scaling-configs", scaling.page_scaling, small),
    ("GET", f"{_FUNCTION}/instances", instances.page, small),
)


def routes(operation: Callable[[Handler, Limit], Operation]) -> list[Route]:
    """The routes of this API; `operation` makes a handler into what the router calls."""
    return [
        Route(_PREFIX + path, operation(handler, limit), methods=[method])
        for method, path, handler, limit in _OPERATIONS
    ]
