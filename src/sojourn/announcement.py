"""What a server says when it is up: the owner's credentials in a file, warnings in the log, one line on its output.

The line is what scripts wait for; it tells where the server answers and, in plain words, what keeps accounts apart.
"""

from __future__ import annotations

import logging
import os
import sys

import msgspec

from . import __version__, config
from .clock import pace_of
from .config import Settings
from .crashpoint import crashpoint
from .function import AccessKey, Account
from .sandbox import Capabilities

log = logging.getLogger("sojourn")


def write_credentials(settings: Settings, url: str, owner: Account, key: AccessKey) -> None:
    """The owner's key pair and this start's address, for the command line of the same user."""
    document = {
        "endpoint": url,
        "accountId": owner.id,
        "accessKeyId": key.id,
        "accessKeySecret": key.secret,
    }
    path = settings.data_dir / "credentials.json"
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    crashpoint("server.credentials.written")
    temporary.replace(path)


def announce(settings: Settings, isolation: Capabilities, url: str, owner: Account) -> None:
    """Say that the server is ready, and what an operator should know of this start."""
    log.info("account %s, its key pair is in %s", owner.id, settings.data_dir / "credentials.json")
    if settings.network == "host":
        log.warning(
            "functions of account %s share this host's network and reach its loopback services (--network none "
            "shuts them off); further accounts get %s",
            owner.id,
            "no network" if settings.network_others == "none" else "the host's network too",
        )
    else:
        log.info(
            "functions of account %s get no network; further accounts get %s",
            owner.id,
            "none either" if settings.network_others == "none" else "the host's network",
        )
    if isolation.level == 0:
        log.warning("%s", isolation.text)
    if not config.is_loopback(settings.host):
        log.warning("listening beyond this machine without TLS: put a TLS proxy that keeps Host in front")
    line = f"sojourn {__version__} ready on {url} · {pace_of(settings.time_scale)}isolation level "
    sys.stdout.write(f"{line}{isolation.level} ({isolation.driver}): {isolation.text} {isolation.limits}\n")
    sys.stdout.flush()
