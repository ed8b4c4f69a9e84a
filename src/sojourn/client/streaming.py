"""Answers that come bit by bit, for as long as the server has more to say: their text, for either client.

Characters come whole, wherever the network cuts; what is no UTF-8 is replaced. Nothing is sent again: what was read
cannot be taken back.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Iterator

import httpx

from .call import Call
from .wire import Wire, answer


def text(http: httpx.Client, wire: Wire, call: Call[None]) -> Iterator[str]:
    """The text of the answer to `call`.

    Raises
    ------
    ClientError: the subclass that the answer stands for; `Unreachable` also when it breaks off.

    """
    wanted, decoder = wire.request(call), _decoder()
    headers, timeout = dict(wanted.headers), wire.timeout(call)
    try:
        with http.stream(wanted.method, wanted.url, headers=headers, timeout=timeout) as response:
            if response.is_error:
                response.read()
                call.read(answer(response))
            for piece in response.iter_bytes():
                if decoded := decoder.decode(piece):
                    yield decoded
            if rest := decoder.decode(b"", final=True):
                yield rest
    except httpx.HTTPError as error:
        raise wire.unreachable(error) from error


async def text_async(http: httpx.AsyncClient, wire: Wire, call: Call[None]) -> AsyncIterator[str]:
    """The same for the asynchronous client."""
    wanted, decoder = wire.request(call), _decoder()
    headers, timeout = dict(wanted.headers), wire.timeout(call)
    try:
        async with http.stream(wanted.method, wanted.url, headers=headers, timeout=timeout) as response:
            if response.is_error:
                await response.aread()
                call.read(answer(response))
            async for piece in response.aiter_bytes():
                if decoded := decoder.decode(piece):
                    yield decoded
            if rest := decoder.decode(b"", final=True):
                yield rest
    except httpx.HTTPError as error:
        raise wire.unreachable(error) from error


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")
