"""How a function's tasks are treated: its asynchronous configuration and its reserved concurrency."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sojourn.api import answer, paging, precondition
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call, only
from sojourn.configuration import check_reserved_concurrency
from sojourn.errors import AsyncConfigNotFound, ConcurrencyConfigNotFound
from sojourn.function import CONCURRENCY_BOUNDS, LATEST, Function, check_integer

from .named import function_of, qualifier_of


async def put_async(call: Call) -> Answer:
    """PutAsyncInvokeConfig: what the body does not give stays, or is the default."""
    function = function_of(call)
    qualifier, body = qualifier_of(call, function), call.dialect.async_body(call.json())
    after = await call.backend.catalog.put_async_config(call.account_id, function.name, body, qualifier)
    return answer.of_json(_async_shown(call, after, qualifier))


async def get_async(call: Call) -> Answer:
    """GetAsyncInvokeConfig."""
    function = function_of(call)
    return answer.of_json(_async_shown(call, function, qualifier_of(call, function)))


async def delete_async(call: Call) -> Answer:
    """DeleteAsyncInvokeConfig."""
    function = function_of(call)
    qualifier = qualifier_of(call, function)
    await call.backend.catalog.delete_async_config(call.account_id, function.name, qualifier)
    return EMPTY


async def page_async(call: Call) -> Answer:
    """ListAsyncInvokeConfigs: of all functions, or of the one that the path or `functionName` names."""
    if call.dialect.services:
        functions = [function_of(call)]
    else:
        name = call.query.get("functionName")
        functions = [each for each in call.backend.catalog.functions(call.account_id) if name in (None, each.name)]
    found = [
        (function, qualifier)
        for function in functions
        for qualifier in (LATEST, *sorted(function.async_configs))
        if function.async_config_of(qualifier) is not None
    ]
    shown, token = paging.page("async", call.query, found, lambda each: f"{each[0].name}/{each[1]}")
    return answer.of_json({"configs": [_async_shown(call, *each) for each in shown], "nextToken": token})


async def page_task_functions(call: Call) -> Answer:
    """ListStatefulAsyncInvocationFunctions: where task mode was switched on."""
    found = [
        {"serviceName": function.service, "functionName": function.short_name, "qualifier": qualifier}
        for function in call.backend.catalog.functions(call.account_id)
        for qualifier in (LATEST, *sorted(function.async_configs))
        if function.service and (config := function.async_config_of(qualifier)) is not None and config.async_task
    ]
    shown, token = paging.page("stateful", call.query, found, lambda each: "/".join(each.values()))
    return answer.of_json({"data": shown, "nextToken": token})


def _async_shown(call: Call, function: Function, qualifier: str) -> dict[str, object]:
    config = function.async_config_of(qualifier)
    if config is None:
        raise AsyncConfigNotFound(function.name)
    return call.dialect.async_config(function, qualifier, config, call.backend.settings.region)


async def put_concurrency(call: Call) -> Answer:
    """PutConcurrencyConfig."""
    function = function_of(call)
    reserved = check_reserved_concurrency(only(call.json(), "reservedConcurrency"))
    after = await call.backend.catalog.put_concurrency(call.account_id, function.name, reserved)
    return answer.of_json(_concurrency(call, after))


async def get_concurrency(call: Call) -> Answer:
    """GetConcurrencyConfig."""
    return answer.of_json(_concurrency(call, _reserved(call)))


async def delete_concurrency(call: Call) -> Answer:
    """DeleteConcurrencyConfig."""
    await call.backend.catalog.put_concurrency(call.account_id, _reserved(call).name, None)
    return EMPTY


async def page_concurrency(call: Call) -> Answer:
    """ListConcurrencyConfigs."""
    return config_page(
        call,
        "limits",
        "configs",
        lambda function: function.reserved_concurrency is not None,
        lambda function, _: _concurrency(call, function),
    )


def _concurrency(call: Call, function: Function) -> dict[str, object]:
    """ConcurrencyConfig of a function that has one."""
    owner = call.dialect.arn(function, call.backend.settings.region, LATEST)
    return {**owner, "reservedConcurrency": function.reserved_concurrency}


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
    name = query.get("functionName")
    mine = backend.catalog.functions(call.account_id)
    found = [
        each
        for function in mine
        if name in (None, function.name)
        for each in (function, *backend.catalog.versions(function))
        if has(each) and not (kind == "limits" and each.root_id)
    ]
    page, token = paging.page(kind, query, found, lambda each: f"{each.name}/{each.version}".removesuffix("/"))
    configs = [shown(function, backend.settings.region) for function in page]
    return answer.of_json({field: configs, "nextToken": token})


# On-demand: the older generations' name for a bound ------------------------------------------------------------------


async def put_on_demand(call: Call) -> Answer:
    """PutFunctionOnDemandConfig: so many instances at most, which is so many times their concurrency in executions."""
    function, body = function_of(call), only(call.json(), "maximumInstanceCount", "qualifier")
    count = check_integer("maximumInstanceCount", body.get("maximumInstanceCount"), CONCURRENCY_BOUNDS)
    reserved = count * function.config.instance_concurrency
    change = partial(call.backend.catalog.put_concurrency, call.account_id, function.name, reserved)
    after = await precondition.guarded(call, lambda: _on_demand(call, function_of(call)), change)
    return precondition.shown(call, _on_demand(call, after))


async def get_on_demand(call: Call) -> Answer:
    """GetFunctionOnDemandConfig."""
    return precondition.shown(call, _on_demand(call, _reserved(call)))


async def delete_on_demand(call: Call) -> Answer:
    """DeleteFunctionOnDemandConfig."""
    change = partial(call.backend.catalog.put_concurrency, call.account_id, _reserved(call).name, None)
    await precondition.guarded(call, lambda: _on_demand(call, _reserved(call)), change)
    return EMPTY


async def page_on_demand(call: Call) -> Answer:
    """ListOnDemandConfigs."""
    mine = call.backend.catalog.functions(call.account_id)
    found = [each for each in mine if each.reserved_concurrency is not None and each.service]
    shown, token = paging.page("demand", call.query, found, lambda each: each.name)
    return answer.of_json({"configs": [_on_demand(call, each) for each in shown], "nextToken": token})


def _on_demand(call: Call, function: Function) -> dict[str, object]:
    count = (function.reserved_concurrency or 0) // function.config.instance_concurrency
    return {**call.dialect.arn(function, call.backend.settings.region, LATEST), "maximumInstanceCount": count}
