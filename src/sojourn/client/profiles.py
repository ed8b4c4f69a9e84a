"""Profiles: servers and keys under names, in `$XDG_CONFIG_HOME/sojourn/config.toml` and in `~/.aliyun/config.json`.

    default = "work"

    [profiles.work]
    endpoint = "https://tasks.example"
    access_key_id = "…"
    access_key_secret = "…"

The second file is that of Alibaba Cloud's own command line, which is only read: its profiles have keys and no endpoint.
A profile of the same name in our own file goes before.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from .errors import refused

VARIABLE = "SOJOURN_PROFILE"


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server and a key; what is empty is taken from elsewhere."""

    endpoint: str = ""
    access_key_id: str = ""
    access_key_secret: str = ""
    security_token: str = ""


class _Config(msgspec.Struct, forbid_unknown_fields=True):
    default: str = ""
    profiles: dict[str, Profile] = msgspec.field(default_factory=dict)


class _Cloud(msgspec.Struct):
    name: str = ""
    access_key_id: str = ""
    access_key_secret: str = ""
    sts_token: str = ""


class _CloudConfig(msgspec.Struct):
    current: str = ""
    profiles: list[_Cloud] = msgspec.field(default_factory=list)


def config_path(environ: Mapping[str, str]) -> Path:
    """Where our own file is."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else _home(environ) / ".config") / "sojourn" / "config.toml"


def cloud_path(environ: Mapping[str, str]) -> Path:
    """Where the file of Alibaba Cloud's command line is."""
    return _home(environ) / ".aliyun" / "config.json"


def named(environ: Mapping[str, str], name: str) -> Profile:
    """The profile of that name, or the default one of our own file for ""; an empty one when there is none.

    Raises
    ------
    Refused: no file has a profile of that name, or a file cannot be read.

    """
    own = _own(config_path(environ))
    wanted = name or own.default
    if not wanted:
        return Profile()
    found = own.profiles.get(wanted) or _of_cloud(environ).get(wanted)
    if found is None:
        known = ", ".join(sorted({*own.profiles, *_of_cloud(environ)})) or "none"
        raise refused("profile", wanted, f"must be one of {known}, which {config_path(environ)} names")
    return found


def of_cloud(environ: Mapping[str, str]) -> Profile:
    """The current profile of Alibaba Cloud's command line, an empty one when there is none with a key."""
    return _of_cloud(environ).get("", Profile())


def _own(path: Path) -> _Config:
    text = _read(path)
    if text is None:
        return _Config()
    try:
        return msgspec.convert(tomllib.loads(text.decode()), _Config)
    except (ValueError, msgspec.ValidationError) as error:
        raise refused("config file", str(path), f"cannot be used ({error})") from None


def _of_cloud(environ: Mapping[str, str]) -> dict[str, Profile]:
    """The profiles with keys, the current one also under ""."""
    text = _read(cloud_path(environ))
    if text is None:
        return {}
    try:
        config = msgspec.json.decode(text, type=_CloudConfig)
    except msgspec.DecodeError:  # it is somebody else's file: what it may hold is not ours to say
        return {}
    found = {
        each.name: Profile(
            access_key_id=each.access_key_id,
            access_key_secret=each.access_key_secret,
            security_token=each.sts_token,
        )
        for each in config.profiles
        if each.name and each.access_key_id and each.access_key_secret
    }
    return found | ({"": found[config.current]} if config.current in found else {})


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or "~").expanduser()
