"""Snapshot start: instances that begin where Initializer has left off."""

from __future__ import annotations

import json

import pytest

from live_sandbox import BOTH, Live, Output, run
from sojourn.errors import InstanceStartFailed

SOURCE = """
    import os, random
    STATE = {"imported": os.urandom(8).hex()}
    def initializer(context):
        STATE["initialized"] = os.urandom(8).hex()
        STATE["told"] = [context.function.name, context.remaining_milliseconds > 0]
        random.seed(7)
    def handler(event, context):
        return [STATE, random.random(), os.environ["FC_INSTANCE_ID"]]
"""
RESTORE = """
    def after_restore(context):
        STATE["restored"] = [os.urandom(8).hex(), context.request_id]
        print("restored")
"""


async def _made(live: Live, digest: str, **more: object) -> str:
    name = await live.make(
        digest=digest,
        snapshot=True,
        hooks={"initializer": 9},
        context={"name": "f"},
        **more,  # type: ignore[arg-type]  # passed on
    )
    assert name
    return name


@BOTH
def test_instances_begin_with_what_initializer_has_prepared(level: str) -> None:
    """Module and Initializer have run once; `after_restore` runs in each, in Initializer's place and log."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(SOURCE + RESTORE)
            told, names = [], []
            for _ in range(2):
                name, log = await _made(live, digest), Output()
                outcome = await live.initialize(name, log)
                assert (outcome.ok, log.text) == (True, "restored\n")
                told.append(json.loads((await live.call(name)).payload))
                names.append(name)
            (first, chance, _), (second, other_chance, _) = told

            assert first["imported"] == second["imported"]
            assert first["initialized"] == second["initialized"]
            assert first["told"] == ["f", True]
            assert first["restored"][0] != second["restored"][0]
            assert first["restored"][1] == "1-initialize"
            assert chance != other_chance
            assert [one[2] for one in told] == names

    run(body)


@BOTH
def test_after_restore_is_optional_and_its_error_is_initializers(level: str) -> None:
    """Without it there is nothing to do; one that raises fails the initialization of that instance alone."""

    async def body() -> None:
        async with Live(level) as live:
            plain = await _made(live, live.add(SOURCE))
            assert (await live.initialize(plain)).ok
            broken = await _made(live, live.add(SOURCE + "\n    def after_restore(context): raise KeyError('gone')\n"))
            outcome = await live.initialize(broken)

            assert (outcome.ok, outcome.type, outcome.message) == (False, "KeyError", "'gone'")
            assert (await live.call(plain)).ok

    run(body)


@BOTH
@pytest.mark.parametrize(
    ("initializer", "words"),
    [
        ("raise ValueError('no database')", "snapshot: 'index.initializer' failed: ValueError: no database"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
            "snapshot: 'index.initializer' starts threads (1 left)",
        ),
        ("import subprocess; subprocess.Popen(['/bin/sleep', '99'])", "snapshot: 'index.initializer' starts processes"),
    ],
)
def test_an_initializer_that_cannot_be_kept_fails_the_start(level: str, initializer: str, words: str) -> None:
    """It raises, or leaves behind what a fork does not take along."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(
                "def initializer(context):\n    " + initializer + "\ndef handler(event, context): return 1\n"
            )
            with pytest.raises(InstanceStartFailed) as failed:
                await _made(live, digest)

            assert (failed.value.cause, failed.value.lost) == ("PreloadFailed", False)
            assert words in failed.value.message

    run(body)
