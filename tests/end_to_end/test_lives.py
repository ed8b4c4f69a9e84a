"""The life of an instance on real servers: hooks, freezing, what is kept warm, and how it all shows."""

from __future__ import annotations

from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive, until
from sojourn.client import Status

HOOKED = """
import threading, time

state = {"initialized": 0, "ticks": 0}

def tick():
    while True:
        state["ticks"] += 1
        time.sleep(0.005)

def initialize(context):
    state["initialized"] += 1
    print("initialize speaks")
    threading.Thread(target=tick, daemon=True).start()

def handler(event, context):
    if event == b"hang":
        while True:
            pass
    return dict(state)

def pre_freeze(context):
    print("freezing")

def pre_stop(context):
    print("stopping because of", context.stop_reason)
"""


def test_a_life_from_initializer_to_pre_stop(server: LiveServer) -> None:
    """Initialized once, frozen when idle, thawed, and stopped with PreStop while the handler spins."""
    client = server.client()
    client.deploy(
        "hooked",
        archive(HOOKED),
        handler=HANDLER,
        runtime=RUNTIME,
        memory=128,
        timeout=60,
        settings={
            "instanceLifecycleConfig": {
                "initializer": {"handler": "index.initialize", "timeout": 30},
                "preFreeze": {"handler": "index.pre_freeze", "timeout": 30},
                "preStop": {"handler": "index.pre_stop", "timeout": 30},
            }
        },
    )
    first = client.wait("hooked", client.submit("hooked").task_id)
    assert first.succeeded, first
    assert first.events[-1].detail["isColdStart"] is True
    assert first.events[-1].detail["initializerMs"] > 0

    def frozen() -> bool:
        return [one.status for one in client.instances("hooked")] == ["Frozen"]

    until(frozen, 60, "the instance frozen")
    (one,) = client.instances("hooked")
    assert one.id == first.instance_id
    assert one.memory_bytes
    again = client.invoke("hooked", b"")
    assert b'"initialized": 1' in again.result

    task_id = client.submit("hooked", b"hang").task_id
    until(lambda: client.get_task("hooked", task_id).status is Status.RUNNING, 60, "the task running")
    client.stop_task("hooked", task_id)
    stopped = client.wait("hooked", task_id)
    assert stopped.status is Status.STOPPED
    detail = stopped.events[-1].detail
    assert detail["preStop"]["ok"] is True
    assert detail["processesLeft"] == 0
    text = "".join(log.text for log in client.logs("hooked", task_id))
    assert "stopping because of stop" in text
