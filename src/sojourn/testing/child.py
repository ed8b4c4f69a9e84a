"""The process of a test's server: it serves until its standard input ends, so it never outlives the tests.

What it says on standard output is one line of JSON, once it answers: the endpoint, the account and its key pair.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import msgspec
import uvloop

from sojourn import config
from sojourn.errors import SojournError
from sojourn.server import Server

from .ready import Ready


def main() -> int:
    """Serve with the settings of the environment."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what else is printed belongs to the log
    logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(told.fileno()))
    except SojournError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return 1


async def _serve(told: int) -> int:
    server = Server(config.load({}, os.environ))
    await server.start()
    owner = server.catalog.accounts()[0]
    key = server.catalog.keys_of(owner.id)[0]
    os.write(told, msgspec.json.encode(Ready(server.url, owner.id, key.id, key.secret)) + b"\n")
    os.close(told)
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _end_with_input, server)
    await server.run()
    loop.remove_reader(sys.stdin.fileno())
    await server.stop()
    return server.status


def _end_with_input(server: Server) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        server.end()


if __name__ == "__main__":
    sys.exit(main())
