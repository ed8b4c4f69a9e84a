"""Hosts: under which names browsers may reach the console, and from which pages a browser's request may come.

A page of another site can make a visitor's browser ask this server, and a name of another site can be made to lead to
this machine (DNS rebinding). So a request that carries a session is heard only under a name that is allowed, and only
when it comes from a page of that name. Requests that are signed or carry a token need none of this: no browser adds
those by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .errors import InvalidArgument
from .refusals import HostNotAllowed

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_OWN_PAGES = frozenset({b"same-origin", b"none"})
"""What `Sec-Fetch-Site` says of requests from pages of this origin, and of those that a person typed."""


class Hosts:
    """The names that are allowed: those of loopback, the address that was called, and `named` by the operator."""

    def __init__(self, named: Sequence[str] = ()) -> None:
        self._allowed = _LOCAL | frozenset(named)

    def allows(self, host: bytes, server: str) -> bool:
        """Whether `host`, a Host header, is an allowed name; `server` is the address that the connection came to."""
        name = name_of(host.decode("latin-1"))
        return name in self._allowed or name == server.lower() != ""

    def check(self, headers: Mapping[bytes, bytes], server: str) -> None:
        """Let a request through that a page of this console, or a person, has sent.

        Raises
        ------
        HostNotAllowed: it came under another name, or from a page of another site.

        """
        host = headers.get(b"host", b"")
        if not self.allows(host, server):
            raise HostNotAllowed("Host", host.decode("latin-1"))
        origin = headers.get(b"origin")
        if origin is not None and origin not in (b"http://" + host, b"https://" + host):
            raise HostNotAllowed("Origin", origin.decode("latin-1"))
        if headers.get(b"sec-fetch-site", b"none") not in _OWN_PAGES:
            raise HostNotAllowed("Sec-Fetch-Site", headers[b"sec-fetch-site"].decode("latin-1"))


def parse_hosts(text: str) -> tuple[str, ...]:
    """The names of a setting, `NAME,NAME`.

    Raises
    ------
    InvalidArgument: one of them is more than a name, or none.

    """
    names = tuple(part.strip().lower() for part in text.split(",")) if text.strip() else ()
    for name in names:
        if not name or name != name_of(name) or set(name) & set("/@ *"):
            raise InvalidArgument("SOJOURN_CONSOLE_HOSTS", text, "must be names without scheme and port, NAME,NAME")
    return names


def name_of(host: str) -> str:
    """The name in a Host header, in lower case, without port and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() and ":" not in name else host).lower()
