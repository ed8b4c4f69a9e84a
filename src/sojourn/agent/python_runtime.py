"""The Python runtime: wait for an invocation, set its context, call the handler, report.

The handler's module is imported at its first use and kept. Whatever user code raises becomes an error document
(errorMessage, errorType, stackTrace) without the runtime's own frames. What ends the process itself is for the agent to
see; this file never decides about retries or status.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from . import frames
from .context import Contexts, install_logging
from .failure import FunctionError, document, stacks

_EXIT_ON_SIGTERM = 128 + int(signal.SIGTERM)


def prepare(channel: socket.socket, root: str, spec: dict[str, Any]) -> PythonRuntime:
    """The runtime of the instance of `spec` with its code at `root`; loads no user code yet."""
    return PythonRuntime(channel, root, str(spec["handler"]), spec["context"], str(spec["runtime"]))


class PythonRuntime:
    """Serves one handler.

    `root` is the code's directory, `handler` is spelled `module.function` with `/` or `.` between packages, `facts` are
    what contexts show, `runtime` is the configured name.
    """

    def __init__(self, channel: socket.socket, root: str, handler: str, facts: dict[str, Any], runtime: str) -> None:
        self._channel, self._name, self._pid = channel, handler, os.getpid()
        self._contexts = Contexts(facts, runtime)
        self._handler: Callable[[bytes, object], object] | None = None
        self._busy = False
        minor = "python{}.{}".format(*sys.version_info[:2])
        own = [one for one in sys.path if one.startswith((sys.prefix, sys.base_prefix))]
        sys.path[:] = [root, "/opt/python", "/opt/python/lib/" + minor + "/site-packages", *own]
        importlib.invalidate_caches()
        sys.argv = [""]
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 - lives as long as the process
        sys.stdout = _text(1)
        sys.stderr = _text(2)
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]  # Final
        self._lines = install_logging()
        signal.signal(signal.SIGTERM, self._terminated)

    def serve(self) -> NoReturn:
        """Answer invocations until the agent closes the socket."""
        while True:
            head = self._read(frames.HEADER.size)
            length, kind, request, _ = frames.HEADER.unpack(head)
            body = self._read(length)
            if kind != frames.INVOKE:
                continue
            request_id, retry, _deadline, payload = frames.unpack_invoke(body)
            del body
            self._busy = True
            began = time.perf_counter()
            outcome, answer = self._run(request_id, retry, payload)
            duration_us = int((time.perf_counter() - began) * 1_000_000)
            self._busy = False
            del payload
            if os.getpid() != self._pid:
                os._exit(0)  # user code forked and let the child return: only the parent answers
            self._channel.sendall(frames.pack_result(request, outcome, duration_us, _peak_bytes(), answer))

    def _run(self, request_id: str, retry: int, payload: bytes) -> tuple[int, bytes]:
        """Call the handler; returns the outcome and the payload of the answer."""
        self._lines.request_id = request_id
        try:
            handler = self._handler or self._load()
            answer = _encoded(handler(payload, self._contexts.make(request_id, retry)))
            outcome = frames.OK
        except BaseException as error:  # noqa: BLE001 - every way user code can end is an outcome
            answer, outcome = document(error, self._name), frames.UNHANDLED
        _flush()
        return outcome, answer

    def _load(self) -> Callable[[bytes, object], object]:
        """Import the module and find the handler in it.

        Raises
        ------
        FunctionError: it is not there, or cannot be imported.

        """
        path, _, name = self._name.rpartition(".")
        module_name = path.replace("/", ".")
        if not module_name or not name:
            raise FunctionError("HandlerNotFound", "Handler '" + self._name + "' must be spelled module.function")
        try:
            module = importlib.import_module(module_name)
        except FunctionError:
            raise
        except BaseException as error:
            raise _import_error(self._name, module_name, error) from error
        handler = getattr(module, name, None)
        if not callable(handler):
            found = "is missing on" if handler is None else "is not callable in"
            text = f"Handler '{name}' of '{self._name}' {found} module '{module_name}'"
            raise FunctionError("HandlerNotFound", text)
        self._handler = handler
        return handler  # type: ignore[no-any-return]  # it is the user's

    def _read(self, size: int) -> bytes:
        """Exactly `size` bytes; the process ends when the agent is gone."""
        data = bytearray(size)
        view = memoryview(data)
        got = 0
        while got < size:
            count = self._channel.recv_into(view[got:])
            if count == 0:
                os._exit(0)
            got += count
        view.release()
        return bytes(data)

    def _terminated(self, _number: int, frame: FrameType | None) -> None:
        """SIGTERM: show where the threads are when something runs, then end without any clean-up of user code."""
        if self._busy and os.getpid() == self._pid:
            with contextlib.suppress(Exception):  # we end either way
                sys.stderr.write(stacks(frame))
        _flush()
        os._exit(_EXIT_ON_SIGTERM)


def _text(fd: int) -> Any:
    """A line-buffered text stream that never fails on a character."""
    return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # user code may have replaced or closed it
            stream.flush()


def _peak_bytes() -> int:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024


def _encoded(value: object) -> bytes:
    """A handler's return value as the bytes of the answer.

    Raises
    ------
    FunctionError: it cannot be written as JSON, or it is over the limit.

    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
    else:
        try:
            text = value if isinstance(value, str) else json.dumps(value)
            data = text.encode("utf-8")
        except (TypeError, ValueError, RecursionError) as error:
            what = "The value that the handler returned cannot be serialised as JSON: " + str(error)
            raise FunctionError(type(error).__name__, what) from None
    if len(data) > frames.PAYLOAD_BYTES_MAX:
        limit = frames.PAYLOAD_BYTES_MAX
        what = f"The handler returned {len(data)} bytes; the limit of a response is {limit} bytes"
        raise FunctionError("ResponseTooLarge", what)
    return data


def _import_error(handler: str, module: str, error: BaseException) -> FunctionError:
    """What went wrong while the handler's module was imported, in words that name both."""
    kind = "ImportModuleError" if isinstance(error, ImportError) else type(error).__name__
    text = f"Unable to import module '{module}' of handler '{handler}': {_words(error)}"
    return FunctionError(kind, text, cause=error)


def _words(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - a broken __str__ is user code too
        return type(error).__name__
