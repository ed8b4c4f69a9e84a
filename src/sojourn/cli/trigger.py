"""`sojourn trigger`: timers that call a function, and addresses at which it is reached."""

from __future__ import annotations

from typing import Annotated, Literal

import cyclopts
import msgspec
from cyclopts import Parameter

from sojourn.client import HttpConfig, TimerConfig, Trigger

from .display import moment_of_text, print_facts, print_many, print_one
from .failure import CommandFailed
from .options import COMMON, Common

app = cyclopts.App(name="trigger", help="Let functions be called by timers and at addresses.", help_format="plaintext")
Auth = Literal["anonymous", "function"]
Methods = Annotated[list[str] | None, Parameter(name="--method", negative="")]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]


@app.command
def create(
    function: str,
    name: str,
    /,
    *,
    every: str | None = None,
    cron: str | None = None,
    payload: str = "",
    http: Flag = False,
    auth: Auth | None = None,
    method: Methods = None,
    qualifier: str | None = None,
    description: str | None = None,
    common: Common = COMMON,
) -> None:
    """Add a timer (--every or --cron) or an address (--http) to a function.

    For example:

        sojourn trigger create hello nightly --cron '0 0 4 * * *'
        sojourn trigger create hello web --http --auth anonymous --method GET

    Parameters
    ----------
    function
        The function.
    name
        The trigger.
    every
        Between two firings: 30s, 5m, 1h30m.
    cron
        When to fire: seconds, minutes, hours, day, month, weekday; in UTC unless CRON_TZ=Area/City stands before.
    payload
        What the timer's event carries.
    http
        Give the function an address.
    auth
        Who may call there: everybody (anonymous), or who signs. [default: function]
    method
        An HTTP method to allow; repeat it for more. [default: all]
    qualifier
        The version or alias to run. [default: LATEST]
    description
        Free text.

    """
    if [every is not None, cron is not None, http].count(True) != 1:
        raise CommandFailed("a trigger needs one of --every, --cron and --http", "say when, or where, it is to run")
    if not http and (auth is not None or method is not None):
        raise CommandFailed("--auth and --method are those of an address", "add --http, or leave them out")
    config: TimerConfig | HttpConfig
    if http:
        config = _http(HttpConfig(), auth, method)
    else:
        config = _timer(TimerConfig(cron_expression=""), every, cron, payload)
    with common.client() as client:
        made = client.create_trigger(function, name, config, qualifier=qualifier, description=description)
    print_one(common.output, made, lambda: _print(made))


@app.command
def update(
    function: str,
    name: str,
    /,
    *,
    every: str | None = None,
    cron: str | None = None,
    payload: str | None = None,
    enable: Annotated[bool | None, Parameter(name="--enable", negative="--disable")] = None,
    auth: Auth | None = None,
    method: Methods = None,
    qualifier: str | None = None,
    description: str | None = None,
    common: Common = COMMON,
) -> None:
    """Change a trigger; what is not given stays.

    For example:

        sojourn trigger update hello nightly --disable

    Parameters
    ----------
    function
        The function.
    name
        The trigger.
    every
        Between two firings of a timer: 30s, 5m, 1h30m.
    cron
        When a timer is to fire.
    payload
        What the timer's event carries.
    enable
        Whether the timer fires.
    auth
        Who may call at the address.
    method
        An HTTP method to allow; repeat it for more.
    qualifier
        The version or alias to run.
    description
        Free text.

    """
    with common.client() as client:
        before = client.get_trigger(function, name).config
        if isinstance(before, TimerConfig):
            after: TimerConfig | HttpConfig = _timer(before, every, cron, payload, enable=enable)
            misplaced = auth is not None or method is not None
        else:
            after = _http(before, auth, method)
            misplaced = any(value is not None for value in (every, cron, payload, enable))
        if misplaced:
            raise CommandFailed(f"trigger {name} is of another type than these options", "`get` shows what it is")
        config = after if after != before else None
        changed = client.update_trigger(function, name, config, qualifier=qualifier, description=description)
    print_one(common.output, changed, lambda: _print(changed))


@app.command
def get(function: str, name: str, /, *, common: Common = COMMON) -> None:
    """Show a trigger.

    For example:

        sojourn trigger get hello nightly

    Parameters
    ----------
    function
        The function.
    name
        The trigger.

    """
    with common.client() as client:
        found = client.get_trigger(function, name)
    print_one(common.output, found, lambda: _print(found))


@app.command(name="list")
def list_(function: str, /, *, common: Common = COMMON) -> None:
    """List the triggers of a function by name.

    For example:

        sojourn trigger list hello

    Parameters
    ----------
    function
        The function.

    """
    with common.client() as client:
        found = client.list_triggers(function)
    print_many(common.output, found, ("TRIGGER", "TYPE", "WHEN OR WHERE", "QUALIFIER", "MODIFIED"), _row)


@app.command
def delete(function: str, name: str, /, *, common: Common = COMMON) -> None:
    """Forget a trigger.

    For example:

        sojourn trigger delete hello nightly

    Parameters
    ----------
    function
        The function.
    name
        The trigger.

    """
    with common.client() as client:
        client.delete_trigger(function, name)
    if common.output == "table":
        print(f"Deleted trigger {name} of {function}.")


def _timer(
    before: TimerConfig, every: str | None, cron: str | None, payload: str | None, *, enable: bool | None = None
) -> TimerConfig:
    if every is not None and cron is not None:
        raise CommandFailed("--every and --cron exclude each other", "keep one of them")
    expression = f"@every {every}" if every is not None else cron
    given = {"cron_expression": expression, "payload": payload, "enable": enable}
    return msgspec.structs.replace(before, **{name: value for name, value in given.items() if value is not None})


def _http(before: HttpConfig, auth: Auth | None, methods: list[str] | None) -> HttpConfig:
    given = {"auth_type": auth, "methods": methods and [each.upper() for each in methods]}
    return msgspec.structs.replace(before, **{name: value for name, value in given.items() if value is not None})


def _where(trigger: Trigger) -> str:
    config = trigger.config
    if isinstance(config, HttpConfig):
        return f"{trigger.url} ({config.auth_type})"
    return config.cron_expression + ("" if config.enable else " (disabled)")


def _row(trigger: Trigger) -> tuple[str, ...]:
    modified = moment_of_text(trigger.last_modified_time)
    return trigger.trigger_name, trigger.trigger_type, _where(trigger), trigger.qualifier, modified


def _print(trigger: Trigger) -> None:
    config = trigger.config
    more: list[tuple[str, str]]
    if isinstance(config, TimerConfig):
        more = [
            ("Schedule", config.cron_expression),
            ("Payload", config.payload),
            ("Fires", "yes" if config.enable else "no, it is disabled"),
        ]
    else:
        more = [("Address", trigger.url), ("For", config.auth_type), ("Methods", " ".join(config.methods))]
    print_facts(
        [
            ("Trigger", trigger.trigger_name),
            ("Type", trigger.trigger_type),
            *more,
            ("Qualifier", trigger.qualifier),
            ("Description", trigger.description),
            ("Created", moment_of_text(trigger.created_time)),
            ("Modified", moment_of_text(trigger.last_modified_time)),
        ]
    )
