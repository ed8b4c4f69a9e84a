"""Lifecycle hooks of a Python function: how they are called, and the thread that PreStop has to itself.

Initializer and PreFreeze run where the handler runs. PreStop must run while the handler is busy, whatever it is busy
with, so a function that has one gets a second socket and a thread that waits there. The thread is not known to
`threading`: user code that counts or joins threads sees its own.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable

from . import frames
from .context import Contexts, Lines
from .failure import document
from .peak import Peak
from .user_code import defined, load

_AFTER_RESTORE = "after_restore"
_ROLES = {frames.INITIALIZER: "Initializer", frames.PRE_FREEZE: "PreFreeze", frames.PRE_STOP: "PreStop"}


class Hooks:
    """Calls hooks, and says in a HOOKED what they came to.

    With `restored` Initializer has run before this instance was forked; in its place runs `after_restore` of its
    module, where there is one.
    """

    def __init__(self, contexts: Contexts, lines: Lines, flush: Callable[[], None], *, restored: bool = False) -> None:
        self._contexts, self._lines, self._flush, self._restored = contexts, lines, flush, restored
        self._pid = os.getpid()
        self._peak = Peak()

    def answer(self, request: int, body: bytes) -> bytes:
        """Run the hook that the HOOK `body` names; returns the HOOKED frame.

        A child that the hook forked and let return ends here: only the parent answers.
        """
        asked = json.loads(body)
        began = time.perf_counter()
        outcome, answer = self._run_hook(asked)
        duration_us = int((time.perf_counter() - began) * 1_000_000)
        if os.getpid() != self._pid:
            os._exit(0)
        return frames.pack_hooked(request, outcome, duration_us, self._peak.bytes(), answer)

    def _run_hook(self, asked: dict[str, object]) -> tuple[int, bytes]:
        """Call it; returns the outcome and the error document, which is empty when it went well."""
        name, spelled, request_id = str(asked["hook"]), str(asked["handler"]), str(asked["request_id"])
        deadline_at = int(time.time() * 1_000_000) + int(str(asked["timeout_ms"])) * 1000
        context = self._contexts.make(request_id, 0, deadline_at)
        if name == frames.PRE_STOP:
            context.stop_reason, context.task_id = str(asked["reason"]), str(asked["task_id"])
        thread = _thread.get_ident()
        self._lines.of_threads[thread] = request_id
        try:
            if name == frames.INITIALIZER and self._restored:
                spelled = spelled.rpartition(".")[0] + "." + _AFTER_RESTORE
                if not defined(spelled):
                    return frames.OK, b""
            load(spelled, _ROLES.get(name, "Hook"))(context)
        except BaseException as error:  # noqa: BLE001 - every way user code can end is an outcome
            return frames.UNHANDLED, document(error, spelled)
        finally:
            self._flush()
            self._lines.of_threads.pop(thread, None)
        return frames.OK, b""


def watch(control: socket.socket, hooks: Hooks) -> None:
    """Start the thread that answers what comes over `control`."""
    _thread.start_new_thread(_serve, (control, hooks))


def _serve(control: socket.socket, hooks: Hooks) -> None:
    """Answer hooks until the process ends; of a socket that user code broke nothing more is expected."""
    parser = frames.Parser()
    with contextlib.suppress(OSError, ValueError):
        while True:
            data = control.recv(64 * 1024)
            if not data:
                return
            for kind, request, _, body in parser.feed(data):
                if kind == frames.HOOK:
                    control.sendall(hooks.answer(request, body))
