"""One record over HTTP: where the connection really goes, what is refused before there is one, what is signed.

The targets are sockets on loopback; names resolve as a test says, so that no test asks a name server.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sojourn.clock import SystemClock
from sojourn.destination import Deferred, Delivered, Refused, Verdict
from sojourn.webhook import SECRET_PREFIX, Webhook

SECRET = SECRET_PREFIX + base64.b64encode(bytes(range(24))).decode()
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Listener:
    """An HTTP server that says what it is told, and remembers what it heard."""

    def __init__(self, answer: bytes = OK, *, tls: ssl.SSLContext | None = None, silent: bool = False) -> None:
        self.answer, self.heard, self.connections = answer, b"", 0
        self._tls, self._silent = tls, silent
        self._conversations: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._accepting.cancel()
        await asyncio.wait([self._accepting])
        self._socket.close()
        await asyncio.gather(*self._conversations)  # or a connection may outlive its loop

    @property
    def head(self) -> dict[str, str]:
        """The headers of what it heard."""
        lines = self.heard.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    async def _accept(self) -> None:
        """Take connections by hand: what `asyncio.start_server` has accepted last, it forgets when it is closed."""
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._socket)
            self.connections += 1
            self._conversations.add(asyncio.create_task(self._serve(connection)))

    async def _serve(self, connection: socket.socket) -> None:
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
        except OSError:  # no handshake came about
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heard = head + await reader.readexactly(int(self.head_of(head)["content-length"]))
            if self._silent:
                await reader.read()
            writer.write(self.answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    @staticmethod
    def head_of(head: bytes) -> dict[str, str]:
        """Header lines as names and values."""
        pairs = (line.partition(": ") for line in head.decode().strip().split("\r\n")[1:])
        return {name.lower(): value for name, _, value in pairs}


def resolving(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    """Every name has these addresses."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


async def posted(
    url: str, addresses: tuple[str, ...] = ("127.0.0.1",), *, private: bool = True, **options: Any
) -> Verdict:
    """What comes of sending to `url`."""
    webhook = Webhook(SystemClock(), private_addresses=private, resolve=resolving(*addresses))
    try:
        return await webhook.post(url, b'{"a":1}', {}, message_id="1-abc", secret=SECRET, **options)
    finally:
        await webhook.close()


def test_a_record_is_posted_and_signed() -> None:
    """Host, path and body as they were meant; the signature is what Standard Webhooks prescribes, worked out here."""

    async def main() -> None:
        async with Listener() as target:
            url = f"http://hook.example:{target.port}/in%2Fto?a=b&c"
            assert await posted(url) == Delivered()
            line, _, rest = target.heard.partition(b"\r\n")
            body = rest.partition(b"\r\n\r\n")[2]
            assert line == b"POST /in%2Fto?a=b&c HTTP/1.1"
            assert target.head["host"] == f"hook.example:{target.port}"
            assert target.head["content-type"] == "application/json"
            assert body == b'{"a":1}'
            text = b".".join([b"1-abc", target.head["webhook-timestamp"].encode(), body])
            mac = hmac.digest(bytes(range(24)), text, hashlib.sha256)
            assert target.head["webhook-id"] == "1-abc"
            assert target.head["webhook-signature"] == "v1," + base64.b64encode(mac).decode()

    asyncio.run(main())


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("0.0.0.0",),
        ("::1",),
        ("::ffff:127.0.0.1",),
        ("64:ff9b::7f00:1",),
        ("fe80::1%lo",),
        ("8.8.8.8", "127.0.0.1"),
    ],
)
def test_a_name_that_leads_inside_is_refused_without_a_connection(addresses: tuple[str, ...]) -> None:
    """Also when only one of its addresses does."""

    async def main() -> None:
        async with Listener() as canary:
            verdict = await posted(f"http://hook.example:{canary.port}/", addresses, private=False)
            assert verdict == Refused("hook.example leads to an address that is not public")
            assert canary.connections == 0

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_an_address_inside_is_refused_without_a_connection(host: str) -> None:
    """A configuration that was accepted when private addresses were allowed is refused when they are not."""

    async def main() -> None:
        async with Listener() as canary:
            assert isinstance(await posted(f"http://{host}:{canary.port}/", private=False), Refused)
            assert canary.connections == 0

    asyncio.run(main())


def test_what_the_system_resolves_is_checked_too() -> None:
    """The name of this machine, asked of the system itself."""

    async def main() -> None:
        async with Listener() as canary:
            webhook = Webhook(SystemClock(), private_addresses=False)
            url = f"http://localhost:{canary.port}/"
            assert isinstance(await webhook.post(url, b"{}", {}, message_id="1", secret=SECRET), Refused)
            await webhook.close()
            assert canary.connections == 0

    asyncio.run(main())


def test_a_name_that_changes_its_mind_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once, and the answer that was checked is the one that is used; 127.0.0.2 stands for the public."""
    monkeypatch.setattr("sojourn.webhook.is_public", lambda address: address == "127.0.0.2")
    asked = []

    async def flipping(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    async def main() -> None:
        async with Listener() as canary:
            webhook = Webhook(SystemClock(), private_addresses=False, resolve=flipping)
            url = f"http://hook.example:{canary.port}/"
            verdict = await webhook.post(url, b"{}", {}, message_id="1", secret=SECRET)
            await webhook.close()
            assert isinstance(verdict, Deferred)
            assert (asked, canary.connections) == (["hook.example"], 0)

    asyncio.run(main())


def test_an_operators_bridge_may_be_inside() -> None:
    """Who runs the server may name any address."""

    async def main() -> None:
        async with Listener() as bridge:
            assert await posted(f"http://127.0.0.1:{bridge.port}/", private=False, trusted=True) == Delivered()

    asyncio.run(main())


def test_a_redirect_is_not_followed() -> None:
    """Wherever it leads."""

    async def main() -> None:
        async with Listener() as canary:
            away = f"HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:{canary.port}/\r\ncontent-length: 0\r\n\r\n"
            async with Listener(away.encode()) as target:
                verdict = await posted(f"http://hook.example:{target.port}/")
            assert isinstance(verdict, Refused)
            assert "307" in verdict.reason
            assert canary.connections == 0

    asyncio.run(main())


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor would it see a record."""

    async def main() -> None:
        async with Listener() as proxy, Listener() as target:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert await posted(f"http://hook.example:{target.port}/") == Delivered()
            assert (proxy.connections, target.connections) == (0, 1)

    asyncio.run(main())


def test_an_endless_answer_is_not_read() -> None:
    """Only the status counts; what follows is never taken in."""

    async def main() -> None:
        head = b"HTTP/1.1 500 x\r\nretry-after: 9\r\ncontent-length: 100000000000\r\n\r\n"
        async with Listener(head + b"x" * 1_000_000) as target:
            verdict = await posted(f"http://hook.example:{target.port}/")
            assert verdict == Deferred("the target answered 500", 9.0)

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000])
def test_an_answer_that_is_none_is_tried_again(answer: bytes) -> None:
    """Closed, garbage, or a head without end."""

    async def main() -> None:
        async with Listener(answer) as target:
            assert isinstance(await posted(f"http://hook.example:{target.port}/"), Deferred)

    asyncio.run(main())


def test_a_target_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the bound, whatever part of the way it hangs on."""

    async def main() -> None:
        webhook = Webhook(SystemClock(), private_addresses=True, resolve=resolving("127.0.0.1"))
        async with Listener() as prompt, Listener(silent=True) as target:
            sent: dict[str, Any] = {"message_id": "1", "secret": SECRET}
            await webhook.post(f"http://hook.example:{prompt.port}/", b"{}", {}, **sent)  # what is made once is made
            monkeypatch.setattr("sojourn.webhook.TOTAL_SECONDS_MAX", 1.0)
            verdict = await webhook.post(f"http://hook.example:{target.port}/", b"{}", {}, **sent)
            await webhook.close()
            assert verdict == Deferred("no answer within 1 s")
            assert target.heard

    asyncio.run(main())


def test_a_name_server_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the same bound."""
    monkeypatch.setattr("sojourn.webhook.TOTAL_SECONDS_MAX", 0.2)

    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(3600)
        return []

    async def main() -> None:
        webhook = Webhook(SystemClock(), private_addresses=True, resolve=never)
        verdict = await webhook.post("http://x.example/", b"{}", {}, message_id="1", secret=SECRET)
        await webhook.close()
        assert verdict == Deferred("no answer within 0.2 s")

    asyncio.run(main())


def test_the_next_address_is_tried_when_one_is_dead() -> None:
    """A name may have one that nothing listens at."""

    async def main() -> None:
        async with Listener() as target:
            url = f"http://hook.example:{target.port}/"
            assert await posted(url, ("127.0.0.2", "127.0.0.1")) == Delivered()
        assert isinstance(await posted(url), Deferred)
        assert isinstance(await posted(url, ()), Deferred)

    asyncio.run(main())


def test_a_name_that_does_not_resolve_is_tried_again() -> None:
    """It may tomorrow."""

    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    async def main() -> None:
        webhook = Webhook(SystemClock(), private_addresses=True, resolve=unknown)
        verdict = await webhook.post("http://x.example/", b"{}", {}, message_id="1", secret=SECRET)
        await webhook.close()
        assert verdict == Deferred("x.example cannot be resolved: Name or service not known")

    asyncio.run(main())


def certificate(directory: Path, host: str) -> Path:
    """A certificate for `host` that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.mark.parametrize(("host", "verdict"), [("hook.example", Delivered), ("other.example", Deferred)])
def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(
    host: str, verdict: type[Verdict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to an address, and still only the right name is believed."""
    path = certificate(tmp_path, "hook.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))  # the system's authorities, for once
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    async def main() -> None:
        async with Listener(tls=context) as target:
            assert isinstance(await posted(f"https://{host}:{target.port}/"), verdict)

    asyncio.run(main())


def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    """It is tried again, for certificates get renewed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, "hook.example"))

    async def main() -> None:
        async with Listener(tls=context) as target:
            verdict = await posted(f"https://hook.example:{target.port}/")
            assert isinstance(verdict, Deferred)
            assert "CERTIFICATE_VERIFY_FAILED" in verdict.reason
            assert target.heard == b""

    asyncio.run(main())
