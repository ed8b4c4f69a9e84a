"""Each command of the API: what it is called, takes, gives and refuses with.

Every operation may also be refused with the statuses of `ALWAYS`; what they mean is told in `document`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sojourn.api.commands import (
    account,
    configs,
    functions,
    instances,
    invocations,
    scaling,
    services,
    tags,
    tasks,
    triggers,
    versions,
)
from sojourn.api.operation import Handler

from . import parameters
from .parameters import NAMED_PAGE, OF_FUNCTION, PAGE, QUALIFIER, Parameter

ALWAYS = (400, 403, 500, 503)
JSON = "application/json"
LINES = "application/x-ndjson"


class Described(NamedTuple):
    """An operation in a description.

    `name` is its operationId, `older` that of the generations with services where it differs. `answers` maps a status
    to the name of the body's schema, "" for no body, or a media type (with a slash). `body` is the name of the
    request's schema, or a media type. `refusals` are the statuses besides `ALWAYS`.
    """

    name: str
    answers: Mapping[int, str]
    refusals: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    older: str = ""


TAGGED: frozenset[Handler] = frozenset(
    {
        *(services.create, services.get, services.update),
        *(functions.create, functions.get, functions.update),
        *(versions.create_alias, versions.get_alias, versions.update_alias),
        *(triggers.create, triggers.get, triggers.update),
        *(configs.put_on_demand, configs.get_on_demand),
        *(scaling.put_provision, scaling.get_provision),
    }
)
"""Commands whose answers have an ETag, in generations that have them."""
CONDITIONAL: frozenset[Handler] = frozenset(
    {
        *(services.update, services.delete),
        *(functions.update, functions.delete),
        *(versions.publish, versions.update_alias, versions.delete_alias),
        *(triggers.update, triggers.delete),
        *(configs.put_on_demand, configs.delete_on_demand, scaling.put_provision),
    }
)
"""Commands that may have a condition there, and are refused with 412 when it does not hold."""
OK, GONE = 200, {204: ""}
FOUND, CHANGED = (404,), (404, 409)


def _shared() -> dict[Handler, Described]:
    qualified = (QUALIFIER,)
    return {
        invocations.invoke: Described(
            "InvokeFunction",
            {200: "application/octet-stream", 202: ""},
            (404, 409, 412, 429),
            (QUALIFIER, *parameters.INVOCATION),
            "application/octet-stream",
        ),
        tasks.get: Described("GetAsyncTask", {OK: "Task"}, FOUND, qualified, older="GetStatefulAsyncInvocation"),
        tasks.stop: Described("StopAsyncTask", GONE, (404, 409, 412), qualified, older="StopStatefulAsyncInvocation"),
        functions.create: Described("CreateFunction", {OK: "Function"}, CHANGED, body="CreateFunctionInput"),
        functions.get: Described("GetFunction", {OK: "Function"}, FOUND, qualified),
        functions.update: Described("UpdateFunction", {OK: "Function"}, CHANGED, qualified, body="UpdateFunctionInput"),
        functions.delete: Described("DeleteFunction", GONE, CHANGED, qualified),
        functions.code: Described("GetFunctionCode", {OK: "FunctionCode"}, FOUND, qualified),
        functions.disable: Described("DisableFunctionInvocation", {OK: "Done"}, CHANGED, qualified, "DisableInput"),
        functions.enable: Described("EnableFunctionInvocation", {OK: "Done"}, CHANGED, qualified),
        configs.put_async: Described(
            "PutAsyncInvokeConfig",
            {OK: "AsyncConfig"},
            CHANGED,
            qualified,
            "PutAsyncInvokeConfigInput",
            "PutFunctionAsyncInvokeConfig",
        ),
        configs.get_async: Described(
            "GetAsyncInvokeConfig", {OK: "AsyncConfig"}, FOUND, qualified, older="GetFunctionAsyncInvokeConfig"
        ),
        configs.delete_async: Described(
            "DeleteAsyncInvokeConfig", GONE, CHANGED, qualified, older="DeleteFunctionAsyncInvokeConfig"
        ),
        configs.put_concurrency: Described(
            "PutConcurrencyConfig", {OK: "ConcurrencyConfig"}, CHANGED, qualified, "PutConcurrencyInput"
        ),
        configs.get_concurrency: Described("GetConcurrencyConfig", {OK: "ConcurrencyConfig"}, FOUND, qualified),
        configs.delete_concurrency: Described("DeleteConcurrencyConfig", GONE, CHANGED, qualified),
        configs.page_concurrency: Described(
            "ListConcurrencyConfigs", {OK: "ConcurrencyConfigPage"}, (), (*PAGE, OF_FUNCTION, parameters.START)
        ),
        configs.put_on_demand: Described(
            "PutFunctionOnDemandConfig", {OK: "OnDemandConfig"}, CHANGED, qualified, "PutOnDemandConfigInput"
        ),
        configs.get_on_demand: Described("GetFunctionOnDemandConfig", {OK: "OnDemandConfig"}, FOUND, qualified),
        configs.delete_on_demand: Described("DeleteFunctionOnDemandConfig", GONE, CHANGED, qualified),
        configs.page_on_demand: Described(
            "ListOnDemandConfigs", {OK: "OnDemandConfigPage"}, (), (*PAGE, parameters.START)
        ),
        configs.page_task_functions: Described(
            "ListStatefulAsyncInvocationFunctions", {OK: "TaskFunctionPage"}, (), (*PAGE, parameters.START)
        ),
        scaling.put_provision: Described(
            "PutProvisionConfig", {OK: "ProvisionConfig"}, CHANGED, qualified, "PutProvisionConfigInput"
        ),
        scaling.get_provision: Described("GetProvisionConfig", {OK: "ProvisionConfig"}, FOUND, qualified),
        scaling.delete_provision: Described("DeleteProvisionConfig", GONE, CHANGED, qualified),
        scaling.page_provision: Described(
            "ListProvisionConfigs", {OK: "ProvisionConfigPage"}, (), (*PAGE, OF_FUNCTION, parameters.START)
        ),
        scaling.put_scaling: Described(
            "PutScalingConfig", {OK: "ScalingConfig"}, CHANGED, qualified, "PutScalingConfigInput"
        ),
        scaling.get_scaling: Described("GetScalingConfig", {OK: "ScalingConfig"}, FOUND, qualified),
        scaling.delete_scaling: Described("DeleteScalingConfig", GONE, CHANGED, qualified),
        scaling.page_scaling: Described(
            "ListScalingConfigs", {OK: "ScalingConfigPage"}, (), (*PAGE, OF_FUNCTION, parameters.START)
        ),
        instances.page: Described("ListInstances", {OK: "Instances"}, FOUND, parameters.INSTANCES),
        **_named_things(),
        account.get_settings: Described("GetAccountSettings", {OK: "AccountSettings"}),
        account.get_regions: Described("DescribeRegions", {OK: "Regions"}),
        account.page_reserved: Described("ListReservedCapacities", {OK: "ReservedCapacityPage"}, (), PAGE[:1]),
        services.create: Described("CreateService", {OK: "Service"}, (409,), body="CreateServiceInput"),
        services.get: Described("GetService", {OK: "Service"}, FOUND, (QUALIFIER,)),
        services.update: Described("UpdateService", {OK: "Service"}, CHANGED, body="UpdateServiceInput"),
        services.delete: Described("DeleteService", GONE, CHANGED),
        services.page: Described("ListServices", {OK: "ServicePage"}, (), (*NAMED_PAGE, parameters.TAG)),
    }


def _named_things() -> dict[Handler, Described]:
    """Versions, aliases, triggers and tags."""
    return {
        versions.publish: Described(
            "PublishFunctionVersion",
            {OK: "Version"},
            CHANGED,
            body="PublishVersionInput",
            older="PublishServiceVersion",
        ),
        versions.page_versions: Described(
            "ListFunctionVersions",
            {OK: "VersionPage"},
            FOUND,
            parameters.VERSIONS,
            older="ListServiceVersions",
        ),
        versions.delete_version: Described("DeleteFunctionVersion", GONE, CHANGED, older="DeleteServiceVersion"),
        versions.create_alias: Described("CreateAlias", {OK: "Alias"}, CHANGED, body="CreateAliasInput"),
        versions.get_alias: Described("GetAlias", {OK: "Alias"}, FOUND),
        versions.update_alias: Described("UpdateAlias", {OK: "Alias"}, CHANGED, body="UpdateAliasInput"),
        versions.delete_alias: Described("DeleteAlias", GONE, CHANGED),
        versions.page_aliases: Described("ListAliases", {OK: "AliasPage"}, FOUND, NAMED_PAGE),
        triggers.create: Described("CreateTrigger", {OK: "Trigger"}, CHANGED, body="CreateTriggerInput"),
        triggers.get: Described("GetTrigger", {OK: "Trigger"}, FOUND),
        triggers.update: Described("UpdateTrigger", {OK: "Trigger"}, CHANGED, body="UpdateTriggerInput"),
        triggers.delete: Described("DeleteTrigger", GONE, FOUND),
        triggers.page: Described("ListTriggers", {OK: "TriggerPage"}, FOUND, NAMED_PAGE),
        tags.tag_resources: Described("TagResources", GONE, CHANGED, body="TagResourcesInput"),
        tags.untag_resources: Described("UntagResources", GONE, CHANGED, parameters.UNTAGGED),
        tags.page_resources: Described("ListTagResources", {OK: "TagPage"}, FOUND, parameters.TAGGED),
        tags.tag: Described("TagResource", GONE, CHANGED, body="TagResourceInput"),
        tags.untag: Described("UntagResource", GONE, CHANGED, body="UntagResourceInput"),
        tags.get: Described(
            "GetResourceTags", {OK: "ResourceTags"}, FOUND, (parameters.required(parameters.RESOURCE_ARN),)
        ),
        tags.page_older: Described("ListTaggedResources", {OK: "ResourceTagsPage"}, (), (*PAGE, parameters.START)),
    }


def described(*, services: bool) -> dict[Handler, Described]:
    """The commands of the generations with services, or of the newest one."""
    prefix = "invocationIdPrefix" if services else "prefix"
    paged = Described(
        "ListAsyncTasks",
        {OK: "TaskPage"},
        FOUND,
        parameters.tasks_page(prefix),
        older="ListStatefulAsyncInvocations",
    )
    pages = {
        tasks.page: paged,
        functions.page: Described(
            "ListFunctions",
            {OK: "FunctionPage"},
            FOUND if services else (),
            NAMED_PAGE if services else parameters.FUNCTIONS,
        ),
        configs.page_async: Described(
            "ListAsyncInvokeConfigs",
            {OK: "AsyncConfigPage"},
            FOUND if services else (),
            (*PAGE, parameters.START) if services else (*PAGE, OF_FUNCTION, parameters.START),
            older="ListFunctionAsyncInvokeConfigs",
        ),
    }
    return _shared() | pages
