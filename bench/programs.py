"""The programs that the benchmark needs from outside Python.

As root on a Debian system what is missing is installed, as the tests do; otherwise the figures that need it are told
as not measured, with the package's name.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from .failure import NotMeasured

PACKAGES = {"nginx": "nginx", "wrk": "wrk"}
"""Program → Debian package."""
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
INSTALL_SECONDS_MAX = 300.0


def found(program: str) -> str:
    """Where `program` is.

    Raises
    ------
    NotMeasured: it is not installed.

    """
    path = shutil.which(program, path=PLACES)
    if path is None:
        raise NotMeasured(f"{program} is not installed (Debian package {PACKAGES[program]})")
    return path


def install() -> None:
    """Install what is missing, where that is possible; what is still missing afterwards is told by `found`."""
    wanted = [package for program, package in PACKAGES.items() if shutil.which(program, path=PLACES) is None]
    if not wanted or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {' '.join(wanted)}", flush=True)
    # In run level 1 Debian's packages start no service: nginx is wanted as a program only.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *wanted]):
        try:
            subprocess.run(
                ["apt-get", *command],  # noqa: S607 - the machine's own
                check=False,
                stdout=subprocess.DEVNULL,
                env=environment,
                timeout=INSTALL_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            print("apt-get takes too long and is given up", flush=True)
            return
