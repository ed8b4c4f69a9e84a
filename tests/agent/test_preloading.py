"""What a template imports, and what its forks do anew; in child processes, for imports cannot be taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sojourn

SOURCES = str(Path(sojourn.__file__).parents[1])


def said(body: str, directory: Path) -> str:
    """What a fresh interpreter prints that runs `body` with `directory` as the code."""
    head = f"import os, sys\nsys.path.insert(0, {SOURCES!r})\nroot = {str(directory)!r}\n"
    head += "from sojourn.agent import preloading\n"
    done = subprocess.run([sys.executable, "-c", head + body], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("given", "expected"), [(None, "1 None"), ("4", "4 4")])
def test_libraries_are_told_to_start_no_threads_while_they_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: str
) -> None:
    """Unless the function says otherwise; afterwards the environment is as it was."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
    (tmp_path / "algebra.py").write_text("import os\nSEEN = os.environ['OPENBLAS_NUM_THREADS']\n")
    body = "preloading.load(['algebra'], root)\nimport algebra\n"
    body += "print(algebra.SEEN, os.environ.get('OPENBLAS_NUM_THREADS'))"

    assert said(body, tmp_path).strip() == expected
    assert os.environ.get("OPENBLAS_NUM_THREADS") == given


def test_numpy_is_seeded_anew_where_it_is_loaded(tmp_path: Path) -> None:
    """Once per fork; without it nothing happens, and something else of that name does no harm."""
    body = (
        "preloading.reseed()\n"
        "calls = []\n"
        "sys.modules['numpy.random'] = type('Module', (), {'seed': staticmethod(lambda: calls.append(1))})\n"
        "preloading.reseed()\n"
        "sys.modules['numpy.random'] = object()\n"
        "preloading.reseed()\n"
        "print(calls)"
    )

    assert said(body, tmp_path).strip() == "[1]"


def test_modules_after_one_that_fails_are_not_imported(tmp_path: Path) -> None:
    """The first mistake is told."""
    (tmp_path / "wrong.py").write_text("1/0\n")
    (tmp_path / "later.py").write_text("print('imported')\n")
    body = (
        "try:\n    preloading.load(['json', 'wrong', 'later'], root)\n"
        "except preloading.PreloadError as error:\n    print(error)\n"
    )

    assert said(body, tmp_path).strip() == (
        "preload: module 'wrong' cannot be imported: ZeroDivisionError: division by zero"
    )
