"""An order: what is asked for with a task, and the row that it makes of its function's settings. Pure."""

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


def task_of(order: Order, number: int, now: int) -> Task:
    """The task that is asked for, not submitted yet, with the settings that hold at `now`."""
    function = order.function
    qualifier = order.qualifier or function.qualifier
    config = function.async_config_of(qualifier) or AsyncConfig()
    return Task(
        id=number,
        account_id=function.account_id,
        function_id=function.root,
        snapshot_id=function.id if function.root_id else 0,
        generation=function.generation,
        name=order.name,
        qualifier=qualifier,
        retries_max=config.max_async_retry_attempts,
        expires_at=now + config.max_async_event_age_in_seconds * MICROSECONDS_PER_SECOND,
        payload=order.payload,
        tags=order.tags,
        rerun_of=order.rerun_of,
    )
