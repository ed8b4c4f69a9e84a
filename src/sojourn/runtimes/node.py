"""Node.js runtimes: the `node` binaries of this machine, and which of them a function gets.

Every candidate is executed once and asked for its version. Found are `node` on the path, in `/usr/bin` and
`/usr/local/bin`, and what nvm installed for this user.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from sojourn.errors import InvalidArgument
from sojourn.runtime import Interpreter, Resolved

from .python import own_interpreter

_NAME = re.compile(r"nodejs(\d{1,2})?")
_ASK = "console.log(JSON.stringify([process.versions.node, process.execPath]))"
_ASK_SECONDS_MAX = 20.0


class NodeRuntime:
    """Finds Node.js; looks for it once, when first asked."""

    language = "node"

    def interpreters(self) -> tuple[Interpreter, ...]:
        """What was found on this machine, newest first."""
        return self._found

    def resolve(self, runtime: str) -> Resolved | None:
        """What `runtime` gets here: the same major version, else the newest there is and a note.

        `nodejs` is the newest. A name that is not one of Node's gives None.

        Raises
        ------
        InvalidArgument: there is no Node.js on this machine.

        """
        match = _NAME.fullmatch(runtime)
        if match is None:
            return None
        if not self._found:
            raise InvalidArgument("runtime", runtime, "needs Node.js, and there is no node on this server's machine")
        for node in self._found:
            if match[1] is None or _major(node) == int(match[1]):
                return Resolved(interpreter=own_interpreter(), kind="node", program=node)
        newest = self._found[0]
        note = f"no node for {runtime} on this machine: it runs on Node.js {newest.version}"
        return Resolved(interpreter=own_interpreter(), kind="node", program=newest, exact=False, note=note)

    @cached_property
    def _found(self) -> tuple[Interpreter, ...]:
        first: dict[int, Interpreter] = {}
        for candidate in dict.fromkeys(_candidates()):
            if (found := _ask(candidate)) is not None:
                first.setdefault(_major(found), found)
        return tuple(sorted(first.values(), key=_major, reverse=True))


def _candidates() -> Iterator[Path]:
    """Binaries that may be Node.js, those that everyone can reach first."""
    places = [Path("/usr/local/bin"), Path("/usr/bin")]
    home = Path(os.environ.get("HOME") or "~").expanduser()
    nvm = Path(os.environ.get("NVM_DIR") or home / ".nvm") / "versions" / "node"
    names = [place / "node" for place in places] + [place / "nodejs" for place in places]
    names += [Path(found)] if (found := shutil.which("node")) else []
    if os.access(nvm, os.R_OK | os.X_OK):
        names += [version / "bin" / "node" for version in sorted(nvm.iterdir(), reverse=True)]
    for name in names:
        binary = Path(os.path.realpath(name))
        if os.access(binary, os.X_OK) and binary.is_file():
            yield binary


def _ask(executable: Path) -> Interpreter | None:
    """What `executable` says of itself; None when it is no Node.js."""
    try:
        answer = subprocess.run(
            [str(executable), "-e", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS_MAX,
            check=True,
        )
        version, said = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    real = Path(said).resolve()
    prefix = real.parent.parent if real.parent.name == "bin" else real.parent
    return Interpreter(language="node", version=version, executable=real, prefix=prefix)


def _major(node: Interpreter) -> int:
    return int(node.version.split(".")[0])
