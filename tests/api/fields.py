"""Every field that the official models send, and what this server does with it.

A verdict is one of three. EFFECTIVE: the value is accepted and changes what the server holds. DESCRIBES: it is kept and
shown, and only describes. REFUSED: a value that would mean something is answered with 400 and the field's name. The
test beside reads the fields from the official packages and fails when one has no verdict here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

EFFECTIVE, DESCRIBES, REFUSED, NAMES = "effective", "describes", "refused", "names"
"""NAMES: it says which thing is meant, and so is in the path or must be that of the thing."""


class Field(NamedTuple):
    """What becomes of a value of a field; `beside` has to be sent with it."""

    verdict: str
    value: Any = None
    beside: Mapping[str, Any] = MappingProxyType({})


def e(value: Any, **beside: Any) -> Field:
    """Effective."""
    return Field(EFFECTIVE, value, beside)


def d(value: Any) -> Field:
    """Describes."""
    return Field(DESCRIBES, value)


def r(value: Any, **beside: Any) -> Field:
    """Refused."""
    return Field(REFUSED, value, beside)


NAMED = Field(NAMES)
CUSTOM = {"runtime": "custom"}
HOOK = {"handler": "index.other", "timeout": 9}

FUNCTION: dict[str, Field] = {
    "code": e("ZIP"),
    "cpu": e(0.35),
    "customContainerConfig": e({"image": "x"}, runtime="custom-container", handler="index.handler"),
    "customDNS": r({"nameServers": ["192.0.2.1"]}),
    "customRuntimeConfig": e({"command": ["x"], "port": 9001}, **CUSTOM),
    "description": d("words"),
    "disableInjectCredentials": r("All"),
    "disableOndemand": r(True),
    "diskSize": e(10240),
    "enableLongLiving": r(True),
    "environmentVariables": e({"K": "v"}),
    "functionName": NAMED,
    "gpuConfig": r({"gpuMemorySize": 1024}),
    "handler": e("main.other"),
    "idleTimeout": e(7),
    "instanceConcurrency": e(5, **CUSTOM),
    "instanceIsolationMode": r("SESSION_EXCLUSIVE"),
    "instanceLifecycleConfig": e({"preStop": HOOK}),
    "internetAccess": e(False),
    "juiceFsConfig": r({"mountPoints": [{}]}),
    "layers": r(["acs:fc:x:layers/y"]),
    "logConfig": r({"project": "p"}),
    "memorySize": e(1024),
    "microSandboxConfig": r({"enabled": True}),
    "nasConfig": r({"mountPoints": [{"serverAddr": "x"}]}),
    "ossMountConfig": r({"mountPoints": [{"bucketName": "x"}]}),
    "polarFsConfig": r({"mountPoints": [{}]}),
    "resourceGroupId": r("rg"),
    "role": r("acs:ram::1:role/x"),
    "runtime": e("python3.11"),
    "sessionAffinity": r("MCP_SSE"),
    "sessionAffinityConfig": r("{}x"),
    "tags": d([{"key": "k", "value": "v"}]),
    "timeout": e(77),
    "tracingConfig": r({"type": "Jaeger"}),
    "vpcConfig": r({"vpcId": "x"}),
}
OLDER_FUNCTION: dict[str, Field] = {
    "caPort": e(9001, **CUSTOM),
    "customContainerConfig": e(
        {"image": "x", "args": '["a"]', "command": '["b"]'}, runtime="custom-container", handler="index.handler"
    ),
    "customHealthCheckConfig": e({"httpGetUrl": "/up"}, **CUSTOM),
    "gpuMemorySize": r(1024),
    "initializer": e("index.init"),
    "initializationTimeout": e(9, initializer="index.init"),
    "instanceSoftConcurrency": r(5),
    "instanceType": r("g1"),
    "InstanceConcurrency": e(5, **CUSTOM),
    "customRuntimeConfig": e({"command": ["x"], "args": ["y"]}, **CUSTOM),
    **{
        name: FUNCTION[name]
        for name in (
            "code",
            "cpu",
            "customDNS",
            "description",
            "diskSize",
            "environmentVariables",
            "functionName",
            "handler",
            "instanceConcurrency",
            "instanceLifecycleConfig",
            "layers",
            "memorySize",
            "runtime",
            "timeout",
        )
    },
}
SERVICE: dict[str, Field] = {
    "serviceName": NAMED,
    "description": d("words"),
    "internetAccess": e(False),
    "logConfig": r({"project": "p", "logstore": "l"}),
    "nasConfig": r({"userId": 1, "groupId": 1, "mountPoints": [{"serverAddr": "x"}]}),
    "ossMountConfig": r({"mountPoints": [{"bucketName": "x"}]}),
    "role": r("acs:ram::1:role/x"),
    "tracingConfig": r({"type": "Jaeger"}),
    "vpcConfig": r({"vpcId": "x"}),
}
ASYNC: dict[str, Field] = {
    "asyncTask": d(False),
    "statefulInvocation": d(False),
    "maxAsyncRetryAttempts": e(1),
    "maxAsyncEventAgeInSeconds": e(60),
    "destinationConfig": e({"onFailure": {"destination": "https://example.com/x"}}),
    "qualifier": NAMED,
}
CONCURRENCY = {"reservedConcurrency": e(7)}
ON_DEMAND = {"maximumInstanceCount": e(7), "qualifier": NAMED}
PROVISION: dict[str, Field] = {
    "target": e(0, alwaysAllocateCPU=True),
    "defaultTarget": e(0, alwaysAllocateCPU=True),
    "alwaysAllocateCPU": e(True, target=0),
    "alwaysAllocateGPU": r(True, target=0),
    "scheduledActions": r([{"name": "x"}], target=0),
    "targetTrackingPolicies": r([{"name": "x"}], target=0),
    "qualifier": NAMED,
}
SCALING: dict[str, Field] = {
    "minInstances": e(0),
    "enableMixMode": r(True, minInstances=0),
    "enableOnDemandScaling": r(False, minInstances=0),
    "horizontalScalingPolicies": r([{"name": "x"}], minInstances=0),
    "requestDispatchPolicy": r("x", minInstances=0),
    "residentPoolId": r("x", minInstances=0),
    "scheduledPolicies": r([{"name": "x"}], minInstances=0),
}
TRIGGER: dict[str, Field] = {
    "description": d("words"),
    "invocationRole": r("acs:ram::1:role/x"),
    "qualifier": e("1"),
    "sourceArn": r("acs:oss:::x"),
    "triggerConfig": e('{"cronExpression": "@every 9h"}'),
    "triggerName": NAMED,
    "triggerType": NAMED,
}
ALIAS: dict[str, Field] = {
    "additionalVersionWeight": e({"2": 0.5}),
    "aliasName": NAMED,
    "description": d("words"),
    "resolvePolicy": r("Content"),
    "routePolicy": r({"condition": "AND"}),
    "versionId": e("2"),
}
