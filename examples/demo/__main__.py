"""The main job on real input, from an empty directory to the last status: `make demo`.

1. A census of this machine's Python standard library: one task a module, watched until all are over.
2. Small functions made to show every other way through the statuses.
3. The server is killed in mid-work and started again on the same data: every accepted task still ends.

Whatever differs from what is claimed here is listed at the end and makes the exit status 1.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import scenes
from host import Host
from show import Show

from sojourn.client import Client


def main() -> int:
    """Run the three parts and sum them up."""
    began = time.monotonic()
    show = Show()
    directory = Path(tempfile.mkdtemp(prefix="sojourn-demo-"))
    host = Host(directory)
    try:
        show.heading("A server in an empty directory")
        show.say(host.start())
        with Client(host.connection()) as client:
            scenes.deploy(client, show)
            scenes.census(client, show)
            scenes.small_functions(client, show)
            accepted = scenes.submit_before_the_crash(client, show)
        show.heading("SIGKILL in mid-work")
        show.say(host.kill())
        show.say(host.start())
        with Client(host.connection()) as client:
            scenes.after_the_crash(client, show, accepted)
            scenes.summary(client, show, directory / "histories.txt")
        show.check("the server ends with status 0 on SIGTERM", host.stop() == 0)
    finally:
        host.kill_quietly()
    show.next_steps(directory, time.monotonic() - began)
    return show.verdict()


if __name__ == "__main__":
    sys.exit(main())
