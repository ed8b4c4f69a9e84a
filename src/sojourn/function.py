"""Functions and accounts: what a caller may configure, within which bounds, and how names and ARNs are spelled.

Pure: a decoded JSON body goes in, a checked value comes out, or `InvalidArgument` names the field, the value and the
bound. Field names are FC's (API 2023-03-30), because that is how callers spell them. Where code lies and how a
function is stored is left to `code` and `store`; which interpreter runs it to `runtime`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .errors import InvalidArgument, QualifierNotFound

LATEST = "LATEST"

FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
TASK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
HANDLER = re.compile(r"[A-Za-z_][\w/-]*(\.[A-Za-z_]\w*)+")
VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

MEMORY_MB_BOUNDS = (128, 32768)
MEMORY_MB_STEP = 64
MEMORY_MB_DEFAULT = 512
TIMEOUT_SECONDS_BOUNDS = (1, 86400)
TIMEOUT_SECONDS_DEFAULT = 3
CPU_BOUNDS = (0.05, 16.0)
DISK_MB_CHOICES = (512, 10240)
VARIABLES_BYTES_MAX = 4096
DESCRIPTION_CHARACTERS_MAX = 256
TAGS_MAX = 20
RETRIES_BOUNDS = (0, 8)
RETRIES_DEFAULT = 3
AGE_SECONDS_BOUNDS = (1, 604_800)
AGE_SECONDS_DEFAULT = 86_400
DELAY_SECONDS_BOUNDS = (0, 3600)
CONCURRENCY_BOUNDS = (0, 100_000)
PAYLOAD_ASYNC_BYTES_MAX = 128 * 1024
PAYLOAD_SYNC_BYTES_MAX = 32 * 1024 * 1024


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """What the caller configured for a function; memory and disk in MB, timeout in seconds."""

    runtime: str
    handler: str
    description: str = ""
    memory_size: int = MEMORY_MB_DEFAULT
    timeout: int = TIMEOUT_SECONDS_DEFAULT
    cpu: float | None = None
    disk_size: int = DISK_MB_CHOICES[0]
    instance_concurrency: int = 1
    internet_access: bool = True
    environment_variables: dict[str, str] = {}
    tags: list[dict[str, str]] = []


class Code(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An uploaded code archive: `digest` is the SHA-256 of the zip, `checksum` its CRC-64 as FC reports it."""

    digest: str
    size: int
    checksum: str


class AsyncConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a function's tasks are retried and when they are too old; `async_task` is FC's task-mode switch."""

    async_task: bool = True
    max_async_retry_attempts: int = RETRIES_DEFAULT
    max_async_event_age_in_seconds: int = AGE_SECONDS_DEFAULT
    created_at: int = 0
    modified_at: int = 0


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function as it is stored.

    `id` identifies (account, name) for ever; `generation` counts creations under that name, `revision` counts updates
    across all of them, so an instance of an older revision is recognisably old. A deleted function keeps its row, so
    that its tasks stay queryable. Times are microseconds since 1970.
    """

    id: int
    account_id: str
    name: str
    generation: int
    revision: int
    config: Config
    code: Code
    created_at: int
    modified_at: int
    async_config: AsyncConfig | None = None
    reserved_concurrency: int | None = None
    deleted: bool = False


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant; `owner` marks the first one, which operates the server."""

    id: str
    created_at: int
    owner: bool = False


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair of an account."""

    id: str
    secret: str
    account_id: str
    created_at: int


IGNORED_WHEN_EMPTY: tuple[object, ...] = ("", [], {}, None, False)


def arn(account_id: str, name: str, region: str) -> str:
    """A function's ARN as FC spells it."""
    return f"acs:fc:{region}:{account_id}:functions/{name}"


def check_function_name(name: object) -> str:
    """`name` when it is a function name (FC: letters, digits, `_`, `-`; at most 64)."""
    bound = "must start with a letter or '_' and hold at most 64 letters, digits, '_' or '-'"
    return _matching("functionName", name, FUNCTION_NAME, bound)


def check_task_name(name: object, field: str = "x-fc-async-task-id") -> str:
    """`name` when a caller may choose it as a task id (FC: at most 128)."""
    bound = "must start with a letter or '_' and hold at most 128 letters, digits, '_' or '-'"
    return _matching(field, name, TASK_NAME, bound)


def check_account_id(name: object) -> str:
    """`name` when it can be an account id."""
    bound = "must start with a letter or digit and hold at most 64 letters, digits, '_' or '-'"
    return _matching("accountId", name, ACCOUNT_ID, bound)


def check_qualifier(function: str, qualifier: str | None) -> str:
    """The qualifier a call means; only LATEST exists, and no qualifier means it too."""
    if qualifier in (None, "", LATEST):
        return LATEST
    raise QualifierNotFound(function, str(qualifier))


def check_integer(field: str, value: object, bounds: tuple[int, int], unit: str = "") -> int:
    """`value` when it is a whole number within `bounds`."""
    low, high = bounds
    words = f"must be a whole number between {low} and {high}{' ' + unit if unit else ''}"
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidArgument(field, value, words)
    return value


def check_digits(field: str, text: str, bounds: tuple[int, int], unit: str = "") -> int:
    """The whole number that a header or query parameter spells, within `bounds`."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        low, high = bounds
        raise InvalidArgument(
            field, text, f"must be a whole number between {low} and {high}{' ' + unit if unit else ''}"
        )
    return check_integer(field, int(text), bounds, unit)


def new_config(body: Mapping[str, object]) -> Config:
    """The configuration that a create request asks for.

    Raises
    ------
    InvalidArgument: a field is missing, unknown, or outside its bounds.

    """
    for field in ("runtime", "handler"):
        if body.get(field) in (None, ""):
            raise InvalidArgument(field, body.get(field), "is required")
    return changed_config(None, body)


def changed_config(config: Config | None, body: Mapping[str, object]) -> Config:
    """`config` with the fields that `body` gives; an absent or null field keeps its value."""
    changes: dict[str, Any] = {}
    for field, value in body.items():
        if value is None or field in _NOT_CONFIG:
            continue
        rule = _RULES.get(field)
        if rule is None:
            if value in IGNORED_WHEN_EMPTY:
                continue
            raise InvalidArgument(field, value, "is not supported")
        attribute, check = rule
        changes[attribute] = check(field, value)
    if config is None:
        config = Config(runtime=str(changes.pop("runtime")), handler=str(changes.pop("handler")))
    config = msgspec.structs.replace(config, **changes)
    _check_cpu_ratio(config)
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
        match field:
            case "asyncTask":
                changes["async_task"] = _boolean(field, value)
            case "maxAsyncRetryAttempts":
                changes["max_async_retry_attempts"] = check_integer(field, value, RETRIES_BOUNDS)
            case "maxAsyncEventAgeInSeconds":
                changes["max_async_event_age_in_seconds"] = check_integer(field, value, AGE_SECONDS_BOUNDS, "seconds")
            case _:
                if value not in IGNORED_WHEN_EMPTY:
                    raise InvalidArgument(field, value, "is not supported")
    return msgspec.structs.replace(config, **changes)


def check_reserved_concurrency(body: Mapping[str, object]) -> int:
    """The reserved concurrency that a PutConcurrencyConfig body asks for; 0 disables the function."""
    return check_integer("reservedConcurrency", body.get("reservedConcurrency"), CONCURRENCY_BOUNDS)


def _matching(field: str, value: object, pattern: re.Pattern[str], bound: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidArgument(field, value, bound)
    return value


def _text(field: str, value: object, characters_max: int) -> str:
    if not isinstance(value, str) or len(value) > characters_max:
        raise InvalidArgument(field, value, f"must be text of at most {characters_max} characters")
    return value


def _boolean(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgument(field, value, "must be true or false")
    return value


def _internet_access(field: str, value: object) -> bool:
    if value is not True:
        raise InvalidArgument(
            field, value, "must be true: the network belongs to the account's sandbox, not to a function"
        )
    return True


def _memory(field: str, value: object) -> int:
    memory = check_integer(field, value, MEMORY_MB_BOUNDS, "MB")
    if memory % MEMORY_MB_STEP:
        raise InvalidArgument(field, value, f"must be a multiple of {MEMORY_MB_STEP} MB")
    return memory


def _cpu(field: str, value: object) -> float:
    low, high = CPU_BOUNDS
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidArgument(field, value, f"must be a number between {low} and {high} vCPU")
    if round(value * 100) % 5:
        raise InvalidArgument(field, value, "must be a multiple of 0.05 vCPU")
    return float(value)


def _disk(field: str, value: object) -> int:
    if value not in DISK_MB_CHOICES or isinstance(value, bool):
        raise InvalidArgument(field, value, f"must be one of {DISK_MB_CHOICES} MB")
    return int(str(value))


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
        pair = {str(part).lower(): str(text) for part, text in tag.items() if text is not None}
        if set(pair) - {"key", "value"} or not pair.get("key"):
            raise InvalidArgument(field, tag, "must hold objects with key and value")
        tags.append({"key": pair["key"], "value": pair.get("value", "")})
    return tags


def _handler(field: str, value: object) -> str:
    return _matching(field, value, HANDLER, "must be spelled module.function, such as index.handler")


def _check_cpu_ratio(config: Config) -> None:
    if config.cpu is None:
        return
    gigabytes = config.memory_size / 1024
    if not gigabytes / 4 - 1e-9 <= config.cpu <= gigabytes + 1e-9:
        raise InvalidArgument("cpu", config.cpu, f"must be between 1:4 and 1:1 of memorySize ({gigabytes:g} GB)")


_NOT_CONFIG = frozenset({"functionName", "code"})

_RULES: Mapping[str, tuple[str, Callable[[str, object], Any]]] = {
    "runtime": ("runtime", lambda field, value: _text(field, value, 64)),
    "handler": ("handler", _handler),
    "description": ("description", lambda field, value: _text(field, value, DESCRIPTION_CHARACTERS_MAX)),
    "memorySize": ("memory_size", _memory),
    "timeout": ("timeout", lambda field, value: check_integer(field, value, TIMEOUT_SECONDS_BOUNDS, "seconds")),
    "cpu": ("cpu", _cpu),
    "diskSize": ("disk_size", _disk),
    "instanceConcurrency": ("instance_concurrency", lambda field, value: check_integer(field, value, (1, 1))),
    "internetAccess": ("internet_access", _internet_access),
    "environmentVariables": ("environment_variables", _variables),
    "tags": ("tags", _tags),
}
