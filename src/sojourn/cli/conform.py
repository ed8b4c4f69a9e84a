"""`sojourn conform`: whether an endpoint does with tasks what Function Compute does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from sojourn.client import from_environment
from sojourn.conform import report
from sojourn.conform.check import Check
from sojourn.conform.checks import CHECKS
from sojourn.conform.generations import GENERATIONS
from sojourn.conform.run import RUNTIME, Outcome, Plan, Result, Unusable, Verdict, run

from . import exits
from .display import err, print_table
from .failure import CommandFailed
from .options import Form

Choice = Literal["2016", "2021", "2023", "all"]


def conform(
    *,
    endpoint: str | None = None,
    generation: Choice = "all",
    only: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    slow: Annotated[bool, Parameter(negative="")] = False,
    junit: Path | None = None,
    runtime: str = RUNTIME,
    account_id: str | None = None,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
    output: Annotated[Form, Parameter(alias="-o", show_default=False)] = "table",
) -> int:
    """Check whether an endpoint behaves as Function Compute does, ours or the cloud.

    It makes functions of its own, whose names begin with conform-, runs tasks
    on them and takes everything away again, also when it is interrupted. Each
    difference is told with what was expected, what was seen, and how the
    expectation was established. The exit code is 0 when there is none, 1 when
    there are some, 2 when the endpoint cannot be asked.

    For example:

        sojourn conform --endpoint http://127.0.0.1:9000 --only 'task.*'

    Parameters
    ----------
    endpoint
        The server, as http://HOST:PORT.
    generation
        Which generation of the API to speak.
    only
        Run the checks whose ids match this pattern; may be given several times.
    slow
        Run the checks that take more than a minute, too.
    junit
        Write the results to this file as JUnit XML.
    runtime
        The Python runtime of the functions.
    account_id
        Send this as X-Fc-Account-Id. [default: SOJOURN_ACCOUNT_ID or ALIBABA_CLOUD_ACCOUNT_ID]
    list_
        Show the checks instead of running them.
    output
        Print a table, JSON, or one JSON object a line. [default: table]

    """
    versions = [version for version in reversed(GENERATIONS) if generation in ("all", version[:4])]
    checks = [check for check in CHECKS if _wanted(check, only) and (slow or not check.slow)]
    if not checks:
        raise CommandFailed(f"no check matches {' or '.join(only)}", "`sojourn conform --list` shows which there are")
    if list_:
        return _list(checks, versions, output)
    connection = from_environment(endpoint=endpoint)
    told = os.environ.get("SOJOURN_ACCOUNT_ID") or os.environ.get("ALIBABA_CLOUD_ACCOUNT_ID", "")
    plan = Plan(runtime=runtime, account_id=told if account_id is None else account_id)
    results = []
    for version in versions:
        with _Progress(version, len(checks)) as done:
            try:
                results.append(asyncio.run(run(connection, GENERATIONS[version], checks, plan, done=done)))
            except Unusable as error:
                raise CommandFailed(error.message, "check the endpoint, the access key and the account id") from error
    if junit is not None:
        junit.write_bytes(report.junit(results))
    _print(results, output)
    return exits.OTHER if any(result.differences for result in results) else exits.OK


def _wanted(check: Check, only: tuple[str, ...]) -> bool:
    return not only or any(fnmatchcase(check.id, pattern) for pattern in only)


class _Progress:
    """Where somebody looks on, one line that says how far a run is."""

    def __init__(self, version: str, count: int) -> None:
        self._version, self._count, self._done, self._differ = version, count, 0, 0
        self._console = err()
        self._status = self._console.status(version) if self._console.is_terminal else None

    def __enter__(self) -> Callable[[Verdict], None]:
        if self._status is not None:
            self._status.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def _tell(self, verdict: Verdict) -> None:
        self._done += 1
        self._differ += verdict.outcome is Outcome.DIFFERS
        if self._status is not None:
            differ = f", {self._differ} differ" if self._differ else ""
            self._status.update(f"{self._version}: {self._done} of {self._count}{differ}")


def _list(checks: Sequence[Check], versions: Sequence[str], output: Form) -> int:
    """Which checks there are."""
    if output == "table":
        print_table(
            ("ID", "BEHAVIOUR", "GENERATIONS", "ORIGIN"),
            [
                (
                    check.id,
                    check.sentence,
                    ", ".join(version for version in versions if not _missing(check, version)),
                    check.origin,
                )
                for check in checks
            ],
        )
        return exits.OK
    _json(
        [
            report.described(check, version) | {"generation": version}
            for version in versions
            for check in checks
            if not _missing(check, version)
        ],
        output,
    )
    return exits.OK


def _missing(check: Check, version: str) -> str:
    return check.missing(version, GENERATIONS[version].has)


def _print(results: Sequence[Result], output: Form) -> None:
    """The differences and a line for each generation; things that could not be taken away on stderr."""
    for result in results:
        for name in result.left:
            err().print(f"could not be taken away: {name}")
    if output != "table":
        _json([report.document(result) for result in results], output)
        return
    rows = [
        (result.version, *report.difference(verdict, result.version))
        for result in results
        for verdict in result.differences
    ]
    if rows:
        print_table(("GENERATION", "ID", "EXPECTED", "SEEN", "ORIGIN"), rows)
        print()
    for result in results:
        print(report.summary(result))


def _json(documents: Sequence[dict[str, object]], output: Form) -> None:
    if output == "json":
        print(msgspec.json.format(msgspec.json.encode(documents), indent=2).decode())
        return
    for each in documents:
        print(msgspec.json.encode(each).decode())
