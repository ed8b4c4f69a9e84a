"""What every store must do with a search: all that matches, once, in order, however many steps it takes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from sojourn import identity
from sojourn.clock import MICROSECONDS_PER_SECOND
from sojourn.filter import Filter, matches, parse
from sojourn.history import append_event
from sojourn.store import Search, Store
from sojourn.task import TERMINAL, Status, Task
from stores.samples import NOW, Factory, use

FUNCTIONS = {1: "f", 2: "g", 5: "other"}
MINUTE = 60 * MICROSECONDS_PER_SECOND
ERRORS = ("", "UnhandledInvocationError", "InitializationError")


def lives(count: int = 60) -> list[Task]:
    """Tasks of all kinds, a minute apart, of two accounts."""
    dice, numbers, made = random.Random(7), identity.Numbers(), []
    for place in range(count):
        at = NOW + place * MINUTE
        status = dice.choice(list(Status))
        error = dice.choice(ERRORS) if status in (Status.FAILED, Status.RETRYING) else ""
        detail = {"Error": error, "errorMessage": f"No. {place} W\u00e4nde"} if error else {}
        started = at + dice.randrange(MINUTE) if status not in (Status.ENQUEUED, Status.EXPIRED, Status.INVALID) else 0
        function = dice.choice([1, 2, 2, 5])
        made.append(
            Task(
                id=numbers.next(at),
                account_id="b" if function == 5 else "a",
                function_id=function,
                generation=1,
                name=dice.choice([None, f"order-{place}", f"Job_{place}"]),
                status=status,
                epoch=1,
                created_at=at,
                started_at=started,
                ended_at=(started or at) + dice.randrange(5 * MINUTE) if status in TERMINAL else 0,
                error=error,
                history=append_event(append_event(b"", "Enqueued", at), status.value, at + 1, detail),
                tags={key: dice.choice("xy") for key in ("k", "l") if dice.random() < 0.5},
            )
        )
    return made


FIELDS: list[Mapping[str, Any]] = [
    {},
    {"status": "Failed"},
    {"status": "Failed,Retrying,Enqueued"},
    {"status": "Succeeded,Failed"},
    {"function": "g"},
    {"function": "g", "status": "Stopped,Invalid"},
    {"function": "other"},
    {"createdFrom": (NOW + 20 * MINUTE) // 1000, "createdTo": (NOW + 70 * MINUTE) // 1000},
    {"endedFrom": 0},
    {"endedFrom": (NOW + 20 * MINUTE) // 1000, "endedTo": (NOW + 60 * MINUTE) // 1000},
    {"endedTo": (NOW + 30 * MINUTE) // 1000, "function": "f"},
    {"idPrefix": "order-1"},
    {"idPrefix": "Job_", "status": "Failed"},
    {"idPrefix": "1-"},
    {"idPrefix": "zzz"},
    {"errorText": "initialization"},
    {"errorText": "no. 1"},
    {"errorText": "W\u00c4NDE", "function": "g"},
    {"errorText": '"errormessage":"no.'},
    {"tags": "k=x"},
    {"tags": "k=x,l=y"},
    {"tags": "k=x", "status": "Failed", "function": "f"},
    {"minDurationMs": 60_000},
    {"minDurationMs": 1_000, "maxDurationMs": 120_000, "status": "Running,Succeeded"},
    {"maxDurationMs": 0},
]
LATER = NOW + 3 * 3600 * MICROSECONDS_PER_SECOND


class SearchConformance:
    """Searches, compared with what the filter's own meaning leaves of all tasks."""

    @pytest.mark.parametrize("fields", FIELDS, ids=str)
    @pytest.mark.parametrize("order", ["newest", "oldest"])
    def test_a_search_finds_what_the_filter_means(
        self, factory: Factory, fields: Mapping[str, Any], order: str
    ) -> None:
        """Nothing else, nothing twice, in order, in pages of several sizes; and of one account."""
        tasks, wanted, ascending = lives(), parse(fields), order == "oldest"

        async def work(store: Store) -> None:
            for task in tasks:
                assert await store.insert_task(task)
            for account, limit in (("a", 7), ("a", 100), ("b", 3)):
                functions = {
                    number: name
                    for number, name in FUNCTIONS.items()
                    if (name == "other") is (account == "b") and wanted.function in ("", name)
                }
                expected = [
                    task.id
                    for task in sorted(tasks, key=lambda each: each.id, reverse=not ascending)
                    if task.account_id == account
                    and task.function_id in functions
                    and matches(wanted, task, functions[task.function_id], LATER)
                ]
                found = await walk(store, wanted, account, functions, ascending=ascending, limit=limit)
                assert [task.id for task in found] == expected
                shown = msgspec.structs.replace(found[0], payload=b"", result=b"") if found else None
                assert shown is None or shown == next(task for task in tasks if task.id == shown.id)

        use(factory, work)

    def test_a_search_without_functions_finds_nothing(self, factory: Factory) -> None:
        """And ends."""

        async def work(store: Store) -> None:
            for task in lives(5):
                assert await store.insert_task(task)
            assert await walk(store, Filter(), "a", {}, ascending=False, limit=5) == []

        use(factory, work)


async def walk(
    store: Store, wanted: Filter, account: str, functions: Mapping[int, str], *, ascending: bool, limit: int
) -> list[Task]:
    """All that a search finds, step after step; no step gives more than it may."""
    found: list[Task] = []
    after: int | None = None
    for _ in range(500):
        step = await store.find(
            Search(
                account_id=account,
                functions=functions,
                wanted=wanted,
                now=LATER,
                ascending=ascending,
                after=after,
                limit=limit,
            )
        )
        assert len(step.tasks) <= limit
        found += step.tasks
        if step.after is None:
            return found
        assert step.after != after
        after = step.after
    raise AssertionError("the search does not end")
