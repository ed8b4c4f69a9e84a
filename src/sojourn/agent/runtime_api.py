"""The runtime API: a small HTTP server that a compiled function asks for its next invocation.

Programs that speak another contract find it too, for the last two of its verbs: `POST …/invocation/{id}/progress` says
how far an execution is, and `GET …/invocation/{id}/checkpoint` gives what the attempt before left for it.

`GET …/invocation/next` waits for one; `POST …/invocation/{id}/response` or `…/error` answers it. Hooks come the same
way, told apart by `x-fc-function-type`. A function that handles one thing at a time gets PreStop when it asks again.
The address is the loopback's, and only programs of this user are answered.
"""

from __future__ import annotations

import binascii
import collections
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

from . import frames
from .failure import FunctionError, document
from .headers import Headers
from .reported import error_document
from .reporting import Reporting

_BASE = "/2020-11-11/runtime"
_TYPES = {"initializer": 1, "pre_stop": 2, "pre_freeze": 3}
_INVOCATION = 0
_LOOKS_MAX, _LOOK_SECONDS = 20, 0.005
"""How often it is looked who connects before it is nobody."""


class _Item:
    """Something the program is to do, and what it answered."""

    def __init__(self, name: str, headers: dict[str, bytes], payload: bytes) -> None:
        self.name, self.headers, self.payload = name, headers, payload
        self.answered = threading.Event()
        self.answer: tuple[int, bytes] = (frames.UNHANDLED, b"")


class RuntimeApi:
    """Listens from the start; `address` is for FC_RUNTIME_API, `asked` is set once the program asks for work."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:" + str(self._listener.getsockname()[1])
        self.asked = threading.Event()
        self.init_error = ""
        self.reporting: Reporting | None = None
        self._waiting: collections.deque[_Item] = collections.deque()
        self._given: dict[str, _Item] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    # -- the contract, as `shim` uses it

    def call(self, body: bytes) -> tuple[int, bytes]:
        """Run an invocation from the body of its INVOKE; returns outcome and payload."""
        request_id, retry, deadline_at, payload = frames.unpack_invoke(body)
        headers = self._headers.invocation(request_id, retry, deadline_at)
        return self._do(request_id, _INVOCATION, headers, payload)

    def hook(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Have the hook run that a HOOK asks for; returns outcome and error document."""
        headers = self._headers.hook(asked)
        outcome, answer = self._do(str(asked["request_id"]), _TYPES[asked["hook"]], headers, b"")
        return outcome, b"" if outcome == frames.OK else answer

    def cancel(self, body: dict[str, Any]) -> bool:
        """There is no way to tell a program that polls; only what it has not taken yet can be given up."""
        with self._changed:
            for item in self._waiting:
                if item.name == str(body["request_id"]):
                    self._waiting.remove(item)
                    item.answered.set()
                    return True
        return False

    def abandon(self, request_id: str) -> None:
        """Nobody waits for this invocation's answer any more."""
        item = self._given.pop(request_id, None)
        if item is not None:
            item.answered.set()

    def _do(self, name: str, kind: int, headers: dict[str, bytes], payload: bytes) -> tuple[int, bytes]:
        name = name or "hook-" + str(kind)
        told = {"x-fc-function-type": str(kind).encode(), "x-fc-request-id": name.encode()}
        item = _Item(name, {**headers, **told}, payload)
        with self._changed:
            self._waiting.append(item)
            self._changed.notify()
        item.answered.wait()
        return item.answer

    # -- what the program asks for

    def next(self) -> _Item:
        """Wait for something to do."""
        self.asked.set()
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            item = self._waiting.popleft()
            self._given[item.name] = item
        return item

    def give_back(self, item: _Item) -> None:
        """It could not be handed over: somebody else may get it."""
        with self._changed:
            self._given.pop(item.name, None)
            self._waiting.appendleft(item)
            self._changed.notify()

    def answer(self, name: str, outcome: int, payload: bytes) -> bool:
        """Take an answer; False when nothing of that name waits for one."""
        item = self._given.pop(name, None)
        if item is None:
            return False
        item.answer = outcome, payload
        item.answered.set()
        return True

    def _accept(self) -> None:
        while True:
            connection, address = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        with connection, contextlib.suppress(OSError, ValueError):  # what it sent is no HTTP, or it hung up
            if _user_of(address, connection.getsockname()) == os.getuid():
                _Conversation(connection, address, cast("Any", self))


class _Conversation(BaseHTTPRequestHandler):
    """One connection of the program; `server` is the `RuntimeApi`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: RuntimeApi

    def setup(self) -> None:
        """Name what `server` really is."""
        super().setup()
        self.api = cast("RuntimeApi", self.server)

    def do_GET(self) -> None:
        """Hand out what is to be done next, or a checkpoint."""
        name, _, verb = self.path[len(_BASE + "/invocation/") :].rpartition("/")
        if verb == "checkpoint" and self.path.startswith(_BASE + "/invocation/"):
            kept = self.api.reporting.checkpoint(name) if self.api.reporting is not None else None
            if kept is None:
                self._answer(404, {"message": "no invocation " + name + " runs"})
            else:
                self._send(200, {"content-type": b"application/octet-stream"}, kept)
            return
        if self.path != _BASE + "/invocation/next":
            self._answer(404, {"message": "there is no " + self.path})
            return
        item = self.api.next()
        try:
            self._send(200, item.headers, item.payload)
        except OSError:
            self.api.give_back(item)
            self.close_connection = True

    def do_POST(self) -> None:
        """Take an answer."""
        body = self._body()
        if body is None:
            self._answer(413, {"message": "the body is larger than the limit of a response"})
            self.close_connection = True
            return
        name, _, verb = self.path[len(_BASE + "/invocation/") :].rpartition("/")
        if self.path == _BASE + "/init/error":
            found = json.loads(error_document(body, self.headers.get, "InitError"))
            self.api.init_error = str(found["errorMessage"])
            self._answer(200, {})
        elif self.path.startswith(_BASE + "/invocation/") and verb == "progress":
            self._report(name, body)
        elif not self.path.startswith(_BASE + "/invocation/") or verb not in {"response", "error"}:
            self._answer(404, {"message": "there is no " + self.path})
        else:
            outcome = frames.OK if verb == "response" else frames.UNHANDLED
            if verb == "error":
                body = error_document(body, self.headers.get, "FunctionError")
            elif len(body) > frames.PAYLOAD_BYTES_MAX:
                what = f"The response is larger than the limit of {frames.PAYLOAD_BYTES_MAX} bytes"
                outcome, body = frames.UNHANDLED, document(FunctionError("ResponseTooLarge", what), "")
            known = self.api.answer(name, outcome, body)
            self._answer(200 if known else 404, {} if known else {"message": "nothing waits for " + name})

    def _report(self, name: str, body: bytes) -> None:
        """Take how far an execution is, as JSON: `percent`, `message`, `checkpoint` (text, or base64 if it says so)."""
        try:
            said = json.loads(body)
            checkpoint = said.get("checkpoint")
            if said.get("checkpointEncoding") == "base64" and checkpoint is not None:
                checkpoint = binascii.a2b_base64(checkpoint)
            reporting = self.api.reporting
            known = reporting is not None and reporting.report(
                name, said.get("percent"), said.get("message"), checkpoint
            )
        except (ValueError, TypeError, AttributeError) as error:
            self._answer(400, {"message": str(error)})
            return
        self._answer(200 if known else 404, {} if known else {"message": "no invocation " + name + " runs"})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Be silent: the output is the program's."""

    def _body(self) -> bytes | None:
        """The request's body; None when it is far over the limit."""
        limit = frames.PAYLOAD_BYTES_MAX + 1
        if "chunked" not in (self.headers.get("transfer-encoding") or "").lower():
            length = int(self.headers.get("content-length") or 0)
            data = self.rfile.read(min(length, limit))
            return data if self._skip(length - len(data)) else None
        pieces: list[bytes] = []
        while True:
            size = int(self.rfile.readline(64).split(b";")[0], 16)
            pieces.append(self.rfile.read(size))
            self.rfile.readline(8192)
            if size == 0:
                return b"".join(pieces)
            if sum(map(len, pieces)) > limit:
                return None

    def _skip(self, left: int) -> bool:
        """Read what is over the limit away, as far as that is sensible, so that the program hears the answer."""
        while 0 < left <= frames.PAYLOAD_BYTES_MAX:
            data = self.rfile.read(min(left, 1024 * 1024))
            if not data:
                return False
            left -= len(data)
        return left <= 0

    def _answer(self, status: int, body: dict[str, str]) -> None:
        self._send(status, {"content-type": b"application/json"}, json.dumps(body).encode())

    def _send(self, status: int, headers: dict[str, bytes], body: bytes) -> None:
        lines = [b"HTTP/1.1 " + str(status).encode() + b" -"]
        lines += [name.encode() + b": " + value for name, value in headers.items()]
        lines.append(b"content-length: " + str(len(body)).encode())
        self.wfile.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)


def _user_of(address: tuple[str, int], here: tuple[str, int]) -> int:
    """The user whose connection from `address` to `here` is, as this namespace numbers users; -1 for none.

    The kernel's list is read in pieces, and while others come and go it may leave out one that is there.
    """
    for _ in range(_LOOKS_MAX):
        try:
            with open("/proc/net/tcp", encoding="ascii") as file:  # noqa: PTH123 - pathlib is not loaded here
                found = listed_user(file, address, here)
        except OSError:
            return -1
        if found is not None:
            return found
        time.sleep(_LOOK_SECONDS)
    return -1


def listed_user(lines: Iterable[str], address: tuple[str, int], here: tuple[str, int]) -> int | None:
    """The user of the connection from `address` to `here` in the kernel's list; None when it is not there.

    The same port may have been another connection's, which is over and listed as root's.
    """
    ends = [_spelled(address), _spelled(here)]
    for line in lines:
        fields = line.split()
        if fields[1:3] == ends:
            return int(fields[7])
    return None


def _spelled(address: tuple[str, int]) -> str:
    """An address as the kernel's list has it."""
    host, port = address
    return "{:08X}:{:04X}".format(int.from_bytes(socket.inet_aton(host), "little"), port)
