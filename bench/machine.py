"""What a run was made on: figures without it say nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import apsw
import msgspec

from .yardsticks import MEMORY_FILE_SYSTEMS, file_system

LIBRARIES = ("uvicorn", "uvloop", "httptools", "starlette", "apsw", "msgspec", "orjson")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran, and how busy the machine was with other things just before."""

    cpu: str
    cores: int
    load_average: float
    memory_mb: int
    kernel: str
    python: str
    sqlite: str
    libraries: dict[str, str]
    disk: str
    durable_disk: bool


def machine(directory: Path) -> Machine:
    """The machine this runs on, with the file system of `directory`."""
    kind = file_system(directory)
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        load_average=round(os.getloadavg()[0], 2),
        memory_mb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        sqlite=apsw.sqlite_lib_version(),
        libraries={name: found for name in LIBRARIES if (found := _version(name))},
        disk=kind or "unknown",
        durable_disk=kind not in MEMORY_FILE_SYSTEMS,
    )


def told(on: Machine) -> list[str]:
    """The machine in three lines."""
    return [
        f"{on.cpu} · {on.cores} cores · {on.memory_mb} MiB · load average {on.load_average:.2f}",
        f"{on.kernel} · {on.python} · SQLite {on.sqlite} · data on {on.disk}",
        " · ".join(f"{name} {text}" for name, text in on.libraries.items()),
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
