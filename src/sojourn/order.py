"""Orders: what is asked for with a task, and the task that it becomes. Pure; making it durable is left to `queue`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .clock import MICROSECONDS_PER_SECOND
from .function import AsyncConfig, Function
from .task import Task, submit


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for with a task; the fields are those of `Queue.submit`."""

    function: Function
    payload: bytes
    name: str | None = None
    delay_seconds: int = 0
    number: int | None = None
    qualifier: str = ""
    tags: Mapping[str, str] = {}
    rerun_of: str = ""

    def task(self, number: int, now: int) -> Task:
        """The task of this number as it would be accepted at `now`, under the configuration that holds then."""
        function = self.function
        qualifier = self.qualifier or function.qualifier
        config = function.async_config_of(qualifier) or AsyncConfig()
        task = Task(
            id=number,
            account_id=function.account_id,
            function_id=function.root,
            snapshot_id=function.id if function.root_id else 0,
            generation=function.generation,
            name=self.name,
            qualifier=qualifier,
            retries_max=config.max_async_retry_attempts,
            expires_at=now + config.max_async_event_age_in_seconds * MICROSECONDS_PER_SECOND,
            payload=self.payload,
            tags=self.tags,
            rerun_of=self.rerun_of,
        )
        return submit(task, now, self.delay_seconds * MICROSECONDS_PER_SECOND)
