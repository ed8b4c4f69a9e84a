"""Compiled runtimes in real sandboxes: a program that asks for work, as the Go SDK makes them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from live_sandbox import BOTH, Live, Output, run
from programs import FACTS, POLLER, SHEBANG
from sojourn.errors import InstanceStartFailed
from sojourn.sandbox import InstanceDied


async def made(live: Live, source: str = POLLER, **more: object) -> str:
    """An instance of the program `source`."""
    digest = live.add("", main=source)
    return await live.make(digest=digest, kind="poll", handler="main", context=FACTS, **more)  # type: ignore[arg-type]  # passed on


@BOTH
def test_a_program_that_polls_is_a_function(level: str) -> None:
    """Hooks come to it the same way, each with its type; an error it reports is a function error."""

    async def body() -> None:
        async with Live(level) as live:
            name, log = await made(live, hooks={"initializer": 20, "pre_freeze": 20, "pre_stop": 30}), Output()
            assert (await live.initialize(name, log)).ok
            reply = await live.call(name, b"\x00event", log)
            failed = await live.call(name, b"fail", log)
            frozen = await live.freeze(name, log)
            exit_ = await live.stop(name, 20.0, log)
        assert (reply.ok, reply.payload) == (True, b"\x00event")
        assert (failed.ok, failed.type, failed.message) == (False, "InkError", "out of ink")
        assert frozen is not None
        assert frozen.ok
        assert exit_.pre_stop is not None
        assert exit_.pre_stop.ok
        assert log.text.splitlines() == ["type 1 -", "type 0 -", "type 0 -", "type 3 -", "type 2 stop"]

    run(body)


def test_the_headers_are_those_that_the_go_sdk_reads() -> None:
    """It parses deadline, timeout and retry count as numbers, and fails without them."""

    async def body() -> None:
        async with Live("process") as live:
            headers = json.loads((await live.call(await made(live), b"headers")).payload)
        assert headers["x-fc-function-type"] == "0"
        assert (headers["x-fc-request-id"], headers["x-fc-function-name"]) == ("1-test", "f")
        assert (headers["x-fc-function-timeout"], headers["x-fc-retry-count"]) == ("9", "0")
        assert int(headers["x-fc-function-deadline"]) > 1_700_000_000_000

    run(body)


def test_the_end_of_the_program_is_a_crash() -> None:
    """With its status."""

    async def body() -> None:
        async with Live("bubblewrap") as live:
            name = await made(live)
            with pytest.raises(InstanceDied) as caught:
                await live.call(name, b"exit")
        assert caught.value.exit.code == 7

    run(body)


def test_a_program_can_report_that_it_cannot_start() -> None:
    """What it posts to init/error is the reason."""

    async def body() -> None:
        async with Live("process") as live:
            with pytest.raises(InstanceStartFailed, match="cannot start: no database") as caught:
                await made(live, environment={"BROKEN": "1"})
            assert caught.value.cause == "FunctionNotStarted"
            with pytest.raises(InstanceStartFailed, match="main does not exist") as caught:
                await live.make(digest=live.add(""), kind="poll", handler="main")
            assert caught.value.cause == "CAFileNotFound"

    run(body)


def test_only_the_functions_own_user_is_answered() -> None:
    """Another user of the machine asks the runtime API and is hung up on."""

    async def body() -> None:
        async with Live("process") as live:
            if live.uid is None:
                pytest.skip("needs root: the function has the tests' own user")
            source = POLLER.replace("while True:", "import os\nprint(host)\nwhile True:")
            tells = source.replace('b"headers"', 'b"address"').replace("json.dumps(dict(headers))", "host")
            name = await made(live, tells)
            host, _, port = (await live.call(name, b"address")).payload.decode().partition(":")
            with socket.create_connection((host, int(port)), timeout=10) as stranger:
                stranger.sendall(b"GET /2020-11-11/runtime/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n")
                try:
                    heard = stranger.recv(100)
                except ConnectionError:
                    heard = b""
        assert heard == b""

    run(body)


C_PROGRAM = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[65536];

static int ask(const char *request, size_t size) {
    char host[64] = "", *colon;
    struct sockaddr_in place = {.sin_family = AF_INET};
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    size_t got = 0;
    ssize_t count;
    strncpy(host, getenv("FC_RUNTIME_API"), sizeof host - 1);
    colon = strchr(host, ':');
    *colon = 0;
    place.sin_port = htons(atoi(colon + 1));
    inet_pton(AF_INET, host, &place.sin_addr);
    if (connect(sock, (struct sockaddr *)&place, sizeof place)) return -1;
    write(sock, request, size);
    while ((count = read(sock, answer + got, sizeof answer - 1 - got)) > 0) got += count;
    answer[got] = 0;
    close(sock);
    return 0;
}

int main(void) {
    static char request[70000], id[256];
    for (;;) {
        char *body, *found;
        if (ask("GET /2020-11-11/runtime/invocation/next HTTP/1.1\r\nconnection: close\r\n\r\n", 73)) return 1;
        found = strstr(answer, "x-fc-request-id: ") + 17;
        memcpy(id, found, strcspn(found, "\r"));
        id[strcspn(found, "\r")] = 0;
        body = strstr(answer, "\r\n\r\n") + 4;
        printf("compiled code got %zu bytes\n", strlen(body));
        fflush(stdout);
        ask(request, sprintf(request,
            "POST /2020-11-11/runtime/invocation/%s/response HTTP/1.1\r\nconnection: close\r\n"
            "content-length: %zu\r\n\r\n%s", id, strlen(body), body));
    }
}
"""


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_a_compiled_program_runs(tmp_path: Path) -> None:
    """Machine code, behind the filter of system calls, one connection for each request."""
    (tmp_path / "main.c").write_text(C_PROGRAM)
    command = ["cc", "-O1", "-static", "-w", "-o", str(tmp_path / "main"), str(tmp_path / "main.c")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    async def body() -> None:
        async with Live("bubblewrap") as live:
            digest = live.add("")
            shutil.copy(tmp_path / "main", live.code / digest / "main")
            name, log = await live.make(digest=digest, kind="poll", handler="main", context=FACTS), Output()
            assert (await live.call(name, b"one", log)).payload == b"one"
            assert (await live.call(name, b"three", log)).payload == b"three"
        assert log.text == "compiled code got 3 bytes\ncompiled code got 5 bytes\n"

    run(body)


def test_a_shell_script_with_curl_will_do() -> None:
    """Also a large answer, for which curl asks to be told to go on."""
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    source = """\
    #!/bin/sh
    base=http://$FC_RUNTIME_API/2020-11-11/runtime/invocation
    cd /tmp
    while true; do
        curl -s -D head -o event "$base/next" || exit 1
        id=$(sed -n 's/^x-fc-request-id: \\(.*\\)\\r$/\\1/p' head)
        curl -s -o /dev/null -X POST --data-binary @event -H 'Expect: 100-continue' "$base/$id/response"
    done
    """

    async def body() -> None:
        async with Live("bubblewrap") as live:
            name = await made(live, source)
            event = b"x" * 2_000_000
            assert (await live.call(name, event)).payload == event

    run(body)


def test_an_answer_over_the_limit_is_refused() -> None:
    """Whole or in chunks."""
    source = (
        SHEBANG
        + """\
import http.client, os
while True:
    connection = http.client.HTTPConnection(os.environ["FC_RUNTIME_API"])
    connection.request("GET", "/2020-11-11/runtime/invocation/next")
    response = connection.getresponse()
    name, event = response.headers["x-fc-request-id"], response.read()
    answer = b"x" * (32 * 1024 * 1024 + 1)
    path = "/2020-11-11/runtime/invocation/" + name + "/response"
    if event == b"large":
        connection.request("POST", path, answer)
    else:
        connection.request("POST", path, iter([b"sm", b"all"]), encode_chunked=True)
    connection.getresponse().read()
"""
    )

    async def body() -> None:
        async with Live("process") as live:
            name = await made(live, source)
            large = await live.call(name, b"large")
            small = await live.call(name, b"chunks")
        assert (large.ok, large.type) == (False, "ResponseTooLarge")
        assert small.payload == b"small"

    run(body)
