"""The functions under load: they do little, and write down in the journal all they do.

What an invocation does is the first word of its payload, so that one function shows every behaviour. `LABEL` is of the
code: which function, how often it was created and updated. The same text runs as a Python function and, behind a small
HTTP server, as a program of a custom runtime.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping

import msgspec

from sojourn.sandboxes.start import own_interpreter

RUNTIME = f"python3.{sys.version_info.minor}"

_COMMON = """\
import array, hashlib, json, os, socket, time

LABEL = "@LABEL@"
INSTANCE = os.environ["FC_INSTANCE_ID"]


def journal():
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect("\\0" + os.environ["JOURNAL"])
        wire.sendall(INSTANCE.encode())
        found = wire.recvmsg(1, socket.CMSG_LEN(4))[1]
    return array.array("i", found[0][2][:4])[0]


FD = journal()


def say(request, attempt, word):
    fields = (request, attempt, INSTANCE, LABEL, os.getpid(), word, time.monotonic_ns())
    os.write(FD, (" ".join(map(str, fields)) + "\\n").encode())


def beat(request, attempt, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.02)
        say(request, attempt, "beat")


def work(event, request, attempt):
    say(request, attempt, "begin")
    kind = event.partition(b" ")[0].decode()
    if kind == "child":
        import subprocess

        subprocess.Popen(["sleep", os.environ["SLEEP"]], env={}, start_new_session=True)
    if kind in ("slow", "child"):
        beat(request, attempt, 0.3)
    elif kind == "long":
        beat(request, attempt, 1.2)
    elif kind == "hang" and attempt == 1:
        beat(request, attempt, 60)
    elif kind == "crash" and attempt == 1:
        os._exit(7)
    if kind == "broken" or kind == "flaky" and attempt == 1:
        say(request, attempt, "end")
        raise ConnectionError("not yet")
    say(request, attempt, "end")
    return {"request": request, "attempt": attempt, "digest": hashlib.sha256(event).hexdigest()[:16], "label": LABEL}
"""

_PYTHON = """

def handler(event, context):
    return work(event, context.request_id, context.retry_count + 1)


def hook(name, seconds):
    def run(context):
        say(context.request_id, 0, name + "-begin")
        time.sleep(seconds)
        say(context.request_id, 0, name + "-end")
    return run


initializer, pre_freeze, pre_stop = hook("initializer", 0.1), hook("preFreeze", 0.1), hook("preStop", 0.15)
"""

_PROGRAM = """

import _thread


def serve(wire):
    with wire, wire.makefile("rb") as lines:
        if not lines.readline():
            return
        pairs = (line.decode().partition(":") for line in iter(lines.readline, b"\\r\\n"))
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        event = lines.read(int(headers.get("content-length", "0")))
        try:
            answer, status = work(event, headers["x-fc-request-id"], int(headers["x-fc-retry-count"]) + 1), "200"
        except ConnectionError as error:
            answer, status = {"errorMessage": str(error), "errorType": "ConnectionError"}, "404"
        body = json.dumps(answer)
        head = "HTTP/1.1 %s x\\r\\nx-fc-status: %s\\r\\ncontent-length: %d\\r\\nconnection: close\\r\\n\\r\\n"
        wire.sendall((head % (status, status, len(body)) + body).encode())


time.sleep(float(os.environ["SLOW_START"]))
listener = socket.create_server(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])))
while True:
    _thread.start_new_thread(serve, (listener.accept()[0],))
"""


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """A function of the load: what it is called and how it is configured; times in seconds.

    `kinds` are what its payloads may ask for, `churn` whether it is deleted and created again, `settings` further
    fields as the API spells them.
    """

    name: str
    kinds: tuple[str, ...]
    share: int
    custom: bool = False
    hooks: bool = False
    churn: bool = False
    reserved: int | None = None
    retries: int = 3
    max_age: int | None = None
    delays: tuple[int, ...] = (0,)
    told: bool = False
    aliased: bool = False
    timeout: int = 2


DESIGNS: Mapping[str, Design] = {
    design.name: design
    for design in (
        Design(name="plain", share=5, kinds=("quick", "quick", "quick", "slow", "flaky", "child", "crash")),
        Design(name="hooked", share=3, kinds=("quick", "slow", "flaky", "long"), hooks=True),
        Design(name="custom", share=2, kinds=("quick", "slow", "flaky"), custom=True, reserved=4, timeout=3),
        Design(name="limited", share=2, kinds=("quick", "slow"), reserved=2),
        Design(name="churned", share=3, kinds=("quick", "slow", "flaky"), churn=True, delays=(0, 0, 1)),
        Design(name="aging", share=1, kinds=("quick", "slow", "broken"), max_age=2, delays=(0, 1, 3)),
        Design(name="told", share=2, kinds=("quick", "flaky", "broken"), told=True, retries=1),
        Design(name="strict", share=1, kinds=("quick", "broken", "crash", "hang"), retries=0),
        Design(name="versioned", share=2, kinds=("quick", "slow"), aliased=True),
    )
}


def archive(design: Design, label: str) -> bytes:
    """The code of a function."""
    common = _COMMON.replace("@LABEL@", label)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        if design.custom:
            info = zipfile.ZipInfo("bootstrap")
            info.external_attr = 0o755 << 16
            file.writestr(info, f"#!{own_interpreter().executable} -IS\n{common}{_PROGRAM}")
        else:
            file.writestr("index.py", common + _PYTHON)
    return buffer.getvalue()


def settings(design: Design) -> dict[str, object]:
    """Its further fields, as the API spells them."""
    more: dict[str, object] = {"idleTimeout": 1 if design.hooks else 20}
    if design.hooks:
        more["instanceLifecycleConfig"] = {
            "initializer": {"handler": "index.initializer", "timeout": 2},
            "preFreeze": {"handler": "index.pre_freeze", "timeout": 2},
            "preStop": {"handler": "index.pre_stop", "timeout": 2},
        }
    return more


def environment(journal: str, sleep: str) -> dict[str, str]:
    """What its instances are told: the journal's name, and how long grandchildren sleep, by which they are found."""
    return {"JOURNAL": journal, "SLEEP": sleep, "SLOW_START": "0.3"}
