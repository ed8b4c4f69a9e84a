"""Configurations from request bodies: which fields there are, their bounds, and what a partial change keeps.

Pure: a decoded JSON body goes in, a checked value comes out, or `InvalidArgument` names the field, the value and the
bound. A field that has no effect here is refused unless it is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .errors import InvalidArgument
from .function import (
    AGE_SECONDS_BOUNDS,
    CONCURRENCY_BOUNDS,
    CPU_BOUNDS,
    CPU_PARTS,
    DESCRIPTION_CHARACTERS_MAX,
    DISK_MB_CHOICES,
    HANDLER,
    IDLE_SECONDS_BOUNDS,
    INSTANCE_CONCURRENCY_BOUNDS,
    MEMORY_MB_BOUNDS,
    MEMORY_MB_STEP,
    MODULE_NAME,
    PRELOAD_CHARACTERS_MAX,
    PRELOAD_MAX,
    QUEUE_WEIGHT_BOUNDS,
    RETRIES_BOUNDS,
    RETRY_INTERVAL_SECONDS_BOUNDS,
    TAGS_MAX,
    TIMEOUT_SECONDS_BOUNDS,
    VARIABLE_NAME,
    VARIABLES_BYTES_MAX,
    AsyncConfig,
    Config,
    Hook,
    Lifecycle,
    check_integer,
    matching,
)
from .hook import HOOKS, INITIALIZER, Rule
from .own_program import IGNORED_WHEN_EMPTY, check_program, custom_container, custom_runtime
from .target import changed_destinations


def new_config(body: Mapping[str, object]) -> Config:
    """The configuration that a create request asks for.

    Raises
    ------
    InvalidArgument: a field is missing, unknown, or outside its bounds.

    """
    needed = ("runtime",) if str(body.get("runtime")).startswith("custom") else ("runtime", "handler")
    for field in needed:
        if body.get(field) in (None, ""):
            raise InvalidArgument(field, body.get(field), "is required")
    return changed_config(None, body)


def changed_config(config: Config | None, body: Mapping[str, object]) -> Config:
    """`config` with the fields that `body` gives; an absent or null field keeps its value."""
    changes: dict[str, Any] = {}
    for field, value in body.items():
        if value is None or field in READ_ELSEWHERE:
            continue
        rule = RULES.get(field)
        if rule is None:
            if value in IGNORED_WHEN_EMPTY:
                continue
            raise InvalidArgument(field, value, "is not supported")
        attribute, check = rule
        changes[attribute] = check(field, value)
    if config is None:
        config = Config(runtime=str(changes.pop("runtime")), handler=str(changes.pop("handler", "")))
    lifecycle = _changed_lifecycle(config.instance_lifecycle_config, body)
    config = msgspec.structs.replace(config, **changes, instance_lifecycle_config=lifecycle)
    _check_together(config)
    return config


def changed_async_config(config: AsyncConfig | None, body: Mapping[str, object], now: int) -> AsyncConfig:
    """`config` (or the defaults) with the fields that `body` gives, modified at `now` (FC: PutAsyncInvokeConfig)."""
    if config is None:
        # FC's task mode is off until it is switched on; here it is always on, see docs/compat.md.
        config = AsyncConfig(created_at=now)
    changes: dict[str, Any] = {"modified_at": now}
    for field, value in body.items():
        if value is None:
            continue
        rule = ASYNC_RULES.get(field)
        if rule is not None:
            attribute, check = rule
            changes[attribute] = check(field, value)
        elif field == DESTINATIONS and value not in IGNORED_WHEN_EMPTY:
            changes["destination_config"] = changed_destinations(config.destination_config, value, field)
        elif value not in IGNORED_WHEN_EMPTY:
            raise InvalidArgument(field, value, "is not supported")
    config = msgspec.structs.replace(config, **changes)
    first, longest = config.retry_interval_seconds, config.retry_interval_max_seconds
    if first is not None and longest is not None and longest < first:
        raise InvalidArgument("retryIntervalMaxSeconds", longest, f"must be at least retryIntervalSeconds ({first})")
    return config


def check_reserved_concurrency(body: Mapping[str, object]) -> int:
    """The reserved concurrency that a PutConcurrencyConfig body asks for; 0 disables the function."""
    return check_integer("reservedConcurrency", body.get("reservedConcurrency"), CONCURRENCY_BOUNDS)


def _text(field: str, value: object, characters_max: int) -> str:
    if not isinstance(value, str) or len(value) > characters_max:
        raise InvalidArgument(field, value, f"must be text of at most {characters_max} characters")
    return value


def _boolean(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgument(field, value, "must be true or false")
    return value


def _memory(field: str, value: object) -> int:
    memory = check_integer(field, value, MEMORY_MB_BOUNDS, "MB")
    if memory % MEMORY_MB_STEP:
        raise InvalidArgument(field, value, f"must be a multiple of {MEMORY_MB_STEP} MB")
    return memory


def _cpu(field: str, value: object) -> float:
    low, high = CPU_BOUNDS
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidArgument(field, value, f"must be a number between {low} and {high} vCPU")
    if abs(value * CPU_PARTS - round(value * CPU_PARTS)) > 1e-9:  # noqa: PLR2004 - what a float may be off
        raise InvalidArgument(field, value, "must be a multiple of 0.05 vCPU")
    return float(value)


def _disk(field: str, value: object) -> int:
    if not isinstance(value, int) or value not in DISK_MB_CHOICES:
        raise InvalidArgument(field, value, f"must be one of {DISK_MB_CHOICES} MB")
    return value


def _variables(field: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidArgument(field, value, "must be an object of names to strings")
    for name, text in value.items():
        if not isinstance(name, str) or not VARIABLE_NAME.fullmatch(name):
            raise InvalidArgument(f"{field}.{name}", name, "must be named by a letter, then letters, digits or '_'")
        if name.startswith("FC_"):
            raise InvalidArgument(f"{field}.{name}", name, "must not start with FC_, which is reserved")
        if not isinstance(text, str) or "\0" in text:
            raise InvalidArgument(f"{field}.{name}", text, "must be a string without NUL")
    size = sum(len(name.encode()) + len(text.encode("utf-8", "surrogatepass")) for name, text in value.items())
    if size > VARIABLES_BYTES_MAX:
        raise InvalidArgument(field, size, f"must hold at most {VARIABLES_BYTES_MAX} bytes in all")
    return dict(value)


def _tags(field: str, value: object) -> list[dict[str, str]]:
    if not isinstance(value, list) or len(value) > TAGS_MAX:
        raise InvalidArgument(field, value, f"must be a list of at most {TAGS_MAX} tags")
    tags = []
    for tag in value:
        if not isinstance(tag, dict):
            raise InvalidArgument(field, tag, "must hold objects with key and value")
        pair = {str(part).lower(): text for part, text in tag.items() if text is not None}
        if set(pair) - {"key", "value"} or not pair.get("key") or not all(isinstance(x, str) for x in pair.values()):
            raise InvalidArgument(field, tag, "must hold objects with key and value")
        tags.append({"key": pair["key"], "value": pair.get("value", "")})
    return tags


def _preload(field: str, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > PRELOAD_MAX:
        raise InvalidArgument(field, value, f"must be a list of at most {PRELOAD_MAX} modules")
    for name in value:
        matching(field, name, MODULE_NAME, "must hold names of modules, such as numpy or os.path")
        if len(name) > PRELOAD_CHARACTERS_MAX:
            raise InvalidArgument(field, name, f"must hold names of at most {PRELOAD_CHARACTERS_MAX} characters")
    return list(dict.fromkeys(value))


def _handler(field: str, value: object) -> str:
    return matching(field, value, ANY_HANDLER, "must be spelled module.function, such as index.handler")


def _changed_lifecycle(lifecycle: Lifecycle, body: Mapping[str, object]) -> Lifecycle:
    """`lifecycle` with the hooks that `body` gives; an empty handler removes one, what is absent stays.

    The older form (`initializer`, `initializationTimeout`, as in API 2021-04-06) means the same as the newer one.
    """
    changes: dict[str, Hook | None] = {}
    given = body.get("instanceLifecycleConfig")
    if given is not None:
        if not isinstance(given, dict):
            raise InvalidArgument("instanceLifecycleConfig", given, f"must be an object of {', '.join(HOOKS)}")
        for name, value in given.items():
            field = f"instanceLifecycleConfig.{name}"
            if name not in HOOKS:
                raise InvalidArgument(field, value, f"is not a hook; there are {', '.join(HOOKS)}")
            if value is not None:
                rule = HOOKS[name]
                changes[rule.attribute] = _hook(field, value, getattr(lifecycle, rule.attribute), rule)
    older = {"handler": body.get("initializer"), "timeout": body.get("initializationTimeout")}
    if any(value is not None for value in older.values()) and "initializer" not in changes:
        before = lifecycle.initializer
        if older["handler"] is None and before is None:
            raise InvalidArgument("initializationTimeout", older["timeout"], "needs an initializer")
        changes["initializer"] = _hook("initializer", older, before, HOOKS[INITIALIZER])
    return msgspec.structs.replace(lifecycle, **changes)


def _hook(field: str, value: object, before: Hook | None, rule: Rule) -> Hook | None:
    if not isinstance(value, dict):
        raise InvalidArgument(field, value, "must be an object of handler and timeout")
    unknown = {name for name, part in value.items() if part not in IGNORED_WHEN_EMPTY} - {"handler", "timeout"}
    if unknown:
        name = min(unknown)
        raise InvalidArgument(f"{field}.{name}", value[name], "is not supported: a hook has handler and timeout")
    handler = value.get("handler")
    if handler == "":
        return None
    if handler is None:
        handler = before.handler if before else None
    timeout = value.get("timeout")
    if timeout is None:
        timeout = before.timeout if before else rule.seconds_default
    return Hook(
        handler=_handler(f"{field}.handler", handler),
        timeout=check_integer(f"{field}.timeout", timeout, rule.seconds, "seconds"),
    )


def _check_together(config: Config) -> None:
    """What no field can say alone."""
    if not config.custom:
        _check_handler(config)
        if config.instance_concurrency > 1:
            raise InvalidArgument(
                "instanceConcurrency", config.instance_concurrency, f"must be 1 with runtime {config.runtime}"
            )
    if config.preload and not config.runtime.startswith("python"):
        raise InvalidArgument("preload", config.preload, f"is for Python functions, not for runtime {config.runtime}")
    if config.snapshot and not config.runtime.startswith("python"):
        raise InvalidArgument("snapshot", True, f"is for Python functions, not for runtime {config.runtime}")
    if config.snapshot and config.instance_lifecycle_config.initializer is None:
        raise InvalidArgument(
            "snapshot", True, "needs an Initializer: what it has prepared is what instances start with"
        )
    check_program(config)
    _check_cpu_ratio(config)


def _check_handler(config: Config) -> None:
    """A handler names a function in a module, or the file of a compiled program; a custom runtime may do without."""
    if config.runtime in _COMPILED:
        matching("handler", config.handler, _PROGRAM, "must be the name of the program's file, such as main")
        return
    bound = "must be spelled module.function, such as index.handler"
    matching("handler", config.handler, HANDLER, bound)
    for name, rule in HOOKS.items():
        hook = getattr(config.instance_lifecycle_config, rule.attribute)
        if hook is not None:
            matching(f"instanceLifecycleConfig.{name}.handler", hook.handler, HANDLER, bound)


def _check_cpu_ratio(config: Config) -> None:
    if config.cpu is None:
        return
    gigabytes = config.memory_size / 1024
    if not gigabytes / 4 - 1e-9 <= config.cpu <= gigabytes + 1e-9:
        raise InvalidArgument("cpu", config.cpu, f"must be between 1:4 and 1:1 of memorySize ({gigabytes:g} GB)")


READ_ELSEWHERE = frozenset({"functionName", "code", "instanceLifecycleConfig", "initializer", "initializationTimeout"})
"""Fields that other rules read."""
ANY_HANDLER = re.compile(r"[A-Za-z_][\w/.:-]{0,127}")
"""Handlers of all families; which one goes with a runtime is decided when both are known."""
_COMPILED = ("go1",)
_PROGRAM = re.compile(r"(?!.*\.\.)[A-Za-z_][\w/.-]*")

RULES: Mapping[str, tuple[str, Callable[[str, object], Any]]] = {
    "runtime": ("runtime", lambda field, value: _text(field, value, 64)),
    "handler": ("handler", _handler),
    "description": ("description", lambda field, value: _text(field, value, DESCRIPTION_CHARACTERS_MAX)),
    "memorySize": ("memory_size", _memory),
    "timeout": ("timeout", lambda field, value: check_integer(field, value, TIMEOUT_SECONDS_BOUNDS, "seconds")),
    "cpu": ("cpu", _cpu),
    "diskSize": ("disk_size", _disk),
    "instanceConcurrency": (
        "instance_concurrency",
        lambda field, value: check_integer(field, value, INSTANCE_CONCURRENCY_BOUNDS),
    ),
    "idleTimeout": ("idle_timeout", lambda field, value: check_integer(field, value, IDLE_SECONDS_BOUNDS, "seconds")),
    "customRuntimeConfig": ("custom_runtime_config", custom_runtime),
    "customContainerConfig": ("custom_container_config", custom_container),
    "internetAccess": ("internet_access", _boolean),
    "environmentVariables": ("environment_variables", _variables),
    "tags": ("tags", _tags),
    "preload": ("preload", _preload),
    "snapshot": ("snapshot", _boolean),
}
"""The fields of a function: where each is kept, and what checks it."""

DESTINATIONS = "destinationConfig"
_SECONDS = (RETRY_INTERVAL_SECONDS_BOUNDS, "seconds")
ASYNC_RULES: Mapping[str, tuple[str, Callable[[str, object], Any]]] = {
    "asyncTask": ("async_task", _boolean),
    "maxAsyncRetryAttempts": (
        "max_async_retry_attempts",
        lambda field, value: check_integer(field, value, RETRIES_BOUNDS),
    ),
    "maxAsyncEventAgeInSeconds": (
        "max_async_event_age_in_seconds",
        lambda field, value: check_integer(field, value, AGE_SECONDS_BOUNDS, "seconds"),
    ),
    "retryIntervalSeconds": ("retry_interval_seconds", lambda field, value: check_integer(field, value, *_SECONDS)),
    "retryIntervalMaxSeconds": (
        "retry_interval_max_seconds",
        lambda field, value: check_integer(field, value, *_SECONDS),
    ),
    "queueWeight": ("queue_weight", lambda field, value: check_integer(field, value, QUEUE_WEIGHT_BOUNDS)),
}
"""The same of an asynchronous configuration, without `DESTINATIONS`, of which parts may be given."""
