"""What a machine must give for some points to be passed, and what servers must not leave in it.

Control groups and containers are not there on every machine. A point that needs them is not asked for where they are
not, and the part's line says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sojourn import engine
from sojourn.sandboxes import groups
from sojourn.sandboxes.bubblewrap import BubblewrapDriver

HIERARCHIES = Path("/sys/fs/cgroup")


@functools.cache
def _no_groups() -> str:
    level = asyncio.run(BubblewrapDriver().probe())
    if not level.works:
        return level.reason
    offer = groups.probe()
    return "" if offer.places else offer.reason or "no control groups can be made"


NEEDS: Mapping[str, Callable[[], str]] = {"groups.": _no_groups, "container.": lambda: engine.found().reason}
"""By the beginning of a point's name: says why it cannot be passed on this machine, "" when it can."""


def all_unmet() -> dict[str, str]:
    """What this machine does not give, and why."""
    return {prefix: why for prefix, look in NEEDS.items() if (why := look())}


def unmet(point: str) -> str:
    """Why a point cannot be passed on this machine, "" when it can."""
    return next((look() for prefix, look in NEEDS.items() if point.startswith(prefix)), "")


@contextlib.contextmanager
def image() -> Iterator[str]:
    """An image of the program that functions are; yields its name."""
    from images import image as made  # noqa: PLC0415 - the test kit's, which asks for pytest

    from .functions import PROGRAM  # noqa: PLC0415 - it stands on the test kit too

    with made(PROGRAM) as name:
        yield name


def variables() -> dict[str, str]:
    """What a server needs to find the engine's images."""
    return {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}


def groups_of(mark: str) -> list[Path]:
    """The control groups of a server, in whatever hierarchy; others may come and go while it is looked."""
    return [Path(path) for path, _, _ in os.walk(HIERARCHIES) if mark and os.path.basename(path) == mark]  # noqa: PTH119 - of very many


def left(mark: str, *, containers: bool) -> list[str]:
    """Control groups and containers of a server that has ended in good order."""
    found = [f"control group {path}" for path in groups_of(mark)]
    if containers:
        words = ("ps", "--all", "--format={{.Names}}", f"--filter=label=sojourn.mark={mark}")
        found += [f"container {name}" for name in engine.call(engine.found(), *words)[1].split()]
    return found
