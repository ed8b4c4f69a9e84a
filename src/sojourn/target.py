"""Targets of destinations: how they are spelled, which of them this server can reach, and which addresses are refused.

Pure. A target is text as the caller configured it: the ARN of a function of the same account, an http(s) URL, or the
ARN of a message service for which the operator named a bridge. What is sent there is `destination`'s, when and how
often is `deliveries`', and the connection itself is `webhook`'s.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import msgspec

from .errors import InvalidArgument
from .function import FUNCTION_NAME, LATEST, Destination, Destinations, arn

SERVICES = ("mns", "eventbridge", "mq")
"""Message services whose ARNs are accepted where a bridge to them is configured."""
TARGET_CHARACTERS_MAX = 2048

_FORMS = (
    "must be acs:fc:REGION:ACCOUNT:functions/NAME, in 2.0 …:services/SERVICE.QUALIFIER/functions/NAME, "
    "an http or https URL, or an ARN of "
    f"{', '.join(SERVICES)} with a bridge"
)
_FUNCTION = re.compile(r"acs:fc:([^:/]*):([^:/]*):functions/([^/]+)(?:/([^/]*))?")
_OLDER = re.compile(r"acs:fc:([^:/]*):([^:/]*):services/([^/.$]+)(?:\.([^/]*))?/functions/([^/$]+)")
"""As generations with services spell it, whose templates leave region and account empty for one's own."""
_SERVICE = re.compile(rf"acs:({'|'.join(SERVICES)}):[!-~]+")
_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)
_EMBEDDING = tuple(ipaddress.IPv6Network(text) for text in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48"))
"""Networks whose addresses stand for an IPv4 one, or may: nothing that a webhook has to reach is there."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What this server delivers to.

    `region` is its own. `bridges` maps a message service to the URL that takes its records.
    `private_addresses` says whether a URL may lead to an address that is not public.
    """

    region: str = "local"
    bridges: Mapping[str, str] = {}
    private_addresses: bool = False


def parse_bridges(text: str, field: str = "SOJOURN_BRIDGE_URLS") -> dict[str, str]:
    """The bridges that `SERVICE=URL,SERVICE=URL` names.

    Raises
    ------
    InvalidArgument: it is spelled differently, or names a service that has no bridges.

    """
    bridges: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        service, _, url = part.partition("=")
        if service not in SERVICES or service in bridges:
            raise InvalidArgument(field, text, f"must be SERVICE=URL,SERVICE=URL, each of {', '.join(SERVICES)} once")
        endpoint_of(url, field)
        bridges[service] = url
    return bridges


class FunctionTarget(msgspec.Struct, frozen=True):
    """A function of the same account, or the version that a qualifier names."""

    name: str
    qualifier: str = ""


class UrlTarget(msgspec.Struct, frozen=True):
    """An HTTP endpoint of the user's choice."""

    url: str


class BridgeTarget(msgspec.Struct, frozen=True):
    """A message service; `url` is the operator's bridge to it."""

    arn: str
    url: str


Target = FunctionTarget | UrlTarget | BridgeTarget


class Endpoint(NamedTuple):
    """A URL in the parts that a request needs; `host` has no brackets, `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str


def changed_destinations(before: Destinations, value: object, field: str = "destinationConfig") -> Destinations:
    """`before` with what a request body gives: an empty destination removes one, what is absent stays.

    Raises
    ------
    InvalidArgument: a field is unknown, or no form of a target; whether this server reaches it is `target_of`'s.

    """
    if not isinstance(value, dict):
        raise InvalidArgument(field, value, f"must be an object of {' and '.join(_ENDS)}")
    changes: dict[str, Destination | None] = {}
    for name, part in value.items():
        if name not in _ENDS:
            raise InvalidArgument(f"{field}.{name}", part, f"is not supported; there are {' and '.join(_ENDS)}")
        if part is None:
            continue
        if not isinstance(part, dict) or set(part) - {"destination"}:
            raise InvalidArgument(f"{field}.{name}", part, "must be an object with one field, destination")
        text = part.get("destination")
        if text is not None:
            place = f"{field}.{name}.destination"
            changes[_ENDS[name]] = None if text == "" else Destination(destination=_check_form(place, text))
    return msgspec.structs.replace(before, **changes)


def check_destinations(destinations: Destinations, account_id: str, reach: Reach) -> None:
    """Refuse what this server cannot deliver to, see `target_of`."""
    for name, attribute in _ENDS.items():
        destination: Destination | None = getattr(destinations, attribute)
        if destination is not None:
            target_of(destination.destination, account_id, reach, f"destinationConfig.{name}.destination")


def target_of(text: str, account_id: str, reach: Reach, field: str = "destination") -> Target:
    """The target that `text` names for records of `account_id`.

    Raises
    ------
    InvalidArgument: there is no such target here; the message says what is missing.

    """
    _check_form(field, text)
    if parts := _function(text):
        region, account, name, qualifier = parts
        own = arn(account_id, name, reach.region)
        if (region or reach.region, account or account_id) != (reach.region, account_id):
            raise InvalidArgument(field, text, f"must name a function of this account and region, such as {own}")
        return FunctionTarget(name, "" if qualifier == LATEST else qualifier)
    if match := _SERVICE.fullmatch(text):
        url = reach.bridges.get(match[1])
        if url is None:
            raise InvalidArgument(
                field, text, f"needs a bridge: the operator has to name a URL for {match[1]} in SOJOURN_BRIDGE_URLS"
            )
        return BridgeTarget(text, url)
    host = endpoint_of(text, field).host
    if not reach.private_addresses and (_is_local_name(host) or (is_address(host) and not is_public(host))):
        raise InvalidArgument(
            field, text, "must lead to a public address, unless the operator sets SOJOURN_WEBHOOK_PRIVATE_ADDRESSES"
        )
    return UrlTarget(text)


def endpoint_of(url: str, field: str = "destination") -> Endpoint:
    """The parts of an http(s) URL.

    Raises
    ------
    InvalidArgument: it is none, or has parts that a target must not have.

    """
    bound = "must be a URL of http or https with a host, without user name, password or fragment"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidArgument(field, url, bound) from None
    host = parts.hostname or ""
    plain = _URL.fullmatch(url) and "\\" not in url and "#" not in url and "@" not in parts.netloc
    if not plain or not _HOST.fullmatch(host) or port == 0 or not _names_one_host(host):
        raise InvalidArgument(field, url, bound)
    scheme = parts.scheme.lower()
    return Endpoint(scheme, host, port or (443 if scheme == "https" else 80), _path(parts), parts.netloc)


def lane_of(text: str, account_id: str) -> tuple[str, str]:
    """What shares its fate: all records of an account that go to one host, one service, or to functions."""
    if text.startswith("acs:"):
        return account_id, text.split(":", 2)[1]
    parts = urlsplit(text)
    return account_id, f"{parts.scheme}://{parts.netloc}".lower()


def is_address(host: str) -> bool:
    """Whether `host` is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also when it is written as another kind of address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if inner:
            return is_public(str(inner))
        if ip.is_site_local or any(ip in network for network in _EMBEDDING):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _check_form(field: str, text: object) -> str:
    """`text` when it is spelled like a target."""
    if not isinstance(text, str) or not text or len(text) > TARGET_CHARACTERS_MAX:
        raise InvalidArgument(field, text, f"must be text of 1 to {TARGET_CHARACTERS_MAX} characters")
    parts = _function(text)
    if parts and FUNCTION_NAME.fullmatch(parts[2]):
        return text
    if not parts and _URL.fullmatch(text):
        endpoint_of(text, field)
        return text
    if not _SERVICE.fullmatch(text):
        raise InvalidArgument(field, text, _FORMS)
    return text


def _function(text: str) -> tuple[str, str, str, str] | None:
    """Region, account, name and qualifier of a function that `text` names, "" for what it leaves out."""
    if match := _FUNCTION.fullmatch(text):
        return match[1], match[2], match[3], match[4] or ""
    if match := _OLDER.fullmatch(text):
        return match[1], match[2], f"{match[3]}${match[5]}", match[4] or ""
    return None


def _names_one_host(host: str) -> bool:
    """Not a number in disguise: some resolvers read 2130706433, 0x7f.1 and 127.1 as an address."""
    return is_address(host) if ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) else True


def _is_local_name(host: str) -> bool:
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


_ENDS: Mapping[str, str] = {"onSuccess": "on_success", "onFailure": "on_failure"}
