"""Searches of the SQLite store in small steps, and what a step costs at most."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.filter import Filter, parse
from sojourn.store import Search, Store
from sojourn.stores.sqlite import SqliteStore, finding
from stores.conformance_search import FUNCTIONS, LATER, SearchConformance, lives
from stores.samples import Factory, use

SMALL = {
    "few rows": {"ROWS_MAX": 7, "SOURCE_ROWS_MIN": 3},
    "one source": {"SOURCES_MAX": 1, "NAMES_MAX": 1},
    "both": {"SOURCES_MAX": 0, "ROWS_MAX": 11, "SOURCE_ROWS_MIN": 11},
}


@pytest.fixture(name="factory")
def sqlite_factory(tmp_path: Path) -> Factory:
    """Stores on one new directory."""
    return lambda: SqliteStore(tmp_path / "data")


class TestSmallSteps(SearchConformance):
    """The suite's searches, however little a step looks at."""

    @pytest.fixture(autouse=True, params=SMALL)
    def small(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bounds that many tasks would reach."""
        for name, value in SMALL[request.param].items():
            monkeypatch.setattr(finding, name, value)


@pytest.mark.parametrize("fields", [{"minDurationMs": 10**11}, {"errorText": "nowhere"}, {"tags": "k=nowhere"}, {}])
def test_a_step_stops_although_nothing_is_found(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object]
) -> None:
    """It says where, so that the next one goes on there; what no row has ends at once."""
    monkeypatch.setattr(finding, "ROWS_MAX", 20)
    monkeypatch.setattr(finding, "SOURCE_ROWS_MIN", 10)
    tasks = lives()
    wanted: Filter = parse(fields)

    async def work(store: Store) -> None:
        for task in tasks:
            assert await store.insert_task(task)
        mine = {number: name for number, name in FUNCTIONS.items() if name != "other"}
        step = await store.find(Search(account_id="a", functions=mine, wanted=wanted, now=LATER, limit=100))
        looked = sorted((task.id for task in tasks if task.account_id == "a"), reverse=True)
        if wanted.tags:
            assert (step.tasks, step.after) == ([], None)
        else:
            assert step.after in looked[:20]
            assert len(step.tasks) == (0 if fields else looked.index(step.after) + 1)

    use(factory, work)
