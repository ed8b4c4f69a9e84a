"""Programs of custom and compiled runtimes for tests, written in Python as any program could be."""

from __future__ import annotations

from sojourn.sandboxes.start import own_interpreter

FACTS = {
    "account_id": "1",
    "region": "here",
    "name": "f",
    "handler": "",
    "memory": 256,
    "timeout": 9,
    "qualifier": "LATEST",
    "version_id": "LATEST",
}
"""What an instance is told of its function."""

SHEBANG = f"#!{own_interpreter().executable} -IS\n"

SERVER = (
    SHEBANG
    + """\
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

cancelled = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request_id = self.headers["x-fc-request-id"]
        if self.path == "/initialize":
            print("initializing", flush=True)
            status = int(os.environ.get("INITIALIZE_STATUS", "200"))
            self.answer(b"no database", status)
        elif body == b"headers":
            self.answer(json.dumps(dict(self.headers)).encode())
        elif body == b"status":
            self.answer(b"kept", 500)
        elif body == b"fail":
            self.answer(b'{"errorMessage": "out of ink", "errorType": "InkError"}', 404, x_fc_status="404",
                        x_fc_retry_after="7.5", x_fc_retry="false")
        elif body == b"plain":
            self.answer(b"just words", 200, x_fc_status="404")
        elif body == b"much":
            kept = []
            while True:
                kept.append(bytearray(10_000_000))
                time.sleep(0.001)
        elif body == b"exit":
            os._exit(7)
        elif body == b"reset":
            self.connection.close()
            self.close_connection = True
        elif body == b"large":
            self.answer(b"x" * (32 * 1024 * 1024 + 1))
        elif body == b"wide":
            self.answer(b"", x_wide="x" * 9000)
        elif body == b"chunked":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\\r\\none\\r\\n3\\r\\ntwo\\r\\n0\\r\\n\\r\\n")
        elif body == b"wait":
            given_up = cancelled[request_id] = threading.Event()
            print(request_id, "waits", flush=True)
            given_up.wait()
            self.answer(b"given up")
        elif body == b"peer":
            self.answer(str(self.client_address[1]).encode())
        else:
            print(request_id, "got", body.decode(), flush=True)
            self.answer(body)

    def do_DELETE(self):
        print("DELETE", self.path, self.headers["x-fc-control-path"], flush=True)
        if os.environ.get("DEAF"):
            self.answer(b"", 404)
            return
        given_up = cancelled.get(self.headers["x-fc-request-id"])
        if given_up:
            given_up.set()
        self.answer(b"")

    def do_GET(self):
        if self.path == "/health":
            self.answer(b"", 200 if os.path.exists("/tmp/healthy") or os.environ.get("HEALTHY") else 503)
            return
        told = [self.headers.get("x-fc-" + name, "-") for name in ("stop-reason", "task-id", "remaining-ms")]
        print(self.path, self.headers["x-fc-control-path"], *told, flush=True)
        self.answer(b"")

    def log_message(self, *_):
        pass


port = int(os.environ.get("FIXED_PORT") or os.environ["FC_SERVER_PORT"])
print("listening on", port, flush=True)
ThreadingHTTPServer.request_queue_size = 256  # the kernel resets connections beyond these on a busy machine
ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
"""
)
"""Speaks the HTTP contract; what it does depends on the event."""

POLLER = (
    SHEBANG
    + """\
import http.client, json, os, sys

host = os.environ["FC_RUNTIME_API"]
base = "/2020-11-11/runtime/"


def ask(method, path, body=b"", **headers):
    connection = http.client.HTTPConnection(host)
    connection.request(method, base + path, body, headers)
    response = connection.getresponse()
    data = response.read()
    assert response.status == 200, (path, response.status, data)
    return response.headers, data


if os.environ.get("BROKEN"):
    ask("POST", "init/error", b'{"errorMessage": "no database", "errorType": "DatabaseError"}')
    sys.exit(3)
while True:
    headers, event = ask("GET", "invocation/next")
    kind, name = headers["x-fc-function-type"], headers["x-fc-request-id"]
    int(headers["x-fc-function-deadline"]), int(headers["x-fc-function-timeout"])
    print("type", kind, headers.get("x-fc-stop-reason", "-"), flush=True)
    if event == b"fail":
        body = b'{"errorMessage": "out of ink", "errorType": "InkError", "stackTrace": []}'
        ask("POST", "invocation/" + name + "/error", body)
    elif event == b"exit":
        os._exit(7)
    elif event == b"headers":
        ask("POST", "invocation/" + name + "/response", json.dumps(dict(headers)).encode())
    else:
        ask("POST", "invocation/" + name + "/response", event)
"""
)
"""Asks the runtime API for work, as a program built with the Go SDK does."""
