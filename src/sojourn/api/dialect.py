"""A dialect: how one generation of the API spells what all of them have.

The commands (`commands/`) are the same for all generations. A dialect says where a request names its function and its
qualifier, turns a body of its generation into the newest one's, and shows things in its own words. It decides nothing
and does no I/O. This file is the contract; the folders beside it hold the choices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from sojourn.destination import Delivery
from sojourn.function import AsyncConfig, Function
from sojourn.runtime import Runtime
from sojourn.task import Task
from sojourn.trigger import Trigger

if TYPE_CHECKING:
    from .call import Call

Shown = dict[str, object]


class Dialect:
    """What the commands ask of a generation; the defaults are those of the native API.

    `codes` are error codes that have another name there. `tasks` is the field that holds a page of tasks, `task_prefix`
    the parameter that narrows it, `tasks_limit` how many it holds unless the caller says so. `services` tells whether
    functions belong to services, `etags` whether what can be changed has ETags.
    """

    version = "v1"
    codes: Mapping[str, str] = MappingProxyType({})
    tasks = "tasks"
    task_prefix = "prefix"
    tasks_limit = 20
    services = False
    etags = False

    def function_name(self, call: Call) -> str:
        """The function that the path names, as the newest generation spells it."""
        return call.path["function"]

    def service_name(self, call: Call) -> str:
        """The service that the path names, "" where there are none."""
        del call
        return ""

    def qualifier(self, call: Call) -> str | None:
        """Which version the request means, None when it does not say."""
        return call.query.get("qualifier")

    def function_body(self, body: Mapping[str, object], before: Function | None) -> dict[str, object]:
        """The body of a create (`before` is None) or an update in the newest generation's words."""
        del before
        return dict(body)

    def async_body(self, body: Mapping[str, object]) -> dict[str, object]:
        """The same of an asynchronous configuration."""
        return dict(body)

    def arn(self, function: Function, region: str, qualifier: str) -> Shown:
        """The fields by which a configuration says whose it is."""
        raise NotImplementedError

    def task(
        self,
        task: Task,
        function: Function,
        region: str,
        now: int,
        *,
        delivery: Delivery | None = None,
        bodies: bool = True,
    ) -> Shown:
        """A task."""
        raise NotImplementedError

    def function(self, function: Function, region: str, runtimes: Iterable[Runtime]) -> Shown:
        """A function."""
        raise NotImplementedError

    def async_config(self, function: Function, qualifier: str, config: AsyncConfig, region: str) -> Shown:
        """An asynchronous configuration."""
        raise NotImplementedError

    def trigger(self, trigger: Trigger, function: Function, region: str, url: str) -> Shown:
        """A trigger; `url` is the address of one that has one, else ""."""
        raise NotImplementedError


NATIVE = Dialect()
