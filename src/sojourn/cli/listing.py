"""`sojourn task list`: the tasks of a function, or of the account, and again and again with --watch."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from sojourn.client import Client, Status, TaskFilter
from sojourn.client import steering as calls
from sojourn.clock import SystemClock, milliseconds

from . import filters
from .display import Cell, moment_of_text, print_many, print_table, status
from .failure import CommandFailed
from .options import COMMON, Common
from .payload import milliseconds_of
from .taskview import HEADS, row

PAGE_LIMIT_MAX = 100
WATCH_SECONDS = 1.0
EVERYWHERE = ("TASK", "FUNCTION", "STATUS", "CREATED", "DURATION", "ERROR")
_FLAG = Parameter(negative="", show_default=False)
_CLEAR = "\x1b[H\x1b[2J"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of the command ask for; times in milliseconds."""

    function: str | None
    fields: Mapping[str, str]
    since: int | None
    limit: int
    all: bool

    @property
    def older(self) -> TaskFilter | None:
        """The question for the API of Function Compute, None when only the native one can answer it."""
        if self.function is None or self.fields.keys() - {"status", "idPrefix"} or "," in self.fields.get("status", ""):
            return None
        name = self.fields.get("status")
        return TaskFilter(
            status=Status(name) if name else None,
            prefix=self.fields.get("idPrefix", ""),
            started_from=self.since,
            limit=PAGE_LIMIT_MAX if self.all else min(self.limit, PAGE_LIMIT_MAX),
        )

    def query(self) -> dict[str, str]:
        """The question for the native API."""
        found = dict(self.fields)
        if self.function is not None:
            found["function"] = self.function
        if self.since is not None:
            found["createdFrom"] = str(self.since)
        return found | {"limit": str(PAGE_LIMIT_MAX if self.all else min(self.limit, PAGE_LIMIT_MAX))}


def list_(
    function: str | None = None,
    /,
    *,
    function_: Annotated[str | None, Parameter(name="--function")] = None,
    status: str | None = None,  # the option's name, and the column's
    prefix: str = "",
    since: str | None = None,
    tags: str = "",
    error: str = "",
    filter: str | None = None,  # noqa: A002 - it is the option's name
    limit: int = 20,
    all: Annotated[bool, _FLAG] = False,  # noqa: A002 - it is the option's name
    watch: Annotated[bool, _FLAG] = False,
    common: Common = COMMON,
) -> None:
    """List tasks, newest first: of a function, or of the whole account.

    For example:

        sojourn task list hello --status Failed --since 2h --all -o jsonl
        sojourn task list --status failed,expired --since 1h --watch

    Parameters
    ----------
    function
        Their function. [default: all of the account]
    function_
        The same, as an option.
    status
        Only those in this status, such as Running; several with commas between them.
    prefix
        Only ids that begin so.
    since
        Only those started since: 10m, 2h, 1d ago, a date and time, or milliseconds.
    tags
        Only those with these tags: key=value pairs with commas between them.
    error
        Only those in whose error this stands.
    filter
        More, as field=value words, see `sojourn task stop --help`.
    limit
        How many at most.
    all
        As many as there are.
    watch
        Look again each second, until Ctrl-C.

    """
    if limit < 1:
        raise CommandFailed(f"--limit must be at least 1, got {limit}", "use --all for all of them")
    fields = filters.fields_of(filter) if filter is not None else {}
    fields |= {name: text for name, text in (("idPrefix", prefix), ("tags", tags), ("errorText", error)) if text}
    if status is not None:
        fields["status"] = ",".join(filters.status_of(name) for name in status.split(","))
    wanted = Wanted(
        function=function or function_ or fields.pop("function", None),
        fields=fields,
        since=None if since is None else milliseconds_of(since, milliseconds(SystemClock().now())),
        limit=limit,
        all=all,
    )
    with common.client() as client:
        while True:
            if watch and common.output == "table" and sys.stdout.isatty():
                print(_CLEAR, end="")
            _show(client, wanted, common)
            if not watch:
                return
            sys.stdout.flush()
            time.sleep(WATCH_SECONDS)


def _show(client: Client, wanted: Wanted, common: Common) -> None:
    older = wanted.older
    if older is not None and wanted.function is not None:
        found = client.iterate_tasks(wanted.function, older)
        print_many(common.output, found if wanted.all else islice(found, wanted.limit), HEADS, row)
        return
    documents = list(islice(_documents(client, wanted), None if wanted.all else wanted.limit))
    if common.output == "json":
        print(msgspec.json.format(msgspec.json.encode(documents), indent=2).decode())
    elif common.output == "jsonl":
        for each in documents:
            print(msgspec.json.encode(each).decode())
    else:
        print_table(EVERYWHERE, [_cells(each) for each in documents])


def _documents(client: Client, wanted: Wanted) -> Iterator[dict[str, Any]]:
    query = wanted.query()
    while True:
        page = client.ask(calls.document("/v1/tasks", query))
        yield from page.get("tasks", [])
        if not page.get("nextToken"):
            return
        query["nextToken"] = page["nextToken"]


def _cells(task: Mapping[str, Any]) -> Sequence[Cell]:
    function = task.get("functionName") or task.get("function") or ""
    created, lasted = task.get("createdTime") or "", task.get("durationMs")
    error = task.get("taskErrorMessage") or task.get("error") or ""
    return (
        str(task.get("taskId", "")),
        str(function),
        status(str(task.get("status", ""))),
        moment_of_text(created),
        f"{lasted} ms" if lasted else "",
        str(error),
    )
