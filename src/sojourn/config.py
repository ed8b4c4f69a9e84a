"""The server's settings, their defaults and their bounds.

A value is taken from the flag, else from the environment (`SOJOURN_…`), else from the default; `load` does the last two
and checks all of them. The composition root (`server`) reads nothing else.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from .errors import InvalidArgument
from .hosts import parse_hosts

NETWORKS = ("host", "none")
MEMORY_SHARE = 0.8


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an operator can set.

    `network` is what the owner's account gets, `network_others` every further account. `memory_mb` bounds the sum
    of instance sizes, `instances_max` their number, `headroom` is the share of both that functions with instances
    leave to those without. An instance idles `linger_seconds` before it is frozen and `idle_seconds` before it
    goes. `grace_seconds` is the time between SIGTERM and SIGKILL of an instance, `drain_seconds` what running tasks
    get when the server is told to end. `submits_pending_max` bounds submits that wait for the disk,
    `tasks_open_max` tasks that are not over; past either a submit answers 429. `bridge_urls` names
    where records for message services go, as `mns=URL,eventbridge=URL`, and `webhook_private_addresses` lets webhooks
    reach addresses that are not public. `deliveries_max` bounds the records that are being sent at a time,
    `delivery_seconds` is how long one is tried.
    Every `audit_seconds` (0: never) the store is looked at for broken invariants, and `metrics_token` lets somebody who
    cannot sign read what is counted. `console_hosts` are names, beside those of this machine, under which browsers
    reach the console.
    A task is kept for `retention_seconds` after its end; 0, or `forever`, keeps all.
    `time_scale` lets delays, ages, waits between attempts and timeouts of functions pass so many times faster, for
    tests.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 9000
    sandbox: str = "auto"
    network: str = "host"
    network_others: str = "none"
    allow_unisolated: bool = False
    memory_mb: int = 0
    instances_max: int = 0
    idle_seconds: float = 180.0
    linger_seconds: float = 0.1
    headroom: float = 0.125
    grace_seconds: float = 1.0
    drain_seconds: float = 10.0
    submits_pending_max: int = 4096
    tasks_open_max: int = 2_000_000
    retry_base_seconds: float = 1.0
    retry_cap_seconds: float = 300.0
    bridge_urls: str = ""
    webhook_private_addresses: bool = False
    deliveries_max: int = 256
    delivery_seconds: float = 1800.0
    time_scale: float = 1.0
    audit_seconds: float = 3600.0
    metrics_token: str = ""
    retention_seconds: float = 604_800.0
    console_hosts: str = ""
    region: str = "local"
    node: str = ""
    account_id: str = ""
    access_key_id: str = ""
    access_key_secret: str = ""
    log_level: str = "info"


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "port": (0, 65535),
    "memory_mb": (128, 1 << 24),
    "instances_max": (1, 10_000),
    "idle_seconds": (0, 86_400),
    "linger_seconds": (0, 86_400),
    "headroom": (0, 0.5),
    "grace_seconds": (0, 90),
    "drain_seconds": (0, 86_400),
    "submits_pending_max": (1, 1_000_000),
    "tasks_open_max": (1, 100_000_000),
    "deliveries_max": (1, 10_000),
    "delivery_seconds": (0, 604_800),
    "retry_base_seconds": (0, 86_400),
    "retry_cap_seconds": (0, 86_400),
    "audit_seconds": (0, 604_800),
    "retention_seconds": (0, 315_360_000),
    "time_scale": (1, 1000),
}
_WORDS: Mapping[tuple[str, str], float] = {("retention_seconds", "forever"): 0.0}
"""What a number can be called instead."""
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/=]{16,}")
"""What may stand behind `Bearer` (RFC 6750), and is not guessed."""
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sandbox": ("auto", "bubblewrap", "process"),
    "network": NETWORKS,
    "network_others": NETWORKS,
    "log_level": ("debug", "info", "warning", "error"),
}


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/sojourn`, or `~/.local/share/sojourn` (XDG Base Directory Specification)."""
    base = environ.get("XDG_DATA_HOME", "")
    root = Path(base) if base.startswith("/") else Path(environ.get("HOME") or "~").expanduser() / ".local" / "share"
    return root / "sojourn"


def load(flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The settings that `flags` (None means not given) and `environ` amount to.

    Raises
    ------
    InvalidArgument: a value is outside its bounds; it is named as the environment spells it.

    """
    given: dict[str, object] = {"data_dir": default_data_dir(environ)}
    for field in msgspec.structs.fields(Settings):
        text = environ.get(f"SOJOURN_{field.name.upper()}")
        if text is not None:
            given[field.name] = _parsed(field.name, field.type, text)
    given |= {name: value for name, value in flags.items() if value is not None}
    settings = msgspec.convert(given, Settings, strict=False, dec_hook=lambda kind, value: kind(value))
    if not settings.memory_mb:
        settings = msgspec.structs.replace(settings, memory_mb=_memory_default_mb())
    if not settings.instances_max:
        settings = msgspec.structs.replace(settings, instances_max=32 * (os.cpu_count() or 1))
    if not settings.node:
        settings = msgspec.structs.replace(settings, node=socket.gethostname())
    _check(settings)
    return settings


def parse_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT` as its parts; an IPv6 host stands in brackets."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise InvalidArgument("listen", text, "must be HOST:PORT with a port between 0 and 65535")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parsed(name: str, kind: object, text: str) -> object:
    if kind is Path:
        return Path(text)
    if kind is bool:
        if text.lower() not in ("0", "1", "true", "false", "yes", "no"):
            raise InvalidArgument(f"SOJOURN_{name.upper()}", text, "must be true or false")
        return text.lower() in ("1", "true", "yes")
    if (name, text) in _WORDS:
        return _WORDS[name, text]
    if kind in (int, float):
        try:
            return int(text) if kind is int else float(text)
        except ValueError:
            raise InvalidArgument(f"SOJOURN_{name.upper()}", text, "must be a number") from None
    return text


def _check(settings: Settings) -> None:
    for name, (low, high) in _BOUNDS.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise InvalidArgument(f"SOJOURN_{name.upper()}", value, f"must be between {low} and {high}")
    for name, choices in _CHOICES.items():
        if getattr(settings, name) not in choices:
            raise InvalidArgument(f"SOJOURN_{name.upper()}", getattr(settings, name), f"must be one of {choices}")
    parse_hosts(settings.console_hosts)
    if settings.metrics_token and not _TOKEN.fullmatch(settings.metrics_token):
        shown = f"{len(settings.metrics_token)} characters"  # a secret is not shown, wrong as it may be
        raise InvalidArgument("SOJOURN_METRICS_TOKEN", shown, "must be at least 16 letters, digits or any of -._~+/=")


def _memory_default_mb() -> int:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return max(128, int(pages * size * MEMORY_SHARE) >> 20)
