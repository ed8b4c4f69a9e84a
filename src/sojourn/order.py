"""Orders: what is asked for with a task, and the task that it is to become. Pure; accepting it is left to `queue`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .clock import MICROSECONDS_PER_SECOND
from .function import AsyncConfig, Function
from .task import Task


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

    @property
    def delay(self) -> int:
        """How long it waits before it is due, in microseconds."""
        return self.delay_seconds * MICROSECONDS_PER_SECOND

    def task(self, number: int, now: int) -> Task:
        """The task of this number under the configuration that holds at `now`; it is Enqueued by nobody yet."""
        function = self.function
        qualifier = self.qualifier or function.qualifier
        config = function.async_config_of(qualifier) or AsyncConfig()
        return Task(
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
