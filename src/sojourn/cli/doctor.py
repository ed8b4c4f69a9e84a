"""`sojourn doctor`: what works on this machine, found out by trying it: isolation, interpreters, disk, port, SQLite."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import apsw
import msgspec

from sojourn import config
from sojourn.clock import SystemClock, milliseconds
from sojourn.errors import SojournError
from sojourn.identity import EPOCH_MS
from sojourn.sandbox import Capabilities, SandboxDriver
from sojourn.stores.sqlite.connection import check_library

from . import exits
from .display import Cell, print_many, print_one
from .options import COMMON, Common

SYNCS, SYNC_BYTES = 40, 4096
SYNC_MILLISECONDS_SLOW = 20.0
FILES_MIN = 4096


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing that was looked at: `ok`, `weak` (it works, and could be better) or `failed` (a server would not)."""

    check: str
    verdict: str
    detail: str
    advice: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All findings; `works` says whether a server can run here."""

    works: bool
    findings: list[Finding]


def doctor(*, common: Common = COMMON) -> int:
    """Find out what works on this machine; exit with 1 when a server would not run here.

    Nothing is changed. Settings are those that `sojourn serve` would take from the environment.

    For example:

        sojourn doctor -o json

    """
    settings = config.load({}, os.environ)
    findings = list(_findings(settings))
    report = Report(works=all(each.verdict != "failed" for each in findings), findings=findings)
    if common.output == "table":
        print_many("table", findings, ("CHECK", "VERDICT", "FOUND", "ADVICE"), _row)
    else:
        print_one(common.output, report, lambda: None)
    return exits.OK if report.works else exits.OTHER


def _findings(settings: config.Settings) -> Iterator[Finding]:
    yield from isolation(settings)
    yield from interpreters()
    looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("disk", lambda: disk(settings.data_dir)),
        ("port", lambda: port(settings.host, settings.port)),
        ("sqlite", sqlite),
        ("files", files),
        ("clock", clock),
    )
    for name, look in looks:
        try:
            yield look()
        except (OSError, SojournError) as error:
            yield Finding(check=name, verdict="failed", detail=str(error))


def isolation(settings: config.Settings) -> list[Finding]:
    """Each way of keeping accounts apart, tried by really running a function with it."""

    async def probe() -> list[Capabilities]:
        drivers: list[SandboxDriver] = [entry.load()() for entry in entry_points(group="sojourn.sandboxes")]
        return [await driver.probe() for driver in drivers]

    found = sorted(asyncio.run(probe()), key=lambda each: -each.level)
    wanted = [each for each in found if settings.sandbox in ("auto", each.driver)]
    some = any(each.works for each in wanted)
    return [
        Finding(
            check=f"isolation {each.driver}",
            verdict="ok" if each.works else ("weak" if some or each not in wanted else "failed"),
            detail=f"level {each.level}: {each.text}; {each.limits}" if each.works else each.reason,
            advice="" if each.works else "see docs/deploy.md",
        )
        for each in found
    ]


def interpreters() -> list[Finding]:
    """The languages that functions can be written in here."""
    found: list[Finding] = []
    for entry in entry_points(group="sojourn.runtimes"):
        runtime = entry.load()()
        versions = [each.version for each in runtime.interpreters()]
        if versions:
            found.append(Finding(check=f"runtime {entry.name}", verdict="ok", detail=", ".join(versions)))
    if not found:
        return [Finding(check="runtime", verdict="failed", detail="no interpreter was found")]
    return found


def disk(data_dir: Path) -> Finding:
    """How long the disk takes to make a page durable: what every change waits for."""
    place = data_dir
    while not place.is_dir():
        place = place.parent
    took: list[float] = []
    with tempfile.NamedTemporaryFile(dir=place, prefix=".sojourn-doctor-") as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"\0" * SYNC_BYTES, 0)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    middle = statistics.median(took)
    slow = middle > SYNC_MILLISECONDS_SLOW
    return Finding(
        check="disk",
        verdict="weak" if slow else "ok",
        detail=f"fdatasync takes {middle:.2f} ms (p50 of {SYNCS}) in {place}",
        advice="choose a --data-dir on a faster disk: every task waits for it" if slow else "",
    )


def port(host: str, number: int) -> Finding:
    """Whether a server could listen where it would."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, number))
        except OSError as error:
            advice = "it may be a server of yours (`sojourn version`); else choose another with --listen"
            return Finding(check="port", verdict="weak", detail=f"{host}:{number}: {error.strerror}", advice=advice)
    return Finding(check="port", verdict="ok", detail=f"{host}:{number} is free")


def sqlite() -> Finding:
    """Whether the SQLite library keeps what it acknowledged."""
    version = apsw.sqlite_lib_version()
    check_library(version)
    return Finding(check="sqlite", verdict="ok", detail=version)


def files() -> Finding:
    """How many files and sockets a server may have open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # a server takes all that it may
    few = most != resource.RLIM_INFINITY and most < FILES_MIN
    return Finding(
        check="files",
        verdict="weak" if few else "ok",
        detail=f"at most {most} open files",
        advice=f"let a server have {FILES_MIN} (`ulimit -Hn`, `LimitNOFILE=` of systemd)" if few else "",
    )


def clock() -> Finding:
    """Whether the clock is right enough: task ids count from 2026 on."""
    now = milliseconds(SystemClock().now())
    if now < EPOCH_MS:
        return Finding(check="clock", verdict="failed", detail="the clock is before 2026", advice="set the clock")
    return Finding(check="clock", verdict="ok", detail=f"{now} ms since 1970")


def _row(each: Finding) -> tuple[Cell, ...]:
    return each.check, each.verdict, each.detail, each.advice
