"""Python runtimes: the interpreters of this machine, and which of them a function gets.

Every candidate is executed once and asked for its version and prefix: a file's name proves nothing, and a shim is not
an interpreter. Found are the server's own, `python3.N` on the path, `/usr/bin` and `/usr/local/bin`, and what pyenv
and uv installed for this user. Interpreters older than 3.8 cannot run the agent's package and are left out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from sojourn.runtime import Interpreter, Resolved

OLDEST_MINOR = 8
_NAME = re.compile(r"python(?:3(?:\.(\d{1,2}))?|2\.7)")
_BINARY = re.compile(r"python3\.\d{1,2}")
_ASK = "import sys as s, json; print(json.dumps([s.version_info[:3], s.prefix, s.executable, s.implementation.name]))"
_ASK_SECONDS_MAX = 20.0


class PythonRuntime:
    """Finds Python interpreters; looks for them once, when first asked."""

    language = "python"

    def interpreters(self) -> tuple[Interpreter, ...]:
        """What was found on this machine, newest first."""
        return self._found

    def resolve(self, runtime: str) -> Resolved | None:
        """What `runtime` gets here: the same minor version, else the server's own interpreter and a note.

        `python3` is the server's own version. A name that is not one of Python's gives None.
        """
        match = _NAME.fullmatch(runtime)
        if match is None:
            return None
        own = self._own
        if runtime == "python3":
            return Resolved(interpreter=own)
        for interpreter in self._found:
            if match[1] is not None and _minor(interpreter) == int(match[1]):
                return Resolved(interpreter=interpreter)
        note = f"no interpreter for {runtime} on this machine: it runs on Python {own.version}, the server's own"
        return Resolved(interpreter=own, exact=False, note=note)

    @cached_property
    def _own(self) -> Interpreter:
        for interpreter in self._found:
            if _minor(interpreter) == sys.version_info[1]:
                return interpreter
        return own_interpreter()

    @cached_property
    def _found(self) -> tuple[Interpreter, ...]:
        candidates = list(dict.fromkeys(_candidates()))
        with ThreadPoolExecutor(max_workers=4) as threads:
            answers = [one for one in threads.map(_ask, candidates) if one is not None]
        first: dict[int, Interpreter] = {}
        for interpreter in answers:
            first.setdefault(_minor(interpreter), interpreter)
        return tuple(sorted(first.values(), key=_minor, reverse=True))


def own_interpreter() -> Interpreter:
    """What the server itself runs on, as a real binary outside any virtual environment."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    version = ".".join(str(part) for part in sys.version_info[:3])
    prefix = Path(sys.base_prefix).resolve()
    return Interpreter(language="python", version=version, executable=executable, prefix=prefix)


def _candidates() -> Iterator[Path]:
    """Binaries that may be interpreters, the preferred ones first: the server's own, then those everyone can reach."""
    yield Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    home = Path(os.environ.get("HOME") or "~").expanduser()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    shims = pyenv / "shims"
    places = [Path("/usr/local/bin"), Path("/usr/bin")]
    places += [Path(one) for one in os.environ.get("PATH", "").split(os.pathsep) if one and Path(one) != shims]
    for root in (pyenv / "versions", home / ".pyenv" / "versions", home / ".local" / "share" / "uv" / "python"):
        places += [version / "bin" for version in reversed(_entries(root))]
    for place in places:
        for entry in _entries(place):
            binary = Path(os.path.realpath(entry))
            if _BINARY.fullmatch(entry.name) and os.access(binary, os.X_OK):
                yield binary


def _entries(directory: Path) -> list[Path]:
    """What is in `directory`, sorted; nothing when it is not there or closed to us."""
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _ask(executable: Path) -> Interpreter | None:
    """What `executable` says of itself; None when it is no CPython that can be used."""
    try:
        answer = subprocess.run(
            [str(executable), "-I", "-S", "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS_MAX,
            check=True,
        )
        version, prefix, said, implementation = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if version[0] != 3 or version[1] < OLDEST_MINOR or implementation != "cpython":  # noqa: PLR2004 - Python 3
        return None
    real = Path(said).resolve()
    words = ".".join(str(part) for part in version)
    return Interpreter(language="python", version=words, executable=real, prefix=Path(prefix).resolve())


def _minor(interpreter: Interpreter) -> int:
    return int(interpreter.version.split(".")[1])
