"""The functions that the kit deploys: a worker that does what its event says, and two servers of HTTP.

They are Python of 3.6 to the newest, need no library, and go to the endpoint as zip archives whose bytes are always the
same.
"""

from __future__ import annotations

import io
import zipfile

HANDLER = "index.handler"

WORKER = '''
"""Does what its event says; an event that is no order comes back as it is."""
import json, os, sys, time
try:
    from urllib.request import Request, urlopen
except ImportError:
    pass

BORN = os.urandom(8).hex()
SEEN = {"calls": 0, "initialized": 0, "frozen": 0, "order": []}


def initialize(context):
    SEEN["initialized"] += 1
    SEEN["order"].append("initialize")
    if os.environ.get("INITIALIZER") == "fails":
        raise RuntimeError("as configured")


def pre_freeze(context):
    SEEN["frozen"] += 1
    SEEN["order"].append("pre_freeze")


def pre_stop(context):
    url = os.environ.get("COLLECTOR")
    if url:
        headers = {"X-Fc-Invocation-Type": "Async"}
        urlopen(Request(url, data=b"pre_stop", headers=headers), timeout=10).read()
    time.sleep(float(os.environ.get("LINGER", "0")))


def handler(event, context):
    SEEN["calls"] += 1
    SEEN["order"].append("handler")
    order = json.loads(event.decode()) if event[:5] == b'{"do"' else {"do": "echo"}
    return globals()["do_" + order["do"]](order, event, context)


def do_echo(order, event, context):
    return event


def do_sleep(order, event, context):
    time.sleep(order["seconds"])
    return "slept"


def do_print(order, event, context):
    print(order["text"] * order.get("times", 1))
    return "printed"


def do_fail(order, event, context):
    raise ValueError("as ordered")


def do_flaky(order, event, context):
    if int(context.retry_count) < order["failures"]:
        raise ConnectionError("not yet")
    return {"retryCount": int(context.retry_count)}


def do_exit(order, event, context):
    os._exit(3)


def do_value(order, event, context):
    return order["value"]


def do_unserialisable(order, event, context):
    return object()


def do_tell(order, event, context):
    function = context.function
    function = function if isinstance(function, dict) else function.__dict__
    return json.dumps(
        {
            "seen": SEEN,
            "born": BORN,
            "requestId": context.request_id,
            "accountId": context.account_id,
            "region": context.region,
            "name": function["name"],
            "handler": function["handler"],
            "memory": int(function["memory"]),
            "timeout": int(function["timeout"]),
            "retryCount": int(context.retry_count),
            "folder": os.getcwd(),
            "environment": {name: text for name, text in os.environ.items() if name[:3] in ("FC_", "CON")},
        }
    )


def do_write(order, event, context):
    with open("/tmp/conform", "w") as file:
        file.write("written")
    with open("/tmp/conform") as file:
        return file.read()


def do_answer(order, event, context):
    return order["answer"]
'''

OTHER = """
def handler(event, context):
    return "other"
"""
"""Other code, for updates and versions."""

BROKEN = "import nothing_of_this_name\n"
"""Code whose import fails."""

WEB = """
import json


def handler(event, context):
    request = json.loads(event.decode())
    if request.get("rawPath", "").endswith("/broken"):
        raise ValueError("as asked")
    if request.get("rawPath", "").endswith("/plain"):
        return "plain"
    answer = {"statusCode": 201, "headers": {"X-Conform": "yes", "Content-Type": "application/json"}}
    answer["body"] = json.dumps(request)
    return answer
"""
"""Answers the requests of an HTTP trigger with what it was told of them."""

SERVER = """
import json, os, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

LOCK = threading.Lock()
STATE = {"now": 0, "most": 0}
BORN = os.urandom(8).hex()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with LOCK:
            STATE["now"] += 1
            STATE["most"] = max(STATE["most"], STATE["now"])
        time.sleep(float(body.decode() or "0"))
        with LOCK:
            STATE["now"] -= 1
        path = self.headers.get("x-fc-control-path")
        data = json.dumps({"born": BORN, "most": STATE["most"], "path": path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


class Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    request_queue_size = 64


Server(("0.0.0.0", int(os.environ.get("FC_SERVER_PORT") or 9000)), Handler).serve_forever()
"""
"""A custom runtime that counts how many requests it holds at a time."""


def archive(source: str, name: str = "index.py") -> bytes:
    """`source` as the one file of a zip; the same source always gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
        info.external_attr = 0o644 << 16
        zipped.writestr(info, source)
    return buffer.getvalue()
