"""Functions with hooks, and what the API tells of the instances that they run on."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from end_to_end.functions import HANDLER, RUNTIME
from end_to_end.post import PRELUDE, Post
from live import archive, until
from sojourn.client import Client, Status, Task
from sojourn.client.call import Call

SECONDS = 60.0
HANDLERS = {"initializer": "initialize", "preFreeze": "pre_freeze", "preStop": "pre_stop"}


def source(bodies: Mapping[str, str]) -> str:
    """A module in which the handler and every hook are defined; one without a body of its own tells its name."""
    parts = [PRELUDE]
    for name, head in {
        "handler": "handler(event, context)",
        **{k: f"{v}(context)" for k, v in HANDLERS.items()},
    }.items():
        body = textwrap.dedent(bodies.get(name, f"tell({name!r})")).strip()
        parts.append(f"def {head}:\n{textwrap.indent(body, '    ')}\n")
    return textwrap.dedent(bodies.get("module", "")) + "\n".join(parts)


def deploy(
    client: Client, post: Post, name: str, hooks: Mapping[str, int] | None = None, *, timeout: int = 600, **more: Any
) -> str:
    """A function whose hooks, by their names on the wire, have so many seconds; other words are bodies or settings."""
    bodies = {part: more.pop(part) for part in ("module", "handler", *HANDLERS) if part in more}
    lifecycle: dict[str, dict[str, object]] = {one: {"handler": ""} for one in HANDLERS}
    for hook, seconds in (hooks or {}).items():
        lifecycle[hook] = {"handler": f"index.{HANDLERS[hook]}", "timeout": seconds}
    client.deploy(
        name,
        archive(source(bodies)),
        handler=HANDLER,
        runtime=RUNTIME,
        timeout=timeout,
        memory=more.pop("memory", 128),
        retries=more.pop("retries", 0),
        env={**post.env, **more.pop("env", {})},
        settings={"instanceLifecycleConfig": lifecycle, **more.pop("settings", {})},
        **more,
    )
    return name


def run(client: Client, name: str, payload: bytes | str = b"") -> Task:
    """A task of it, once it is over."""
    return client.wait(name, client.submit(name, payload).task_id, timeout=SECONDS)


def stopped(client: Client, name: str, task_id: str) -> Task:
    """Stop a task, and wait for the proof."""
    client.stop_task(name, task_id)
    task = client.wait(name, task_id, timeout=SECONDS)
    assert task.status is Status.STOPPED, task
    return task


def path(task: Task) -> list[str]:
    """Its statuses."""
    return [event.status.value for event in task.events]


def get(client: Client, path_: str, **query: str) -> Any:
    """What a path of the API answers."""
    return client._send(Call("Get", "GET", path_, lambda answer: json.loads(answer.body), query=query))


def put(client: Client, path_: str, body: Mapping[str, object]) -> Any:
    """What it answers to a PUT."""
    return client._send(
        Call("Put", "PUT", path_, lambda answer: json.loads(answer.body), body=json.dumps(body).encode())
    )


def instances(client: Client, name: str = "") -> list[dict[str, Any]]:
    """The instances of a function, or all."""
    found: list[dict[str, Any]] = get(client, "/v1/instances")["instances"]
    return [one for one in found if name in ("", one["function"])]


def reach(client: Client, instance_id: str, *statuses: str) -> dict[str, Any]:
    """An instance once it has one of `statuses`."""
    seen: dict[str, Any] = {}

    def there() -> bool:
        seen.clear()
        seen.update(get(client, f"/v1/instances/{instance_id}"))
        return seen["status"] in statuses

    until(there, SECONDS, f"{instance_id} in {statuses}")
    return seen


def rests(client: Client, name: str) -> None:
    """Wait until all instances of a function are Frozen: while one is being frozen, the next task gets a new one."""
    until(lambda: {one["status"] for one in instances(client, name)} <= {"Frozen"}, SECONDS, f"{name} rests")


def events(client: Client, instance_id: str) -> list[dict[str, Any]]:
    """What happened to an instance."""
    found: list[dict[str, Any]] = get(client, f"/v1/instances/{instance_id}/events")["events"]
    return found


def names(client: Client, instance_id: str) -> list[str]:
    """The names of its events."""
    return [one["event"] for one in events(client, instance_id)]


def detail(client: Client, instance_id: str, event: str) -> dict[str, Any]:
    """What its last event of this name says."""
    found: dict[str, Any] = [one["detail"] for one in events(client, instance_id) if one["event"] == event][-1]
    return found


def log(client: Client, name: str, task: Task | str) -> str:
    """All that the attempts of a task wrote."""
    return "".join(one.text for one in client.logs(name, task if isinstance(task, str) else task.task_id))
