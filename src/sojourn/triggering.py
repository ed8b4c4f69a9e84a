"""The rules of triggers: what a request may make of one, when a timer fires next, and what was missed.

Pure. The rule for what was missed: firings that fell into a time when the server was down, or the timer could not fire,
become one, at once, which carries the time of the last of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from . import cron
from .errors import InvalidArgument
from .function import DESCRIPTION_CHARACTERS_MAX, matching
from .trigger import ANONYMOUS, FUNCTION, HTTP, METHODS, NAME, PAYLOAD_CHARACTERS_MAX, TIMER, Http, Timer, Trigger

MISSED_MAX = 100_000
"""Firings of a cron expression that are walked through to find the last one that was missed."""
_MICROSECONDS = 1_000_000


def changed_trigger(trigger: Trigger, body: Mapping[str, object], now: int) -> Trigger:
    """`trigger` with the fields that `body` gives (FC: CreateTriggerInput, UpdateTriggerInput).

    Raises
    ------
    InvalidArgument: a field is unknown, has no effect here, or is outside its bounds.

    """
    changes: dict[str, object] = {}
    for field, value in body.items():
        match field:
            case "triggerName" | "triggerType":
                continue
            case "triggerConfig" if value is not None:
                changes["config"] = _config(trigger.type, value)
            case "description" if value is not None:
                if not isinstance(value, str) or len(value) > DESCRIPTION_CHARACTERS_MAX:
                    bound = f"must be text of at most {DESCRIPTION_CHARACTERS_MAX} characters"
                    raise InvalidArgument(field, value, bound)
                changes["description"] = value
            case "qualifier" if value is not None:
                changes["qualifier"] = str(value)
            case "triggerConfig" | "description" | "qualifier":
                continue
            case _ if value not in (None, "", [], {}):
                raise InvalidArgument(field, value, "is not supported")
    after = msgspec.structs.replace(trigger, **changes, modified_at=now)
    if after.type == TIMER and "config" in changes:
        after = msgspec.structs.replace(after, next_at=next_firing(after, now))
    return after


def check_trigger_type(value: object) -> str:
    """`value` when this server has such triggers."""
    if value not in (TIMER, HTTP):
        raise InvalidArgument("triggerType", value, f"must be {TIMER} or {HTTP}: nothing here sends events of others")
    return str(value)


def check_trigger_name(name: object) -> str:
    """`name` when a trigger can be called so."""
    bound = "must start with a letter or '_' and hold at most 128 letters, digits, '_' or '-'"
    return matching("triggerName", name, NAME, bound)


def next_firing(trigger: Trigger, now: int) -> int:
    """When a timer fires next, later than `now`; 0 for never."""
    timer = trigger.timer
    return cron.parse(timer.cron_expression).after(now) if timer.enable else 0


def last_missed(trigger: Trigger, now: int) -> int:
    """The time that a firing carries which is due: that of the last one until `now`."""
    schedule, at = cron.parse(trigger.timer.cron_expression), trigger.next_at
    if isinstance(schedule, cron.Every):
        step = schedule.seconds * _MICROSECONDS
        return max(now // step * step, at)
    for _ in range(MISSED_MAX):
        later = schedule.after(at)
        if not later or later > now:
            break
        at = later
    return at


def event_of(trigger: Trigger, at: int) -> bytes:
    """What a function gets from a timer that fires at `at`."""
    stamp = datetime.fromtimestamp(at // _MICROSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return msgspec.json.encode({"triggerTime": stamp, "triggerName": trigger.name, "payload": trigger.timer.payload})


def task_name(trigger: Trigger, at: int) -> str:
    """The id of the task of a firing; a firing that is tried again after a crash gets the same."""
    return f"timer-{trigger.name[:80]}-{trigger.id[:16]}-{at // _MICROSECONDS}"


def _config(kind: str, value: object) -> str:
    """The configuration as JSON text, checked; clients send it as text."""
    bound = "must be JSON text of an object"
    if isinstance(value, dict):
        value = msgspec.json.encode(value).decode()
    try:
        fields = msgspec.json.decode(value) if isinstance(value, str) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidArgument("triggerConfig", value, bound) from None
    if not isinstance(fields, dict):
        raise InvalidArgument("triggerConfig", value, bound)
    made = _timer(fields) if kind == TIMER else _http(fields)
    return msgspec.json.encode(made).decode()


def _timer(fields: dict[str, object]) -> Timer:
    _known(fields, {"cronExpression", "payload", "enable"})
    text, payload, enable = fields.get("cronExpression"), fields.get("payload"), fields.get("enable")
    if not isinstance(text, str):
        raise InvalidArgument("triggerConfig.cronExpression", text, "is required, and must be text")
    cron.parse(text)
    if payload is not None and (not isinstance(payload, str) or len(payload) > PAYLOAD_CHARACTERS_MAX):
        bound = f"must be text of at most {PAYLOAD_CHARACTERS_MAX} characters"
        raise InvalidArgument("triggerConfig.payload", payload, bound)
    if enable is not None and not isinstance(enable, bool):
        raise InvalidArgument("triggerConfig.enable", enable, "must be true or false")
    return Timer(cron_expression=text, payload=payload or "", enable=enable is not False)


def _http(fields: dict[str, object]) -> Http:
    _known(fields, {"authType", "methods", "disableURLInternet", "authConfig", "corsConfig"})
    for name in ("authConfig", "corsConfig"):
        if fields.get(name) not in (None, "", {}, []):
            raise InvalidArgument(f"triggerConfig.{name}", fields[name], "is not supported")
    kind, methods, closed = fields.get("authType") or FUNCTION, fields.get("methods"), fields.get("disableURLInternet")
    if kind not in (ANONYMOUS, FUNCTION):
        raise InvalidArgument("triggerConfig.authType", kind, f"must be {ANONYMOUS} or {FUNCTION}")
    if methods is None:
        methods = list(METHODS)
    if not isinstance(methods, list) or not methods or any(method not in METHODS for method in methods):
        raise InvalidArgument("triggerConfig.methods", methods, f"must be a list of some of {', '.join(METHODS)}")
    if closed not in (None, False, True):
        raise InvalidArgument("triggerConfig.disableURLInternet", closed, "must be true or false")
    return Http(auth_type=str(kind), methods=methods, disable_url_internet=bool(closed))


def _known(fields: dict[str, object], known: set[str]) -> None:
    for name, value in fields.items():
        if name not in known and value not in (None, "", {}, []):
            raise InvalidArgument(f"triggerConfig.{name}", value, "is not supported")
