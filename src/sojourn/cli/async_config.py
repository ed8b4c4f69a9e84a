"""`sojourn async-config`: how a function's tasks are retried, when they expire, where their records go."""

from __future__ import annotations

import cyclopts

from sojourn.client import AsyncConfig

from .display import moment_of_text, print_facts, print_many, print_one
from .options import COMMON, Common

app = cyclopts.App(name="async-config", help="Say how tasks of functions are treated.", help_format="plaintext")


@app.command(name="set")
def set_(
    function: str,
    /,
    *,
    qualifier: str = "",
    retries: int | None = None,
    max_age: int | None = None,
    retry_interval: int | None = None,
    retry_interval_max: int | None = None,
    queue_weight: int | None = None,
    on_success: str | None = None,
    on_failure: str | None = None,
    common: Common = COMMON,
) -> None:
    """Change how tasks are treated that are submitted from now on; what is not given stays.

    For example:

        sojourn async-config set hello --retries 5 --on-failure https://hook.example/

    Parameters
    ----------
    function
        The function.
    qualifier
        For tasks that are submitted by this version or alias. [default: LATEST]
    retries
        How often a failed task is tried again, 0 to 8.
    max_age
        Seconds a task may wait before it expires.
    retry_interval
        Seconds before the first retry, doubled for each further one.
    retry_interval_max
        The longest such wait.
    queue_weight
        How many of its tasks get their turn when one of another function does, 1 to 100.
    on_success
        An ARN or URL for the record of a task that succeeded; '' for none.
    on_failure
        The same for all other ends.

    """
    with common.client() as client:
        made = client.put_async_config(
            function,
            qualifier=qualifier,
            retries=retries,
            max_age=max_age,
            retry_interval=retry_interval,
            retry_interval_max=retry_interval_max,
            queue_weight=queue_weight,
            on_success=on_success,
            on_failure=on_failure,
        )
    print_one(common.output, made, lambda: _print(made))


@app.command
def get(function: str, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Show how tasks of a function are treated.

    For example:

        sojourn async-config get hello

    Parameters
    ----------
    function
        The function.
    qualifier
        For tasks that are submitted by this version or alias. [default: LATEST]

    """
    with common.client() as client:
        found = client.get_async_config(function, qualifier=qualifier)
    print_one(common.output, found, lambda: _print(found))


@app.command(name="list")
def list_(*, function: str = "", common: Common = COMMON) -> None:
    """List what was configured, of all functions or of one.

    For example:

        sojourn async-config list --function hello

    Parameters
    ----------
    function
        Only those of this function.

    """
    with common.client() as client:
        found = client.list_async_configs(function)
    print_many(common.output, found, ("FUNCTION", "RETRIES", "MAX AGE", "ON SUCCESS", "ON FAILURE"), _row)


@app.command
def delete(function: str, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Return to the defaults.

    For example:

        sojourn async-config delete hello

    Parameters
    ----------
    function
        The function.
    qualifier
        For tasks that are submitted by this version or alias. [default: LATEST]

    """
    with common.client() as client:
        client.delete_async_config(function, qualifier=qualifier)
    if common.output == "table":
        print(f"Tasks of function {function} are treated as by default.")


def _end(config: AsyncConfig, name: str) -> str:
    return config.destination_config.get(name, {}).get("destination", "")


def _row(config: AsyncConfig) -> tuple[str, ...]:
    return (
        config.function_arn.partition("functions/")[2],
        str(config.max_async_retry_attempts),
        f"{config.max_async_event_age_in_seconds} s",
        _end(config, "onSuccess"),
        _end(config, "onFailure"),
    )


def _print(config: AsyncConfig) -> None:
    first, longest = config.retry_interval_seconds, config.retry_interval_max_seconds
    print_facts(
        [
            ("Function", config.function_arn.partition("functions/")[2]),
            ("Retries", str(config.max_async_retry_attempts)),
            ("Maximum age", f"{config.max_async_event_age_in_seconds} s"),
            ("Retry interval", "" if first is None else f"{first} s"),
            ("Longest interval", "" if longest is None else f"{longest} s"),
            ("Queue weight", str(config.queue_weight)),
            ("On success", _end(config, "onSuccess")),
            ("On failure", _end(config, "onFailure")),
            ("Modified", moment_of_text(config.last_modified_time)),
        ]
    )
