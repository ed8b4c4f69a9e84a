"""Function Compute's API of 2023-03-30 (3.0): its paths, and which command answers at each."""

from __future__ import annotations

from sojourn.api.commands import account, configs, functions, instances, invocations, scaling, tags, tasks, triggers
from sojourn.api.commands import versions as version_commands
from sojourn.api.operation import small
from sojourn.api.routing import Row, left_out, left_out_of_all

from .dialect import V3

_FUNCTION = "/functions/{function}"

DIALECT = V3()
OPERATIONS: tuple[Row, ...] = (
    ("POST", f"{_FUNCTION}/invocations", invocations.invoke, invocations.payload_limit),  # first: the busiest
    ("GET", f"{_FUNCTION}/async-tasks/{{task}}", tasks.get, small),
    ("GET", f"{_FUNCTION}/async-tasks", tasks.page, small),
    ("PUT", f"{_FUNCTION}/async-tasks/{{task}}/stop", tasks.stop, small),
    ("POST", "/functions", functions.create, functions.upload),
    ("GET", "/functions", functions.page, small),
    ("GET", _FUNCTION, functions.get, small),
    ("PUT", _FUNCTION, functions.update, functions.upload),
    ("DELETE", _FUNCTION, functions.delete, small),
    ("GET", f"{_FUNCTION}/code", functions.code, small),
    ("POST", f"{_FUNCTION}/invoke/disable", functions.disable, small),
    ("POST", f"{_FUNCTION}/invoke/enable", functions.enable, small),
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
    ("POST", f"{_FUNCTION}/versions", version_commands.publish, small),
    ("GET", f"{_FUNCTION}/versions", version_commands.page_versions, small),
    ("DELETE", f"{_FUNCTION}/versions/{{version}}", version_commands.delete_version, small),
    ("POST", f"{_FUNCTION}/aliases", version_commands.create_alias, small),
    ("GET", f"{_FUNCTION}/aliases", version_commands.page_aliases, small),
    ("GET", f"{_FUNCTION}/aliases/{{alias}}", version_commands.get_alias, small),
    ("PUT", f"{_FUNCTION}/aliases/{{alias}}", version_commands.update_alias, small),
    ("DELETE", f"{_FUNCTION}/aliases/{{alias}}", version_commands.delete_alias, small),
    ("POST", f"{_FUNCTION}/triggers", triggers.create, functions.trigger_limit),
    ("GET", f"{_FUNCTION}/triggers", triggers.page, small),
    ("GET", f"{_FUNCTION}/triggers/{{trigger}}", triggers.get, small),
    ("PUT", f"{_FUNCTION}/triggers/{{trigger}}", triggers.update, functions.trigger_limit),
    ("DELETE", f"{_FUNCTION}/triggers/{{trigger}}", triggers.delete, small),
    ("POST", "/tags-v2", tags.tag_resources, small),
    ("DELETE", "/tags-v2", tags.untag_resources, small),
    ("GET", "/tags-v2", tags.page_resources, small),
    ("GET", "/account-settings", account.get_settings, small),
    ("GET", "/regions", account.get_regions, small),
    *left_out_of_all(),
    *left_out(
        "PUT /resource-groups ChangeResourceGroup",
        "GET /layerarn/{arn} GetLayerVersionByArn",
        "POST /functions/{function}/sessions CreateSession",
        "GET /functions/{function}/sessions ListSessions",
        "GET /functions/{function}/sessions/{session} GetSession",
        "PUT /functions/{function}/sessions/{session} UpdateSession",
        "DELETE /functions/{function}/sessions/{session} DeleteSession",
        "PUT /functions/{function}/sessions/{session}/pause PauseSession",
        "PUT /functions/{function}/sessions/{session}/resume ResumeSession",
        "GET /snapshots ListSnapshots",
        "POST /functions/{function}/snapshots CreateSnapshot",
        "GET /functions/{function}/snapshots/{snapshot} GetSnapshot",
        "DELETE /functions/{function}/snapshots/{snapshot} DeleteSnapshot",
        "POST /functions/{function}/vpc-bindings CreateVpcBinding",
        "GET /functions/{function}/vpc-bindings ListVpcBindings",
        "DELETE /functions/{function}/vpc-bindings/{vpc} DeleteVpcBinding",
    ),
)
