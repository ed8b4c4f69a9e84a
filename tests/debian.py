"""Sees to the programs that tests need from outside Python: `make test` runs this first.

As root on a Debian system it installs what is missing. Otherwise it says what is missing and which tests are skipped
for want of it, by name; those tests ask `missing` and skip with the same words.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

CONTAINERS = (
    "tests/sandboxes/test_containers.py",
    "tests/sandboxes/test_container_ends.py",
    "tests/end_to_end/test_containers.py",
    "tests/test_docs_runtimes.py (container)",
)
BROWSER = ("tests/console/test_browser.py",)
NEEDED: dict[str, tuple[str, tuple[str, ...]]] = {
    "chromedriver": ("chromium-driver", BROWSER),
    "chromium": ("chromium", BROWSER),
    "bwrap": ("bubblewrap", ("tests/sandboxes/test_system_bwrap.py",)),
    "git": ("git", ("tests/test_tree.py",)),
    "nginx": ("nginx", ("tests/bench/test_smoke.py (throughput)",)),
    "podman": ("podman", CONTAINERS),
    "runc": ("runc", CONTAINERS),
    "setpriv": ("util-linux", ("tests/end_to_end/test_users.py",)),
    "wrk": ("wrk", ("tests/bench/test_wrk.py", "tests/bench/test_smoke.py")),
}
"""Program → (Debian package, tests that cannot run without it)."""


def missing(program: str) -> str:
    """Why the tests of `program` cannot run here, "" when they can."""
    if shutil.which(program):
        return ""
    package, _ = NEEDED[program]
    return f"{program} is not installed (Debian package {package})"


def main() -> int:
    """Install or report."""
    wanting = [program for program in NEEDED if missing(program)]
    packages = sorted({NEEDED[program][0] for program in wanting})
    if packages and os.getuid() == 0 and shutil.which("apt-get"):
        print(f"installing {' '.join(packages)}", flush=True)  # noqa: T201 - it talks to the person who runs make
        # In run level 1 no package starts its service: the programs are wanted, not the services.
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        quiet = {"stdout": subprocess.DEVNULL, "env": environment}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)  # type: ignore[call-overload]  # as a mapping
        subprocess.run(["apt-get", "install", "-y", "-qq", *packages], check=False, **quiet)  # type: ignore[call-overload]  # as a mapping
    for program in wanting:
        if why := missing(program):
            print(f"{why}; skipped: {', '.join(NEEDED[program][1])}", flush=True)  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
