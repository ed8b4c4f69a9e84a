"""What differs between generations: operations and their paths, names of fields, codes, the signature.

The checks use the newest generation's names throughout; a generation turns bodies into its own words and answers back.
What it has no operation or trait for, its checks leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sojourn.conform.wire import Document, Key, Request


class Operation(NamedTuple):
    """An operation: its name in the documentation, its method, and its path below the version."""

    action: str
    method: str
    path: str


class Function(NamedTuple):
    """A function; `service` counts where functions have services."""

    service: str
    name: str


class Generation:
    """One generation; the defaults are those of the newest.

    `operations` are what it has, by the kit's names for them; `traits` what else checks may depend on. `task_words` are
    the names of a task's fields where they differ, `codes` those of error codes. `tasks_field` holds a page of tasks,
    `task_prefix` is the parameter that narrows one and `tasks_limit` its size by default. `task_switch` turns task mode
    on, `cap_field` bounds a function.
    """

    version = ""
    operations: Mapping[str, Operation]
    traits: frozenset[str] = frozenset()
    task_words: Mapping[str, str] = {}
    codes: Mapping[str, str] = {}
    task_header = "x-fc-async-task-id"
    tasks_field = "tasks"
    task_prefix = "prefix"
    tasks_limit = 20
    task_switch = "asyncTask"
    cap_field = "reservedConcurrency"
    services = False

    @property
    def has(self) -> frozenset[str]:
        """All operations and traits."""
        return self.traits | frozenset(self.operations)

    def sign(self, request: Request, key: Key, now_seconds: float) -> None:
        """Put the generation's signature into the headers of `request`."""
        raise NotImplementedError

    def sign_proxied(self, request: Request, key: Key, now_seconds: float) -> None:
        """The same for a call through an HTTP trigger."""
        self.sign(request, key, now_seconds)

    def address(self, path: str, function: Function | None, qualifier: str) -> tuple[str, dict[str, str]]:
        """The whole path and the parameters that an operation's `path` becomes; a qualifier in the query."""
        if function is not None:
            path = path.replace("{service}", function.service).replace("{function}", function.name)
        return f"/{self.version}{path}", {"qualifier": qualifier} if qualifier else {}

    def function_body(self, body: Document) -> Document:
        """A function's settings in the generation's words."""
        return body

    def async_body(self, body: Document) -> Document:
        """An asynchronous configuration in the generation's words."""
        return {self.task_switch if name == "asyncTask" else name: value for name, value in body.items()}

    def cap_body(self, count: int) -> Document:
        """The body that bounds a function to `count` executions."""
        return {self.cap_field: count}

    def task(self, document: Document) -> Document:
        """A task as it came, in the kit's words."""
        back = {own: ours for ours, own in self.task_words.items()}
        return {back.get(name, name): value for name, value in document.items()}

    def code(self, code: str) -> str:
        """An error code of the newest generation in this one's words."""
        return self.codes.get(code, code)

    def arn(self, region: str, account: str, function: Function) -> str:
        """The ARN of a function."""
        return f"acs:fc:{region}:{account}:functions/{function.name}"
