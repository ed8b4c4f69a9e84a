"""Two servers on one machine: neither ends, sees or shares what belongs to the other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from end_to_end.functions import ECHO, HANDLER, RUNTIME
from end_to_end.isolation import BRISK
from end_to_end.lives import SECONDS, deploy, path, run
from end_to_end.post import Post
from live import LiveServer, archive
from sojourn.client import Status

BUSY = "tell(event.decode())"


def users(server: LiveServer) -> set[int]:
    """The users that its functions run under."""
    found = set()
    for pid in server.processes():
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        found.add(int(status.partition("\nUid:\t")[2].split()[0]))
    return found - {0}


@pytest.mark.parametrize("end", ["killed", "drained"])
def test_a_server_that_ends_and_comes_back_leaves_its_neighbour_alone(sandbox: str, post: Post, end: str) -> None:
    """However it ends: the neighbour's task goes on, in the same processes, and its next ones run."""
    with LiveServer(sandbox=sandbox, settings=BRISK) as one, LiveServer(sandbox=sandbox, settings=BRISK) as other:
        post.hold("one", "other")
        client, neighbour = one.client(), other.client()
        deploy(client, post, "busy", handler=BUSY)
        deploy(neighbour, post, "busy", handler=BUSY)
        mine, theirs = client.submit("busy", "one").task_id, neighbour.submit("busy", "other").task_id
        post.wait("one")
        post.wait("other")
        before = set(other.processes())
        assert not set(one.processes()) & before
        had = users(one)
        assert not had & users(other) or os.getuid() != 0

        if end == "killed":
            one.kill()
            one.gone()
        else:
            assert one.terminate() == 0, one.log()
        one.start()
        client = one.client()
        post.wait("one", 2)
        assert before <= set(other.processes())
        assert users(one) == had
        post.let_go()
        again, task = client.wait("busy", mine, timeout=SECONDS), neighbour.wait("busy", theirs, timeout=SECONDS)
        assert path(again) == ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]
        assert path(task) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
        neighbour.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME)
        assert run(neighbour, "echo", "well").status is Status.SUCCEEDED


@pytest.mark.skipif(os.getuid() != 0, reason="only a server that runs as root has users to give")
def test_a_function_cannot_signal_a_neighbour(post: Post) -> None:
    """Not even that of the account with the same place there, and without namespaces."""
    with LiveServer(settings=BRISK) as one, LiveServer(settings=BRISK) as other:
        client, neighbour = one.client(), other.client()
        post.hold("other")
        theirs = neighbour.submit(deploy(neighbour, post, "busy", handler=BUSY), "other").task_id
        post.wait("other")
        body = """
            for pid in event.decode().split():
                try:
                    os.kill(int(pid), 0)
                    return "reached"
                except OSError:
                    pass
            return "out of reach"
            """
        attack = run(client, deploy(client, post, "attack", handler=body), " ".join(map(str, other.processes())))
        assert attack.return_payload == "out of reach", attack
        post.let_go()
        assert neighbour.wait("busy", theirs, timeout=SECONDS).status is Status.SUCCEEDED
