"""What the bodies of answers hold: exactly the fields that are shown, each of its type.

What is shown of a function's settings is read from the stored types. That the rest is what the server sends is found
out by tests: each answer to each operation is compared with its schema, which allows no other field.
"""

from __future__ import annotations

from sojourn import function
from sojourn.api.v2023_03_30.wire import SHOWN_WHEN_SET
from sojourn.destination import DeliveryStatus
from sojourn.function import Config, Hook
from sojourn.hook import HOOKS
from sojourn.task import Status

from .schema import (
    BOOLEAN,
    INTEGER,
    MILLISECONDS,
    NUMBER,
    STAMP,
    TEXT,
    Schema,
    choice,
    listed,
    mapping,
    nullable,
    of_struct,
    ref,
    shown,
)

_NEVER = {"type": "array", "maxItems": 0}
_STAMPS = {"createdTime": STAMP, "lastModifiedTime": STAMP}
_STATUS = choice(*(status.value for status in Status))
_ENCODING = choice("base64")
_PAGE = {"nextToken": {"type": "string", "description": '"" on the last page'}}
_HOOK = of_struct(Hook)
_OFTEN: dict[str, Schema] = {
    "retryIntervalSeconds": INTEGER,
    "retryIntervalMaxSeconds": INTEGER,
    "queueWeight": INTEGER,
}
_END = shown({"destination": TEXT})
_ASYNC: dict[str, Schema] = {
    "maxAsyncRetryAttempts": INTEGER,
    "maxAsyncEventAgeInSeconds": INTEGER,
    "destinationConfig": shown({}, {"onSuccess": _END, "onFailure": _END}),
    **_STAMPS,
}
_FUNCTION: dict[str, Schema] = {
    "functionId": TEXT,
    "codeSize": INTEGER,
    "codeChecksum": TEXT,
    "runtimeNote": {"type": "string", "description": "what there is to say about the interpreter, else empty"},
    **_STAMPS,
}
_TASK: dict[str, Schema] = {
    "qualifier": TEXT,
    "status": _STATUS,
    "startedTime": MILLISECONDS,
    "endTime": MILLISECONDS,
    "durationMs": INTEGER,
    "alreadyRetriedTimes": INTEGER,
    "destinationStatus": choice("", *(status.value for status in DeliveryStatus)),
    "requestId": TEXT,
    "instanceId": TEXT,
    "events": listed(
        shown({"eventId": INTEGER, "status": _STATUS, "timestamp": MILLISECONDS, "eventDetail": TEXT}),
    ),
    "returnPayload": TEXT,
}
_OF_CALLER: dict[str, Schema] = {"taskTags": mapping(TEXT), "rerunOf": TEXT}
_TRIGGER: dict[str, Schema] = {
    "triggerId": TEXT,
    "triggerName": TEXT,
    "triggerType": TEXT,
    "triggerConfig": {"type": "string", "contentMediaType": "application/json"},
    "qualifier": TEXT,
    "description": TEXT,
    "invocationRole": TEXT,
    "sourceArn": TEXT,
    **_STAMPS,
}


def error_schema() -> Schema:
    """The body of every refusal: both names that official clients of different generations read."""
    return shown(dict.fromkeys(("Code", "Message", "RequestId", "ErrorCode", "ErrorMessage"), TEXT))


def problem_schema() -> Schema:
    """The same of the native API, as a problem document (RFC 9457)."""
    own = {"type": TEXT, "title": TEXT, "status": INTEGER, "detail": TEXT, "instance": TEXT}
    return shown({**error_schema()["properties"], **own}, {"field": TEXT})


def answers(*, services: bool) -> dict[str, Schema]:
    """All bodies of answers by name, in the words of the generations with services, or of the newest one."""
    owner: dict[str, Schema] = {"resource": TEXT} if services else {"functionArn": TEXT}
    found = _older() if services else _newest()
    found |= {
        "Function": found["Function"],
        "FunctionPage": _page("functions", "Function"),
        "AsyncConfigPage": _page("configs", "AsyncConfig"),
        "FunctionCode": shown({"url": {"type": "string", "format": "uri"}, "checksum": TEXT}),
        "Done": shown({"success": BOOLEAN}),
        "ConcurrencyConfig": shown({**owner, "reservedConcurrency": INTEGER}),
        "ConcurrencyConfigPage": _page("configs", "ConcurrencyConfig"),
        "OnDemandConfig": shown({**owner, "maximumInstanceCount": INTEGER}),
        "OnDemandConfigPage": _page("configs", "OnDemandConfig"),
        "ProvisionConfig": shown(
            {
                **owner,
                "target": INTEGER,
                "defaultTarget": INTEGER,
                "current": INTEGER,
                "currentError": TEXT,
                "alwaysAllocateCPU": BOOLEAN,
                "alwaysAllocateGPU": BOOLEAN,
                "scheduledActions": _NEVER,
                "targetTrackingPolicies": _NEVER,
            }
        ),
        "ProvisionConfigPage": _page("provisionConfigs", "ProvisionConfig"),
        "TriggerPage": _page("triggers", "Trigger"),
        "Instances": shown({"instances": listed(_INSTANCE_INFO), "requestId": TEXT}),
        "Version": shown({"versionId": TEXT, "description": TEXT, **_STAMPS}),
        "VersionPage": shown({"versions": listed(ref("Version")), "direction": choice("FORWARD", "BACKWARD"), **_PAGE}),
        "Alias": shown(
            {
                "aliasName": TEXT,
                "versionId": TEXT,
                "description": TEXT,
                "additionalVersionWeight": mapping(NUMBER),
                **_STAMPS,
            }
        ),
        "AliasPage": _page("aliases", "Alias"),
        "AccountSettings": shown({"availableAZs": listed(TEXT), "defaultRole": TEXT}),
    }
    return found


def _page(field: str, name: str) -> Schema:
    return shown({field: listed(ref(name)), **_PAGE})


_INSTANCE_INFO = shown(
    {
        "instanceId": TEXT,
        "qualifier": TEXT,
        "versionId": TEXT,
        "status": choice("Creating", "Running", "Destroyed"),
        "resourceType": choice("Provision", "OnDemand"),
        "createdTimeMs": MILLISECONDS,
        "destroyedTimeMs": MILLISECONDS,
    }
)


def _newest() -> dict[str, Schema]:
    config = of_struct(Config)
    config["properties"]["instanceLifecycleConfig"] = shown({}, dict.fromkeys(HOOKS, _HOOK))
    always = [name for name in config["required"] if name not in SHOWN_WHEN_SET]
    optional = {name: each for name, each in config["properties"].items() if name not in always}
    fields = {name: config["properties"][name] for name in always}
    return {
        "Function": shown(
            {
                **fields,
                **_FUNCTION,
                "functionName": TEXT,
                "functionArn": TEXT,
                "state": choice("Active"),
                "lastUpdateStatus": choice("Successful"),
            },
            {
                **optional,
                "versionId": TEXT,
                "invocationRestriction": shown({"disable": BOOLEAN, "reason": TEXT}),
                "queuePausedSince": STAMP,
            },
        ),
        "Task": shown(
            {"functionArn": TEXT, "taskId": TEXT, "taskErrorMessage": TEXT, "taskPayload": TEXT, **_TASK},
            {"taskPayloadEncoding": _ENCODING, "returnPayloadEncoding": _ENCODING, **_OF_CALLER},
        ),
        "TaskPage": _page("tasks", "Task"),
        "AsyncConfig": shown({"functionArn": TEXT, "asyncTask": BOOLEAN, **_ASYNC}, _OFTEN),
        "Trigger": shown(
            {
                **_TRIGGER,
                "targetArn": TEXT,
                "status": TEXT,
                "httpTrigger": nullable(shown({"urlInternet": TEXT, "urlIntranet": TEXT})),
            }
        ),
        "ScalingConfig": shown(
            {
                "functionArn": TEXT,
                "minInstances": INTEGER,
                "targetInstances": INTEGER,
                "currentInstances": INTEGER,
                "currentError": TEXT,
                "enableOnDemandScaling": BOOLEAN,
                "horizontalScalingPolicies": _NEVER,
                "scheduledPolicies": _NEVER,
            }
        ),
        "ScalingConfigPage": _page("scalingConfigs", "ScalingConfig"),
        "TagPage": shown(
            {
                "TagResources": listed(
                    shown(dict.fromkeys(("ResourceType", "ResourceId", "TagKey", "TagValue"), TEXT))
                ),
                "NextToken": TEXT,
                "RequestId": TEXT,
            }
        ),
        "Regions": shown({"Regions": shown({"Region": listed(shown({"RegionId": TEXT, "LocalName": TEXT}))})}),
    }


def _older() -> dict[str, Schema]:
    hooks = shown({}, {"preFreeze": _HOOK, "preStop": _HOOK})
    health = of_struct(function.HealthCheck)
    return {
        "Function": shown(
            {
                **_FUNCTION,
                "functionName": TEXT,
                "description": TEXT,
                "runtime": TEXT,
                "handler": TEXT,
                "timeout": INTEGER,
                "memorySize": INTEGER,
                "cpu": nullable(NUMBER),
                "diskSize": INTEGER,
                "gpuMemorySize": {"type": "null"},
                "initializer": TEXT,
                "initializationTimeout": INTEGER,
                "instanceConcurrency": INTEGER,
                "instanceType": TEXT,
                "instanceLifecycleConfig": hooks,
                "caPort": INTEGER,
                "customContainerConfig": nullable(
                    shown({"image": TEXT, "webServerMode": BOOLEAN}, {"command": TEXT, "args": TEXT})
                ),
                "customRuntimeConfig": nullable(shown({"command": listed(TEXT), "args": listed(TEXT)})),
                "customHealthCheckConfig": nullable(health),
                "environmentVariables": mapping(TEXT),
                "layers": _NEVER,
            }
        ),
        "Task": shown(
            {
                "serviceName": TEXT,
                "functionName": TEXT,
                "invocationId": TEXT,
                "invocationErrorMessage": TEXT,
                "invocationPayload": TEXT,
                **_TASK,
            },
            {"invocationPayloadEncoding": _ENCODING, "returnPayloadEncoding": _ENCODING, **_OF_CALLER},
        ),
        "TaskPage": _page("invocations", "Task"),
        "AsyncConfig": shown(
            {"service": TEXT, "function": TEXT, "qualifier": TEXT, "statefulInvocation": BOOLEAN, **_ASYNC}, _OFTEN
        ),
        "Trigger": shown({**_TRIGGER, "urlInternet": TEXT, "urlIntranet": TEXT, "domainName": TEXT}),
        "Service": shown(
            {
                "serviceId": TEXT,
                "serviceName": TEXT,
                "description": TEXT,
                "internetAccess": BOOLEAN,
                "role": TEXT,
                "logConfig": shown(
                    {
                        "project": TEXT,
                        "logstore": TEXT,
                        "enableRequestMetrics": BOOLEAN,
                        "enableInstanceMetrics": BOOLEAN,
                    }
                ),
                "vpcConfig": shown({"vpcId": TEXT, "vSwitchIds": _NEVER, "securityGroupId": TEXT}),
                "nasConfig": shown({"userId": INTEGER, "groupId": INTEGER, "mountPoints": _NEVER}),
                "tracingConfig": shown({}),
                **_STAMPS,
            }
        ),
        "ServicePage": _page("services", "Service"),
        "TaskFunctionPage": shown(
            {
                "data": listed(shown({"serviceName": TEXT, "functionName": TEXT, "qualifier": TEXT})),
                **_PAGE,
            }
        ),
        "ResourceTags": shown({"resourceArn": TEXT, "tags": mapping(TEXT)}),
        "ResourceTagsPage": _page("resources", "ResourceTags"),
        "ReservedCapacityPage": shown({"reservedCapacities": _NEVER, **_PAGE}),
    }
