"""The server's side of control groups: what this machine gives, and directories for sandboxes to make groups in.

Whether groups work is found by making one. A sandbox gets a directory per controller below the server's own group,
named after the server's mark and owned by the sandbox's user, so that its agent can make a group per instance there
(`agent.groups`). What it may not change is the directory itself. Everything of a mark can be removed when its processes
are gone, also by the next server. Nothing here ever keeps a sandbox from starting: without groups the agent's guard
looks at memory instead.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from sojourn.crashpoint import crashpoint

log = logging.getLogger(__name__)

PROC = Path("/proc/self")
FILE = "groups.json"
"""Where a sandbox's directory names its groups, for a server that runs in another group than the one before."""
_UNIFIED = 2
CONTROLLERS = ("memory", "pids", "cpu")
TRIAL = "trial-"
"""How the mark of a trial begins, by which a driver finds whether it works."""
_TRIAL_SECONDS_MAX = 300.0
_LEAF = "sojourn-server"
"""With version 2 a group that has processes gives no controllers to those below: the server steps aside into this."""
_AGENT = "agent"
_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.01
_HELD = {
    "memory": "memory is held by the kernel, /tmp included",
    "pids": "every instance has a bound on processes of its own",
    "cpu": "cpu is held",
}
_NOT_HELD = {
    "memory": "memory is held by a guard that looks at running instances, /tmp excluded",
    "pids": "processes are bounded per user",
    "cpu": "cpu is not held",
}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine gives: `places` maps controllers to the directory below which groups can be made.

    `version` is that of the control groups, 0 for none. `reason` says why there are none.
    """

    version: int = 0
    places: Mapping[str, Path] = {}
    reason: str = ""

    @property
    def text(self) -> str:
        """What holds the limits, in plain words."""
        parts = [(_HELD if one in self.places else _NOT_HELD)[one] for one in CONTROLLERS]
        how = f"control groups, version {self.version}" if self.version else f"no control groups: {self.reason}"
        return f"Limits: {'; '.join(parts)} ({how})."


class Estate:
    """The directories of one sandbox.

    `places` maps controllers to what its user may make groups in. `entrance` is the file through which its first
    process has to walk in before it starts anything, None where it can stay outside.
    """

    def __init__(self, version: int, places: Mapping[str, Path], entrance: Path | None, record: Path) -> None:
        self.version, self.places, self.entrance, self._record = version, places, entrance, record

    def remove(self) -> None:
        """Remove what is left of its groups; its processes are gone."""
        if _withdraw(self.places):
            crashpoint("groups.removed")
            self._record.unlink(missing_ok=True)


def probe(proc: Path | None = None) -> Offer:
    """What this process can make groups of, found by making some; `proc` is where it learns where it is."""
    proc = proc or PROC
    try:
        mounts, own = _mounts(proc / "mountinfo"), _own(proc / "cgroup")
    except (OSError, ValueError, IndexError) as error:
        return Offer(reason=f"the kernel does not tell where this process is ({error})")
    first = {}
    for name in (*CONTROLLERS, "cpuacct"):
        base = _base(mounts, own, name)
        if base is not None and _makes(base):
            first[name] = base
    second = _base(mounts, own, "")
    reason = "none is mounted" if second is None and not any(name in own for name in CONTROLLERS) else "not allowed to"
    if "memory" not in first and second is not None:
        places = _second(second)
        if "memory" in places:
            return Offer(version=_UNIFIED, places=places)
    if first.keys() & set(CONTROLLERS):
        return Offer(version=1, places=first)
    return Offer(reason=reason)


def delegate(offer: Offer, mark: str, name: str, uid: int | None, directory: Path) -> Estate | None:
    """Directories for the sandbox `name`, owned by `uid`; None where there are none to be had.

    `directory` is the sandbox's own, where they are written down.
    """
    if not offer.places:
        return None
    label = f"{re.sub('[^A-Za-z0-9_-]', '_', name)}-{secrets.token_hex(4)}"
    places = {controller: base / mark / label for controller, base in offer.places.items()}
    entrance = None
    try:
        record = directory / f"{FILE}-{label}"  # not the one of a sandbox before, which may still be going
        record.write_bytes(msgspec.json.encode([str(path.parent) for path in set(places.values())]))
        crashpoint("groups.named")
        for path in dict.fromkeys(places.values()):
            path.mkdir(parents=True)
            if uid is not None:
                os.chown(path, uid, uid)
            if offer.version == _UNIFIED:
                _pass_on(path.parent, offer.places)
                entrance = _furnish(path, offer.places, uid)
    except OSError as error:
        log.warning("sandbox %s gets no control groups, a guard looks at memory instead: %s", name, error)
        _withdraw(places)
        return None
    crashpoint("groups.made")
    return Estate(offer.version, places, entrance, record)


def reap(directory: Path, mark: str) -> None:
    """Remove the groups of `mark` that sandboxes below `directory` have left; their processes are gone."""
    for file in [one for pattern in (f"{FILE}*", f"*/{FILE}*") for one in directory.glob(pattern)]:
        try:
            found = [Path(text) for text in msgspec.json.decode(file.read_bytes(), type=list[str])]
        except (OSError, msgspec.MsgspecError):
            found = []
        ours = [path for path in found if path.name == mark]
        if remove(ours) and len(ours) == len(found):
            crashpoint("groups.reaped")
            file.unlink(missing_ok=True)


def sweep(offer: Offer) -> None:
    """Remove the groups of trials that ended with their server: no directory of any server names these."""
    for base in set(offer.places.values()):
        with contextlib.suppress(OSError):
            for path in base.glob(f"{TRIAL}*"):
                if time.time() - path.stat().st_mtime > _TRIAL_SECONDS_MAX:
                    remove([path])


def remove(paths: Iterable[Path]) -> bool:
    """Remove groups with all below them; True when they are gone."""
    gone = True
    for top in set(paths):
        for path, _, _ in os.walk(top, topdown=False):
            gone = _rmdir(Path(path)) and gone
    return gone


def _withdraw(places: Mapping[str, Path]) -> bool:
    """Remove what a sandbox had, and the directory of its mark when that is empty."""
    gone = remove(places.values())
    for parent in {path.parent for path in places.values()}:
        if not _holds_others(parent):
            _rmdir(parent)
    return gone


def _holds_others(path: Path) -> bool:
    """Whether another sandbox of this server has a group in there; one that goes too removes it then."""
    try:
        with os.scandir(path) as entries:
            return any(entry.is_dir() for entry in entries)
    except OSError:
        return False


def _rmdir(path: Path) -> bool:
    """Remove one group; a process in it that was just killed may need a moment."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            path.rmdir()
        except FileNotFoundError:
            return True
        except OSError as error:
            if time.monotonic() > deadline:
                log.warning("control group %s could not be removed: %s", path, error.strerror)
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True


def _mounts(file: Path) -> dict[str, tuple[str, Path]]:
    """Where each controller of version 1 is mounted, and version 2 under "": what is mounted there, and the place."""
    found: dict[str, tuple[str, Path]] = {}
    for line in file.read_text().splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        names = kind[2].split(",") if kind[0] == "cgroup" else [""] if kind[0] == "cgroup2" else []
        for name in names:
            found.setdefault(name, (fields[3], Path(fields[4])))
    return found


def _own(file: Path) -> dict[str, str]:
    """The group of this process for each controller of version 1, and for version 2 under ""."""
    lines = (line.split(":", 2) for line in file.read_text().splitlines())
    return {name: path for _, names, path in lines for name in names.split(",")}


def _base(mounts: Mapping[str, tuple[str, Path]], own: Mapping[str, str], name: str) -> Path | None:
    """The directory of this process's group."""
    if name not in mounts or name not in own:
        return None
    root, place = mounts[name]
    path = own[name]
    if root != "/" and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    base = place / path.lstrip("/")
    return base.parent if base.name == _LEAF else base


def _makes(base: Path) -> bool:
    """Whether a group can be made below `base`: make one, and remove it."""
    trial = base / f"sojourn-probe-{secrets.token_hex(8)}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError:
        return False
    return True


def _second(base: Path) -> dict[str, Path]:
    """What groups of version 2 below `base` bound; nothing when they cannot be made, or bound no memory."""
    try:
        wanted = [one for one in (base / "cgroup.controllers").read_text().split() if one in CONTROLLERS]
        if "memory" not in wanted or not _makes(base):
            return {}
        places = dict.fromkeys((*wanted, "freezer"), base)
        try:
            _pass_on(base, places)
        except OSError:
            aside = base / _LEAF
            aside.mkdir(exist_ok=True)
            (aside / "cgroup.procs").write_text(str(os.getpid()))
            try:
                _pass_on(base, places)
            except OSError:  # somebody else's processes are in our group
                (base / "cgroup.procs").write_text(str(os.getpid()))
                aside.rmdir()
                return {}
    except OSError:
        return {}
    return places


def _pass_on(path: Path, places: Mapping[str, Path]) -> None:
    """Give the controllers of version 2 to the groups below `path`."""
    words = " ".join(f"+{one}" for one in places if one in CONTROLLERS)
    if words:
        (path / "cgroup.subtree_control").write_text(words)


def _furnish(path: Path, places: Mapping[str, Path], uid: int | None) -> Path:
    """Make a sandbox's directory of version 2 fit to move between groups in; returns the way in.

    Who moves a process must be able to write to the group above both, so the sandbox has to be in here from the start,
    in a group beside its instances.
    """
    (path / _AGENT).mkdir()
    _pass_on(path, places)
    if uid is not None:
        os.chown(path / "cgroup.procs", uid, uid)
    return path / _AGENT / "cgroup.procs"
