"""A store that was filled by copying is one that the server takes for its own."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from bench.failure import NotMeasured
from bench.options import Options
from bench.served import Served
from bench.stock import FUNCTION, MARGIN_SECONDS, Stocks, Templates, fill

from sojourn.client import Status, TaskFilter

COUNT = 240


@pytest.fixture
def stocks(tmp_path: Path) -> Stocks:
    """Stores in the weakest sandbox, which every machine has."""
    return Stocks(Options(directory=tmp_path, sandbox="process"), lambda _: None)


def test_copies_are_tasks_like_any_other(stocks: Stocks, tmp_path: Path) -> None:
    """They are listed by status, by name and by time, and found by their ids; nothing stays when the run is over."""
    with stocks:
        stock = stocks.finished(COUNT)
        assert stocks.finished(COUNT) is stock
        with Served(tmp_path, "process", home=stock.home) as served:
            client = served.client
            assert sum(1 for _ in client.iterate_tasks(FUNCTION, TaskFilter(limit=100))) == COUNT + 3
            failed = TaskFilter(status=Status.FAILED, limit=100)
            assert sum(1 for _ in client.iterate_tasks(FUNCTION, failed)) == COUNT // 20 + 1
            named = [task.task_id for task in client.iterate_tasks(FUNCTION, TaskFilter(prefix="named-"))]
            assert len(named) == len(set(named)) == COUNT // 20
            minute_old = TaskFilter(started_to=stock.made_at_ms(1.0) + MARGIN_SECONDS * 500, limit=100)
            assert sum(1 for _ in client.iterate_tasks(FUNCTION, minute_old)) == COUNT
            assert client.list_tasks(FUNCTION, TaskFilter(prefix=stock.identifiers(0.0))).tasks
            one = client.get_task(FUNCTION, named[0])
            assert (one.status, one.over) == (Status.SUCCEEDED, True)
    assert list(tmp_path.iterdir()) == []


def test_a_queue_is_due_at_once(stocks: Stocks, tmp_path: Path) -> None:
    """Copies of a task that waits for long do not wait: every one of them runs."""
    with stocks, Served(tmp_path, "process", home=stocks.queued(30)) as served:
        tasks = list(served.client.iterate_tasks(FUNCTION, TaskFilter(ascending=True)))[:30]
        ended = served.client.wait_all([(FUNCTION, task.task_id) for task in tasks], timeout=60)

    assert {task.status for task in ended} == {Status.SUCCEEDED}


def test_a_layout_that_is_not_known_is_told(tmp_path: Path) -> None:
    """Nothing is filled by guessing."""
    path = tmp_path / "other.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE task(id INTEGER PRIMARY KEY, name TEXT)")
    connection.close()

    with pytest.raises(NotMeasured, match="lacks"):
        fill(path, Templates(1, 1, 1), 10, lambda _: None)


def test_a_disk_without_room_is_told_before_it_is_full(stocks: Stocks, tmp_path: Path) -> None:
    """The message names what it would take, and nothing is left."""
    with stocks, pytest.raises(NotMeasured, match="MiB"):
        stocks.finished(1 << 50)
    assert list(tmp_path.iterdir()) == []
