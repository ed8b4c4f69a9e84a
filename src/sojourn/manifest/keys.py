"""The keys of a deployment file: for each what it does here, or why it is refused.

The page docs/deploy.md shows these tables, and a test holds it to them. Bounds are not told here: they are those of the
functions themselves (`sojourn.configuration`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Use = Literal["applied", "noted", "refused"]
"""`applied` reaches the server; `noted` is read and has no effect beyond this command; `refused` is an error unless the
value is empty."""


@dataclass(frozen=True)
class Key:
    """One key: its use, in words what comes of it, and the keys of the map it holds; None for any other value."""

    use: Use
    words: str
    inside: Mapping[str, Key] | None = None


def applied(words: str, inside: Mapping[str, Key] | None = None) -> Key:
    """A key that reaches the server."""
    return Key("applied", words, inside)


def refused(words: str) -> Key:
    """A key that means something elsewhere and nothing here."""
    return Key("refused", words)


def noted(words: str) -> Key:
    """A key that has no effect on the server."""
    return Key("noted", words)


HOOK = {"handler": applied("the hook's function"), "timeout": applied("seconds it may take")}
HOOKS = {
    "initializer": applied("prepares each new instance", HOOK),
    "preFreeze": applied("runs before an idle instance is frozen", HOOK),
    "preStop": applied("runs before an instance ends", HOOK),
}
HEALTH = {
    "httpGetUrl": applied("the path that answers 200 to 399 when the program serves"),
    "initialDelaySeconds": applied("seconds before the first check"),
    "periodSeconds": applied("seconds between checks"),
    "timeoutSeconds": applied("seconds one check may take"),
    "failureThreshold": applied("so many failures in a row mean it does not serve"),
    "successThreshold": applied("so many successes in a row mean it serves"),
}
CUSTOM = {
    "command": applied("the program, a list of words"),
    "args": applied("further words of it"),
    "port": applied("where it listens"),
    "healthCheckConfig": applied("how it shows that it serves", HEALTH),
}
IMAGE = {
    "image": applied("its name as `podman images` shows it; it must be on the server's machine"),
    "entrypoint": applied("replaces the image's, a list of words"),
    "command": applied("replaces the image's, a list of words"),
    "port": applied("where it listens"),
    "healthCheckConfig": applied("how it shows that it serves", HEALTH),
    "acrInstanceId": refused("images come from the server's machine"),
    "accelerationType": refused("images come from the server's machine"),
    "registryConfig": refused("images come from the server's machine"),
}
OLDER_IMAGE = {
    "image": IMAGE["image"],
    "command": applied("`entrypoint`, a list of words or one in JSON"),
    "args": applied("`command`, a list of words or one in JSON"),
    "webServerMode": noted("true: a container answers HTTP; any other value is refused"),
    "instanceID": refused("images come from the server's machine"),
    "accelerationType": refused("images come from the server's machine"),
}
DESTINATION = {"destination": applied("an ARN or a URL")}
ASYNC = {
    "asyncTask": applied("kept and shown: task mode is always on"),
    "maxAsyncRetryAttempts": applied("how often a failed task is tried again"),
    "maxAsyncEventAgeInSeconds": applied("seconds a task may wait before it expires"),
    "destinationConfig": applied(
        "where the record of a finished task goes",
        {
            "onSuccess": applied("of a task that succeeded", DESTINATION),
            "onFailure": applied("of any other", DESTINATION),
        },
    ),
    "retryIntervalSeconds": applied("ours: the first wait between attempts"),
    "retryIntervalMaxSeconds": applied("ours: the longest wait between attempts"),
    "queueWeight": applied("ours: turns of this function's line when others get one"),
}
PROVISION = {
    "defaultTarget": applied("how many instances are kept"),
    "target": applied("the older name of it"),
    "alwaysAllocateCPU": applied("they are not frozen"),
    "alwaysAllocateGPU": refused("there are no GPUs"),
    "scheduledActions": refused("the number of instances follows no timetable"),
    "targetTrackingPolicies": refused("the number of instances follows no measure"),
}
SCALING = {
    "minInstances": applied("how many instances there are at least"),
    "horizontalScalingPolicies": refused("the number of instances follows no measure"),
    "scheduledPolicies": refused("the number of instances follows no timetable"),
}
_ROLE = "the server has no roles; code gets what its sandbox gives"
_NETWORK = "the network belongs to the account's sandbox"
_LOGS = "logs are kept with each task: `sojourn task logs`"
_STORAGE = "no remote file system is mounted"
_SENDERS = "nothing here sends events of other services"
TRIGGER_CONFIG: Mapping[str, Key] = {
    "cronExpression": applied("of a timer: when it fires"),
    "payload": applied("of a timer: what its event carries"),
    "enable": applied("of a timer: false lets it rest"),
    "authType": applied("of an address: anonymous or function"),
    "methods": applied("of an address: the methods it takes, all unless given"),
    "disableURLInternet": applied("of an address: true closes it"),
    "authConfig": refused("an address knows no tokens"),
    "corsConfig": refused("an answer has the headers that the function gives it"),
}

FC3: Mapping[str, Key] = {
    "region": noted("a server is one region; the value serves `${…}`"),
    "functionName": applied("the function"),
    "description": applied("free text"),
    "runtime": applied("such as python3.12 or custom"),
    "handler": applied("what is called; custom runtimes need none"),
    "code": applied(
        "a directory or a zip, from where the file lies; a custom container needs none",
        {
            "src": applied("the same, in the longer form"),
            "ossBucketName": refused("code comes from this machine"),
            "ossObjectName": refused("code comes from this machine"),
        },
    ),
    "memorySize": applied("MB one instance may use"),
    "cpu": applied("vCPU of an instance"),
    "diskSize": applied("MB of /tmp"),
    "timeout": applied("seconds one attempt may take"),
    "environmentVariables": applied("all of them; those from before go"),
    "instanceConcurrency": applied("tasks at a time in one instance; above 1 in custom runtimes only"),
    "idleTimeout": applied("seconds an instance may idle before it ends"),
    "preload": applied("ours: Python modules to import once, before instances are forked"),
    "snapshot": applied("ours: true starts instances from a process in which Initializer has run"),
    "internetAccess": applied("false: a network without a way out; not at isolation level 0"),
    "tags": applied("a list of key and value; they only describe"),
    "instanceLifecycleConfig": applied("hooks; those from before that are not named go", HOOKS),
    "customRuntimeConfig": applied("the program of a custom runtime", CUSTOM),
    "asyncInvokeConfig": applied("how its tasks are treated", ASYNC),
    "concurrencyConfig": applied(
        "a bound on the whole function",
        {"reservedConcurrency": applied("how many of its tasks may run at a time; 0 lets none")},
    ),
    "provisionConfig": applied("instances kept warm", PROVISION),
    "scalingConfig": applied("instances kept", SCALING),
    "triggers": applied(
        "a list: timers and addresses; those that are not named stay",
        {
            "triggerName": applied("its name"),
            "triggerType": applied("timer or http"),
            "triggerConfig": applied("the whole of it is named; what is left out has its default", TRIGGER_CONFIG),
            "qualifier": applied("the version or alias that it runs"),
            "description": applied("free text"),
            "invocationRole": refused(_ROLE),
            "sourceArn": refused(_SENDERS),
        },
    ),
    "layers": refused("there are no layers: put the files beside the code"),
    "customContainerConfig": applied("the image of a custom container", IMAGE),
    "role": refused(_ROLE),
    "logConfig": refused(_LOGS),
    "tracingConfig": refused("there is no tracing"),
    "vpcConfig": refused(_NETWORK),
    "vpcBinding": refused(_NETWORK),
    "customDNS": refused(_NETWORK),
    "nasConfig": refused(_STORAGE),
    "ossMountConfig": refused(_STORAGE),
    "gpuConfig": refused("there are no GPUs"),
    "sessionAffinity": refused("there are no sessions"),
    "sessionConfig": refused("there are no sessions"),
    "instanceIsolationMode": refused("instances of an account share its sandbox"),
    "disableInjectCredentials": refused("no credentials are injected"),
    "disableOndemand": refused("instances are always made on demand"),
    "enableLongLiving": refused("an instance lives until it idles"),
    "endpoint": refused("name the server with --endpoint"),
    "annotations": refused("requests carry no further headers"),
    "supplement": refused("it belongs to another tool"),
}

FC2_SERVICE: Mapping[str, Key] = {
    "name": applied("the first half of the function's name, see below"),
    "description": noted("a function brings its service along, without one"),
    "internetAccess": applied("`internetAccess` of the function"),
    "role": refused(_ROLE),
    "logConfig": refused(_LOGS),
    "tracingConfig": refused("there is no tracing"),
    "nasConfig": refused(_STORAGE),
    "ossMountConfig": refused(_STORAGE),
    "vpcConfig": refused(_NETWORK),
    "vpcBinding": refused(_NETWORK),
}
FC2_FUNCTION: Mapping[str, Key] = {
    "name": applied("the second half of the function's name, see below"),
    "description": applied("free text"),
    "codeUri": applied("`code`"),
    "ossBucket": refused("code comes from this machine"),
    "ossKey": refused("code comes from this machine"),
    "handler": applied("`handler`"),
    "runtime": applied("`runtime`"),
    "memorySize": applied("`memorySize`"),
    "cpu": applied("`cpu`"),
    "diskSize": applied("`diskSize`"),
    "timeout": applied("`timeout`"),
    "environmentVariables": applied("`environmentVariables`"),
    "initializer": applied("`instanceLifecycleConfig.initializer.handler`"),
    "initializationTimeout": applied("`instanceLifecycleConfig.initializer.timeout`"),
    "instanceConcurrency": applied("`instanceConcurrency`"),
    "instanceType": noted("`e1` and `c1` are the same here; any other value is refused"),
    "instanceLifecycleConfig": applied(
        "hooks", {"preFreeze": HOOKS["preFreeze"], "preStop": HOOKS["preStop"], "initializer": HOOKS["initializer"]}
    ),
    "caPort": applied("`port` of `customRuntimeConfig` or of `customContainerConfig`"),
    "customRuntimeConfig": applied(
        "the program of a custom runtime", {"command": CUSTOM["command"], "args": CUSTOM["args"]}
    ),
    "customHealthCheckConfig": applied("`healthCheckConfig` of either", HEALTH),
    "asyncConfiguration": applied(
        "`asyncInvokeConfig`",
        {
            "statefulInvocation": applied("`asyncTask`"),
            "maxAsyncRetryAttempts": ASYNC["maxAsyncRetryAttempts"],
            "maxAsyncEventAgeInSeconds": ASYNC["maxAsyncEventAgeInSeconds"],
            "destination": applied(
                "`destinationConfig`",
                {"onSuccess": applied("an ARN or a URL"), "onFailure": applied("an ARN or a URL")},
            ),
        },
    ),
    "layers": refused("there are no layers: put the files beside the code"),
    "customContainerConfig": applied("the image of a custom container", OLDER_IMAGE),
    "customDNS": refused(_NETWORK),
    "gpuMemorySize": refused("there are no GPUs"),
}
FC2: Mapping[str, Key] = {
    "region": noted("a server is one region; the value serves `${…}`"),
    "service": applied("the service", FC2_SERVICE),
    "function": applied("the function", FC2_FUNCTION),
    "triggers": applied(
        "`triggers`",
        {
            "name": applied("`triggerName`"),
            "type": applied("`triggerType`"),
            "config": applied("`triggerConfig`", TRIGGER_CONFIG),
            "qualifier": applied("`qualifier`"),
            "description": applied("free text"),
            "role": refused(_ROLE),
            "sourceArn": refused(_SENDERS),
        },
    ),
    "customDomains": refused("there are no domains"),
}

_ACTIONS = "no command of a file is run: run it yourself before"
_EXTENDS = "a file stands for itself: write the values out, or use `vars` and anchors"
RESOURCE: Mapping[str, Key] = {
    "component": applied("`fc3` for the newer form, `fc` for the older one; also as `devsapp/fc3` and with `@version`"),
    "access": noted("the key is the command's own; the value serves `${this.access}`"),
    "props": Key("applied", "see the next tables"),
    "actions": refused(_ACTIONS),
    "extend": refused(_EXTENDS),
}
ROOT: Mapping[str, Key] = {
    "edition": applied("`3.x.x` goes with `resources`, `1.0.0` with `services`"),
    "name": noted("the application's name"),
    "access": noted("the key is the command's own; the value serves `${this.access}`"),
    "vars": applied("values for `${vars.…}`"),
    "resources": applied("the functions, by name of resource"),
    "services": applied("the same in edition 1.0.0"),
    "actions": refused(_ACTIONS),
    "flow": refused("resources are applied in the order of the file"),
    "template": refused(_EXTENDS),
    "extend": refused(_EXTENDS),
    "use": refused(_EXTENDS),
    "env": refused("name the server with --endpoint"),
}


@dataclass(frozen=True)
class Table:
    """A table of the page: its heading and its keys."""

    heading: str
    keys: Mapping[str, Key] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Dotted key, use, words; parents before children."""
        yield from _rows(self.keys, "")


TABLES = (
    Table("The file", ROOT),
    Table("A resource", RESOURCE),
    Table("`props` of `fc3`", FC3),
    Table("`props` of `fc`", FC2),
)


def _rows(keys: Mapping[str, Key], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, key in keys.items():
        yield prefix + name, key.use, key.words
        if key.inside:
            yield from _rows(key.inside, f"{prefix}{name}.")
