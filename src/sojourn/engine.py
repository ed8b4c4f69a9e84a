"""The container engine of this machine: which one there is, how it is called, and whether it works.

Podman, with whatever it runs containers with. Whether it works is found by running a container once, when somebody
first asks; what came of it is kept. What a container of a function looks like is `sandboxes.container`'s to say.
"""

from __future__ import annotations

import functools
import os
import resource
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

_TRIAL_SECONDS_MAX = 60.0
_FILES_MAX = 100_000
_PROCESSES_MAX = 1024
_PROCESSES_OF_USER_MAX = 32_768
_TRIAL_USER = 199_998
_VARIABLES = (
    *("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS", "TMPDIR"),
    *("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF"),
)
"""What podman goes by; everything else of the server's environment is kept from it."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64")
_lock = threading.Lock()


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine: `command` calls it, `reason` says why it cannot be used ("" when it can).

    `limits` is whether it can hold a container's memory, processes and CPU.
    """

    command: tuple[str, ...] = ()
    limits: bool = False
    reason: str = ""

    @property
    def works(self) -> bool:
        """Whether it runs containers."""
        return not self.reason


def found() -> Engine:
    """The engine of this machine; the first call runs a container, which takes a second, and waits for it."""
    with _lock:
        return _found()


@functools.cache
def _found() -> Engine:
    podman = shutil.which("podman", path=_PATH)
    if podman is None:
        why = "needs podman, and it is not on this server's machine"
        if shutil.which("runc", path=_PATH):
            why += ", whose runc alone takes no images"
        return Engine(reason=why)
    said = ""
    for runtime in ((), ("--runtime", "runc")):
        for limits in (True, False):
            engine = Engine(command=(podman, "--cgroup-manager=cgroupfs", *runtime), limits=limits)
            words = _try_out(engine)
            if not words:
                return engine
            said = said or words
    return Engine(reason=f"needs podman, and podman does not run a container here: {said}")


def environment() -> dict[str, str]:
    """The variables that podman is to have."""
    kept = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return {"PATH": _PATH, "LANG": "C.UTF-8", **kept}


def confinement(engine: Engine, user: int | None) -> list[str]:
    """The words of `podman run` that take rights from a container, whose processes belong to `user` when it is given.

    Without being root podman maps its own user to the container's root, and whom the image names is left as it is.
    """
    words = ["--pull=never", "--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL"]
    words += ["--security-opt=no-new-privileges", "--log-driver=passthrough"]
    if user is not None:
        words += [f"--user={user}:{user}"]
    if os.geteuid() != 0:
        return [*words, "--ulimit=host"]
    # What podman sets by itself may be more than this server may give. Processes are counted per user, over all its
    # containers and whatever else it runs: a bound to live by only where the engine does not count a container's.
    files = _bound(resource.RLIMIT_NOFILE, _FILES_MAX)
    processes = _bound(resource.RLIMIT_NPROC, _PROCESSES_OF_USER_MAX if engine.limits else _PROCESSES_MAX)
    return [*words, f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={processes}:{processes}"]


def _bound(which: int, most: int) -> int:
    """`most`, or our own hard limit when that is less."""
    _, hard = resource.getrlimit(which)
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def limits(engine: Engine, memory_mb: int, cpu: float | None) -> list[str]:
    """The words of `podman run` that bound what a container uses; none where the engine cannot."""
    if not engine.limits:
        return []
    words = [f"--memory={memory_mb}m", f"--memory-swap={memory_mb}m", f"--pids-limit={_PROCESSES_MAX}"]
    return words if cpu is None else [*words, f"--cpus={cpu:g}"]


def call(engine: Engine, *words: str, seconds_max: float = _TRIAL_SECONDS_MAX) -> tuple[int, str, str]:
    """Call the engine; returns exit status, output and errors. A call that takes too long is ended, with status -1."""
    return _run([*engine.command, *words], environment(), seconds_max)


def _run(command: list[str], variables: Mapping[str, str], seconds_max: float) -> tuple[int, str, str]:
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=dict(variables),
            cwd="/",
            timeout=seconds_max,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, "", str(error)
    return ended.returncode, ended.stdout, ended.stderr


def _try_out(engine: Engine) -> str:
    """Why a container of the machine's own files does not run, "" when it does."""
    program = Path(shutil.which("true", path=_PATH) or "/bin/true").resolve()
    with tempfile.TemporaryDirectory(prefix="sojourn-probe-") as root:
        Path(root).chmod(0o755)
        words = ["run", "--rm", "--network=none", *confinement(engine, _TRIAL_USER if os.geteuid() == 0 else None)]
        words += limits(engine, 128, 1.0)
        words += [f"--volume={path}:{path}:ro" for path in _SYSTEM if Path(path).is_dir()]
        status, _, errors = call(engine, *words, f"--entrypoint={program}", "--rootfs", root)
    said = [line for line in errors.splitlines() if line.strip()]
    if engine.limits and any("not supported" in line for line in said):
        return said[-1]
    return "" if status == 0 else (said[-1] if said else f"exit status {status}")
