"""The typed Python client: `Client` blocks, `AsyncClient` awaits, both have the same verbs.

>>> from sojourn.client import Client
>>> with Client() as client:  # doctest: +SKIP
...     client.deploy("hello", "hello/", handler="index.handler", runtime="python3.12")
...     task = client.submit("hello", b"world")
...     print(client.wait("hello", task.task_id).status)

One client, three parts: `calls`, `batch`, `naming`, `governing`, `steering` and `conversation` say what is asked,
purely, and `task_verbs`, `catalog_verbs` and `steering_verbs` by which names; `blocking` and `asynchronous` send it;
`model`, `entries`, `steered` and `errors` are what comes back.
"""

from sojourn.task import Status

from . import documents
from .archive import code_archive, zip_directory
from .asynchronous import AsyncClient
from .batch import NewTask, Outcome
from .blocking import Client
from .calls import TaskFilter
from .connection import Connection, from_environment
from .conversation import Retries
from .entries import (
    AccessToken,
    Alias,
    FunctionVersion,
    HttpConfig,
    NewToken,
    Provision,
    Scaling,
    Service,
    TemporaryKey,
    TimerConfig,
    Trigger,
)
from .errors import (
    ClientError,
    Conflict,
    NoCredentials,
    NotFound,
    Refused,
    ServerError,
    Throttled,
    Unauthorized,
    Unreachable,
    WaitTimedOut,
)
from .model import (
    AccessKey,
    Account,
    AsyncConfig,
    AttemptLog,
    Concurrency,
    Delivery,
    Function,
    FunctionPage,
    InFlight,
    Instance,
    Invocation,
    Submission,
    Task,
    TaskEvent,
    TaskPage,
    Version,
)
from .steered import AuditEntry, AuditPage, Operation, Queue, Rerun, TaskProgress

__all__ = [
    "AccessKey",
    "AccessToken",
    "Account",
    "Alias",
    "AsyncClient",
    "AsyncConfig",
    "AttemptLog",
    "AuditEntry",
    "AuditPage",
    "Client",
    "ClientError",
    "Concurrency",
    "Conflict",
    "Connection",
    "Delivery",
    "Function",
    "FunctionPage",
    "FunctionVersion",
    "HttpConfig",
    "InFlight",
    "Instance",
    "Invocation",
    "NewTask",
    "NewToken",
    "NoCredentials",
    "NotFound",
    "Operation",
    "Outcome",
    "Provision",
    "Queue",
    "Refused",
    "Rerun",
    "Retries",
    "Scaling",
    "ServerError",
    "Service",
    "Status",
    "Submission",
    "Task",
    "TaskEvent",
    "TaskFilter",
    "TaskPage",
    "TaskProgress",
    "TemporaryKey",
    "Throttled",
    "TimerConfig",
    "Trigger",
    "Unauthorized",
    "Unreachable",
    "Version",
    "WaitTimedOut",
    "code_archive",
    "documents",
    "from_environment",
    "zip_directory",
]
