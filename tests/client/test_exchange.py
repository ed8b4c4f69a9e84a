"""Connections of the clients' own: what is taken for an answer, what is kept, and what a failure is called."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any, Self

import pytest

from client.driven import Driven
from client.fake_server import FakeServer
from sojourn.client import AsyncClient, Client, Connection, Refused, Retries, Submission, Unreachable
from sojourn.client import asynchronous_exchange as asynchronous
from sojourn.client import blocking_exchange as blocking

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"version":"1.0"}'


class Answering:
    """A server that says `answers`, one to each request, whatever is asked; None hangs up instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self.connections = 0
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def connection(self) -> Connection:
        """How a client reaches it."""
        return Connection(f"http://127.0.0.1:{self._listener.getsockname()[1]}", "k", "s")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with wire:
                while request := wire.recv(65536):
                    self.asked.append(request)
                    answer = self._answers.pop(0) if self._answers else None
                    if answer is None:
                        break
                    wire.sendall(answer)
                    if b"connection: close" in answer or b"content-length" not in answer:
                        break


ANSWERS = {
    "of a known length": OK,
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ncontent-length-not: 1\r\n\r\n"
    b'5\r\n{"ver\r\nc\r\nsion":"1.0"}\r\n0\r\n\r\n',
    "to the end of the connection": b'HTTP/1.1 200 OK\r\n\r\n{"version":"1.0"}',
    "that was announced": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,
    "of an older protocol": b'HTTP/1.0 200 OK\r\ncontent-length: 17\r\nconnection: close\r\n\r\n{"version":"1.0"}',
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_what_is_an_answer(kind: str, answer: bytes) -> None:
    """Every way in which HTTP says where it ends."""
    with Answering(answer) as server:
        assert Driven(kind, server.connection).version().version == "1.0"


BROKEN = {
    "no answer": None,
    "half a head": b"HTTP/1.1 200 OK\r\nconte",
    "half a body": b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n{"version":"1.0"}',
    "half a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "two answers": OK + OK,
    "another protocol from now on": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nmore",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_what_is_none(kind: str, answer: bytes | None) -> None:
    """The connection broke, and it is not used again."""
    with (
        Answering(answer) as server,
        pytest.raises(Unreachable, match=r"the connection to http://.* broke \(") as caught,
    ):
        Driven(kind, server.connection, retries=Retries(connection=0)).version()
    assert caught.value.sent


def test_a_connection_is_kept_until_the_other_end_closes_it() -> None:
    """Three calls, two connections: the server ends the first one after the second call."""
    closing = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    with Answering(OK, closing, OK) as server:
        with Client(server.connection, retries=Retries(connection=0)) as client:
            assert {client.version().version for _ in range(3)} == {"1.0"}
        assert server.connections == 2

    async def talk(server: Answering) -> None:
        async with AsyncClient(server.connection, retries=Retries(connection=0)) as client:
            assert {(await client.version()).version for _ in range(3)} == {"1.0"}

    with Answering(OK, closing, OK) as server:
        asyncio.run(talk(server))
        assert server.connections == 2


@pytest.fixture
def few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at most."""
    monkeypatch.setattr(blocking, "CONNECTIONS_MAX", 2)
    monkeypatch.setattr(asynchronous, "CONNECTIONS_MAX", 2)


@pytest.mark.usefixtures("few_connections")
def test_more_calls_than_connections_wait_for_their_turn(server: FakeServer) -> None:
    """All are answered, also when some that waited are cancelled; threads may share a client."""
    server.add_task("hello", "t")

    async def talk() -> None:
        async with AsyncClient(server.connection) as client:
            calls = [asyncio.ensure_future(client.get_task("hello", "t")) for _ in range(20)]
            await asyncio.sleep(0)
            for call in calls[5:10]:
                call.cancel()
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(each, asyncio.CancelledError) for each in found].count(True) == 5

    asyncio.run(talk())
    with Client(server.connection) as client:
        threads = [threading.Thread(target=client.get_task, args=("hello", "t")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.actions().count("GetAsyncTask") >= 23


def test_a_call_that_could_not_be_sent_is_sent_again(
    client: Driven, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that must not be sent twice: nothing had arrived."""
    refusals = [ConnectionRefusedError(111, "Connection refused")]
    connect, opened = socket.create_connection, asyncio.BaseEventLoop.create_connection

    def once(*args: Any, **named: Any) -> socket.socket:
        if refusals:
            raise refusals.pop()
        return connect(*args, **named)

    async def once_async(*args: Any, **named: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return await opened(*args, **named)

    monkeypatch.setattr(socket, "create_connection", once)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", once_async)

    assert isinstance(client.submit("hello", "x"), Submission)
    assert (refusals, len(server.tasks)) == ([], 1)


def test_a_header_cannot_bring_another_one(kind: str, server: FakeServer) -> None:
    """A token with a line in it is refused before anything is sent."""
    connection = Connection(server.endpoint, "k", "s", "token\r\nx-evil: 1")
    with pytest.raises(Refused, match="must be ASCII, each on a line"):
        Driven(kind, connection).get_function("hello")
    assert server.requests == []


def test_a_large_body_arrives_whole(client: Driven, server: FakeServer) -> None:
    """More than the socket takes at once, both ways."""
    payload = bytes(range(256)) * 20_000
    assert client.invoke("hello", payload).result == payload[::-1]
    assert server.requests[-1].body == payload


def test_a_closed_client_leaves_nothing_open(server: FakeServer) -> None:
    """Its sockets are closed, and closing twice is fine."""
    client = Client(server.connection)
    client.version()
    assert client._exchange is not None
    (link,) = client._exchange._idle
    client.close()
    client.close()
    assert link._socket.fileno() < 0
