"""Doing what a plan says: only what differs is sent, the function first, then its configurations and triggers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sojourn.client import Client, Conflict, NotFound, documents
from sojourn.client.call import Progress
from sojourn.trigger import HTTP

from .plan import Step
from .wanted import CONFIGS


def apply(client: Client, step: Step, progress: Progress | None = None) -> None:
    """Bring the server to what `step` asks for; a step without changes sends nothing.

    Raises
    ------
    ClientError: the server refused; what was sent before it stays.

    """
    name = step.wanted.function
    if step.body is not None:
        if step.action == "create":
            _create(client, step, progress)
        else:
            client.ask(documents.update_function(name, step.body, progress))
    for key, body in step.configs.items():
        client.ask(documents.put_config(name, CONFIGS[key], body))
    for body in step.triggers.values():
        try:
            client.ask(documents.update_trigger(name, body))
        except NotFound:
            client.ask(documents.create_trigger(name, body))


def addresses(client: Client, function: str, triggers: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Where requests reach a function by those of `triggers` that are open to them.

    Raises
    ------
    ClientError: the server does not answer, or does not have them.

    """
    for name, body in triggers.items():
        if body["triggerType"] == HTTP and (url := client.get_trigger(function, name).url):
            yield url


def _create(client: Client, step: Step, progress: Progress | None) -> None:
    assert step.body is not None  # noqa: S101 - the caller has looked
    try:
        client.ask(documents.create_function(step.body, progress))
    except Conflict:  # somebody else created it meanwhile
        update = {key: value for key, value in step.body.items() if key != "functionName"}
        client.ask(documents.update_function(step.wanted.function, update, progress))
