"""Functions and accounts: what they are made of, within which bounds, and how names and ARNs are spelled.

Pure. Field names are FC's (API 2023-03-30), because that is how callers spell them. How a request body becomes a
configuration is left to `configuration`; where code lies and how a function is stored to `code` and `store`; which
interpreter runs it to `runtime`.
"""

from __future__ import annotations

import re

import msgspec

from .access import Scope
from .errors import InvalidArgument

LATEST = "LATEST"
CONTAINER = "custom-container"
"""The runtime whose functions are images."""

SERVICE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
FUNCTION_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_-]{0,127}\$)?[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""One `$` stands between the service and the function of the generations that had services."""
TASK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
HANDLER = re.compile(r"[A-Za-z_][\w/-]*(\.[A-Za-z_]\w*)+")
MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

MEMORY_MB_BOUNDS = (128, 32768)
MEMORY_MB_STEP = 64
MEMORY_MB_DEFAULT = 512
TIMEOUT_SECONDS_BOUNDS = (1, 86400)
TIMEOUT_SECONDS_DEFAULT = 3
CPU_BOUNDS = (0.05, 16.0)
CPU_PARTS = 20
"""Of a vCPU: it is shared out in steps of 0.05."""
DISK_MB_CHOICES = (512, 10240)
VARIABLES_BYTES_MAX = 4096
DESCRIPTION_CHARACTERS_MAX = 256
TAGS_MAX = 20
PRELOAD_MAX = 32
PRELOAD_CHARACTERS_MAX = 128
RETRIES_BOUNDS = (0, 8)
RETRIES_DEFAULT = 3
AGE_SECONDS_BOUNDS = (1, 604_800)
AGE_SECONDS_DEFAULT = 86_400
DELAY_SECONDS_BOUNDS = (0, 3600)
RETRY_INTERVAL_SECONDS_BOUNDS = (0, 86_400)
QUEUE_WEIGHT_BOUNDS = (1, 100)
CONCURRENCY_BOUNDS = (0, 100_000)
INSTANCE_CONCURRENCY_BOUNDS = (1, 200)
MIN_INSTANCES_BOUNDS = (0, 10_000)
IDLE_SECONDS_BOUNDS = (0, 86_400)
INITIALIZER_SECONDS_BOUNDS = (1, 300)
PRE_STOP_SECONDS_BOUNDS = PRE_FREEZE_SECONDS_BOUNDS = (1, 90)
HOOK_SECONDS_DEFAULT = 3
PORT_BOUNDS = (1, 65535)
PORT_DEFAULT = 9000
PAYLOAD_ASYNC_BYTES_MAX = 128 * 1024
PAYLOAD_SYNC_BYTES_MAX = 32 * 1024 * 1024


class Hook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A lifecycle hook: `handler` is spelled like the function's, `timeout` is in seconds."""

    handler: str
    timeout: int = HOOK_SECONDS_DEFAULT


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The hooks of a function's instances (FC: instanceLifecycleConfig); one that is None is never called."""

    initializer: Hook | None = None
    pre_freeze: Hook | None = None
    pre_stop: Hook | None = None


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a custom runtime shows that it serves (FC: healthCheckConfig): 200 to 399 at `http_get_url` is healthy."""

    http_get_url: str
    initial_delay_seconds: int = 0
    period_seconds: int = 3
    timeout_seconds: int = 1
    failure_threshold: int = 3
    success_threshold: int = 1


class CustomRuntime(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The program of a custom runtime (FC: customRuntimeConfig): `command` and `args` together are what is executed."""

    command: list[str] = []
    args: list[str] = []
    port: int = PORT_DEFAULT
    health_check_config: HealthCheck | None = None


class CustomContainer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The image of a custom container (FC: customContainerConfig); `entrypoint` and `command` replace the image's."""

    image: str
    command: list[str] = []
    entrypoint: list[str] = []
    port: int = PORT_DEFAULT
    health_check_config: HealthCheck | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """What the caller configured for a function; memory and disk in MB, times in seconds.

    `idle_timeout` is how long an instance may idle before it goes; None for the server's setting. `preload` (ours, and
    not FC's) names modules that are imported once for all instances, in a template they are forked from; with
    `snapshot` (ours) the template has imported the handler's module and run Initializer, too.
    """

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
    idle_timeout: int | None = None
    preload: list[str] = []
    snapshot: bool = False
    instance_lifecycle_config: Lifecycle = Lifecycle()
    custom_runtime_config: CustomRuntime | None = None
    custom_container_config: CustomContainer | None = None

    @property
    def templated(self) -> bool:
        """Whether its instances are forked from a template of the function's."""
        return bool(self.preload) or self.snapshot

    @property
    def contained(self) -> bool:
        """Whether the function is an image that a container engine runs."""
        return self.runtime == CONTAINER

    @property
    def custom(self) -> bool:
        """Whether the function brings its own program that speaks HTTP."""
        return is_custom(self.runtime)


class Code(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An uploaded code archive: `digest` is the SHA-256 of the zip, `checksum` its CRC-64 as FC reports it."""

    digest: str
    size: int
    checksum: str


class Destination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the record of a finished task goes: an ARN, or an http(s) URL."""

    destination: str


class Destinations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where records of tasks go, by how they ended (FC: destinationConfig)."""

    on_success: Destination | None = None
    on_failure: Destination | None = None


class AsyncConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a function's tasks are queued, retried and reported; `async_task` is FC's task-mode switch.

    Ours, and not FC's: `retry_interval_seconds` and `retry_interval_max_seconds` are the first and the longest wait
    between attempts (None for the server's settings), `queue_weight` how many turns the function's line gets when
    others get one.
    """

    async_task: bool = True
    max_async_retry_attempts: int = RETRIES_DEFAULT
    max_async_event_age_in_seconds: int = AGE_SECONDS_DEFAULT
    retry_interval_seconds: int | None = None
    retry_interval_max_seconds: int | None = None
    queue_weight: int = 1
    destination_config: Destinations = Destinations()
    created_at: int = 0
    modified_at: int = 0


class Provision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Instances kept warm (FC: provision configuration); `always_allocate_cpu` keeps them from being frozen."""

    target: int = 0
    always_allocate_cpu: bool = False


class Scaling(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many instances there are at least (FC: scaling configuration)."""

    min_instances: int = 0


class Alias(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A name for a version; `additional_version_weight` sends that share of invocations to another one instead."""

    version_id: str
    description: str = ""
    additional_version_weight: dict[str, float] = {}
    created_at: int = 0
    modified_at: int = 0


class Disabled(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why and since when a function takes no invocations (FC: DisableFunctionInvocation)."""

    reason: str = ""
    at: int = 0


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function as it is stored, or one of its published versions.

    `id` identifies (account, name, version) for ever; `generation` counts creations under that name, `revision` counts
    updates across all of them, so an instance of an older revision is recognisably old. A deleted function keeps its
    row, so that its tasks stay queryable. Times are microseconds since 1970.

    A version has the `root_id` of its function and keeps the configuration and the code of the moment it was published;
    what bounds or switches a function as a whole (`reserved_concurrency`, `disabled`, `paused_at`, `async_configs`) it
    has from there. `async_config` is that of the qualifier LATEST, `async_configs` those of all others. Its tasks wait
    while its queue is paused, since `paused_at`.
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
    provision: Provision | None = None
    scaling: Scaling | None = None
    deleted: bool = False
    root_id: int = 0
    version: str = ""
    version_description: str = ""
    aliases: dict[str, Alias] = {}
    async_configs: dict[str, AsyncConfig] = {}
    disabled: Disabled | None = None
    paused_at: int = 0

    @property
    def root(self) -> int:
        """The id of the function, also of its versions."""
        return self.root_id or self.id

    @property
    def qualifier(self) -> str:
        """Which version it is, as callers name it."""
        return self.version or LATEST

    @property
    def service(self) -> str:
        """The service it belongs to, "" for none."""
        return self.name.rpartition("$")[0]

    @property
    def short_name(self) -> str:
        """Its name within its service."""
        return self.name.rpartition("$")[2]

    def async_config_of(self, qualifier: str) -> AsyncConfig | None:
        """How tasks that were submitted with `qualifier` are treated; None for the defaults."""
        return self.async_config if qualifier == LATEST else self.async_configs.get(qualifier)

    @property
    def min_instances(self) -> int:
        """How many instances are kept, used or not."""
        if self.deleted:
            return 0
        return max(self.provision.target if self.provision else 0, self.scaling.min_instances if self.scaling else 0)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant; `owner` marks the first one, which operates the server.

    `webhook_secret` signs the records that go to its destinations, "" until there is one.
    """

    id: str
    created_at: int
    owner: bool = False
    webhook_secret: str = ""


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair of an account; one for a time has an end (`expires_at`, else 0) and a `token` to be sent with it.

    Who comes with an access token is known by one too, which has no secret and the token's id and `scope`.
    """

    id: str
    secret: str
    account_id: str
    created_at: int
    expires_at: int = 0
    token: str = ""
    scope: Scope = Scope.ADMIN


def is_custom(runtime: str) -> bool:
    """Whether `runtime` is a program of the caller's that speaks HTTP."""
    return runtime in ("custom", CONTAINER) or runtime.startswith("custom.")


def arn(account_id: str, name: str, region: str) -> str:
    """A function's ARN as FC spells it."""
    return f"acs:fc:{region}:{account_id}:functions/{name}"


def check_function_name(name: object) -> str:
    """`name` when it is a function name (FC: letters, digits, `_`, `-`; at most 64), maybe after a service and `$`."""
    bound = "must start with a letter or '_' and hold at most 64 letters, digits, '_' or '-'"
    return matching("functionName", name, FUNCTION_NAME, bound)


def check_service_name(name: object) -> str:
    """`name` when it is a service name (FC: letters, digits, `_`, `-`; at most 128)."""
    bound = "must start with a letter or '_' and hold at most 128 letters, digits, '_' or '-'"
    return matching("serviceName", name, SERVICE_NAME, bound)


def check_task_name(name: object, field: str = "x-fc-async-task-id") -> str:
    """`name` when a caller may choose it as a task id (FC: at most 128)."""
    bound = "must start with a letter or '_' and hold at most 128 letters, digits, '_' or '-'"
    return matching(field, name, TASK_NAME, bound)


def check_account_id(name: object) -> str:
    """`name` when it can be an account id."""
    bound = "must start with a letter or digit and hold at most 64 letters, digits, '_' or '-'"
    return matching("accountId", name, ACCOUNT_ID, bound)


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


def matching(field: str, value: object, pattern: re.Pattern[str], bound: str) -> str:
    """`value` when it is text that `pattern` matches as a whole; `bound` says in words what it must be."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidArgument(field, value, bound)
    return value
