"""What it takes to run Sojourn as another user: an interpreter and a copy of the packages that this user can reach.

The tests' own interpreter and virtual environment may lie below a directory that is closed to everybody else.
"""

from __future__ import annotations

import compileall
import os
import shutil
import stat
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import sojourn
from live import Python
from live_sandbox import users

UID = users().of(3) if os.getuid() == 0 else 0
"""A user of these tests only; it needs no name. Nobody else can become one."""


def open_to_all(path: Path) -> bool:
    """Whether every user can get to `path` and read it."""
    whole = path.resolve()
    return all(stat.S_IMODE(one.stat().st_mode) & 0o005 == 0o005 for one in (whole, *whole.parents))


def interpreter() -> str:
    """An interpreter of the tests' own version that every user can run; "" when there is none."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [sys.executable, *(str(Path(folder, name)) for folder in os.defpath.split(os.pathsep) if folder)]
    candidates += [str(Path(folder, name)) for folder in ("/usr/local/bin", "/usr/bin")]
    for candidate in candidates:
        if Path(candidate).exists() and open_to_all(Path(candidate)):
            return str(Path(candidate).resolve())
    return ""


def packages(target: Path) -> Python:
    """Sojourn and what it needs at run time, copied below `target`, for the interpreter that every user can run."""
    for name in _needed("sojourn"):
        _copy(distribution(name), target)
    shutil.copytree(Path(sojourn.__file__).parent, target / "sojourn")
    compileall.compile_dir(target, quiet=2)  # what is not yet, or each server would at its start: it may not write here
    for directory, _, files in os.walk(target):
        Path(directory).chmod(0o755)
        for file in files:
            path = Path(directory, file)
            path.chmod(path.stat().st_mode | 0o444)
    return Python(interpreter(), str(target))


def _needed(name: str) -> set[str]:
    """A distribution and everything it requires that is installed."""
    found, wanted = set[str](), [name]
    while wanted:
        one = wanted.pop()
        try:
            requires = distribution(one).requires or []
        except PackageNotFoundError:  # of another platform or an extra
            continue
        if one not in found:
            found.add(one)
            wanted += [_name(text) for text in requires if "extra ==" not in text]
    return found


def _name(requirement: str) -> str:
    for place, character in enumerate(requirement):
        if not (character.isalnum() or character in "-_."):
            return requirement[:place]
    return requirement


def _copy(found: Distribution, target: Path) -> None:
    for file in found.files or ():
        if ".." in file.parts or file.suffix == ".pth" or file.parts[0] == "__pycache__":
            continue
        source = Path(str(found.locate_file(file)))
        if source.is_file():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / file)  # with its time, by which what is compiled counts
