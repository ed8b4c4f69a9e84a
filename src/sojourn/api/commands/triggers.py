"""Triggers of a function: create, get, update, delete, list."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from sojourn.api import answer, paging, precondition
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call
from sojourn.errors import InvalidArgument
from sojourn.function import LATEST, Function
from sojourn.trigger import HTTP, Trigger

from .named import function_of


async def create(call: Call) -> Answer:
    """CreateTrigger."""
    function = function_of(call)
    return _shown(call, function, await call.backend.timers.create(function, call.json()))


async def get(call: Call) -> Answer:
    """GetTrigger."""
    function = function_of(call)
    return _shown(call, function, call.backend.timers.trigger(function, call.path["trigger"]))


async def update(call: Call) -> Answer:
    """UpdateTrigger."""
    function, name, body = function_of(call), call.path["trigger"], call.json()
    for field, own in (("triggerName", name), ("triggerType", call.backend.timers.trigger(function, name).type)):
        if body.get(field) not in (None, own):
            raise InvalidArgument(field, body[field], f"must be absent or {own}")
    change = partial(call.backend.timers.update, function, name, body)
    return _shown(call, function, await precondition.guarded(call, partial(_look, call), change))


async def delete(call: Call) -> Answer:
    """DeleteTrigger."""
    change = partial(call.backend.timers.delete, function_of(call), call.path["trigger"])
    await precondition.guarded(call, partial(_look, call), change, again=True)  # a timer that fires changes it, too
    return EMPTY


async def page(call: Call) -> Answer:
    """ListTriggers."""
    function = function_of(call)
    found = call.backend.timers.triggers(function, call.query.get("prefix", ""))
    shown, token = paging.page("triggers", call.query, found, lambda each: each.name)
    return answer.of_json({"triggers": [_object(call, function, each) for each in shown], "nextToken": token})


def address(call: Call, function: Function, qualifier: str) -> str:
    """Where requests reach a function that has an HTTP trigger for that version or alias."""
    behind = f".{qualifier}" if qualifier not in ("", LATEST) else ""
    return f"{call.origin}/http/{quote(function.account_id)}/{quote(function.name, safe='$')}{quote(behind)}/"


def _object(call: Call, function: Function, trigger: Trigger) -> dict[str, object]:
    reached = trigger.type == HTTP and not trigger.http.disable_url_internet
    url = address(call, function, trigger.qualifier) if reached else ""
    return call.dialect.trigger(trigger, function, call.backend.settings.region, url)


def _shown(call: Call, function: Function, trigger: Trigger) -> Answer:
    return precondition.shown(call, _object(call, function, trigger))


def _look(call: Call) -> dict[str, object]:
    function = function_of(call)
    return _object(call, function, call.backend.timers.trigger(function, call.path["trigger"]))
