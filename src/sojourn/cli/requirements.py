"""`--requirements FILE`: the packages a function needs, put beside its code before it is uploaded.

pip does the work, for the Python that the function's runtime names, which need not be the one that runs this command.
Where a package and the function's own code hold a file of the same name, the code's stays.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from sojourn.client.archive import code_archive, merged, zip_directory

from . import exits
from .failure import CommandFailed

STDERR_DESCRIPTOR = 2
"""Where pip may talk: standard output belongs to the command's own answer."""

_RUNTIME = re.compile(r"python(\d+\.\d+)")


def archive_with(requirements: Path, code: Path, runtime: str | None) -> bytes:
    """The archive of `code`, a directory or a zip, with the packages that the file `requirements` names.

    Raises
    ------
    CommandFailed: there is no such file, no pip, or pip failed.
    Refused: the code cannot be deployed.

    """
    archive = code_archive(code)
    if not requirements.is_file():
        raise CommandFailed(f"there is no requirements file {requirements}", "check the path")
    if importlib.util.find_spec("pip") is None:
        raise CommandFailed(
            f"--requirements needs pip, and {sys.executable} has none",
            f"run `{sys.executable} -m ensurepip`, or deploy a directory that holds the packages already",
        )
    with tempfile.TemporaryDirectory(prefix="sojourn-deploy-") as target:
        words = pip_words(requirements, Path(target), runtime)
        if subprocess.run(words, stdout=STDERR_DESCRIPTOR, check=False).returncode:
            raise CommandFailed(
                f"pip could not install {requirements}", "see what pip says above, then correct the file", exits.OTHER
            )
        if not any(Path(target).iterdir()):  # a file of comments only
            return archive
        return merged(zip_directory(Path(target)), archive)


def pip_words(requirements: Path, target: Path, runtime: str | None) -> list[str]:
    """The command that installs into `target`; for another Python than this one only built packages can be had."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    named = _RUNTIME.fullmatch(runtime or "")
    if named and named[1] != f"{sys.version_info.major}.{sys.version_info.minor}":
        words += ["--python-version", named[1], "--only-binary", ":all:"]
    return [*words, "--target", str(target), "--requirement", str(requirements)]
