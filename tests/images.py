"""Images for tests, made of this machine's own files: no registry is asked for anything.

An image holds the test's Python with what it needs to run, and a program. It is imported under a name of its own and
removed when the test process has done with it.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from live_sandbox import Live
from programs import FACTS, SERVER
from sojourn import engine
from sojourn.function import CustomContainer
from sojourn.sandboxes.start import own_interpreter

PYTHON = "/usr/bin/python3"
"""The interpreter inside; the prefix of the standard library is put beside it by PYTHONHOME."""
_LEFT_OUT = re.compile(r"(^|/)(test|tests|idlelib|ensurepip|lib2to3|site-packages|__pycache__|tkinter|config-.*)(/|$)")


def need() -> None:
    """Skip where no container can be run."""
    if why := engine.found().reason:
        pytest.skip(f"custom-container {why}")


def podman(*words: str) -> str:
    """Ask the engine; returns what it says."""
    status, said, errors = engine.call(engine.found(), *words)
    assert status == 0, errors
    return said


def containers(mark: str) -> list[str]:
    """The names of the containers that the engine knows of a server."""
    return podman("ps", "--all", "--format={{.Names}}", f"--filter=label=sojourn.mark={mark}").split()


@contextmanager
def image(program: str = SERVER) -> Iterator[str]:
    """An image that runs `program`, which begins with a line that is not looked at; yields its name."""
    need()
    name = f"localhost/sojourn-test:{uuid.uuid4().hex[:12]}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _python(tar)
        _text(tar, "app/server.py", program.partition("\n")[2])
    command = [*engine.found().command, "import", f"--change=CMD [{_words()}]", "--change=ENV PYTHONHOME=/usr"]
    ended = subprocess.run(
        [*command, "--change=ENV FROM_IMAGE=yes", "-", name],
        input=buffer.getvalue(),
        env=engine.environment(),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    try:
        yield name
    finally:
        podman("rmi", "--force", name)


def _words() -> str:
    return ", ".join(f'"{word}"' for word in (PYTHON, "-S", "/app/server.py"))


def _python(tar: tarfile.TarFile) -> None:
    """The interpreter, the libraries it is linked with, and its standard library."""
    interpreter = own_interpreter()
    library = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
    tar.add(interpreter.executable, PYTHON.lstrip("/"))
    home = interpreter.prefix / library
    tar.add(
        home, f"usr/{library}", filter=lambda one: None if _LEFT_OUT.search(one.name.partition(library)[2]) else one
    )
    linked = {interpreter.executable, *(home / "lib-dynload").glob("*.so")}
    done = set()
    for file in sorted(linked):
        for place in _libraries(file):
            if place not in done:
                done.add(place)
                tar.add(Path(place).resolve(), place.lstrip("/"))


def _libraries(file: Path) -> list[str]:
    """What the loader finds for `file`, the loader itself included."""
    found = subprocess.run([shutil.which("ldd") or "ldd", file], capture_output=True, text=True, check=False)
    return [word for word in found.stdout.split() if word.startswith("/") and Path(word).exists()]


def _text(tar: tarfile.TarFile, place: str, text: str) -> None:
    info = tarfile.TarInfo(place)
    info.size, info.mode = len(text.encode()), 0o644
    tar.addfile(info, io.BytesIO(text.encode()))


async def make(live: Live, name: str, environment: Mapping[str, str] | None = None, **more: Any) -> str:
    """An instance that is the image `name`."""
    fields = {"container": CustomContainer(image=name), "context": FACTS, **more}
    return await live.make(kind="container", environment=environment or {}, **fields)
