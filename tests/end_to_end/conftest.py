"""Servers for the tests of this folder: one per module and isolation, found empty of processes when it has ended."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.isolation import BRISK, DRIVERS, why_not
from end_to_end.post import Post
from live import LiveServer, Python
from other_user import packages


@pytest.fixture(scope="module", params=list(DRIVERS))
def sandbox(request: pytest.FixtureRequest) -> str:
    """The name of an isolation that works here."""
    name: str = request.param
    if reason := why_not(name):
        pytest.skip(reason)
    return name


@pytest.fixture(scope="module")
def server(sandbox: str) -> Iterator[LiveServer]:
    """A running server of this isolation."""
    with LiveServer(sandbox=sandbox, settings=BRISK) as live:
        yield live
        assert live.terminate() == 0, live.log()
        assert live.processes() == []
        assert " ERROR " not in live.log(), live.log()
        assert "Traceback" not in live.log(), live.log()


@pytest.fixture
def post() -> Iterator[Post]:
    """Where functions tell how far they are."""
    with Post() as office:
        yield office


@pytest.fixture(scope="session")
def other_python() -> Iterator[Python]:
    """Sojourn where every user can run it."""
    directory = Path(tempfile.mkdtemp(prefix="sojourn-packages-"))
    yield packages(directory)
    shutil.rmtree(directory)
