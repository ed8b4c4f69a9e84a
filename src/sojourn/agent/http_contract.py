"""Function Compute's HTTP contract: what is asked of a custom runtime's program, and what its answers mean.

`POST /invoke` with the event as body, `POST /initialize`, `GET /pre-freeze`, `GET /pre-stop`, and `DELETE /invoke` to
give an invocation up. Connections are kept and used again. An answer to `/invoke` is a success whatever its status,
unless the header `x-fc-status` says otherwise; a hook's is one when its status is 2xx.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from typing import Any

from . import frames
from .failure import FunctionError, document
from .headers import Headers
from .program import Program
from .reported import error_document

_HOOKS = {
    "initializer": ("POST", "/initialize"),
    "pre_freeze": ("GET", "/pre-freeze"),
    "pre_stop": ("GET", "/pre-stop"),
}
_HEADER_BYTES_MAX = 8 * 1024
_GOODBYE_SECONDS = 0.5
"""How long the end of the program may take to be noticed after its connection broke."""


class Refused(Exception):
    """The program did not answer as HTTP asks for."""


class _Answer:
    """A response that was read: its status, its headers and its body."""

    def __init__(self, response: http.client.HTTPResponse, body: bytes) -> None:
        self.status, self.header, self.body = response.status, response.getheader, body
        self.headers = [[name, value] for name, value in response.getheaders()]
        said = response.getheader("x-fc-status")
        self.denied = said is not None and said.strip() != "200"
        self.fine = 200 <= response.status < 300 and not self.denied  # noqa: PLR2004 - HTTP's own


class HttpContract:
    """Speaks with `program` on `port`."""

    def __init__(self, port: int, headers: Headers, program: Program) -> None:
        self._port, self._headers, self._program = port, headers, program
        self._idle: list[http.client.HTTPConnection] = []
        self._busy: dict[str, http.client.HTTPConnection] = {}

    def call(self, body: bytes) -> tuple[int, bytes]:
        """Run an invocation from the body of its INVOKE; returns outcome and payload."""
        request_id, retry, deadline_at, payload = frames.unpack_invoke(body)
        headers = self._headers.invocation(request_id, retry, deadline_at)
        if frames.is_http(body):
            return self._pass_on(request_id, headers, payload)
        headers["content-type"] = b"application/octet-stream"
        try:
            answer = self._exchange("POST", "/invoke", headers, payload, name=request_id)
        except Refused as error:
            return frames.UNHANDLED, document(FunctionError("BadResponse", str(error)), "")
        if len(answer.body) > frames.PAYLOAD_BYTES_MAX:
            what = f"The response is larger than the limit of {frames.PAYLOAD_BYTES_MAX} bytes"
            return frames.UNHANDLED, document(FunctionError("ResponseTooLarge", what), "")
        if answer.denied:
            return frames.UNHANDLED, error_document(answer.body, answer.header, "FunctionError")
        return frames.OK, answer.body

    def _pass_on(self, request_id: str, headers: dict[str, bytes], payload: bytes) -> tuple[int, bytes]:
        """Give the program somebody's HTTP request as it is, with our headers, and its answer back as it is."""
        head, content = frames.unpack_http(payload)
        sent = {str(name): str(value).encode("latin-1", "replace") for name, value in dict(head["headers"]).items()}  # type: ignore[call-overload]  # the host made it
        path = str(head["path"])
        try:
            answer = self._exchange(
                str(head["method"]), path, {**sent, **headers}, content, name=request_id, control="/http-invoke"
            )
        except Refused as error:
            return frames.UNHANDLED, document(FunctionError("BadResponse", str(error)), "")
        room = frames.PAYLOAD_BYTES_MAX - 2 * _HEADER_BYTES_MAX
        if len(answer.body) > room:
            what = f"The response is larger than the limit of {room} bytes"
            return frames.UNHANDLED, document(FunctionError("ResponseTooLarge", what), "")
        return frames.OK, frames.pack_http({"status": answer.status, "headers": answer.headers}, answer.body)

    def hook(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Call the hook that a HOOK asks for; returns outcome and error document."""
        method, path = _HOOKS[asked["hook"]]
        try:
            answer = self._exchange(method, path, self._headers.hook(asked), b"")
        except Refused as error:
            return frames.UNHANDLED, document(FunctionError("BadResponse", str(error)), "")
        if answer.fine:
            return frames.OK, b""
        said = answer.body or f"{method} {path} was answered with status {answer.status}".encode()
        return frames.UNHANDLED, error_document(said, answer.header, "HookError")

    def cancel(self, body: dict[str, Any]) -> bool:
        """Ask the program to give an invocation up; True when it says that it has."""
        headers = {"x-fc-request-id": str(body["request_id"]).encode()}
        try:
            return self._exchange("DELETE", "/invoke", headers, b"").fine
        except Refused:
            return False

    def abandon(self, request_id: str) -> None:
        """Nobody waits for this invocation's answer any more."""
        connection = self._busy.get(request_id)
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def healthy(self, path: str, timeout_seconds: float) -> bool:
        """Whether `GET path` is answered with 200 to 399 in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_seconds)
        try:
            connection.request("GET", path)
            return 200 <= connection.getresponse().status < 400  # noqa: PLR2004 - HTTP's own
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _exchange(  # noqa: PLR0917 - as it is written on the wire
        self, method: str, path: str, headers: dict[str, bytes], body: bytes, name: str = "", control: str = ""
    ) -> _Answer:
        """One request and its answer, whose body may be one byte over the limit; `control` is `path` unless given.

        Raises
        ------
        Refused: there was none, or it is not HTTP.

        """
        connection = self._connection()
        if name:
            self._busy[name] = connection
        try:
            connection.request(method, path, body, {**headers, "x-fc-control-path": (control or path).encode()})
            # Acknowledge at once: a server that writes head and body apart would else wait 40 ms in between.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            response = connection.getresponse()
            if sum(len(key) + len(value) + 4 for key, value in response.getheaders()) > _HEADER_BYTES_MAX:
                raise Refused(f"{method} {path}: the response's headers are larger than {_HEADER_BYTES_MAX} bytes")  # noqa: TRY301 - one way out
            answer = _Answer(response, response.read(frames.PAYLOAD_BYTES_MAX + 1))
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            if self._program.ended.wait(_GOODBYE_SECONDS) or self._program.gone:
                threading.Event().wait()  # a crash is told by the end of this process, which is due now, and not by us
            raise Refused(f"{method} {path} was not answered: {error or type(error).__name__}") from None
        except Refused:
            connection.close()
            raise
        finally:
            if name:
                self._busy.pop(name, None)
        if response.isclosed() and not response.will_close:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        """A kept connection that the program has not closed meanwhile, or a new one."""
        while self._idle:
            try:
                kept = self._idle.pop()
            except IndexError:
                break
            if kept.sock is not None and not select.select([kept.sock], [], [], 0)[0]:
                return kept
            kept.close()
        return http.client.HTTPConnection("127.0.0.1", self._port)
