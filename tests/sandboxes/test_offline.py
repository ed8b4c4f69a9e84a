"""Instances with a network of their own: a loopback that works, and nothing beyond it."""

from __future__ import annotations

import json
import socket

import pytest

from live_sandbox import Live, run
from sojourn.errors import InstanceStartFailed

LEVEL = "bubblewrap"
NETWORKS = pytest.mark.parametrize("network", ["host", "none"])

SOURCE = """\
import json, socket
own = socket.create_server(("127.0.0.1", 0))

def reaches(port):
    try:
        socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()
        return True
    except OSError:
        return False

def handler(event, context):
    interfaces = [name for _, name in socket.if_nameindex()]
    port = own.getsockname()[1]
    return {"own": reaches(port), "other": reaches(event), "interfaces": interfaces, "port": port}
"""


@NETWORKS
def test_an_offline_instance_has_its_own_loopback_and_nothing_else(network: str) -> None:
    """Whatever network the account has: neither the machine's services nor another instance's are reached."""

    async def body() -> None:
        async with Live(LEVEL, network=network) as live:
            digest = live.add(SOURCE)
            names = [await live.make(digest=digest, offline=True) for _ in range(2)]
            with socket.create_server(("127.0.0.1", 0)) as outside:
                first = json.loads((await live.call(names[0], str(outside.getsockname()[1]).encode())).payload)
            second = json.loads((await live.call(names[1], str(first["port"]).encode())).payload)
        for told in (first, second):
            assert (told["own"], told["interfaces"]) == (True, ["lo"])
        assert not first["other"]
        assert second["port"] == first["port"] or not second["other"]

    run(body)


def test_other_instances_keep_the_accounts_network() -> None:
    """Being offline is an instance's own affair."""

    async def body() -> None:
        async with Live(LEVEL, network="host") as live:
            digest = live.add(SOURCE)
            await live.make(digest=digest, offline=True)
            name = await live.make(digest=digest)
            with socket.create_server(("127.0.0.1", 0)) as outside:
                told = json.loads((await live.call(name, str(outside.getsockname()[1]).encode())).payload)
        assert told["other"]

    run(body)


def test_an_instance_cannot_change_its_network() -> None:
    """The right to bring interfaces up or down is gone, and so is the way back out."""

    async def body() -> None:
        source = """\
        import ctypes, fcntl, os, socket, struct
        def attempt(call):
            try:
                call()
                return "done"
            except OSError as error:
                return type(error).__name__
        def down():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0))
        def raw():
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
        def handler(event, context):
            return [attempt(down), attempt(raw)]
        """
        async with Live(LEVEL) as live:
            digest = live.add(source)
            replies = [await live.call(await live.make(digest=digest, offline=one)) for one in (True, False)]
        assert [json.loads(reply.payload) for reply in replies] == [["PermissionError", "PermissionError"]] * 2

    run(body)


def test_without_namespaces_it_is_refused() -> None:
    """Rather than started with the machine's network."""

    async def body() -> None:
        async with Live("process") as live:
            with pytest.raises(InstanceStartFailed, match="cannot be kept from the network"):
                await live.make(SOURCE, offline=True)

    run(body)
