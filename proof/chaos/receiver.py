"""The webhook that gets the records of ended tasks: a bad one, that refuses some and is slow with others.

It writes down what came before it answers, so that a record whose sender was killed meanwhile counts as received.
"""

from __future__ import annotations

import asyncio
import random
from typing import Self

import msgspec

from . import records
from .records import Receipt, Writer

REFUSED_SHARE, SLOW_SHARE, SLOW_SECONDS = 0.15, 0.1, 0.3


class _Context(msgspec.Struct, rename="camel"):
    request_id: str


class _Record(msgspec.Struct, rename="camel"):
    request_context: _Context


class Receiver:
    """Listens on loopback and writes to `receipts`; `patient` ends its bad manners."""

    def __init__(self, receipts: Writer, chance: random.Random) -> None:
        self._receipts, self._chance = receipts, chance
        self._server: asyncio.Server | None = None
        self.patient = False
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/records"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = (line.partition(":") for line in head.split("\r\n")[1:])
            headers = {name.lower(): value.strip() for name, _, value in lines}
            body = await reader.readexactly(int(headers["content-length"]))
            status = await self._take(headers, body)
            writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # who sent it was killed meanwhile
        finally:
            writer.close()

    async def _take(self, headers: dict[str, str], body: bytes) -> int:
        record = msgspec.json.decode(body, type=_Record)
        fate = 1.0 if self.patient else self._chance.random()
        status = 500 if fate < REFUSED_SHARE else 200
        key = headers.get("webhook-id", "")
        self._receipts.write(
            Receipt(request=record.request_context.request_id, key=key, at=records.now(), status=status)
        )
        if REFUSED_SHARE <= fate < REFUSED_SHARE + SLOW_SHARE:
            await asyncio.sleep(SLOW_SECONDS)
        return status
