"""How a function's tasks are treated: its asynchronous configuration and its reserved concurrency."""

from __future__ import annotations

from collections.abc import Callable

from sojourn.api import answer, paging
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call
from sojourn.configuration import check_reserved_concurrency
from sojourn.errors import AsyncConfigNotFound, ConcurrencyConfigNotFound
from sojourn.function import Function, check_qualifier

from .wire import async_config_object, concurrency_object


async def put_async(call: Call) -> Answer:
    """PutAsyncInvokeConfig: what the body does not give stays, or is the default."""
    function = function_of(call)
    after = await call.backend.catalog.put_async_config(call.account_id, function.name, call.json())
    return answer.of_json(async_config_object(after, call.backend.settings.region))


async def get_async(call: Call) -> Answer:
    """GetAsyncInvokeConfig."""
    function = function_of(call)
    if function.async_config is None:
        raise AsyncConfigNotFound(function.name)
    return answer.of_json(async_config_object(function, call.backend.settings.region))


async def delete_async(call: Call) -> Answer:
    """DeleteAsyncInvokeConfig."""
    await call.backend.catalog.delete_async_config(call.account_id, function_of(call).name)
    return EMPTY


async def page_async(call: Call) -> Answer:
    """ListAsyncInvokeConfigs."""
    return config_page(
        call, "async", "configs", lambda function: function.async_config is not None, async_config_object
    )


async def put_concurrency(call: Call) -> Answer:
    """PutConcurrencyConfig."""
    function = function_of(call)
    reserved = check_reserved_concurrency(call.json())
    after = await call.backend.catalog.put_concurrency(call.account_id, function.name, reserved)
    return answer.of_json(concurrency_object(after, call.backend.settings.region))


async def get_concurrency(call: Call) -> Answer:
    """GetConcurrencyConfig."""
    return answer.of_json(concurrency_object(_reserved(call), call.backend.settings.region))


async def delete_concurrency(call: Call) -> Answer:
    """DeleteConcurrencyConfig."""
    await call.backend.catalog.put_concurrency(call.account_id, _reserved(call).name, None)
    return EMPTY


async def page_concurrency(call: Call) -> Answer:
    """ListConcurrencyConfigs."""
    return config_page(
        call, "limits", "configs", lambda function: function.reserved_concurrency is not None, concurrency_object
    )


def function_of(call: Call) -> Function:
    """The function that the path names, of the caller's account."""
    function = call.backend.catalog.function(call.account_id, call.path["function"])
    check_qualifier(function.name, call.query.get("qualifier"))
    return function


def _reserved(call: Call) -> Function:
    function = function_of(call)
    if function.reserved_concurrency is None:
        raise ConcurrencyConfigNotFound(function.name)
    return function


def config_page(
    call: Call,
    kind: str,
    field: str,
    has: Callable[[Function], bool],
    shown: Callable[[Function, str], dict[str, object]],
) -> Answer:
    """The configurations of the account's functions that have one, by function name, in `field` of the answer."""
    backend, query = call.backend, call.query
    limit, after = paging.limit_of(query), paging.position_of(kind, query) or ""
    name = query.get("functionName")
    found = [
        function
        for function in backend.catalog.functions(call.account_id)
        if has(function) and function.name > after and name in (None, function.name)
    ]
    configs = [shown(function, backend.settings.region) for function in found[:limit]]
    token = paging.token(kind, found[limit - 1].name) if len(found) > limit else ""
    return answer.of_json({field: configs, "nextToken": token})
