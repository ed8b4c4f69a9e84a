"""`sojourn dev`: a private server for the functions of a directory, which follow every change of their files."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shlex
import sys
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import uvloop
from cyclopts import Parameter
from rich.text import Text

from sojourn import config
from sojourn.client import Connection
from sojourn.client.connection import account_id
from sojourn.development import Project, develop, private_directory
from sojourn.errors import SojournError
from sojourn.function import FUNCTION_NAME
from sojourn.manifest import Options, Step, Wanted, read_file
from sojourn.manifest.reading import find
from sojourn.sandbox import Exit, Reply

from .display import out, plain
from .failure import CommandFailed
from .serve import Network

DRAIN_SECONDS = 2.0
ACCOUNT_ID = "1000000000000000"
"""The account of a private server when nobody names another: `${config('AccountID')}` in a file is this one."""
LINE_BYTES_MAX = 4096
"""A line that is longer is shown in pieces."""


def dev(
    directory: Path = Path(),
    /,
    *,
    handler: str | None = None,
    runtime: str | None = None,
    name: str | None = None,
    timeout: int | None = None,
    memory: int | None = None,
    env: Annotated[list[str] | None, Parameter(negative="")] = None,
    listen: str = "127.0.0.1:0",
    sandbox: Literal["auto", "bubblewrap", "process"] = "auto",
    network: Network = "host",
    time_scale: float = 1.0,
    data_dir: Path | None = None,
    skip: Annotated[list[str] | None, Parameter(negative="")] = None,
    without_services: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> int:
    """Run the functions of a directory on a server of their own, and deploy them again when a file changes.

    What to deploy is read from its s.yaml, else told by the flags. What the
    functions write is printed as they write it. Ctrl-C ends everything, and
    nothing is left.

    For example:

        sojourn dev examples/functions/echo --handler index.handler

    Parameters
    ----------
    directory
        Where s.yaml is, or the function's code. [default: here]
    handler
        MODULE.FUNCTION to call, without s.yaml. [default: index.handler]
    runtime
        Such as python3.12, without s.yaml. [default: the Python of this command]
    name
        The function's name, without s.yaml. [default: the directory's]
    timeout
        Seconds one attempt may take, without s.yaml.
    memory
        MB one instance may use, without s.yaml.
    env
        An environment variable as NAME=VALUE, without s.yaml; repeat it for more.
    listen
        HOST:PORT to answer at; port 0 takes a free one.
    sandbox
        How functions are kept apart; auto takes the strongest that works here.
    network
        What functions reach: the host's network, or none.
    time_scale
        So many times faster pass delays, ages, waits between attempts and timeouts, 1 to 1000.
    data_dir
        Keep the server's data here. [default: a temporary directory]
    skip
        A key of s.yaml to leave out; repeat it for more.
    without_services
        Name functions of an edition 1.0.0 file without their service.

    """
    if not directory.is_dir():
        raise CommandFailed(f"there is no directory {directory}", "name the directory of the function")
    flags = {"handler": handler, "runtime": runtime, "name": name, "timeout": timeout, "memory": memory, "env": env}
    account = account_id({"SOJOURN_DATA_DIR": str(data_dir)} if data_dir is not None else os.environ) or ACCOUNT_ID
    template = find(directory)
    if template is not None:
        given = [f"--{flag}" for flag, value in flags.items() if value is not None]
        if given:
            raise CommandFailed(f"{template} says what {' and '.join(given)} would", "leave one of them out")
        options = Options(os.environ, lambda: account, frozenset(skip or ()), without_services)
        project = Project(directory, lambda: read_file(template, options))
    else:
        wanted = _wanted(directory, flags)
        project = Project(directory, lambda: [wanted])
    if data_dir is not None and data_dir.resolve().is_relative_to(directory.resolve()):
        raise CommandFailed(f"{data_dir} lies inside {directory}, which is watched", "choose another --data-dir")
    host, port = config.parse_listen(listen)
    settings: dict[str, object] = {
        "host": host,
        "port": port,
        "sandbox": sandbox,
        "network": network,
        "time_scale": time_scale,
        "drain_seconds": DRAIN_SECONDS,
        "account_id": account,
    }
    if data_dir is not None:
        return _run(project, settings | {"data_dir": data_dir})
    with private_directory() as private:
        return _run(project, settings | {"data_dir": private})


def _run(project: Project, flags: Mapping[str, object]) -> int:
    settings = config.load(flags, {key: value for key, value in os.environ.items() if not _SERVERS.fullmatch(key)})
    logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s", stream=sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(develop(project, settings, Told()))


_SERVERS = re.compile(r"SOJOURN_(DATA_DIR|HOST|PORT|ACCESS_KEY_ID|ACCESS_KEY_SECRET|ACCOUNT_ID)")
"""Settings of another server that must not be this one's."""


def _wanted(directory: Path, flags: Mapping[str, object]) -> Wanted:
    handler = flags["handler"]
    if handler is None:
        handler = "index.handler"
        if not (directory / "index.py").is_file():
            raise CommandFailed(
                f"{directory} has neither s.yaml nor index.py", "say what to call with --handler MODULE.FUNCTION"
            )
    settings: dict[str, object] = {
        "runtime": flags["runtime"] or f"python{sys.version_info.major}.{sys.version_info.minor}",
        "handler": handler,
        "timeout": flags["timeout"],
        "memorySize": flags["memory"],
    }
    env = flags["env"]
    if isinstance(env, list):
        pairs = [text.partition("=") for text in env]
        if not all(name and separator for name, separator, _ in pairs):
            raise CommandFailed("--env must be NAME=VALUE", "write it as --env NAME=VALUE")
        settings["environmentVariables"] = {name: value for name, _, value in pairs}
    given = {key: value for key, value in settings.items() if value is not None}
    name = flags["name"] or re.sub(r"[^A-Za-z0-9_-]", "-", directory.resolve().name)
    if not isinstance(name, str) or not FUNCTION_NAME.fullmatch(name):
        raise CommandFailed(f"{name!r} cannot be a function's name", "choose one with --name")
    return Wanted(name, name, 1, given, directory)


class Told:
    """Prints what happens, line by line, each with the function it is about."""

    def __init__(self) -> None:
        self._console = out()
        self._begun: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()

    def ready(self, connection: Connection, data_dir: Path, functions: Iterable[Wanted]) -> None:
        """See `Teller`."""
        names = [one.function for one in functions]
        example = names[0] if names else "NAME"
        self._console.print(f"Serving {', '.join(names)} at {connection.endpoint}. In another terminal:\n")
        for line in (
            f"export SOJOURN_DATA_DIR={shlex.quote(str(data_dir.resolve()))}",
            f"sojourn invoke {example} --payload '{{}}' --tail",
            f"sojourn task submit {example} --payload '{{}}' --wait",
        ):
            self._console.print(f"    {line}")
        self._console.print("\nFiles are watched; Ctrl-C ends it.")
        self._flush()

    def deployed(self, step: Step) -> None:
        """See `Teller`."""
        changes = [change.field for change in step.changes]
        said = "deployed" if step.action == "create" else f"deployed again ({', '.join(changes[:5])})"
        self._say(step.wanted.function, said, "bold")

    def reached(self, function: str, url: str) -> None:
        """See `Teller`."""
        self._say(function, f"reached at {url}", "bold")

    def failed(self, error: SojournError | OSError) -> None:
        """See `Teller`."""
        text = error.message if isinstance(error, SojournError) else str(error)
        for line in text.splitlines():
            self._say("not deployed", line, "red")

    def wrote(self, function: str, request_id: str, piece: bytes) -> None:
        """See `Listener`; a line is printed when it is complete."""
        key = function, request_id
        *lines, rest = (self._begun.pop(key, b"") + piece).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            lines, rest = [*lines, rest], b""
        for line in lines:
            self._say(function, line.decode("utf-8", "replace").rstrip("\r"))
        if rest:
            self._begun[key] = rest

    def answered(self, function: str, request_id: str, reply: Reply) -> None:
        """See `Listener`."""
        self._finish(function, request_id)
        took = f"{reply.duration_us / 1000:.1f} ms"
        if reply.ok:
            self._say(function, f"answered {len(reply.payload)} bytes in {took}", "green")
        else:
            self._say(function, f"failed after {took}: {reply.type}: {reply.message}", "red")

    def died(self, function: str, request_id: str, exit_: Exit) -> None:
        """See `Listener`."""
        self._finish(function, request_id)
        how = f"signal {exit_.signal}" if exit_.signal else f"exit status {exit_.code}"
        self._say(function, f"its instance ended ({'out of memory' if exit_.oom else how})", "red")

    def _finish(self, function: str, request_id: str) -> None:
        rest = self._begun.pop((function, request_id), b"")
        if rest:
            self._say(function, rest.decode("utf-8", "replace"))

    def _say(self, about: str, text: str, style: str = "") -> None:
        now = datetime.now().astimezone()
        line = Text.assemble((f"{now:%H:%M:%S} ", "dim"), (f"{about} │ ", "cyan"), (plain(text), style))
        with self._lock:  # deployments are told from a thread of their own
            self._console.print(line, soft_wrap=True)
            self._flush()

    def _flush(self) -> None:
        sys.stdout.flush()
