"""Node.js functions in real sandboxes: what a handler may answer, how it may fail, and what it is told."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from live_sandbox import BOTH, Live, Output, run
from sojourn.runtime import Interpreter
from sojourn.runtimes.node import NodeRuntime
from sojourn.sandbox import InstanceDied

FOUND = NodeRuntime().interpreters()
pytestmark = pytest.mark.skipif(not FOUND, reason="needs Node.js")
FACTS = {
    "account_id": "1", "region": "here", "name": "f", "handler": "index.handler", "memory": 256, "timeout": 9,
    "qualifier": "LATEST", "version_id": "LATEST",
}  # fmt: skip


def node() -> Interpreter:
    """The newest Node.js of this machine."""
    return FOUND[0]


def room(level: str = "process") -> Live:
    """A sandbox that can run Node.js."""
    return Live(level, interpreters=FOUND)


async def made(live: Live, source: str = "", *, files: dict[str, str] | None = None, **more: object) -> str:
    """An instance whose index.js is `source`."""
    digest = live.add("", **(files or {"index.js": source}))
    return await live.make(digest=digest, kind="node", program=node().executable, context=FACTS, **more)  # type: ignore[arg-type]  # passed on


ANSWERS = [
    ("(event, context, callback) => callback(null, event)", b"\x00\xffabc"),
    ("async (event) => event", b"\x00\xffabc"),
    ("(event) => event", b"\x00\xffabc"),
    ("async () => 'grüße'", "grüße".encode()),
    ("async () => ({a: [1, 2.5, null, true]})", b'{"a":[1,2.5,null,true]}'),
    ("async () => {}", b"null"),
    ("(event, context, callback) => callback()", b"null"),
    ("async () => new Uint8Array([65, 66])", b"AB"),
    ("async () => new Uint8Array([65, 66]).buffer", b"AB"),
    ("(event, context, callback) => { setTimeout(() => callback(null, 'later'), 5) }", b"later"),
    ("async (event) => Buffer.isBuffer(event)", b"true"),
]


@pytest.mark.parametrize(("handler", "answer"), ANSWERS)
def test_a_handler_may_answer_by_callback_promise_or_value(handler: str, answer: bytes) -> None:
    """Bytes and text as they are, everything else as JSON."""

    async def body() -> None:
        async with room() as live:
            reply = await live.call(await made(live, f"exports.handler = {handler}"), b"\x00\xffabc")
        assert (reply.ok, reply.payload) == (True, answer)

    run(body)


UNHANDLED, HANDLED = "UnhandledInvocationError", "HandledInvocationError"
ERRORS = [
    ("(e, c, callback) => callback(new TypeError('bad'))", HANDLED, "TypeError", "bad"),
    ("(e, c, callback) => callback('words')", HANDLED, "string", "words"),
    ("(e, c, callback) => { throw new RangeError('far') }", UNHANDLED, "RangeError", "far"),
    ("async () => { throw new RangeError('far') }", UNHANDLED, "RangeError", "far"),
    ("async () => { throw null }", UNHANDLED, "object", "null"),
    ("async () => { const a = {}; a.a = a; return a }", UNHANDLED, "TypeError", "cannot be serialised as JSON"),
    ("async () => () => 1", UNHANDLED, "TypeError", "cannot be serialised as JSON"),
    ("async () => 10n", UNHANDLED, "TypeError", "cannot be serialised as JSON"),
    ("async () => 'x'.repeat(32 * 1024 * 1024 + 1)", UNHANDLED, "ResponseTooLarge", "33554432 bytes"),
    ("(e, c, callback) => { setTimeout(() => { throw new Error('from a timer') }, 1) }", UNHANDLED, "Error", "timer"),
    ("(e, c, callback) => { Promise.reject(new Error('nobody cares')) }", UNHANDLED, "Error", "nobody cares"),
    ("async () => { const f = () => f(); f() }", UNHANDLED, "RangeError", "call stack"),
]


@pytest.mark.parametrize(("handler", "kind", "type_", "words"), ERRORS)
def test_every_failure_of_a_handler_is_a_function_error(handler: str, kind: str, type_: str, words: str) -> None:
    """And the instance goes on with the next event."""

    async def body() -> None:
        async with room() as live:
            chosen = "async (e) => e.length ? 'fine' : failing()"
            if not handler.startswith("async"):
                chosen = "(e, c, callback) => e.length ? callback(null, 'fine') : failing(e, c, callback)"
            source = f"const failing = {handler}\nexports.handler = {chosen}"
            name = await made(live, source)
            failed, after = await live.call(name), await live.call(name, b"x")
        assert (failed.ok, failed.kind, failed.type) == (False, kind, type_)
        assert words in failed.message
        assert after.payload == b"fine"

    run(body)


def test_an_error_tells_its_stack_and_its_wishes() -> None:
    """The user's own lines, none of the runtime's; and whether and when to try again."""

    async def body() -> None:
        async with room("bubblewrap") as live:
            source = """\
            function deep() { throw Object.assign(new Error('busy'), {retryAfter: 2.5, retry: false}); }
            exports.handler = async () => deep();
            """
            reply = await live.call(await made(live, source))
        document = json.loads(reply.payload)
        assert (reply.retryable, reply.retry_after_seconds) == (False, 2.5)
        assert [re.sub(r":\d+:\d+\)$", ")", line) for line in document["stackTrace"]] == [
            "at deep (/code/index.js)",
            "at exports.handler (/code/index.js)",
        ]

    run(body)


TYPED = {"package.json": '{"type": "module"}'}
MODULES = [
    ({"index.mjs": "export const handler = async () => 'esm'"}, "index.handler", b"esm"),
    ({"index.js": "export const handler = async () => 'typed'", **TYPED}, "index.handler", b"typed"),
    ({"index.js": "export default {handler: async () => 'default'}", **TYPED}, "index.handler", b"default"),
    ({"index.cjs": "exports.handler = async () => 'cjs'", **TYPED}, "index.handler", b"cjs"),
    ({"src/deep/index.js": "exports.run = async () => 'deep'"}, "src/deep/index.run", b"deep"),
    (
        {
            "index.js": "exports.handler = async () => require('thing')()",
            "node_modules/thing/index.js": "module.exports = () => 'module'",
        },
        "index.handler",
        b"module",
    ),
    (
        {
            "index.js": "exports.handler = async () => (await import('./other.mjs')).default",
            "other.mjs": "export default 'imported'",
        },
        "index.handler",
        b"imported",
    ),
    (
        {
            "index.js": "exports.handler = async () => process.cwd() + require('fs').readFileSync('data.txt')",
            "data.txt": "!",
        },
        "index.handler",
        b"/code!",
    ),
]


@pytest.mark.parametrize(("files", "handler", "answer"), MODULES)
def test_modules_of_both_kinds_are_found(files: dict[str, str], handler: str, answer: bytes) -> None:
    """CommonJS and ECMAScript, in the code's root or below, with node_modules beside."""

    async def body() -> None:
        async with room("bubblewrap") as live:
            reply = await live.call(await made(live, files=files, handler=handler))
        assert (reply.ok, reply.payload) == (True, answer)

    run(body)


IMPORTS = [
    ({"index.js": ""}, "index.handler", "HandlerNotFound", "'handler' of 'index.handler' is missing on module 'index'"),
    ({"index.js": "exports.handler = 1"}, "index.handler", "HandlerNotFound", "is not a function"),
    ({"index.js": ""}, "other.handler", "ImportModuleError", "there is no other.js, .cjs or .mjs"),
    ({"index.js": "require('missing')"}, "index.handler", "ImportModuleError", "missing"),
    ({"index.js": "exports.handler = ("}, "index.handler", "SyntaxError", "Unable to import module 'index'"),
    ({"index.mjs": "throw new TypeError('no')"}, "index.handler", "TypeError", "Unable to import module 'index'"),
]


@pytest.mark.parametrize(("files", "handler", "type_", "words"), IMPORTS)
def test_a_module_that_does_not_load_is_a_function_error(
    files: dict[str, str], handler: str, type_: str, words: str
) -> None:
    """The message names module and handler."""

    async def body() -> None:
        async with room() as live:
            reply = await live.call(await made(live, files=files, handler=handler))
        assert (reply.ok, reply.type) == (False, type_)
        assert words in reply.message

    run(body)


def test_the_context_tells_of_function_and_execution() -> None:
    """In Function Compute's names."""

    async def body() -> None:
        async with room() as live:
            source = "exports.handler = async (event, context) => ({...context, logger: typeof context.logger.info})"
            context = json.loads((await live.call(await made(live, source))).payload)
        assert context == {
            "requestId": "1-test",
            "credentials": {"accessKeyId": "", "accessKeySecret": "", "securityToken": ""},
            "function": {"name": "f", "handler": "index.handler", "memory": 256, "timeout": 9},
            "service": {"name": "", "logProject": "", "logStore": "", "qualifier": "LATEST", "versionId": "LATEST"},
            "region": "here",
            "accountId": "1",
            "retryCount": 0,
            "logger": "function",
            "tracing": {"spanContext": "", "jaegerEndpoint": "", "spanBaggages": {}},
            "remainingMilliseconds": None,
        }

    run(body)


def test_lines_carry_time_request_and_level() -> None:
    """Of console and of the context's logger alike."""

    async def body() -> None:
        async with room() as live:
            source = """\
            exports.handler = async (event, context) => {
                console.log('count %d', 3, {a: 1}); console.warn('careful'); context.logger.error('broken');
                process.stdout.write('as it is\\n');
            }
            """
            log = Output()
            await live.call(await made(live, source), b"", log)
        lines = [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", "TIME ", line) for line in log.text.splitlines()]
        assert lines == [
            "TIME 1-test [INFO] count 3 { a: 1 }",
            "TIME 1-test [WARN] careful",
            "TIME 1-test [ERROR] broken",
            "as it is",
        ]

    run(body)


HOOKED = """\
let ready = 'no';
exports.initializer = (context, callback) => { ready = context.requestId; console.log('up'); setTimeout(callback, 1); };
exports.pre_freeze = async (context) => { console.log('freezing'); };
exports.pre_stop = async (context) => {
    const left = context.remainingMilliseconds;
    console.log(context.stopReason, context.taskId, left > 0 && left <= 30000);
};
exports.handler = async (event) => {
    if (event.length) { console.log('busy'); await new Promise(() => {}); }
    return ready;
};
"""


@BOTH
def test_hooks_run_and_pre_stop_runs_while_a_handler_waits(level: str) -> None:
    """By callback or promise; each with its own lines."""

    async def body() -> None:
        async with room(level) as live:
            log = Output()
            name = await made(live, HOOKED, hooks={"initializer": 20, "pre_freeze": 20, "pre_stop": 30})
            assert (await live.initialize(name, log)).ok
            assert (await live.call(name)).payload == b"1-initialize"
            frozen = await live.freeze(name, log)
            live.sandbox.thaw(name)
            busy = asyncio.ensure_future(live.call(name, b"x", log))
            await log.until("busy")
            exit_ = await live.stop(name, 20.0, log, task_id="t-1")
            with pytest.raises(InstanceDied):
                await busy
        assert frozen is not None
        assert frozen.ok
        assert exit_.pre_stop is not None
        assert exit_.pre_stop.ok
        assert (exit_.code, exit_.processes_left) == (143, 0)
        assert [line.split("] ")[1] for line in log.text.splitlines()] == ["up", "freezing", "busy", "stop t-1 true"]

    run(body)


def test_a_hook_that_fails_says_why() -> None:
    """By callback or exception."""

    async def body() -> None:
        async with room() as live:
            for source in ("(c, callback) => callback(new Error('no'))", "() => { throw new Error('no') }"):
                name = await made(live, f"exports.initializer = {source}", hooks={"initializer": 20})
                outcome = await live.initialize(name)
                assert (outcome.ok, outcome.type, outcome.message) == (False, "Error", "no")

    run(body)


@BOTH
def test_a_handler_that_never_yields_is_ended_all_the_same(level: str) -> None:
    """PreStop cannot run in it, and times out; what is left is killed."""

    async def body() -> None:
        async with room(level) as live:
            source = "exports.pre_stop = async () => {}; exports.handler = () => { console.log('busy'); for (;;); }"
            name, log = await made(live, source, hooks={"pre_stop": 1}), Output()
            busy = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("busy")
            exit_ = await live.stop(name, 0.1)
            with pytest.raises(InstanceDied):
                await busy
        assert exit_.pre_stop is not None
        assert exit_.pre_stop.timed_out
        assert (exit_.signals_sent, exit_.processes_left) == (("SIGTERM", "SIGKILL"), 0)

    run(body)


def test_process_exit_is_a_crash() -> None:
    """Whatever the status."""

    async def body() -> None:
        async with room() as live:
            name = await made(live, "exports.handler = () => process.exit(9)")
            with pytest.raises(InstanceDied) as caught:
                await live.call(name)
        assert caught.value.exit.code == 9

    run(body)


def test_node_works_within_the_limits_of_an_instance() -> None:
    """Threads, child processes, WebAssembly and large buffers, in the smallest function, behind the filter."""

    async def body() -> None:
        async with room("bubblewrap") as live:
            source = """\
            const {Worker} = require('worker_threads');
            const {execFileSync} = require('child_process');
            exports.handler = async () => {
                const worker = new Worker("require('worker_threads').parentPort.postMessage('thread')", {eval: true});
                const said = await new Promise((resolve) => worker.once('message', resolve));
                await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
                const digest = await new Promise((resolve) => require('crypto').pbkdf2('a', 'b', 9, 9, 'sha1',
                    (error, key) => resolve(key.length)));
                return [said, execFileSync('echo', ['child']).toString().trim(), Buffer.alloc(3e7).length, digest];
            };
            """
            reply = await live.call(await made(live, source, memory_mb=128))
        assert json.loads(reply.payload) == ["thread", "child", 30000000, 9]

    run(body)


def test_garbage_is_collected_before_the_memory_limit() -> None:
    """A heap as large as the machine would allow is not grown."""

    async def body() -> None:
        async with room("bubblewrap") as live:
            source = """\
            exports.handler = async () => {
                let kept = [];
                for (let round = 0; round < 200; round++) kept = Array.from({length: 200000}, (_, n) => ({n}));
                return kept.length;
            };
            """
            reply = await live.call(await made(live, source, memory_mb=128))
        assert reply.payload == b"200000"
        assert reply.memory_peak_bytes < 128 * 1024 * 1024

    run(body)


@BOTH
def test_memory_over_the_limit_ends_the_instance(level: str) -> None:
    """Buffers count too, which V8's own bound does not see."""

    async def body() -> None:
        async with room(level) as live:
            source = """\
            const kept = [];
            exports.handler = async () => {
                for (;;) { kept.push(Buffer.alloc(1e7, 1)); await new Promise((resolve) => setTimeout(resolve, 1)); }
            };
            """
            with pytest.raises(InstanceDied) as caught:
                await live.call(await made(live, source, memory_mb=128))
        assert caught.value.exit.oom

    run(body)


def test_large_events_and_answers_pass() -> None:
    """As large as they may be."""

    async def body() -> None:
        async with room() as live:
            name = await made(live, "exports.handler = async (event) => event", memory_mb=512)
            event = bytes(range(256)) * (32 * 4096)
            assert (await live.call(name, event)).payload == event

    run(body)
