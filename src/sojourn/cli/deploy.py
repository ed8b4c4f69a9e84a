"""`sojourn deploy`: a file of Serverless Devs becomes functions; what would change is shown before it does."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.text import Text

from sojourn.client import Client, ClientError, Refused
from sojourn.client.connection import account_id
from sojourn.manifest import Change, ManifestInvalid, Options, Step, Wanted, addresses, apply, plan, read_file
from sojourn.manifest.reading import NAMES, find

from . import exits
from .display import Cell, print_table
from .failure import CommandFailed
from .options import COMMON, Common
from .progress import upload

MASK = "***"
SHOWN_CHARACTERS_MAX = 120
SIGNS = {"create": ("+", "green"), "change": ("~", "yellow"), "none": ("=", "")}


class _Change(msgspec.Struct, omit_defaults=False):
    field: str
    old: object
    new: object


class _Resource(msgspec.Struct, rename="camel"):
    resource: str
    function_name: str
    action: str
    changes: list[_Change]
    applied: bool


class _Deployment(msgspec.Struct):
    resources: list[_Resource]


def deploy(
    *resources: str,
    template: Annotated[Path | None, Parameter(alias="-t")] = None,
    yes: Annotated[bool, Parameter(alias="-y", negative="", show_default=False)] = False,
    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    show_values: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    skip: Annotated[list[str] | None, Parameter(negative="")] = None,
    without_services: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    common: Common = COMMON,
) -> int:
    """Deploy the functions of a Serverless Devs file: show what would change, and change it.

    For example:

        sojourn deploy -t s.yaml --dry-run

    Parameters
    ----------
    resources
        Only these resources of the file.
    template
        The file. [default: s.yaml here, else s.yml]
    yes
        Do not ask before changing anything.
    dry_run
        Show what would change, and change nothing.
    show_values
        Show the values of environment variables, which may be secrets.
    skip
        A key of the file to leave out, such as logConfig; repeat it for more.
    without_services
        Name functions of an edition 1.0.0 file without their service.

    """
    path = _template(template)
    options = Options(
        os.environ, lambda: account_id(os.environ), frozenset(skip or ()), without_services, tuple(resources)
    )
    wanted = _read(path, options)
    with common.client() as client:
        steps = [_planned(client, one, path) for one in wanted]
        todo = [step for step in steps if step.action != "none"]
        if common.output == "table":
            _print_plan(steps, show_values=show_values)
        agreed = bool(todo) and not dry_run and _agreed(len(todo), yes=yes)
        done: set[str] = set()
        try:
            for step in todo if agreed else ():
                _apply(client, step, path)
                done.add(step.wanted.function)
                if common.output == "table":
                    print(f"Deployed {step.wanted.function}.")
                    _print_addresses(client, step)
        finally:
            _print_json(common, steps, done, show_values=show_values)
    if todo and not agreed and not dry_run:
        raise CommandFailed("nothing was deployed", "agree with -y, or look only with --dry-run", exits.OTHER)
    return exits.OK


def _template(given: Path | None) -> Path:
    path = given or find(Path())
    if path is None:
        raise CommandFailed(f"there is neither {' nor '.join(NAMES)} here", "name the file with -t")
    if not path.is_file():
        raise CommandFailed(f"there is no file {path}", "check the path")
    return path


def _read(path: Path, options: Options) -> list[Wanted]:
    try:
        return read_file(path, options)
    except ManifestInvalid as error:
        count = len(error.problems)
        what = "a mistake" if count == 1 else f"{count} mistakes"
        raise CommandFailed(
            f"{path} has {what}:\n{error.message}", "correct the file; docs/deploy.md tells every key"
        ) from None


def _planned(client: Client, wanted: Wanted, path: Path) -> Step:
    try:
        return plan(client, wanted)
    except Refused as error:
        if error.request_id:  # it is the server that refuses
            raise
        raise CommandFailed(f"{path}:{wanted.line}: {error.message}", "correct the code or the file") from None


def _apply(client: Client, step: Step, path: Path) -> None:
    try:
        with upload(f"Deploying {step.wanted.function}") as progress:
            apply(client, step, progress)
    except ClientError:
        where = f"{path}:{step.wanted.line}"
        print(f"{where}: {step.wanted.resource} is not deployed as the file wants it", file=sys.stderr)
        raise


def _print_addresses(client: Client, step: Step) -> None:
    for url in addresses(client, step.wanted.function, step.triggers):
        print(f"{step.wanted.function} is reached at {url}")


def _agreed(count: int, *, yes: bool) -> bool:
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandFailed(
            f"{_functions(count)} would change, and nobody is here to agree", "pass -y, or look only with --dry-run"
        )
    return input(f"Deploy {_functions(count)}? [y/N] ").strip().lower() in ("y", "yes")


def _functions(count: int) -> str:
    return "1 function" if count == 1 else f"{count} functions"


def _print_plan(steps: list[Step], *, show_values: bool) -> None:
    rows: list[tuple[Cell, ...]] = []
    for step in steps:
        sign, colour = SIGNS[step.action]
        head = Text(f"{sign} {step.wanted.resource}", style=colour)
        rows.append((head, step.wanted.function, step.action, ""))
        rows += [("", change.field, "", _arrow(change, show_values=show_values)) for change in step.changes]
    print_table(("RESOURCE", "FUNCTION OR FIELD", "ACTION", "OLD → NEW"), rows)
    counts = [f"{sum(step.action == action for step in steps)} to {action}" for action in ("create", "change")]
    print(f"{', '.join(counts)}, {sum(step.action == 'none' for step in steps)} as they are.")


def _arrow(change: Change, *, show_values: bool) -> str:
    old, new = (_shown(value, change, show_values=show_values) for value in (change.old, change.new))
    return new if change.old is None else f"{old} → {new}"


def _shown(value: object, change: Change, *, show_values: bool) -> str:
    if value is None:
        return "none"
    if change.secret and not show_values:
        return MASK
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"


def _print_json(common: Common, steps: list[Step], done: set[str], *, show_values: bool) -> None:
    """The plan and what became of it, for programs; values of the environment are masked here too."""
    found = [
        _Resource(
            step.wanted.resource,
            step.wanted.function,
            step.action,
            [_plain(change, show_values=show_values) for change in step.changes],
            step.wanted.function in done,
        )
        for step in steps
    ]
    match common.output:
        case "json":
            print(msgspec.json.format(msgspec.json.encode(_Deployment(found)), indent=2).decode())
        case "jsonl":
            for resource in found:
                print(msgspec.json.encode(resource).decode())
        case _:
            pass


def _plain(change: Change, *, show_values: bool) -> _Change:
    hidden = change.secret and not show_values
    old, new = (MASK if hidden and value is not None else value for value in (change.old, change.new))
    return _Change(change.field, old, new)
