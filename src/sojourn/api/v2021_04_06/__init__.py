"""Function Compute's API of 2021-04-06 (2.0, "fc-open"): its paths, and which command answers at each."""

from __future__ import annotations

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
from sojourn.api.operation import small
from sojourn.api.routing import Row, left_out, left_out_of_all

from .dialect import V2

_SERVICE = "/services/{service}"
_FUNCTION = f"{_SERVICE}/functions/{{function}}"
_TASKS = f"{_FUNCTION}/stateful-async-invocations"

DIALECT = V2()
SHARED: tuple[Row, ...] = (
    ("POST", f"{_FUNCTION}/invocations", invocations.invoke, invocations.payload_limit),
    ("GET", f"{_TASKS}/{{task}}", tasks.get, small),
    ("GET", _TASKS, tasks.page, small),
    ("PUT", f"{_TASKS}/{{task}}", tasks.stop, small),
    ("POST", "/services", services.create, small),
    ("GET", "/services", services.page, small),
    ("GET", _SERVICE, services.get, small),
    ("PUT", _SERVICE, services.update, small),
    ("DELETE", _SERVICE, services.delete, small),
    ("POST", f"{_SERVICE}/functions", functions.create, functions.upload),
    ("GET", f"{_SERVICE}/functions", functions.page, small),
    ("GET", _FUNCTION, functions.get, small),
    ("PUT", _FUNCTION, functions.update, functions.upload),
    ("DELETE", _FUNCTION, functions.delete, small),
    ("GET", f"{_FUNCTION}/code", functions.code, small),
    ("PUT", f"{_FUNCTION}/async-invoke-config", configs.put_async, small),
    ("GET", f"{_FUNCTION}/async-invoke-config", configs.get_async, small),
    ("DELETE", f"{_FUNCTION}/async-invoke-config", configs.delete_async, small),
    ("GET", f"{_FUNCTION}/async-invoke-configs", configs.page_async, small),
    ("PUT", f"{_FUNCTION}/on-demand-config", configs.put_on_demand, small),
    ("GET", f"{_FUNCTION}/on-demand-config", configs.get_on_demand, small),
    ("DELETE", f"{_FUNCTION}/on-demand-config", configs.delete_on_demand, small),
    ("GET", "/on-demand-configs", configs.page_on_demand, small),
    ("PUT", f"{_FUNCTION}/provision-config", scaling.put_provision, small),
    ("GET", f"{_FUNCTION}/provision-config", scaling.get_provision, small),
    ("GET", "/provision-configs", scaling.page_provision, small),
    ("GET", f"{_FUNCTION}/instances", instances.page, small),
    ("POST", f"{_SERVICE}/versions", versions.publish, small),
    ("GET", f"{_SERVICE}/versions", versions.page_versions, small),
    ("DELETE", f"{_SERVICE}/versions/{{version}}", versions.delete_version, small),
    ("POST", f"{_SERVICE}/aliases", versions.create_alias, small),
    ("GET", f"{_SERVICE}/aliases", versions.page_aliases, small),
    ("GET", f"{_SERVICE}/aliases/{{alias}}", versions.get_alias, small),
    ("PUT", f"{_SERVICE}/aliases/{{alias}}", versions.update_alias, small),
    ("DELETE", f"{_SERVICE}/aliases/{{alias}}", versions.delete_alias, small),
    ("POST", f"{_FUNCTION}/triggers", triggers.create, functions.trigger_limit),
    ("GET", f"{_FUNCTION}/triggers", triggers.page, small),
    ("GET", f"{_FUNCTION}/triggers/{{trigger}}", triggers.get, small),
    ("PUT", f"{_FUNCTION}/triggers/{{trigger}}", triggers.update, functions.trigger_limit),
    ("DELETE", f"{_FUNCTION}/triggers/{{trigger}}", triggers.delete, small),
    ("POST", "/tag", tags.tag, small),
    ("GET", "/tag", tags.get, small),
    ("GET", "/account-settings", account.get_settings, small),
    *left_out_of_all(),
    *left_out(
        "POST /services/{service}/bindings CreateVpcBinding",
        "GET /services/{service}/bindings ListVpcBindings",
        "DELETE /services/{service}/bindings/{vpc} DeleteVpcBinding",
        "GET /services/{service}/functions/{function}/instances/{instance}/exec InstanceExec",
    ),
)
"""What both generations with services have at the same paths."""
OPERATIONS: tuple[Row, ...] = (
    *SHARED,
    ("GET", "/stateful-async-invocation-functions", configs.page_task_functions, small),
    ("PUT", "/tag", tags.untag, small),
    ("GET", "/tags", tags.page_older, small),
    ("GET", "/reserved-capacities", account.page_reserved, small),
    *left_out(
        "POST /gpuInstances ClaimGPUInstance",
        "DELETE /gpuInstances/{instance} ReleaseGPUInstance",
        "POST /services/{service}/functions/{function}/event-sources RegisterEventSource",
        "GET /services/{service}/functions/{function}/event-sources ListEventSources",
        "DELETE /services/{service}/functions/{function}/event-sources/{source} DeregisterEventSource",
    ),
)
