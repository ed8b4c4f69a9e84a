"""Which calls leave an entry in the audit trail: all that are to change something, whatever came of them.

Not the ones that only look, nor strangers', who have no account. Not submissions, calls and reports of progress either:
they are the traffic itself, a submission stands in its task's history, and writing each twice would halve what a server
takes. An entry is durable before the answer leaves. One that cannot be written is told to the log, and does not undo
what was done.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sojourn.clock import unscaled
from sojourn.errors import SojournError, StoreFailed
from sojourn.trail import Entry

from .answer import Answer
from .backend import Backend
from .call import Call
from .commands import invocations
from .operation import Handler
from .request import Request
from .v1 import progress, submission

log = logging.getLogger(__name__)

TRAFFIC: frozenset[Handler] = frozenset(
    {invocations.invoke, submission.submit, submission.submit_batch, progress.report}
)
TARGET_CHARACTERS_MAX = 512
_LOOKING = ("GET", "HEAD")
_FAULT = 500


class Auditing:
    """Lets handlers work and writes down what came of it.

    Parameters
    ----------
    backend: has the store and the clock.
    names: what each command is called.

    """

    def __init__(self, backend: Backend, names: Mapping[Handler, str]) -> None:
        self._backend, self._names = backend, names

    async def __call__(self, handler: Handler, call: Call, request: Request) -> Answer:
        """The answer of `handler`."""
        if request.method in _LOOKING or handler in TRAFFIC:
            return await handler(call)
        try:
            result = await handler(call)
        except Exception as error:
            known = isinstance(error, SojournError)
            status, code = (error.status, error.code) if isinstance(error, SojournError) and known else (_FAULT, "")
            await self._note(handler, call, request, status, code)
            raise
        await self._note(handler, call, request, result.status, "")
        return result

    async def _note(self, handler: Handler, call: Call, request: Request, status: int, code: str) -> None:
        entry = Entry(
            at=unscaled(self._backend.clock).now(),
            account_id=call.account_id,
            actor=call.key.id,
            operation=self._names.get(handler, getattr(handler, "name", "")),
            method=request.method,
            target=request.path[:TARGET_CHARACTERS_MAX],
            request_id=call.request_id,
            status=status,
            code=code,
        )
        try:
            await self._backend.trail.add_audit(entry)
        except StoreFailed as error:  # what was done stays done, and the caller has heard of it
            log.error("the audit trail lacks %s: %s", entry, error)  # noqa: TRY400 - the disk's fault is no surprise
