"""The code of a function that imports large libraries, for the row about preloading them.

numpy and pandas are installed into the function's code, as a user would bring them. A smoke run takes modules of the
standard library instead, so that nothing has to be fetched.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .options import Options

LARGE = ("numpy", "pandas")
SMALL = ("decimal", "json")
LARGE_MEMORY_MB = 512
INSTALL_SECONDS_MAX = 240.0
LEFT_OUT = frozenset({"tests", "__pycache__", "bin", "include"})
"""Folders that are not needed to import anything."""


class Code:
    """Modules, and where they are installed; nowhere for those of the standard library."""

    def __init__(self, modules: tuple[str, ...], place: Path | None) -> None:
        self.modules, self._place = modules, place
        self.source = f"import {', '.join(modules)}"
        self.memory_mb = LARGE_MEMORY_MB if place is not None else 0
        self._archives: dict[str, bytes] = {}

    def archive(self, source: str) -> bytes:
        """A zip archive with `source` as index.py, and the libraries beside it; made once."""
        if source not in self._archives:
            self._archives[source] = self._archive(source)
        return self._archives[source]

    def _archive(self, source: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("index.py", source)
            for path in sorted(self._place.rglob("*")) if self._place else []:
                inside = path.relative_to(self._place or path)
                if path.is_file() and not LEFT_OUT & set(inside.parts):
                    archive.write(path, inside)
        return buffer.getvalue()


@contextmanager
def code(options: Options) -> Iterator[Code | str]:
    """The code, or why there is none."""
    if options.quick:
        yield Code(SMALL, None)
        return
    with tempfile.TemporaryDirectory(prefix="bench-libraries-", dir=options.directory) as place:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            done = subprocess.run(
                [*command, "--only-binary=:all:", "--target", place, *LARGE],
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            yield f"{' and '.join(LARGE)} were not installed within {INSTALL_SECONDS_MAX:g} s"
            return
        if done.returncode:
            yield f"{' and '.join(LARGE)} cannot be installed: {done.stderr.strip()[-300:]}"
        else:
            yield Code(LARGE, Path(place))
