"""Answers that are sent as they come, until they are complete or the caller goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from sojourn.background import cancel

from .answer import Stream


async def send(
    stream: Stream, gone: Callable[[], Coroutine[Any, Any, None]], to: Callable[[bytes], Awaitable[None]]
) -> bool:
    """Send the pieces of `stream`, and close it in any case; whether it came to its end.

    Parameters
    ----------
    stream: the body.
    gone: returns when the caller goes away.
    to: sends a piece, and returns when another one may be sent.

    """
    try:
        sending, leaving = asyncio.ensure_future(_pump(stream, to)), asyncio.ensure_future(gone())
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
            return sending.done()
        finally:
            await cancel(sending, leaving)
    finally:
        stream.close()


async def _pump(stream: Stream, to: Callable[[bytes], Awaitable[None]]) -> None:
    async for piece in stream.pieces():
        await to(piece)
