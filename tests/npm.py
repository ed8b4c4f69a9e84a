"""Packages from npm for the tests that need them: kept between runs, and quickly done without.

Whether npm can be asked at all is found with one short question, so that a machine without a way to its registry loses
seconds and not minutes. Where npm or a package cannot be had, the test is skipped and says so.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ANSWER_SECONDS_MAX = 10
INSTALL_SECONDS_MAX = 75
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
"""This run of the tests, in all its processes."""
_QUESTION = ("--fetch-retries=0", f"--fetch-timeout={ANSWER_SECONDS_MAX * 500}")


def installed(cache: Path, *packages: str) -> Path:
    """`cache`, in which `packages` are installed by now; other test processes wait for that meanwhile."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        given_up = (
            cache / f"given-up-{RUN}"
        )  # by another process of this run, which had waited as long as anybody shall
        if given_up.exists():
            pytest.skip(given_up.read_text(encoding="utf-8"))
        if not (cache / "complete").exists():
            if why := _missing(cache, packages):
                given_up.write_text(why, encoding="utf-8")
                pytest.skip(why)
            (cache / "complete").touch()
    return cache


@functools.cache
def _missing(cache: Path, packages: tuple[str, ...]) -> str:
    """Install them, once a run; returns why that did not work, "" when it did."""
    if not shutil.which("node"):
        return "node is not installed"
    why = _failed(ANSWER_SECONDS_MAX, "view", *_QUESTION, packages[0], "version")
    return why or _failed(
        INSTALL_SECONDS_MAX, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"--prefix={cache}", *packages
    )


def _failed(seconds: int, *words: str) -> str:
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    try:
        ran = subprocess.run([npm, *words], capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"npm {words[0]} took longer than {seconds} s: {' '.join(words)}"
    said = [line for line in ran.stderr.splitlines() if "npm warn" not in line]
    return f"npm {words[0]} failed: {' '.join(said[:2])}" if ran.returncode else ""
