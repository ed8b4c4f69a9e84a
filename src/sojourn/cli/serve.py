"""`sojourn serve`: flags and environment become settings, and the server runs with them until it is told to end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sojourn import config

Network = Literal["host", "none"]


def serve(
    *,
    data_dir: Path | None = None,
    listen: str | None = None,
    sandbox: Literal["auto", "bubblewrap", "process"] | None = None,
    network: Network | None = None,
    network_others: Network | None = None,
    allow_unisolated: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    memory_mb: int | None = None,
    log_level: Literal["debug", "info", "warning", "error"] | None = None,
) -> int:
    """Run the server until SIGTERM or Ctrl-C, which let running tasks end first.

    What is not given is taken from the environment (SOJOURN_DATA_DIR,
    SOJOURN_HOST, SOJOURN_PORT, SOJOURN_SANDBOX and so on). On its first start
    the server makes an account and leaves its key in the data directory, where
    the other commands find it.

    For example:

        sojourn serve --data-dir /var/lib/sojourn --listen 127.0.0.1:9000

    Parameters
    ----------
    data_dir
        Where everything is kept. [default: the user's data directory]
    listen
        HOST:PORT to answer at; port 0 takes a free one. [default: 127.0.0.1:9000]
    sandbox
        How accounts are kept apart. [default: auto, the strongest that works here]
    network
        What the owner's functions reach: the host's network, or none. [default: host]
    network_others
        The same for every other account. [default: none]
    allow_unisolated
        Let several accounts run without a sandbox between them.
    memory_mb
        Memory for all instances together. [default: four fifths of the machine's]
    log_level
        How much to log. [default: info]

    """
    flags: dict[str, object] = {
        "data_dir": data_dir,
        "sandbox": sandbox,
        "network": network,
        "network_others": network_others,
        "allow_unisolated": allow_unisolated or None,
        "memory_mb": memory_mb,
        "log_level": log_level,
    }
    if listen is not None:
        flags["host"], flags["port"] = config.parse_listen(listen)
    settings = config.load(flags, os.environ)
    from sojourn import server  # noqa: PLC0415 - a bad flag is told before the whole server is loaded

    return server.serve(settings)
