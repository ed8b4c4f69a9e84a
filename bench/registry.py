"""Which groups there are, in the order in which they run: what wants a quiet disk first, what fills it last."""

from __future__ import annotations

from .group import Group
from .groups import (
    growth,
    idle,
    instances,
    latency,
    life,
    overload,
    payload,
    restart,
    retention,
    store,
    throughput,
    watch,
)

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        latency.GROUP,
        idle.GROUP,
        instances.GROUP,
        life.GROUP,
        throughput.GROUP,
        payload.GROUP,
        watch.GROUP,
        overload.GROUP,
        restart.GROUP,
        retention.GROUP,
        store.GROUP,
        growth.GROUP,
    )
}
