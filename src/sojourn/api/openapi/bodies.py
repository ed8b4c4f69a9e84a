"""What the bodies of requests may hold, field by field.

The names and bounds are those of the modules that decode them: `configuration.RULES` and `ASYNC_RULES` are walked, so a
field that is decoded and not described here cannot be built into a description. `tests/api/test_openapi.py` compares
the rest with the fields of the official models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sojourn import alias, function, target, trigger
from sojourn.api.commands import functions, tags
from sojourn.api.v2021_04_06.wire import OWN_FIELDS
from sojourn.configuration import ANY_HANDLER, ASYNC_RULES, DESTINATIONS, RULES
from sojourn.function import DESCRIPTION_CHARACTERS_MAX as DESCRIPTION_MAX
from sojourn.hook import HOOKS, INITIALIZER
from sojourn.own_program import HEALTH_BOUNDS, HEALTH_PATH, IMAGE

from . import native_bodies
from .schema import (
    ANYTHING,
    BOOLEAN,
    EMPTY,
    NOTHING,
    TEXT,
    Schema,
    choice,
    given,
    integer,
    listed,
    mapping,
    nullable,
    ref,
    text,
)

ARCHIVE_EXAMPLE = (
    "UEsDBBQAAAAAAAAAIVyDPgQ9MAAAADAAAAAIAAAAaW5kZXgucHlkZWYgaGFuZGxlcihldmVudCwgY29udGV4dCk6CiAgICByZXR1cm4gImhlbGxv"
    "IgpQSwECFAMUAAAAAAAAACFcgz4EPTAAAAAwAAAACAAAAAAAAAAAAAAAgAEAAAAAaW5kZXgucHlQSwUGAAAAAAEAAQA2AAAAVgAAAAAA"
)
"""A zip archive of `index.py`, whose `handler` says hello."""

_DESCRIPTION = text(DESCRIPTION_MAX)
_WORDS = listed({"type": "string", "minLength": 1, "pattern": r"^[^\u0000]*$"})
_HANDLER = text(pattern=ANY_HANDLER, examples=["index.handler"])
_NO_HANDLER = {"anyOf": [_HANDLER, {"const": ""}], "description": '"" removes the hook'}
_PORT = integer(function.PORT_BOUNDS)
_HEALTH_CHECK = given(
    {"httpGetUrl": text(pattern=HEALTH_PATH)} | {name: integer(bounds) for name, (_, bounds) in HEALTH_BOUNDS.items()},
)
_KEY = {"type": "string", "minLength": 1}
_PAIR = {
    "type": "object",
    "properties": {"key": _KEY, "value": nullable(TEXT), "Key": _KEY, "Value": nullable(TEXT)},
    "anyOf": [{"required": ["key"]}, {"required": ["Key"]}],
    "additionalProperties": False,
}
_CODE = {
    "type": "object",
    "properties": {
        "zipFile": {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "application/zip",
            "examples": [ARCHIVE_EXAMPLE],
        },
        "checksum": nullable({"type": "string", "description": "the archive's CRC-64 (ECMA), in decimal"}),
    },
    "required": ["zipFile"],
    "additionalProperties": NOTHING,
}
_NAME = text(pattern=re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}"), examples=["hello"])
_ANY_NAME = text(pattern=function.FUNCTION_NAME, examples=["hello"])

FUNCTION: Mapping[str, Schema] = {
    "runtime": text(64, examples=["python3.12"]),
    "handler": _HANDLER,
    "description": _DESCRIPTION,
    "memorySize": integer(function.MEMORY_MB_BOUNDS, multipleOf=function.MEMORY_MB_STEP, description="MB"),
    "timeout": integer(function.TIMEOUT_SECONDS_BOUNDS, description="seconds"),
    "cpu": {
        "type": "number",
        "minimum": function.CPU_BOUNDS[0],
        "maximum": function.CPU_BOUNDS[1],
        "description": "vCPU, in steps of 0.05; between 1:4 and 1:1 of memorySize in GB",
    },
    "diskSize": choice(*function.DISK_MB_CHOICES),
    "instanceConcurrency": integer(function.INSTANCE_CONCURRENCY_BOUNDS),
    "idleTimeout": integer(function.IDLE_SECONDS_BOUNDS, description="seconds"),
    "customRuntimeConfig": given(
        {"command": _WORDS, "args": _WORDS, "port": _PORT, "healthCheckConfig": _HEALTH_CHECK}
    ),
    "customContainerConfig": given(
        {
            "image": text(pattern=IMAGE, examples=["registry.example/team/image:1.0"]),
            "command": _WORDS,
            "entrypoint": _WORDS,
            "port": _PORT,
            "healthCheckConfig": _HEALTH_CHECK,
        },
        ["image"],
    ),
    "internetAccess": BOOLEAN,
    "environmentVariables": mapping(
        {"type": "string", "pattern": r"^[^\u0000]*$"},
        propertyNames={"pattern": f"^(?!FC_){function.VARIABLE_NAME.pattern}$"},
        description=f"at most {function.VARIABLES_BYTES_MAX} bytes in all",
    ),
    "tags": listed(_PAIR, function.TAGS_MAX),
    "preload": listed(text(function.PRELOAD_CHARACTERS_MAX, pattern=function.MODULE_NAME), function.PRELOAD_MAX),
    "snapshot": BOOLEAN,
}
"""By the fields of `configuration.RULES`."""
ASYNC: Mapping[str, Schema] = {
    "asyncTask": BOOLEAN,
    "maxAsyncRetryAttempts": integer(function.RETRIES_BOUNDS),
    "maxAsyncEventAgeInSeconds": integer(function.AGE_SECONDS_BOUNDS),
    "retryIntervalSeconds": integer(function.RETRY_INTERVAL_SECONDS_BOUNDS),
    "retryIntervalMaxSeconds": integer(function.RETRY_INTERVAL_SECONDS_BOUNDS),
    "queueWeight": integer(function.QUEUE_WEIGHT_BOUNDS),
}
"""By the fields of `configuration.ASYNC_RULES`."""


def bodies(*, services: bool) -> dict[str, Schema]:
    """All bodies by name, in the words of the generations with services, or of the newest one."""
    found = dict(_SHARED) | dict(native_bodies.NATIVE) | (_older() if services else _newest())
    found["EmptyThrough"] = {
        "anyOf": [
            {"enum": ["", [], None, False, 0, -1]},
            {"type": "object", "additionalProperties": ref("EmptyThrough")},
        ],
        "description": "a field without effect here, at whatever depth",
    }
    return found


def _hooks(names: Mapping[str, Schema]) -> Schema:
    return given(names, other=False)


def _hook(seconds: tuple[int, int]) -> Schema:
    return given({"handler": _NO_HANDLER, "timeout": integer(seconds, description="seconds")})


_INITIALIZER_SECONDS = HOOKS[INITIALIZER].seconds
_LIFECYCLE = _hooks({name: _hook(rule.seconds) for name, rule in HOOKS.items()})


def _newest() -> dict[str, Schema]:
    fields = {name: FUNCTION[name] for name in RULES} | {
        "functionName": _ANY_NAME,
        "code": _CODE,
        "instanceLifecycleConfig": _LIFECYCLE,
        "initializer": _NO_HANDLER,
        "initializationTimeout": integer(_INITIALIZER_SECONDS, description="seconds"),
    }
    return {
        "CreateFunctionInput": given(fields, ["functionName", "runtime"]),
        "UpdateFunctionInput": given(fields),
        "PutAsyncInvokeConfigInput": given(_async()),
        "TagResourcesInput": {
            "type": "object",
            "properties": {
                "ResourceType": nullable({"anyOf": [text(pattern=tags.KIND), {"const": ""}]}),
                "ResourceId": listed(text(), tags.RESOURCES_MAX, 1),
                "Tag": listed(_TAG_PAIR, None, 1),
            },
            "required": ["ResourceId", "Tag"],
            "additionalProperties": NOTHING,
        },
    }


def _older() -> dict[str, Schema]:
    fields = {
        name: FUNCTION[name] for name in RULES if name not in ("customContainerConfig", "customRuntimeConfig")
    } | {
        "functionName": _NAME,
        "code": _CODE,
        "instanceLifecycleConfig": _LIFECYCLE,
        "initializer": {"anyOf": [_HANDLER, EMPTY]},
        "initializationTimeout": {"anyOf": [integer(_INITIALIZER_SECONDS, description="seconds"), EMPTY]},
        "InstanceConcurrency": FUNCTION["instanceConcurrency"],
        "instanceType": choice("", "e1"),
        "caPort": {"anyOf": [_PORT, EMPTY]},
        "customRuntimeConfig": {"anyOf": [FUNCTION["customRuntimeConfig"], EMPTY]},
        "customHealthCheckConfig": {"anyOf": [_HEALTH_CHECK, EMPTY]},
        "customContainerConfig": {"anyOf": [_OLDER_CONTAINER, EMPTY]},
    }
    return {
        "CreateFunctionInput": given(fields, ["functionName", "runtime"]),
        "UpdateFunctionInput": given(fields),
        "PutAsyncInvokeConfigInput": given(
            {"statefulInvocation" if name == "asyncTask" else name: each for name, each in _async().items()}
            | {"asyncTask": BOOLEAN}
            | dict.fromkeys(OWN_FIELDS, ANYTHING)
        ),
        "CreateServiceInput": _service(["serviceName"]),
        "UpdateServiceInput": _service([]),
        "PutOnDemandConfigInput": given(
            {"maximumInstanceCount": integer(function.CONCURRENCY_BOUNDS), "qualifier": ANYTHING},
            ["maximumInstanceCount"],
            other=NOTHING,
        ),
        "TagResourceInput": {
            "type": "object",
            "properties": {
                "resourceArn": text(pattern=tags.ARN),
                "tags": mapping(text(tags.TAG_CHARACTERS_MAX), minProperties=1, maxProperties=function.TAGS_MAX),
            },
            "required": ["resourceArn", "tags"],
            "additionalProperties": NOTHING,
        },
        "UntagResourceInput": {
            "type": "object",
            "properties": {
                "resourceArn": text(pattern=tags.ARN),
                "tagKeys": nullable(listed(TEXT)),
                "all": nullable(BOOLEAN),
            },
            "required": ["resourceArn"],
            "additionalProperties": NOTHING,
        },
    }


def _async() -> dict[str, Schema]:
    end = given({"destination": text(target.TARGET_CHARACTERS_MAX, description='"" removes it')}, other=False)
    ends = given({"onSuccess": end, "onFailure": end}, other=False)
    return {name: ASYNC[name] for name in ASYNC_RULES} | {DESTINATIONS: {"anyOf": [ends, EMPTY]}}


def _service(required: list[str]) -> Schema:
    fields = {
        "serviceName": text(pattern=function.SERVICE_NAME, examples=["shop"]),
        "description": _DESCRIPTION,
        "internetAccess": BOOLEAN,
    }
    return given(fields, required, other=ref("EmptyThrough"))


_TAG_PAIR = {
    "type": "object",
    "properties": {"Key": text(tags.TAG_CHARACTERS_MAX), "Value": nullable(text(tags.TAG_CHARACTERS_MAX))},
    "required": ["Key"],
}
_OLDER_CONTAINER = given(
    {
        "image": FUNCTION["customContainerConfig"]["properties"]["image"],
        "command": {**TEXT, "description": "a JSON list of words, as text"},
        "args": {**TEXT, "description": "a JSON list of words, as text"},
        "webServerMode": choice(True),
    },
    ["image"],
)
_ALIAS = {
    "versionId": text(pattern=alias.VERSION),
    "description": _DESCRIPTION,
    "additionalVersionWeight": mapping({"type": "number", "minimum": 0, "maximum": 1}, maxProperties=1),
    "resolvePolicy": choice("", "Random"),
}
_ALIAS_NAME = text(pattern=alias.NAME, examples=["live"])
_TRIGGER = {
    "triggerConfig": {
        "anyOf": [{"type": "string", "contentMediaType": "application/json"}, {"type": "object"}],
        "description": "JSON, as text; of a timer: cronExpression, payload, enable; of an address: authType, methods, "
        "disableURLInternet",
        "examples": ['{"cronExpression": "@every 8h"}'],
    },
    "description": _DESCRIPTION,
    "qualifier": TEXT,
}
_TRIGGER_OTHER: Schema = {"enum": ["", [], {}, None]}


_INSTANCES = integer(function.MIN_INSTANCES_BOUNDS)
_SHARED: Mapping[str, Schema] = {
    "PutConcurrencyInput": given(
        {"reservedConcurrency": integer(function.CONCURRENCY_BOUNDS)}, ["reservedConcurrency"], other=NOTHING
    ),
    "PutProvisionConfigInput": given(
        {"target": _INSTANCES, "defaultTarget": _INSTANCES, "alwaysAllocateCPU": BOOLEAN},
    )
    | {"anyOf": [{"required": [name], "properties": {name: _INSTANCES}} for name in ("target", "defaultTarget")]},
    "PutScalingConfigInput": given(
        {"minInstances": _INSTANCES, "enableOnDemandScaling": choice(True)}, ["minInstances"]
    ),
    "DisableInput": given(
        {"reason": text(functions.REASON_CHARACTERS_MAX), "abortOngoingRequest": BOOLEAN}, other=NOTHING
    ),
    "PublishVersionInput": given({"description": _DESCRIPTION}, other=NOTHING),
    "CreateAliasInput": given({"aliasName": _ALIAS_NAME, **_ALIAS}, ["aliasName", "versionId"], other=_TRIGGER_OTHER),
    "UpdateAliasInput": given({"aliasName": _ALIAS_NAME, **_ALIAS}, other=_TRIGGER_OTHER),
    "CreateTriggerInput": given(
        {
            "triggerName": text(pattern=trigger.NAME, examples=["nightly"]),
            "triggerType": choice(trigger.TIMER, trigger.HTTP),
            **_TRIGGER,
        },
        ["triggerName", "triggerType"],
        other=_TRIGGER_OTHER,
    ),
    "UpdateTriggerInput": given({"triggerName": TEXT, "triggerType": TEXT, **_TRIGGER}, other=_TRIGGER_OTHER),
}
EXAMPLES: Mapping[str, Mapping[str, object]] = {
    **native_bodies.EXAMPLES,
    "CreateFunctionInput": {
        "functionName": "hello",
        "runtime": "python3.12",
        "handler": "index.handler",
        "code": {"zipFile": ARCHIVE_EXAMPLE},
    },
    "UpdateFunctionInput": {"timeout": 60, "memorySize": 256, "environmentVariables": {"GREETING": "hello"}},
    "CreateServiceInput": {"serviceName": "shop", "description": "orders and their invoices"},
    "CreateTriggerInput": {
        "triggerName": "nightly",
        "triggerType": "timer",
        "triggerConfig": '{"cronExpression": "CRON_TZ=Asia/Shanghai 0 30 2 * * *", "payload": "all"}',
    },
    "CreateAliasInput": {"aliasName": "live", "versionId": "1"},
    "PutAsyncInvokeConfigInput": {"maxAsyncRetryAttempts": 1, "maxAsyncEventAgeInSeconds": 3600},
    "PutConcurrencyInput": {"reservedConcurrency": 5},
    "PutProvisionConfigInput": {"defaultTarget": 0},
    "PutScalingConfigInput": {"minInstances": 0},
    "PutOnDemandConfigInput": {"maximumInstanceCount": 5},
    "TagResourceInput": {"resourceArn": "functions/hello", "tags": {"team": "orders"}},
    "TagResourcesInput": {"ResourceId": ["hello"], "Tag": [{"Key": "team", "Value": "orders"}]},
}
"""One body of each kind as a caller would write it."""
