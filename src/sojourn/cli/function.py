"""`sojourn function`: deploying code and looking after what is deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from sojourn.client import AsyncConfig, Client, Concurrency, Function, NotFound, steering
from sojourn.client.call import segment

from . import published, switch
from .display import plain, print_facts, print_many, print_one, size
from .failure import CommandFailed
from .options import COMMON, Common
from .progress import upload
from .requirements import archive_with

app = cyclopts.App(name="function", help="Deploy, publish, switch and delete functions.", help_format="plaintext")


@app.command
def stats(name: str, /, *, window: str | None = None, common: Common = COMMON) -> None:
    """Show how many tasks of a function are in each status, how fast they come and go, how long they wait and run.

    For example:

        sojourn function stats hello -o json

    Parameters
    ----------
    name
        The function.
    window
        Over which time alone: 1m, 5m, 1h or 1d; JSON always holds all. [default: all]

    """
    path = f"/v1/functions/{segment('function', name)}/statistics"
    with common.client() as client:
        found = client.ask(steering.document(path, {"window": window} if window else {}))
    if common.output != "table":
        print(msgspec.json.format(msgspec.json.encode(found), indent=2 if common.output == "json" else -1).decode())
        return
    print_facts(flat({name: value for name, value in found.items() if window is None or name != "windows"}))


def flat(document: Mapping[str, object], before: str = "") -> list[tuple[str, str]]:
    """The values of a document by their paths."""
    found: list[tuple[str, str]] = []
    for name, value in document.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping):
            found += flat(value, f"{path}.")
        else:
            found.append((path, value if isinstance(value, str) else msgspec.json.encode(value).decode()))
    return found


@app.command
def deploy(
    name: str,
    /,
    *,
    code: Path,
    handler: str | None = None,
    runtime: str | None = None,
    timeout: int | None = None,
    memory: int | None = None,
    env: Annotated[list[str] | None, Parameter(negative="")] = None,
    description: str | None = None,
    requirements: Path | None = None,
    retries: int | None = None,
    max_age: int | None = None,
    retry_interval: int | None = None,
    retry_interval_max: int | None = None,
    queue_weight: int | None = None,
    reserved_concurrency: int | None = None,
    initializer: str | None = None,
    pre_freeze: str | None = None,
    pre_stop: str | None = None,
    idle_timeout: int | None = None,
    preload: Annotated[list[str] | None, Parameter(negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    common: Common = COMMON,
) -> None:
    r"""Create a function, or update it when it exists.

    For example:

        sojourn function deploy hello --code hello/ --handler index.handler \
            --runtime python3.12 --env LEVEL=debug

    Parameters
    ----------
    name
        The function.
    code
        A directory, or a zip of one.
    handler
        MODULE.FUNCTION to call; needed when the function is new.
    runtime
        Such as python3.12; needed when the function is new.
    timeout
        Seconds one attempt may take. [default: 3]
    memory
        MB one instance may use, a multiple of 64. [default: 512]
    env
        An environment variable as NAME=VALUE; repeat it for more. They replace those from before.
    description
        Free text.
    requirements
        A requirements file; its packages are installed beside the code.
    retries
        How often a failed task is tried again, 0 to 8. [default: 3]
    max_age
        Seconds a task may wait before it expires. [default: 86400]
    retry_interval
        Seconds before the first retry, doubled for each further one. [default: the server's]
    retry_interval_max
        The longest such wait. [default: the server's]
    queue_weight
        How many of its tasks get their turn when one of another function does, 1 to 100. [default: 1]
    reserved_concurrency
        How many of its tasks may run at a time. [default: no limit of its own]
    initializer
        MODULE.FUNCTION[:SECONDS] that prepares each new instance; '' removes it.
    pre_freeze
        MODULE.FUNCTION[:SECONDS] to run before an idle instance is frozen; '' removes it.
    pre_stop
        MODULE.FUNCTION[:SECONDS] to run before an instance ends; '' removes it.
    idle_timeout
        Seconds an instance may idle before it ends. [default: the server's]
    preload
        A Python module to import once for all instances; repeat it for more. They replace those from before.
    settings
        A further field as NAME=JSON, spelled as the API does; repeat it for more.

    """
    variables = None if env is None else dict(_pair(text) for text in env)
    with common.client() as client:
        archive: Path | bytes = code if requirements is None else archive_with(requirements, code, runtime)
        with upload(f"Uploading {name}") as progress:
            function = client.deploy(
                name,
                archive,
                handler=handler,
                runtime=runtime,
                timeout=timeout,
                memory=memory,
                env=variables,
                description=description,
                retries=retries,
                max_age=max_age,
                retry_interval=retry_interval,
                retry_interval_max=retry_interval_max,
                queue_weight=queue_weight,
                reserved_concurrency=reserved_concurrency,
                settings=_settings(
                    {"initializer": initializer, "preFreeze": pre_freeze, "preStop": pre_stop},
                    {"idleTimeout": idle_timeout, "preload": preload},
                    settings,
                ),
                progress=progress,
            )
    print_one(common.output, function, lambda: _deployed(function))


@app.command(name="list")
def list_(*, prefix: str = "", common: Common = COMMON) -> None:
    """List the functions by name.

    For example:

        sojourn function list --prefix census -o jsonl

    Parameters
    ----------
    prefix
        Only names that begin so.

    """
    with common.client() as client:
        heads = ("FUNCTION", "RUNTIME", "HANDLER", "MEMORY", "TIMEOUT", "CODE", "MODIFIED")
        print_many(common.output, client.iterate_functions(prefix=prefix), heads, _row)


@app.command
def get(name: str, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Show a function.

    For example:

        sojourn function get hello

    Parameters
    ----------
    name
        The function.
    qualifier
        One of its versions, by number or alias. [default: LATEST]

    """
    with common.client() as client:
        function = client.get_function(name, qualifier=qualifier)
        print_one(common.output, function, lambda: print_facts(_facts(function, *_limits(client, name))))


@app.command
def delete(name: str, /, *, common: Common = COMMON) -> None:
    """Delete a function; its tasks that wait become Invalid.

    For example:

        sojourn function delete hello

    Parameters
    ----------
    name
        The function.

    """
    with common.client() as client:
        client.delete_function(name)
    if common.output == "table":
        print(f"Deleted function {name}.")


@app.command
def download(name: str, file: Path, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Write the archive of a function's code, as it was uploaded, to a file.

    For example:

        sojourn function download hello hello.zip

    Parameters
    ----------
    name
        The function.
    file
        Where to write it; it must not be there.
    qualifier
        One of its versions, by number or alias. [default: LATEST]

    """
    with common.client() as client:
        archive = client.download_code(name, qualifier=qualifier)
    with file.open("xb") as out:
        out.write(archive)
    if common.output == "table":
        print(f"Wrote {size(len(archive))} to {plain(str(file))}.")


def _settings(
    hooks: Mapping[str, str | None], plain: Mapping[str, object], more: Sequence[str] | None
) -> dict[str, object]:
    """Fields of the function from flags: hooks as HANDLER[:SECONDS], `plain` as they are, `more` as NAME=JSON."""
    found: dict[str, object] = {name: value for name, value in plain.items() if value is not None}
    given = {name: _hook(name, text) for name, text in hooks.items() if text is not None}
    if given:
        found["instanceLifecycleConfig"] = given
    for text in more or ():
        name, separator, value = text.partition("=")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            separator = ""
        if not separator or not name:
            raise CommandFailed(f"--set must be NAME=JSON, got {text!r}", "write it as --set idleTimeout=60")
    return found


def _hook(name: str, text: str) -> dict[str, object]:
    handler, separator, seconds = text.partition(":")
    if not separator:
        return {"handler": handler}
    if not seconds.isdecimal():
        raise CommandFailed(f"{name} must be HANDLER[:SECONDS], got {text!r}", "write it as index.initialize:60")
    return {"handler": handler, "timeout": int(seconds)}


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise CommandFailed(f"--env must be NAME=VALUE, got {text!r}", "write it as --env NAME=VALUE")
    return name, value


def _deployed(function: Function) -> None:
    facts = f"{function.runtime}, {function.handler}, {size(function.code_size)}"
    print(plain(f"Deployed function {function.function_name} ({facts})."))
    if function.runtime_note:
        print(plain(f"Note: {function.runtime_note}"))
    print(f"Try it: sojourn task submit {function.function_name} --payload hello --wait")


def _row(function: Function) -> Sequence[str]:
    return (
        function.function_name,
        function.runtime,
        function.handler,
        f"{function.memory_size} MB",
        f"{function.timeout} s",
        size(function.code_size),
        function.last_modified_time,
    )


def _limits(client: Client, name: str) -> tuple[AsyncConfig | None, Concurrency | None]:
    """What is configured beside the function itself, None where nothing is."""
    config: AsyncConfig | None = None
    concurrency: Concurrency | None = None
    with suppress(NotFound):
        config = client.get_async_config(name)
    with suppress(NotFound):
        concurrency = client.get_concurrency(name)
    return config, concurrency


def _seconds(count: int | None) -> str:
    return "" if count is None else f"{count} s"


def _facts(
    function: Function, config: AsyncConfig | None, concurrency: Concurrency | None
) -> Sequence[tuple[str, str]]:
    variables = function.environment_variables or {}
    return (
        ("Function", function.function_name),
        ("ARN", function.function_arn),
        ("Version", function.version_id),
        ("State", function.state),
        ("Disabled", ((function.invocation_restriction or {}).get("reason") or "yes") if function.disabled else ""),
        ("Description", function.description),
        ("Runtime", function.runtime),
        ("Note", function.runtime_note),
        ("Handler", function.handler),
        ("Memory", f"{function.memory_size} MB"),
        ("Timeout", f"{function.timeout} s"),
        ("Code", f"{size(function.code_size)}, CRC-64 {function.code_checksum}"),
        ("Environment", " ".join(f"{name}={value}" for name, value in variables.items())),
        ("Retries", str(config.max_async_retry_attempts) if config else ""),
        ("Maximum age", f"{config.max_async_event_age_in_seconds} s" if config else ""),
        ("Retry interval", _seconds(config.retry_interval_seconds) if config else ""),
        ("Longest interval", _seconds(config.retry_interval_max_seconds) if config else ""),
        ("Queue weight", str(config.queue_weight) if config and config.queue_weight != 1 else ""),
        ("Concurrency", str(concurrency.reserved_concurrency) if concurrency else ""),
        ("Created", function.created_time),
        ("Modified", function.last_modified_time),
    )


app.command(switch.disable)
app.command(switch.enable)
published.add_to(app, "function")
