"""What both clients share: the key, the clock, and how the HTTP library's words are turned into ours and back."""

from __future__ import annotations

import re
import secrets
import ssl
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from sojourn.clock import MICROSECONDS_PER_SECOND, Clock

from .call import Answer, Call, Request, request
from .connection import Connection
from .errors import Unreachable

CONNECT_SECONDS = 10.0
CONNECTIONS_MAX = 64
KEEPALIVE_SECONDS = 2.0
"""Below what servers grant an idle connection (5 s is usual), so that none is used while the other end closes it."""


class Wire:
    """Spells calls for one connection.

    Parameters
    ----------
    connection: where to, and with which key.
    timeout_seconds: how long to wait for the answer of a call that has no bound of its own.
    clock: stamps the signatures.

    """

    def __init__(self, connection: Connection, timeout_seconds: float, clock: Clock) -> None:
        self.connection, self.timeout_seconds, self.clock = connection, timeout_seconds, clock

    def request(self, call: Call[Any]) -> Request:
        """`call` signed for now."""
        now_seconds = self.clock.now() / MICROSECONDS_PER_SECOND
        return request(call, self.connection, now_seconds=now_seconds, nonce=secrets.token_hex(16))

    def timeout(self, call: Call[Any]) -> httpx.Timeout:
        """How long the parts of `call` may take; a free connection is waited for without a bound."""
        return httpx.Timeout(self.seconds(call), connect=CONNECT_SECONDS, pool=None)

    def seconds(self, call: Call[Any]) -> float | None:
        """How long to wait for each part of the answer to `call`; None for as long as it takes."""
        seconds = self.timeout_seconds if call.timeout_seconds is None else call.timeout_seconds
        return seconds or None

    def unreachable(self, error: httpx.HTTPError) -> Unreachable:
        """What an exchange that the HTTP library gave up means."""
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return self.nobody(_reason(error) or "no connection in time")
            case httpx.TimeoutException():
                return self.late()
            case _:
                return self.broken(error)

    def nobody(self, reason: object) -> Unreachable:
        """Nothing was sent, because nobody takes it."""
        return Unreachable(f"no server answers at {self.connection.endpoint} ({_reason(reason)})", sent=False)

    def late(self) -> Unreachable:
        """The time was up."""
        return Unreachable(f"the server at {self.connection.endpoint} did not answer in time")

    def broken(self, error: Exception) -> Unreachable:
        """The connection ended before the answer."""
        reason = _reason(error) or type(error).__name__
        return Unreachable(f"the connection to {self.connection.endpoint} broke ({reason})")

    @cached_property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.connection.endpoint)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """How the server proves who it is; None when nobody asks."""
        return httpx.create_ssl_context() if self.connection.endpoint.startswith("https:") else None

    @cached_property
    def direct(self) -> bool:
        """Whether no proxy stands between; those of the environment never do on the way to this machine itself."""
        return self.connection.local or not getproxies() or bool(proxy_bypass(self.address[0]))

    @property
    def options(self) -> dict[str, Any]:
        """How both HTTP clients are made; a proxy never stands between this machine and itself.

        Reading the machine's certificates takes longer than a call, so it is done only for https. Without them an empty
        context trusts nobody.
        """
        limits = httpx.Limits(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEPALIVE_SECONDS,
        )
        options = {"trust_env": not self.connection.local, "limits": limits}
        if self.connection.endpoint.startswith("http:"):
            options["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return options


def answer(response: httpx.Response) -> Answer:
    """What `response` says."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _reason(error: object) -> str:
    """The system's words without its number."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error))
