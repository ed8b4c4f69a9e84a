"""`GET /metrics`: who may read it, and what it says of tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.door import Caller, Door
from sojourn.task import Claimed, Returned, Started, Success

TOKEN = "a-token-that-is-long-enough"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\})? (-?[0-9.e+-]+)')


@pytest.fixture(name="told", scope="module")
def with_a_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A server that has a token."""
    with Door(Path(tmp_path_factory.mktemp("code")), metrics_token=TOKEN) as running:
        yield running


def samples(text: str) -> dict[str, float]:
    """Every sample of a page, by name and labels; each line has the right form."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            found[line.rpartition(" ")[0]] = float(match[3])
    return found


def test_a_task_is_counted_on_its_way(door: Door) -> None:
    """From its submit to its end; the owner reads it with a signature."""
    before = samples(door.owner("GET", "/metrics").body.decode())
    caller = door.caller()
    caller.create("counted")
    task = caller.submit("counted")
    reply = door.owner("GET", "/metrics")
    waiting = samples(reply.body.decode())
    door.advance(door.advance(task, Claimed(1), Started("i")), Returned(Success(result=b"")))
    after = samples(door.owner("GET", "/metrics").body.decode())

    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    labels = f'{{account="{caller.account_id}",function="counted",qualifier="LATEST"}}'
    assert waiting[f"sojourn_queue_depth{labels}"] == 1
    assert 0 <= waiting[f"sojourn_queue_oldest_age_seconds{labels}"] < 3600
    assert waiting["sojourn_tasks_submitted_total"] == before["sojourn_tasks_submitted_total"] + 1
    ended = 'sojourn_task_transitions_total{from="Running",to="Succeeded"}'
    assert after[ended] == before.get(ended, 0) + 1
    assert after["sojourn_task_wait_seconds_count"] == before["sojourn_task_wait_seconds_count"] + 1
    assert after["sojourn_task_run_seconds_count"] == before["sojourn_task_run_seconds_count"] + 1
    assert after["sojourn_store_cached_bytes"] >= 0
    assert after["sojourn_store_write_seconds_count"] > before["sojourn_store_write_seconds_count"]


def test_only_the_owner_may_read_it(door: Door, caller: Caller) -> None:
    """Names of functions are nobody else's business; without a token there is no way around a signature."""
    caller("GET", "/metrics").refused(403, "AccessDenied", "only the account that operates this server")
    for headers in ({}, {"authorization": "Bearer"}, {"authorization": f"Bearer {TOKEN}"}):
        answer = httpx.get(f"{door.url}/metrics", headers=headers)
        assert answer.status_code in {400, 403}, answer.text


def test_the_token_is_enough_where_there_is_one(told: Door) -> None:
    """That one, once, and nothing else; it opens nothing else either."""
    right = {"authorization": f"Bearer {TOKEN}"}

    answer = httpx.get(f"{told.url}/metrics", headers=right)
    assert (answer.status_code, samples(answer.text)["sojourn_invariant_violations_total"]) == (200, 0)
    assert answer.headers["x-fc-request-id"]
    for wrong in (f"Bearer {TOKEN}x", f"bearer {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", "Bearer"):
        assert httpx.get(f"{told.url}/metrics", headers={"authorization": wrong}).status_code in {400, 403}
    assert httpx.get(f"{told.url}/v1/integrity", headers=right).status_code in {400, 403}
    twice = [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}")]
    assert httpx.get(f"{told.url}/metrics", headers=twice).status_code in {400, 403}
