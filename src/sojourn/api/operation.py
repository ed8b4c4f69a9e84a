"""An operation: what the router calls. It authenticates, reads the body, lets the handler work, and answers.

Every way a request can end becomes one answer here. The order matters: a stranger is turned away before its body is
read, a body that is too long before it is buffered, and nothing is decoded before its signature is known to be right.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sojourn.access import Scope as Reach
from sojourn.errors import ScopeTooSmall, SojournError

from . import errors
from .answer import Answer
from .authentication import Authentication, single_headers
from .backend import Backend
from .call import Call, read_body
from .dialect import NATIVE, Dialect
from .request import ClientGone, Request

Handler = Callable[[Call], Awaitable[Answer]]
Limit = Callable[[Mapping[bytes, bytes]], tuple[str, int]]
"""From a request's headers to what its body is called and how many bytes it may have."""

Work = Callable[[Handler, Call, Request], Awaitable[Answer]]
"""Lets a handler answer a call, and does what belongs to that."""
Needed = Callable[[Handler, str], Reach]
"""From a handler and a method to the scope that a caller needs for it."""

SMALL_BODY_BYTES_MAX = 64 * 1024


def small(_: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of a body that holds a few settings, or nothing."""
    return "the request body", SMALL_BODY_BYTES_MAX


class Operation:
    """One operation as an endpoint.

    Parameters
    ----------
    backend, authentication: shared by all operations.
    handler: does the work.
    limit: the bound of the body.
    needed: the scope that a caller needs.
    work: lets the handler answer.
    dialect: the generation of the API that it belongs to.
    problem: whether errors are problem documents.
    prompt: whether the handler gets along without a task of asyncio's, see `steps`.

    """

    def __init__(
        self,
        backend: Backend,
        authentication: Authentication,
        handler: Handler,
        limit: Limit = small,
        *,
        needed: Needed = lambda *_: Reach.ADMIN,
        work: Work = lambda handler, call, _: handler(call),
        dialect: Dialect = NATIVE,
        problem: bool = False,
        prompt: bool = False,
    ) -> None:
        self._backend, self._authentication, self._dialect = backend, authentication, dialect
        self._needed, self._handler, self._limit, self._problem = needed, handler, limit, problem
        self._work, self.prompt = work, prompt

    async def __call__(self, request: Request) -> Answer:
        """The answer to one request.

        Raises
        ------
        ClientGone: nobody waits for it.

        """
        try:
            return await self._answer(request)
        except ClientGone:
            raise
        except SojournError as error:
            return errors.of_error(error, request.request_id, problem=self._problem, codes=self._dialect.codes)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it was, the caller gets an answer
            return errors.of_surprise(error, request.request_id, problem=self._problem)

    async def _answer(self, request: Request) -> Answer:
        headers = single_headers(request.headers)
        proof = self._authentication.check(request, headers)
        held = proof.key.scope
        if held is not Reach.ADMIN and not held.covers(needed := self._needed(self._handler, request.method)):
            raise ScopeTooSmall(needed.value, held.value)
        what, limit_bytes = self._limit(headers)
        body = await read_body(headers, request, what, limit_bytes, proof.digest)
        call = Call(self._backend, proof.key, request, headers=headers, body=body, dialect=self._dialect)
        return await self._work(self._handler, call, request)
