"""A store that was filled is one that the server takes for its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.failure import NotMeasured
from bench.fill import Mix, fill
from bench.options import Options
from bench.served import Served
from bench.stock import FUNCTION, MARGIN_SECONDS, WORD, Stocks

from sojourn.client import Status, TaskFilter

COUNT = 240


@pytest.fixture
def stocks(tmp_path: Path) -> Stocks:
    """Stores in the weakest sandbox, which every machine has."""
    return Stocks(Options(directory=tmp_path, sandbox="process"), lambda _: None)


def test_its_tasks_are_like_any_other(stocks: Stocks, tmp_path: Path) -> None:
    """They are listed by status, by name and by time, and found by their ids; nothing stays when the run is over."""
    with stocks:
        stock = stocks.finished(COUNT)
        assert stocks.finished(COUNT) is stock
        with Served(tmp_path, "process", home=stock.home) as served:
            client = served.client
            assert sum(1 for _ in client.iterate_tasks(FUNCTION, TaskFilter(limit=100))) == COUNT
            failed = TaskFilter(status=Status.FAILED, limit=100)
            assert 0 < sum(1 for _ in client.iterate_tasks(FUNCTION, failed)) < COUNT // 5
            named = [task.task_id for task in client.iterate_tasks(FUNCTION, TaskFilter(prefix=f"{WORD}-"))]
            assert 0 < len(named) == len(set(named)) < COUNT // 5
            minute_old = TaskFilter(started_to=stock.made_at_ms(1.0) + MARGIN_SECONDS * 500, limit=100)
            assert sum(1 for _ in client.iterate_tasks(FUNCTION, minute_old)) == COUNT
            assert client.list_tasks(FUNCTION, TaskFilter(prefix=stock.identifiers(0.0))).tasks
            assert client.get_task(FUNCTION, named[0]).over
    assert list(tmp_path.iterdir()) == []


def test_a_queue_is_due_at_once(stocks: Stocks, tmp_path: Path) -> None:
    """Its tasks are the server's to run, every one of them."""
    with stocks, Served(tmp_path, "process", home=stocks.queued(30)) as served:
        tasks = list(served.client.iterate_tasks(FUNCTION, TaskFilter(ascending=True)))[:30]
        ended = served.client.wait_all([(FUNCTION, task.task_id) for task in tasks], timeout=60)

    assert {task.status for task in ended} == {Status.SUCCEEDED}


def test_a_function_that_is_not_there_is_told(stocks: Stocks) -> None:
    """Nothing is filled for nobody."""
    with stocks, pytest.raises(LookupError, match="'other'"):
        fill(stocks.finished(10).home / "data", 10, Mix(until=0), function="other")


def test_a_disk_without_room_is_told_before_it_is_full(stocks: Stocks, tmp_path: Path) -> None:
    """The message names what it would take, and nothing is left."""
    with stocks, pytest.raises(NotMeasured, match="MiB"):
        stocks.finished(1 << 50)
    assert list(tmp_path.iterdir()) == []
