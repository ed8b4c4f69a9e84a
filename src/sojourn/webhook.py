"""Sending one record over HTTP, to the address that was checked and to no other.

A name is resolved once, every address it has must be allowed, and the connection goes to one of these addresses: a name
that resolves differently a moment later leads nowhere else. No redirect is followed, no proxy of the environment asked,
no answer read but its status. Every record has a connection of its own, so that none travels over one that was made,
and whose certificate was checked, for another name. When something is sent again is for `deliveries` to say.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from .clock import MICROSECONDS_PER_SECOND, Clock
from .destination import Deferred, Refused, Verdict, verdict_of
from .target import Endpoint, endpoint_of, is_address, is_public

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS_MAX = 5.0
TOTAL_SECONDS_MAX = 30.0
ADDRESSES_MAX = 4
"""Addresses of one name that are tried in turn."""
RESOLVING_MAX = 32
"""Names that are looked up at a time: in threads of their own, because a lookup that hangs holds its thread."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin, not one

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Webhook:
    """Posts records.

    Parameters
    ----------
    clock: for the time in a signature.
    private_addresses: whether a URL of a user may lead to an address that is not public.
    resolve: from a host and a port to addresses; None asks the system.

    """

    def __init__(self, clock: Clock, *, private_addresses: bool, resolve: Resolve | None = None) -> None:
        self._clock, self._private_addresses = clock, private_addresses
        self._lookups = ThreadPoolExecutor(RESOLVING_MAX, thread_name_prefix="sojourn-resolve")
        self._resolve = resolve or self._look_up

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """Made when first needed: reading the certificates of all authorities takes longer than all else here."""
        import httpx  # noqa: PLC0415 - see `_loaded`

        authorities = httpx.create_ssl_context(trust_env=False)
        authorities.load_default_certs()  # the operator's own are among the system's
        return httpx.AsyncClient(
            verify=authorities,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(TOTAL_SECONDS_MAX, connect=CONNECT_SECONDS_MAX),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, message_id: str, secret: str, trusted: bool = False
    ) -> Verdict:
        """Send `body` once.

        Parameters
        ----------
        url: where to.
        body: JSON.
        headers: further headers.
        message_id: the same whenever this record is sent.
        secret: what signs it.
        trusted: whether the operator chose the URL, who may name any address.

        """
        await _loaded()
        import httpx  # noqa: PLC0415 - see `_loaded`

        endpoint = endpoint_of(url)
        sent = {
            "host": endpoint.authority,
            "content-type": "application/json",
            "user-agent": "Sojourn",
            **headers,
            **signed(message_id, body, secret, self._clock.now() // MICROSECONDS_PER_SECOND),
        }
        try:
            async with asyncio.timeout(TOTAL_SECONDS_MAX):
                addresses = await self._addresses(endpoint.host, endpoint.port)
                if not (trusted or self._private_addresses or all(is_public(address) for address in addresses)):
                    return Refused(f"{endpoint.host} leads to an address that is not public")
                return await self._send(endpoint, addresses[:ADDRESSES_MAX], body, sent)
        except TimeoutError:
            return Deferred(f"no answer within {TOTAL_SECONDS_MAX:g} s")
        except httpx.InvalidURL as error:
            return Refused(f"{endpoint.host} leads to an address that cannot be used: {error}")
        except (OSError, UnicodeError) as error:
            return Deferred(f"{endpoint.host} cannot be resolved: {error}")

    async def close(self) -> None:
        """Let go of everything."""
        if "_http" in self.__dict__:
            await self._http.aclose()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _send(self, endpoint: Endpoint, addresses: list[str], body: bytes, headers: Mapping[str, str]) -> Verdict:
        import httpx  # noqa: PLC0415 - see `_loaded`

        said = "it has no address"
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            request = self._http.build_request(
                "POST",
                f"{endpoint.scheme}://{host}:{endpoint.port}{endpoint.path}",
                content=body,
                headers=headers,
                extensions={"sni_hostname": endpoint.host},
            )
            try:
                response = await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                said = f"no connection: {error or 'it took too long'}"
                continue
            except httpx.HTTPError as error:
                return Deferred(f"no answer: {error or type(error).__name__}")
            status, retry_after = response.status_code, response.headers.get("retry-after")
            await response.aclose()
            return verdict_of(status, retry_after, self._clock.now())
        return Deferred(said)

    async def _addresses(self, host: str, port: int) -> list[str]:
        return [host] if is_address(host) else await self._resolve(host, port)

    async def _look_up(self, host: str, port: int) -> list[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._lookups, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _loaded() -> None:
    """Load the HTTP library, beside the loop: it takes a third of a server's start, and most servers send nothing."""
    await asyncio.to_thread(importlib.import_module, "httpx")


def signed(message_id: str, body: bytes, secret: str, at_seconds: int) -> dict[str, str]:
    """The headers that sign `body`, as Standard Webhooks has them."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    text = f"{message_id}.{at_seconds}.".encode() + body
    mac = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(at_seconds), "webhook-signature": f"v1,{mac}"}
