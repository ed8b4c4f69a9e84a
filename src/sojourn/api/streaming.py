"""Answers that are sent as they come: in chunks, until they are complete, the caller goes, or it reads no more.

A caller that takes nothing for `STALL_SECONDS_MAX` is let go of: it holds a place that others wait for. An answer that
breaks off leaves its chunked body without an end, so that no client takes it for a whole one.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Send

from .answer import Answer, Stream, headers_of
from .call import gone

STALL_SECONDS_MAX = 60.0


async def send(answer: Answer, stream: Stream, request_id: str, receive: Receive, to: Send, *, bodiless: bool) -> None:
    """Put `answer` on the wire with the pieces of `stream` as its body, and close that in any case.

    Parameters
    ----------
    answer: status and headers.
    stream: the body.
    request_id: of this request.
    receive: tells when the caller goes away.
    to: the wire.
    bodiless: whether the caller wants the headers only (HEAD).

    """
    try:
        headers = headers_of(answer, request_id)
        await to({"type": "http.response.start", "status": answer.status, "headers": headers})
        if bodiless:
            await to({"type": "http.response.body", "body": b""})
            return
        sending, leaving = asyncio.ensure_future(_pump(stream, to)), asyncio.ensure_future(gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
    finally:
        stream.close()


async def _pump(stream: Stream, to: Send) -> None:
    async for piece in stream.pieces():
        async with asyncio.timeout(STALL_SECONDS_MAX):
            await to({"type": "http.response.body", "body": piece, "more_body": True})
    await to({"type": "http.response.body", "body": b""})
