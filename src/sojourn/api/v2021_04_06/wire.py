"""What callers of the generations with services see of functions, tasks and configurations, and how theirs are read.

Pure. Objects are made of the newest generation's, whose names and places differ in part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sojourn.api.v2023_03_30 import wire as newest
from sojourn.errors import InvalidArgument
from sojourn.function import (
    CONTAINER,
    INITIALIZER_SECONDS_BOUNDS,
    LATEST,
    PORT_DEFAULT,
    AsyncConfig,
    CustomContainer,
    Function,
    check_integer,
)
from sojourn.runtime import Runtime
from sojourn.times import rfc3339
from sojourn.trigger import Trigger

TASK_NAMES = {
    "taskId": "invocationId",
    "taskErrorMessage": "invocationErrorMessage",
    "taskPayload": "invocationPayload",
    "taskPayloadEncoding": "invocationPayloadEncoding",
}
INSTANCE_TYPE = "e1"
OWN_FIELDS = ("service", "function", "qualifier", "createdTime", "lastModifiedTime")
"""Of an asynchronous configuration: an answer has them, and a caller may send them back."""
_PLACES = ("customContainerConfig", "customRuntimeConfig")
_EMPTY: tuple[object, ...] = ("", [], {}, None, False, 0)


def task_object(shown: Mapping[str, object], function: Function) -> dict[str, object]:
    """StatefulAsyncInvocation, from an AsyncTask."""
    renamed = {TASK_NAMES.get(name, name): value for name, value in shown.items() if name != "functionArn"}
    return {"serviceName": function.service, "functionName": function.short_name, **renamed}


def function_object(function: Function, runtimes: Iterable[Runtime]) -> dict[str, object]:
    """Function, with the hooks and the program where these generations have them."""
    config = function.config
    hooks = config.instance_lifecycle_config
    custom, contained = config.custom_runtime_config, config.custom_container_config
    program = custom or contained
    initializer = hooks.initializer
    health = program.health_check_config if program else None
    both = {"preFreeze": hooks.pre_freeze, "preStop": hooks.pre_stop}
    return {
        "functionId": f"{function.id}-{function.generation}",
        "functionName": function.short_name,
        "description": config.description,
        "runtime": config.runtime,
        "handler": config.handler,
        "timeout": config.timeout,
        "memorySize": config.memory_size,
        "cpu": config.cpu,
        "diskSize": config.disk_size,
        "gpuMemorySize": None,
        "initializer": initializer.handler if initializer else "",
        "initializationTimeout": initializer.timeout if initializer else 0,
        "instanceConcurrency": config.instance_concurrency,
        "instanceType": INSTANCE_TYPE,
        "instanceLifecycleConfig": {
            name: {"handler": hook.handler, "timeout": hook.timeout} for name, hook in both.items() if hook is not None
        },
        "caPort": program.port if program else PORT_DEFAULT if config.custom else 0,
        "customContainerConfig": _container(contained) if contained else None,
        "customRuntimeConfig": {"command": custom.command, "args": custom.args} if custom else None,
        "customHealthCheckConfig": newest.builtins(health) if health else None,
        "environmentVariables": config.environment_variables,
        "layers": [],
        "codeSize": function.code.size,
        "codeChecksum": function.code.checksum,
        "createdTime": rfc3339(function.created_at),
        "lastModifiedTime": rfc3339(function.modified_at),
        "runtimeNote": newest.runtime_note(config.runtime, runtimes),
    }


def async_config_object(function: Function, qualifier: str, config: AsyncConfig) -> dict[str, object]:
    """AsyncInvokeConfig."""
    shown = newest.async_config_object(
        config, {"service": function.service, "function": function.short_name, "qualifier": qualifier}
    )
    shown["statefulInvocation"] = shown.pop("asyncTask")
    return shown


def trigger_object(trigger: Trigger, function: Function, url: str) -> dict[str, object]:
    """Trigger, with the address on top."""
    shown = newest.trigger_object(trigger, function, "", url)
    for name in ("httpTrigger", "status", "targetArn"):
        del shown[name]
    return shown | {"urlInternet": url, "urlIntranet": url, "domainName": ""}


def async_body(body: Mapping[str, object]) -> dict[str, object]:
    """PutAsyncInvokeConfig's body in the newest words."""
    renamed = dict(body)
    own = renamed.pop("statefulInvocation", None)
    if own is not None:
        if renamed.get("asyncTask") is not None:
            raise InvalidArgument("asyncTask", renamed["asyncTask"], "must be absent beside statefulInvocation")
        renamed["asyncTask"] = own
    for own in OWN_FIELDS:
        renamed.pop(own, None)
    return renamed


def function_body(body: Mapping[str, object], before: Function | None) -> dict[str, object]:
    """CreateFunction's or UpdateFunction's body in the newest words.

    Raises
    ------
    InvalidArgument: a field has no effect here.

    """
    renamed = {name: value for name, value in body.items() if value is not None}
    if "InstanceConcurrency" in renamed:  # as the official client of 2021-04-06 spells it in an update
        renamed["instanceConcurrency"] = renamed.pop("InstanceConcurrency")
    kind = renamed.pop("instanceType", "")
    if kind not in ("", INSTANCE_TYPE):
        raise InvalidArgument("instanceType", kind, f"must be {INSTANCE_TYPE}: there are no others here")
    had = before.config.instance_lifecycle_config.initializer if before else None
    seconds = renamed.get("initializationTimeout")
    if seconds not in _EMPTY:
        check_integer("initializationTimeout", seconds, INITIALIZER_SECONDS_BOUNDS, "seconds")
    if not renamed.get("initializer") and (had is None or renamed.get("initializer") == ""):
        renamed.pop("initializationTimeout", None)  # one client always sends it
        if had is None:
            renamed.pop("initializer", None)
    for field in ("gpuMemorySize", "instanceSoftConcurrency", "caPort"):
        if renamed.get(field) in _EMPTY:
            renamed.pop(field, None)
    _program(renamed, before)
    return renamed


def _program(renamed: dict[str, object], before: Function | None) -> None:
    """What these generations have beside the program or the image, put into it."""
    port, health = renamed.pop("caPort", None), renamed.pop("customHealthCheckConfig", None)
    health = None if health in _EMPTY else health
    runtime = str(renamed.get("runtime") or (before.config.runtime if before else ""))
    contained = runtime == CONTAINER
    field, other = _PLACES if contained else _PLACES[::-1]
    if renamed.get(other) in _EMPTY:
        renamed.pop(other, None)
    given = renamed.pop(field, None)
    if port is not None and not runtime.startswith("custom"):
        if port != PORT_DEFAULT:
            raise InvalidArgument("caPort", port, f"goes with a custom runtime, not {runtime}")
        port = None
    if given in _EMPTY and port is None and health is None:
        return
    if given not in _EMPTY and not isinstance(given, dict):
        renamed[field] = given  # which is refused by its name
        return
    config = before.config if before else None
    had = (config.custom_container_config if contained else config.custom_runtime_config) if config else None
    told = _image(given) if contained and isinstance(given, dict) else given
    changes = {**(told if isinstance(told, dict) else {}), "port": port, "healthCheckConfig": health}
    merged = {
        **(newest.builtins(had) if had is not None else {}),
        **{k: v for k, v in changes.items() if v is not None},
    }
    renamed[field] = merged


def _image(given: Mapping[str, object]) -> dict[str, object]:
    """An image in the newest words: lists are JSON text in these generations, a command is the image's entrypoint."""
    told = {name: value for name, value in given.items() if name not in ("command", "args", "webServerMode")}
    if given.get("webServerMode") is False:
        raise InvalidArgument(
            "customContainerConfig.webServerMode", False, "must be true: a container answers HTTP here"
        )
    for older, name in (("command", "entrypoint"), ("args", "command")):
        value = given.get(older)
        if isinstance(value, str) and value:
            try:
                told[name] = msgspec.json.decode(value, type=list[str])
            except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError):
                raise InvalidArgument(f"customContainerConfig.{older}", value, "must be a JSON list of words") from None
        elif value not in (None, ""):
            told[name] = value
    return told


def _container(config: CustomContainer) -> dict[str, object]:
    """An image as these generations show it."""
    lists = {"command": config.entrypoint, "args": config.command}
    shown: dict[str, object] = {"image": config.image, "webServerMode": True}
    return shown | {name: msgspec.json.encode(words).decode() for name, words in lists.items() if words}


def resource(function: Function, qualifier: str) -> dict[str, object]:
    """How provision and on-demand configurations say whose they are."""
    return {"resource": f"{function.account_id}#{function.service}#{qualifier or LATEST}#{function.short_name}"}
