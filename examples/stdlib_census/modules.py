"""Which modules there are to count: the client's side of the census.

Run it to see the names, one a line; each of them makes one event for `index.handler`. Tests, bundled wheels, and what
was installed beside the standard library or is linked into it are left out. The list is that of the interpreter that
runs this file: deploy the function with the same `python3.N` runtime.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

LEFT_OUT = {"__pycache__", "_bundled", "dist-packages", "idle_test", "site-packages", "test", "tests"}


def modules() -> list[str]:
    """The dotted names of all standard library modules that come with Python source, sorted."""
    stdlib = Path(sysconfig.get_paths()["stdlib"]).resolve()
    names = []
    for file in stdlib.rglob("*.py"):
        parts = file.relative_to(stdlib).with_suffix("").parts
        its_own = stdlib in file.resolve().parents
        if its_own and LEFT_OUT.isdisjoint(parts) and all(part.isidentifier() for part in parts):
            names.append(".".join(parts).removesuffix(".__init__"))
    return sorted(names)


if __name__ == "__main__":
    print("\n".join(modules()))
