"""Instances as the native API shows them: what each is and does, what it uses, and what has happened to it.

Only those of the caller's account are there. What an instance uses is asked of the sandbox, a few at a time and not for
long; one that does not answer shows no usage.
"""

from __future__ import annotations

import asyncio

from sojourn.errors import InstanceNotFound
from sojourn.pool import Instance
from sojourn.sandbox import Usage
from sojourn.times import rfc3339

from . import answer
from .answer import Answer
from .call import Call

USAGES_MAX = 16
"""Instances that are asked at a time."""
USAGE_SECONDS_MAX = 1.0


async def page(call: Call) -> Answer:
    """The account's instances, the oldest first; `function` narrows it to those of one function."""
    backend, name = call.backend, call.query.get("function")
    if name is not None:
        backend.catalog.remembered(call.account_id, name)
    found = [
        each
        for each in backend.pool.instances()
        if each.function.account_id == call.account_id and name in (None, each.function.name)
    ]
    usages = await _usages(call, found)
    shown = [instance_object(call, each, usage) for each, usage in zip(found, usages, strict=True)]
    return answer.of_json({"instances": shown})


async def get(call: Call) -> Answer:
    """One instance, also one that was destroyed not long ago."""
    found = _find(call)
    (usage,) = await _usages(call, [found])
    return answer.of_json(instance_object(call, found, usage))


async def events(call: Call) -> Answer:
    """What happened to an instance, oldest first."""
    found = _find(call)
    shown = [{"at": rfc3339(event.at), "event": event.name, "detail": dict(event.detail)} for event in found.events]
    return answer.of_json({"instanceId": found.id, "events": shown, "dropped": found.events.dropped})


def instance_object(call: Call, each: Instance, usage: Usage | None) -> dict[str, object]:
    """An instance; `usage` is None when it could not be told."""
    isolation, settings = call.backend.isolation, call.backend.settings
    return {
        "id": each.id,
        "function": each.function.name,
        "qualifier": each.function.qualifier,
        "status": each.status.value,
        "since": rfc3339(each.since),
        "createdTime": rfc3339(each.created_at),
        "memorySize": each.memory_mb,
        "concurrency": each.function.config.instance_concurrency,
        "inFlight": [{"requestId": request_id, "taskId": name} for request_id, name in each.in_flight.items()],
        "invocations": each.served,
        "aheadOfDemand": each.ahead,
        "coldStart": dict(each.start_parts),
        "memoryBytes": usage.memory_bytes if usage else None,
        "memoryPeakBytes": usage.memory_peak_bytes if usage else None,
        "cpuSeconds": usage.cpu_seconds if usage else None,
        "processes": usage.processes if usage else None,
        "isolation": {"level": isolation.level, "driver": isolation.driver},
        "node": settings.node,
    }


async def _usages(call: Call, instances: list[Instance]) -> list[Usage | None]:
    places = asyncio.Semaphore(USAGES_MAX)

    async def ask(each: Instance) -> Usage | None:
        async with places:
            try:
                async with asyncio.timeout(USAGE_SECONDS_MAX):
                    return await call.backend.pool.usage(each)
            except Exception:  # noqa: BLE001 - whatever it is, the list of instances is worth more than one's usage
                return None

    return await asyncio.gather(*(ask(each) for each in instances))


def _find(call: Call) -> Instance:
    found = call.backend.pool.find(call.path["instance"])
    if found is None or found.function.account_id != call.account_id:
        raise InstanceNotFound(call.path["instance"])
    return found
