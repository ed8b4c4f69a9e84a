"""What a handler may answer, and every way in which it can fail to."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from live_sandbox import BOTH, Live, Output, Wire, run
from sojourn.errors import InstanceStartFailed
from sojourn.sandbox import InstanceDied, Reply

ANSWERS = [
    ("return event", b"\x00\xffabc"),
    ("return 'grüße'", "grüße".encode()),
    ("return None", b"null"),
    ("return {'a': [1, 2.5, None, True]}", b'{"a": [1, 2.5, null, true]}'),
    ("return bytearray(b'x')", b"x"),
    ("return memoryview(b'xy')", b"xy"),
]

ERRORS = [
    ("raise ValueError('no such thing')", "ValueError", "no such thing"),
    ("return {1, 2}", "TypeError", "cannot be serialised as JSON"),
    ("a = []; a.append(a); return a", "ValueError", "cannot be serialised as JSON"),
    ("import sys; sys.exit(3)", "SystemExit", "Process exited unexpectedly before completing request"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
    ("raise type('Odd', (Exception,), {'__str__': lambda s: 1 / 0})", "Odd", "without a message"),
    ("return 'x' * (32 * 1024 * 1024 + 1)", "ResponseTooLarge", "33554432 bytes"),
    ("return '\\ud800'", "UnicodeEncodeError", "surrogates"),
    ("def f(): f()\n    f()", "RecursionError", "recursion"),
]

IMPORTS = [
    ({"index.py": "x = 1"}, "index.handler", "HandlerNotFound", ["'handler'", "'index'", "'index.handler'"]),
    ({"index.py": "handler = 1"}, "index.handler", "HandlerNotFound", ["'handler'", "not callable"]),
    ({"index.py": ""}, "other.handler", "ImportModuleError", ["'other'", "'other.handler'", "No module named"]),
    ({"index.py": "import nothing_like_it"}, "index.handler", "ImportModuleError", ["'index'", "nothing_like_it"]),
    ({"index.py": "def handler(:"}, "index.handler", "SyntaxError", ["'index'", "'index.handler'", "line 1"]),
    ({"index.py": "1 / 0"}, "index.handler", "ZeroDivisionError", ["'index'", "division by zero"]),
    ({"index.py": "raise SystemExit(4)"}, "index.handler", "SystemExit", ["'index'", "4"]),
]


def _handler(body: str) -> str:
    return f"def handler(event, context):\n    {body}\n"


def _document(reply: Reply) -> dict[str, object]:
    found = json.loads(reply.payload)
    assert isinstance(found, dict)
    return found


@BOTH
def test_answers_reach_the_host_as_they_are(level: str) -> None:
    """Str and bytes go out as they are, None as null, everything else as JSON."""

    async def body() -> None:
        async with Live(level) as live:
            for line, expected in ANSWERS:
                reply = await live.call(await live.make(_handler(line)), b"\x00\xffabc")

                assert (reply.ok, reply.payload) == (True, expected), line
                assert reply.memory_peak_bytes > 1_000_000

    run(body)


@BOTH
def test_every_error_is_a_document_with_its_type(level: str) -> None:
    """Whatever user code raises is an error document; the instance lives and answers the next call."""

    async def body() -> None:
        async with Live(level) as live:
            for line, kind, words in ERRORS:
                name = await live.make(_handler(f"if event == b'fine': return 'fine'\n    {line}"))
                reply = await live.call(name)
                document = _document(reply)

                assert (reply.ok, reply.kind, reply.type) == (False, "UnhandledInvocationError", kind), line
                assert words in reply.message
                assert document["errorType"] == kind
                assert document["errorMessage"] == reply.message
                assert (await live.call(name, b"fine")).payload == b"fine"

    run(body)


@BOTH
def test_a_stack_trace_shows_user_code_only(level: str) -> None:
    """The trace has file, line, function and source of the user's frames and none of the runtime's."""

    async def body() -> None:
        async with Live(level) as live:
            source = "def handler(event, context):\n    return inner()\n\ndef inner():\n    raise ValueError('x')\n"
            reply = await live.call(await live.make(source))
            trace = _document(reply)["stackTrace"]
            assert isinstance(trace, list)
            root = "/code" if level == "bubblewrap" else str(live.code / "code1")
            file = f'File "{root}/index.py"'

            assert trace == [
                [file, "line 2", "in handler", "return inner()"],
                [file, "line 5", "in inner", "raise ValueError('x')"],
            ]

    run(body)


@BOTH
def test_a_handler_that_cannot_be_loaded_says_which_and_why(level: str) -> None:
    """A missing module, a missing function, a syntax error and a failing import name handler and module."""

    async def body() -> None:
        async with Live(level) as live:
            for files, handler, kind, words in IMPORTS:
                digest = live.add(files["index.py"])
                reply = await live.call(await live.make(digest=digest, handler=handler))

                assert (reply.ok, reply.type) == (False, kind)
                assert [word for word in words if word not in reply.message] == []

    run(body)


@BOTH
def test_handlers_in_packages(level: str) -> None:
    """`pkg/mod.handler` and `pkg.mod.handler` mean the same."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add("", **{"pkg/mod.py": "def handler(event, context): return __name__"})
            for handler in ("pkg/mod.handler", "pkg.mod.handler"):
                assert (await live.call(await live.make(digest=digest, handler=handler))).payload == b"pkg.mod"

    run(body)


DEATHS = [
    ("import os; os._exit(7)", 7, None),
    ("import os; os._exit(0)", 0, None),
    ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143, None),
    ("import ctypes; ctypes.string_at(0)", None, 11),
    ("import os; os.abort()", None, 6),
]
ABORT_AS_FIRST_PROCESS = 11
"""The first process of a pid namespace cannot send itself a deadly signal; libc's abort then faults on purpose."""


@BOTH
def test_a_process_that_ends_is_told_from_an_error(level: str) -> None:
    """os._exit, a crash and a signal raise InstanceDied with how the process went, and on_exit is called once."""

    async def body() -> None:
        async with Live(level) as live:
            for line, code, wanted in DEATHS:
                signal = ABORT_AS_FIRST_PROCESS if wanted == 6 and level == "bubblewrap" else wanted
                name = await live.make(_handler(line))
                with pytest.raises(InstanceDied) as died:
                    await live.call(name)

                assert (died.value.exit.code, died.value.exit.signal) == (code, signal), line
                assert died.value.lost is False
                assert died.value.exit.oom is False
                assert live.exits[-1] == (name, died.value.exit)
                assert await live.stop(name, 1.0) == died.value.exit
            assert len(live.exits) == len(DEATHS)

    run(body)


@BOTH
def test_output_comes_live_and_before_the_answer(level: str) -> None:
    """Prints, logger lines and writes of child processes arrive in order, and all of them before the answer."""

    async def body() -> None:
        source = """
            import os, subprocess, sys, threading
            def handler(event, context):
                print("first")
                print("second", file=sys.stderr)
                context.logger.warning("third %s", 3)
                subprocess.run(["/bin/sh", "-c", "echo fourth"], check=True)
                sys.stdout.write("no newline")
                return "done"
        """
        async with Live(level) as live:
            log = Output()
            reply = await live.call(await live.make(source), b"", log)
            lines = log.text.split("\n")

            assert reply.payload == b"done"
            assert lines[:2] == ["first", "second"]
            assert lines[2].endswith("Z 1-test [WARNING] third 3")
            assert lines[3:] == ["fourth", "no newline"]

    run(body)


@BOTH
def test_output_between_two_calls_belongs_to_neither(level: str) -> None:
    """What a background thread writes while nothing runs does not end up in the next call's output."""

    async def body() -> None:
        source = """
            import socket, threading
            def later(wire):
                wire.recv(1)
                print("stray", flush=True)
                wire.sendall(b"x")
            def handler(event, context):
                if event.isdigit():
                    wire = socket.create_connection(("127.0.0.1", int(event)))
                    threading.Thread(target=later, args=(wire,)).start()
                else:
                    print("second")
        """
        async with Live(level) as live, Wire() as wire:
            name = await live.make(source)
            await live.call(name, wire.port)
            await wire.let_go()
            await wire.said()
            log = Output()
            await live.call(name, b"x", log)

            assert log.text == "second\n"

    run(body)


@BOTH
def test_a_flood_of_output_is_bounded_and_counted(level: str) -> None:
    """64 MB of output neither stall the handler nor arrive; the end does, and what is missing is counted exactly."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                for _ in range(1024):
                    os.write(1, b"x" * 65536)
                os.write(1, b"the end")
        """
        async with Live(level) as live:
            log = Output()
            await live.call(await live.make(source), b"", log)

            assert log.data.endswith(b"the end")
            assert len(log.data) < 8 * 1024 * 1024
            assert len(log.data) + log.dropped == 1024 * 65536 + len(b"the end")

    run(body)


@BOTH
def test_code_that_is_not_there_cannot_be_created(level: str) -> None:
    """An unknown digest is CodeMissing and not a loss."""

    async def body() -> None:
        async with Live(level) as live:
            with pytest.raises(InstanceStartFailed) as failed:
                await live.make(digest="nothing")

            assert (failed.value.cause, failed.value.lost) == ("CodeMissing", False)

    run(body)


@BOTH
def test_a_child_that_returns_from_the_handler_answers_nothing(level: str) -> None:
    """A forked child that leaves the handler too is ended; the parent's answer is the only one."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                child = os.fork()
                if child:
                    os.waitpid(child, 0)
                return "parent" if child else "child"
        """
        async with Live(level) as live:
            name = await live.make(source)

            assert [(await live.call(name)).payload for _ in range(3)] == [b"parent"] * 3

    run(body)


@BOTH
def test_a_cancelled_call_leaves_the_channel_whole(level: str) -> None:
    """The late answer of a cancelled call goes nowhere, and the instance takes the next call after it."""

    async def body() -> None:
        source = """
            import socket
            def handler(event, context):
                if event.isdigit():
                    print("on", flush=True)
                    socket.create_connection(("127.0.0.1", int(event))).recv(1)
                return event
        """
        async with Live(level) as live, Wire() as wire:
            name = await live.make(source)
            log = Output()
            call = asyncio.ensure_future(live.call(name, wire.port, log))
            await log.until("on")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            with pytest.raises(RuntimeError, match="runs something already"):
                await live.call(name, b"second")
            await wire.let_go()
            third = None
            while third is None:
                with contextlib.suppress(RuntimeError):
                    third = await live.call(name, b"third")
                await asyncio.sleep(0)

            assert third.payload == b"third"

    run(body)


@BOTH
def test_large_payloads_pass_both_ways(level: str) -> None:
    """32 MiB in and out, the limit itself, arrive unchanged."""

    async def body() -> None:
        payload = bytes(range(256)) * (4096 * 32)
        async with Live(level) as live:
            name = await live.make(_handler("return event"), memory_mb=512)

            assert (await live.call(name, payload)).payload == payload

    run(body)


HOSTILE = [
    "os.write(fd, b'\\xff' * 4096)",
    "os.write(fd, struct.pack('>IBQI', 2**31, 18, 1, 0))",
    "os.write(fd, struct.pack('>IBQI', 17, 18, 10**6, 0) + bytes(17))",
    "os.write(fd, struct.pack('>IBQI', 3, 18, 0, 0) + bytes(3))",
    "os.write(fd, struct.pack('>IBQI', 0, 32, 0, 0))",
    "os.write(fd, struct.pack('>IBQI', 0, 99, 0, 0) * 1000)",
    "os.close(fd)",
]


@BOTH
def test_an_instance_that_abuses_its_socket_is_killed(level: str) -> None:
    """Garbage, a huge length, an answer to another request and a closed socket end the instance and nothing else."""

    async def body() -> None:
        async with Live(level) as live:
            other = await live.make(_handler("return event"))
            for line in HOSTILE:
                source = _handler(f"import os, struct, time; fd = 3; {line}; time.sleep(60)")
                name = await live.make(source)
                with pytest.raises(InstanceDied) as died:
                    await live.call(name)

                assert (died.value.exit.signal, died.value.lost) == (9, False), line
                assert (await live.call(other, b"still here")).payload == b"still here"

    run(body)
