"""Custom runtimes in real sandboxes: what a program is asked, and what its answers mean."""

from __future__ import annotations

import asyncio
import json

import pytest

from live_sandbox import BOTH, Live, Output, run
from programs import POLLER, SERVER
from runtimes.bootstraps import made
from sojourn.sandbox import InstanceDied


@BOTH
def test_an_event_goes_in_as_it_is_and_the_body_comes_out(level: str) -> None:
    """Also a second time, over the same connection; output is the invocation's."""

    async def body() -> None:
        async with Live(level) as live:
            name, log = await made(live), Output()
            first = await live.call(name, b"\x00binary", log)
            peers = [(await live.call(name, b"peer")).payload for _ in range(3)]
            exit_ = await live.stop(name, 20.0)
        assert (first.ok, first.payload) == (True, b"\x00binary")
        assert "1-test got \x00binary\n" in log.text
        assert len(set(peers)) == 1
        assert (exit_.code, exit_.processes_left) == (143, 0)

    run(body)


def test_the_headers_tell_of_function_and_execution() -> None:
    """Everything that Function Compute's contract names, and nothing but strings."""

    async def body() -> None:
        async with Live("process") as live:
            name = await made(live, hooks={"initializer": 20, "pre_stop": 30})
            assert (await live.initialize(name)).ok
            headers = json.loads((await live.call(name, b"headers")).payload)
        told = {key.lower(): value for key, value in headers.items() if key.lower().startswith("x-fc-")}
        assert told.pop("x-fc-function-deadline").isdigit()
        assert told.pop("x-fc-instance-id") == name
        assert told == {
            "x-fc-request-id": "1-test",
            "x-fc-control-path": "/invoke",
            "x-fc-access-key-id": "",
            "x-fc-access-key-secret": "",
            "x-fc-security-token": "",
            "x-fc-function-name": "f",
            "x-fc-function-handler": "",
            "x-fc-function-memory": "256",
            "x-fc-function-timeout": "9",
            "x-fc-function-initializer": "index.initializer",
            "x-fc-initialization-timeout": "20",
            "x-fc-instance-lifecycle-pre-stop-handler": "index.pre_stop",
            "x-fc-region": "here",
            "x-fc-account-id": "1",
            "x-fc-qualifier": "LATEST",
            "x-fc-version-id": "LATEST",
            "x-fc-service-name": "",
            "x-fc-service-logproject": "",
            "x-fc-service-logstore": "",
            "x-fc-retry-count": "0",
        }
        assert headers["content-type"] == "application/octet-stream"

    run(body)


def test_only_x_fc_status_makes_a_failure() -> None:
    """A status of 500 is a success without it; with it the body is the error, JSON or not."""

    async def body() -> None:
        async with Live("process") as live:
            name = await made(live)
            kept, failed, plain, chunked = [
                await live.call(name, event) for event in (b"status", b"fail", b"plain", b"chunked")
            ]
        assert (kept.ok, kept.payload) == (True, b"kept")
        assert (failed.ok, failed.type, failed.message) == (False, "InkError", "out of ink")
        assert (failed.retryable, failed.retry_after_seconds) == (False, 7.5)
        assert (plain.ok, plain.type, plain.message) == (False, "FunctionError", "just words")
        assert plain.retryable
        assert chunked.payload == b"onetwo"

    run(body)


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (b"reset", "BadResponse", "POST /invoke was not answered"),
        (b"large", "ResponseTooLarge", "larger than the limit of 33554432 bytes"),
        (b"wide", "BadResponse", "headers are larger than 8192 bytes"),
    ],
)
def test_a_bad_answer_is_a_function_error(event: bytes, kind: str, words: str) -> None:
    """And the instance goes on."""

    async def body() -> None:
        async with Live("process") as live:
            name = await made(live)
            reply = await live.call(name, event)
            after = await live.call(name, b"fine")
        assert (reply.ok, reply.type) == (False, kind)
        assert words in reply.message
        assert after.payload == b"fine"

    run(body)


@BOTH
def test_the_end_of_the_program_is_the_end_of_the_instance(level: str) -> None:
    """With the same status, told as a crash."""

    async def body() -> None:
        async with Live(level) as live:
            name = await made(live)
            with pytest.raises(InstanceDied) as caught:
                await live.call(name, b"exit")
        assert caught.value.exit.code == 7

    run(body)


@BOTH
def test_hooks_reach_the_program_also_while_it_is_busy(level: str) -> None:
    """With the reason, the task and the time that is left."""

    async def body() -> None:
        async with Live(level) as live:
            name = await made(live, hooks={"initializer": 20, "pre_freeze": 20, "pre_stop": 30})
            log = Output()
            assert (await live.initialize(name, log)).ok
            frozen = await live.freeze(name, log)
            live.sandbox.thaw(name)
            busy = asyncio.ensure_future(live.call(name, b"wait", log))
            await log.until("waits")
            exit_ = await live.stop(name, 20.0, log, task_id="t-1")
            await asyncio.gather(busy, return_exceptions=True)
        assert frozen is not None
        assert frozen.ok
        assert exit_.pre_stop is not None
        assert exit_.pre_stop.ok
        lines = log.text.splitlines()
        assert "initializing" in lines
        assert "/pre-freeze /pre-freeze - - -" in lines
        assert "/pre-stop /pre-stop stop t-1 30000" in lines

    run(body)


@pytest.mark.parametrize(
    ("status", "ok"), [("200", True), ("204", True), ("400", False), ("404", False), ("500", False)]
)
def test_a_hook_went_well_when_its_status_says_so(status: str, ok: bool) -> None:  # noqa: FBT001 - a row of the table
    """2xx is well, everything else is not, and the body says why."""

    async def body() -> None:
        async with Live("process") as live:
            name = await made(live, hooks={"initializer": 20}, environment={"INITIALIZE_STATUS": status})
            outcome = await live.initialize(name)
        assert outcome.ok is ok
        assert ok or outcome.message == "no database"

    run(body)


def test_many_invocations_run_at_a_time_with_their_own_lines() -> None:
    """Two hundred of them, and each gets the lines that name it."""

    async def body() -> None:
        async with Live("bubblewrap") as live:
            name = await made(live, concurrency=200)
            logs = [Output() for _ in range(200)]
            calls = [
                live.call(name, f"event {number}".encode(), log, request_id=f"request-{number:03}")
                for number, log in enumerate(logs)
            ]
            replies = await asyncio.gather(*calls)
        assert [reply.payload for reply in replies] == [f"event {number}".encode() for number in range(200)]
        assert all(f"request-{number:03} got event {number}\n" in log.text for number, log in enumerate(logs))

    run(body)


def test_one_of_several_invocations_can_be_cancelled() -> None:
    """The program is asked by DELETE; the other invocation goes on."""

    async def body() -> None:
        async with Live("process") as live:
            name, log = await made(live, concurrency=2), Output()
            first = asyncio.ensure_future(live.call(name, b"wait", log, request_id="one"))
            second = asyncio.ensure_future(live.call(name, b"wait", log, request_id="two"))
            await log.until("one waits")
            await log.until("two waits")
            assert await live.sandbox.cancel(name, "one", 10.0)
            assert not second.done()
            assert "DELETE /invoke /invoke" in log.text
            assert await live.sandbox.cancel(name, "two", 10.0)
            assert (await live.call(name, b"fine", request_id="three")).payload == b"fine"
            for call in (first, second):
                call.cancel()

    run(body)


def test_a_program_that_does_not_cancel_keeps_its_invocation() -> None:
    """The answer comes when the grace is over, and only a stop helps then."""

    async def body() -> None:
        async with Live("process") as live:
            name, log = await made(live, concurrency=2, environment={"DEAF": "1"}), Output()
            call = asyncio.ensure_future(live.call(name, b"wait", log, request_id="one"))
            await log.until("one waits")
            assert not await live.sandbox.cancel(name, "one", 0.2)
            await live.stop(name, 1.0)
            with pytest.raises(InstanceDied):
                await call

    run(body)


@BOTH
def test_a_program_may_ask_the_runtime_api_instead(level: str) -> None:
    """As programs built with the Go SDK do on custom.debian10."""

    async def body() -> None:
        async with Live(level) as live:
            name = await made(live, POLLER)
            assert (await live.call(name, b"polled")).payload == b"polled"

    run(body)


def test_rights_are_gone_from_the_program() -> None:
    """What the agent keeps to make networks is not left to user code."""

    async def body() -> None:
        async with Live("bubblewrap") as live:
            reads = SERVER.replace(
                'elif body == b"headers":',
                'elif body == b"rights":\n            self.answer(open("/proc/self/status").read().encode())\n'
                '        elif body == b"headers":',
            )
            name = await made(live, reads, offline=True)
            status = (await live.call(name, b"rights")).payload.decode()
        found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert {found[part] for part in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")

    run(body)
