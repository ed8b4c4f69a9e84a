"""The newest generation's words: what the commands know by its names already."""

from __future__ import annotations

from collections.abc import Iterable

from sojourn.api.dialect import Dialect, Shown
from sojourn.destination import Delivery
from sojourn.function import AsyncConfig, Function, arn
from sojourn.runtime import Runtime
from sojourn.task import Task
from sojourn.trigger import Trigger

from . import wire


class V3(Dialect):
    """API 2023-03-30."""

    version = "2023-03-30"

    def arn(self, function: Function, region: str, qualifier: str) -> Shown:
        """The function's ARN; the qualifier follows when it is not LATEST."""
        whole = arn(function.account_id, function.name, region)
        return {"functionArn": whole if qualifier == "LATEST" else f"{whole}/{qualifier}"}

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
        """AsyncTask."""
        return wire.task_object(task, function, region, now, delivery=delivery, bodies=bodies)

    def function(self, function: Function, region: str, runtimes: Iterable[Runtime]) -> Shown:
        """Function."""
        return wire.function_object(function, region, runtimes)

    def async_config(self, function: Function, qualifier: str, config: AsyncConfig, region: str) -> Shown:
        """AsyncConfig."""
        return wire.async_config_object(config, self.arn(function, region, qualifier))

    def trigger(self, trigger: Trigger, function: Function, region: str, url: str) -> Shown:
        """Trigger."""
        return wire.trigger_object(trigger, function, region, url)
