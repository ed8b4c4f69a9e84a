"""Aliases: names for versions, and which version a call by such a name gets.

Pure. An alias names one version, and may send a share of its calls to another one (FC: additionalVersionWeight). The
share is met by the number of the request, not by dice: the same request always gets the same version, whoever asks.
Where aliases are kept, and who may have some, is left to `catalog` and `service`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import msgspec

from . import identity
from .errors import InvalidArgument
from .function import DESCRIPTION_CHARACTERS_MAX, LATEST, Alias, matching

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
VERSION = re.compile(r"[1-9][0-9]{0,17}")
ALIASES_MAX = 100


def check_alias_name(name: object) -> str:
    """`name` when an alias can be called so: not like a version, and not LATEST."""
    bound = f"must start with a letter or '_', hold at most 128 letters, digits, '_' or '-', and not be {LATEST}"
    if name == LATEST:
        raise InvalidArgument("aliasName", name, bound)
    return matching("aliasName", name, NAME, bound)


def changed_alias(alias: Alias | None, body: Mapping[str, object], versions: Collection[str], now: int) -> Alias:
    """`alias`, or a new one, with the fields that `body` gives (FC: CreateAliasInput, UpdateAliasInput).

    Parameters
    ----------
    alias: as it stands, None for a new one.
    body: the request's.
    versions: those that exist.
    now: microseconds.

    Raises
    ------
    InvalidArgument: a field is unknown or outside its bounds, or names a version that does not exist.

    """
    changes: dict[str, object] = {}
    for field, value in body.items():
        match field:
            case "versionId" if value is not None:
                changes["version_id"] = _version(field, value, versions)
            case "description" if value is not None:
                changes["description"] = check_description(value)
            case "additionalVersionWeight" if value is not None:
                changes["additional_version_weight"] = _weights(field, value, versions)
            case "resolvePolicy" if value not in (None, "", "Random"):
                raise InvalidArgument(field, value, "must be Random, or absent")
            case "aliasName" | "versionId" | "description" | "additionalVersionWeight" | "resolvePolicy":
                pass
            case _ if value not in (None, "", [], {}):
                raise InvalidArgument(field, value, "is not supported")
    if alias is None:
        alias = Alias(version_id=str(changes.get("version_id", "")), created_at=now)
        if not alias.version_id:
            raise InvalidArgument("versionId", body.get("versionId"), "is required")
    after = msgspec.structs.replace(alias, **changes, modified_at=now)
    if after.version_id in after.additional_version_weight:
        raise InvalidArgument(
            "additionalVersionWeight", after.version_id, "must name another version than the alias itself"
        )
    return after


def version_for(alias: Alias, number: int) -> str:
    """The version that the request of this number gets."""
    share = identity.fraction(number)
    for version, weight in sorted(alias.additional_version_weight.items()):
        if share < weight:
            return version
        share -= weight
    return alias.version_id


def check_description(value: object) -> str:
    """What a version or an alias says of itself."""
    if not isinstance(value, str) or len(value) > DESCRIPTION_CHARACTERS_MAX:
        raise InvalidArgument("description", value, f"must be text of at most {DESCRIPTION_CHARACTERS_MAX} characters")
    return value


def _version(field: str, value: object, versions: Collection[str]) -> str:
    if not isinstance(value, str) or value not in versions:
        raise InvalidArgument(field, value, "must name a version that was published")
    return value


def _weights(field: str, value: object, versions: Collection[str]) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > 1:
        raise InvalidArgument(field, value, "must be an object of one version and its weight")
    weights: dict[str, float] = {}
    for version, weight in value.items():
        _version(field, version, versions)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
            raise InvalidArgument(f"{field}.{version}", weight, "must be a number between 0 and 1")
        weights[version] = float(weight)
    return weights
