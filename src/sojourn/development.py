"""Local development: a private server with the functions of a directory, deployed again whenever a file changes.

The server is this process itself, on a data directory of its own that goes with it. What is deployed is said by the
directory's `s.yaml`, or by a few flags where there is none. What functions write is heard as they write it. How all of
this looks in a terminal is left to the command line (`cli.dev`).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watchfiles import awatch

from sojourn.client import Client, ClientError, Connection
from sojourn.client.archive import IGNORED
from sojourn.config import Settings
from sojourn.errors import SojournError
from sojourn.manifest import Step, Wanted, addresses, apply, plan
from sojourn.sandboxes.overheard import Listener
from sojourn.server import Server

QUIET_MILLISECONDS = 200
"""How long files must have been left alone: an editor writes in several steps."""
STEP_MILLISECONDS = 50
LOOK_MILLISECONDS = 1000
"""When a watch is on it takes one look: a file may have changed while it was put up."""
PREFIX = "sojourn-dev-"


class Teller(Listener, Protocol):
    """Who is told what happens."""

    def ready(self, connection: Connection, data_dir: Path, functions: Iterable[Wanted]) -> None:
        """The server answers and everything is deployed."""
        ...

    def deployed(self, step: Step) -> None:
        """A function was deployed, or deployed again."""
        ...

    def reached(self, function: str, url: str) -> None:
        """A function has an address: what its HTTP trigger is reached at."""
        ...

    def failed(self, error: SojournError | OSError) -> None:
        """The files cannot be deployed as they are; what was deployed before stays."""
        ...


@dataclass(frozen=True)
class Project:
    """What is developed: `read` tells what is wanted now, `directory` is watched, and the code wherever it lies."""

    directory: Path
    read: Callable[[], list[Wanted]]


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A data directory that goes when it is left."""
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


async def develop(project: Project, settings: Settings, teller: Teller) -> int:
    """Serve `project` until SIGINT or SIGTERM; returns the server's exit status.

    Raises
    ------
    SojournError: the project cannot be read or deployed at the start, or the server cannot start.

    """
    wanted = project.read()
    server = Server(settings, teller)
    await server.start()
    try:
        with Client(_connection(server)) as client:
            await asyncio.to_thread(_deploy, client, wanted, teller, first=True)
            teller.ready(client.connection, settings.data_dir, wanted)
            watching = asyncio.create_task(_watch(project, client, wanted, teller))
            serving = asyncio.create_task(server.run())
            await asyncio.wait((serving, watching), return_when=asyncio.FIRST_COMPLETED)
            for task in (watching, serving):
                task.cancel()
            results = await asyncio.gather(serving, watching, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result
    finally:
        await server.stop()
    return server.status


async def _watch(project: Project, client: Client, wanted: list[Wanted], teller: Teller) -> None:
    """Deploy again after every change; the places that are watched follow the file that names them."""
    while True:
        places = _places(project, wanted)
        async for _ in _changes(places):
            try:
                wanted = await asyncio.to_thread(project.read)
                await asyncio.to_thread(_deploy, client, wanted, teller)
            except (SojournError, OSError) as error:
                teller.failed(error)
            if _places(project, wanted) != places:
                break


async def _changes(places: Collection[Path]) -> AsyncIterator[object]:
    """Whenever something changes, and once when the watch is on.

    It looks again and again where the system has no room for another watch.
    """
    for polling in (False, True):
        looked = False
        try:
            async for changes in awatch(
                *places,
                watch_filter=lambda _, path: _matters(Path(path), places),
                debounce=QUIET_MILLISECONDS,
                step=STEP_MILLISECONDS,
                rust_timeout=LOOK_MILLISECONDS,
                yield_on_timeout=True,
                force_polling=polling or None,
            ):
                if changes or not looked:
                    yield changes
                looked = True
        except OSError:
            if polling:
                raise
        else:
            return


def _matters(path: Path, places: Iterable[Path]) -> bool:
    """Whether a change of `path` can be one of the code; what lies in `IGNORED` below a place is none."""
    below = next((path.relative_to(place) for place in places if path.is_relative_to(place)), path)
    return not IGNORED.intersection(below.parts) and not path.name.endswith((".pyc", "~", ".swp"))


def _places(project: Project, wanted: Iterable[Wanted]) -> set[Path]:
    """What is watched: the directory, and code that lies elsewhere; a zip by the directory it is in."""
    root = project.directory.resolve()
    places = {root}
    for one in wanted:
        if one.code is not None:
            path = one.code.resolve()
            place = path if path.is_dir() else path.parent
            if not place.is_relative_to(root):
                places.add(place)
    return places


def _deploy(client: Client, wanted: Iterable[Wanted], teller: Teller, *, first: bool = False) -> None:
    """Do what differs; addresses are told when they are new, all of them the `first` time."""
    for one in wanted:
        step = plan(client, one)
        try:
            if step.action != "none":
                apply(client, step)
                teller.deployed(step)
            for url in addresses(client, one.function, one.triggers if first else step.triggers):
                teller.reached(one.function, url)
        except ClientError as error:
            error.add_note(f"function {one.function}")
            raise


def _connection(server: Server) -> Connection:
    owner = server.catalog.accounts()[0]
    key = server.catalog.keys_of(owner.id)[0]
    return Connection(server.url, key.id, key.secret)
