"""Pages of tasks, compared with the plainest program that could answer them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import msgspec
import pytest

from sojourn.identity import Numbers, request_id
from sojourn.store import Store, TaskQuery
from sojourn.task import Status, Task
from stores.samples import NOW, Factory, full_task, new_task, use

WORDS = ("a", "aa", "ab", "a_", "a-1", "A", "Z", "b1", "b10", "b2", "_", "zz", "a%", "a*", "a~")


def wire_id(task: Task) -> str:
    """The task id as the wire shows it."""
    return request_id(task.id) if task.name is None else task.name


def answer(tasks: Sequence[Task], query: TaskQuery) -> list[Task]:
    """What `query` means."""

    def matches(task: Task) -> bool:
        began = task.started_at or task.created_at
        return (
            task.function_id == query.function_id
            and (not query.statuses or task.status in query.statuses)
            and wire_id(task).startswith(query.name_prefix)
            and (query.began_from is None or began >= query.began_from)
            and (query.began_to is None or began <= query.began_to)
            and (query.after is None or (task.id > query.after if query.ascending else task.id < query.after))
        )

    found = sorted(filter(matches, tasks), key=lambda task: task.id, reverse=not query.ascending)
    return found[: query.limit]


def population(chance: random.Random, count: int) -> list[Task]:
    """Tasks of three functions: half of them named, in all statuses, begun within a hundred microseconds."""
    numbers, tasks, taken = Numbers(), [], set()
    for _ in range(count):
        number = numbers.next(NOW + chance.choice((0, 0, 1_000, 10**9, 10**13)))
        function_id = chance.choice((1, 1, 1, 2, 3))
        name = "".join(chance.choices(WORDS, k=chance.randint(1, 4))) if chance.random() < 0.5 else None
        if (function_id, name) in taken:
            name = None
        taken.add((function_id, name))
        created_at = NOW + chance.randrange(100)
        tasks.append(
            msgspec.structs.replace(
                full_task(number, name),
                function_id=function_id,
                status=chance.choice(list(Status)),
                created_at=created_at,
                started_at=chance.choice((0, created_at + chance.randrange(50))),
                payload=b"p" * chance.choice((0, 10, 3000)),
                result=b"r" * chance.choice((0, 10, 3000)),
            )
        )
    return tasks


def some_prefix(chance: random.Random, tasks: Sequence[Task]) -> str:
    """Nothing, the beginning of some task's id, or such a beginning with one character changed."""
    text = wire_id(chance.choice(tasks))
    prefix = text[: chance.randint(0, len(text))]
    if prefix and chance.random() < 0.2:
        place = chance.randrange(len(prefix))
        prefix = prefix[:place] + chance.choice("-0fFg_Z \0é") + prefix[place + 1 :]
    return chance.choice(("", prefix, prefix, prefix))


def some_query(chance: random.Random, tasks: Sequence[Task]) -> TaskQuery:
    """A query that some of the tasks may match."""
    return TaskQuery(
        function_id=chance.choice((1, 1, 1, 2, 3, 4)),
        statuses=tuple(chance.sample(list(Status), chance.choice((0, 0, 1, 1, 2, 3, 10)))),
        name_prefix=some_prefix(chance, tasks),
        began_from=chance.choice((None, None, NOW + chance.randrange(150))),
        began_to=chance.choice((None, None, NOW + chance.randrange(150))),
        ascending=chance.random() < 0.5,
        after=chance.choice((None, None, chance.choice(tasks).id, chance.choice(tasks).id + 1)),
        limit=chance.choice((1, 2, 5, 20, 100)),
        bodies=True,
    )


class PageConformance:
    """Filters, order, limits, and pages that follow each other."""

    @pytest.mark.parametrize("seed", range(3))
    def test_every_query_answers_as_the_plain_program_does(self, factory: Factory, seed: int) -> None:
        """600 drawn queries over 300 drawn tasks, a third of which have been written again since."""
        chance = random.Random(seed)
        before = population(chance, 300)
        tasks = [
            msgspec.structs.replace(task, status=chance.choice(list(Status)), epoch=9) if number % 3 == 0 else task
            for number, task in enumerate(before)
        ]

        async def work(store: Store) -> None:
            await asyncio.gather(*(store.insert_task(task) for task in before))
            for old, new in zip(before, tasks, strict=True):
                assert new is old or await store.apply(old.epoch, new)
            matched = 0
            for _ in range(600):
                query = some_query(chance, tasks)
                expected = answer(tasks, query)
                assert await store.page(query) == expected, query
                matched += bool(expected)
            assert matched > 200  # a test of empty pages proves little

        use(factory, work)

    @pytest.mark.parametrize("ascending", [True, False])
    @pytest.mark.parametrize("prefix", ["", "a", "1-"])
    def test_pages_follow_each_other_without_gap_or_repetition(
        self, factory: Factory, prefix: str, *, ascending: bool
    ) -> None:
        """Walking by the last id of each page shows every match once, the last page being the short one."""
        tasks = population(random.Random(7), 200)
        query = TaskQuery(function_id=1, name_prefix=prefix, ascending=ascending, limit=7, bodies=True)

        async def work(store: Store) -> list[Task]:
            await asyncio.gather(*(store.insert_task(task) for task in tasks))
            seen: list[Task] = []
            page: list[Task] = []
            while not seen or len(page) == 7:
                page = await store.page(msgspec.structs.replace(query, after=seen[-1].id if seen else None))
                seen += page
            return seen

        expected = answer(tasks, msgspec.structs.replace(query, limit=1000))

        assert len(expected) > 20
        assert use(factory, work) == expected

    def test_tasks_that_arrive_while_one_turns_the_pages_do_not_shift_them(self, factory: Factory) -> None:
        """Newest first, a new task belongs before the first page, and the second page is as it was."""

        async def work(store: Store) -> list[int]:
            for number in range(1, 11):
                await store.insert_task(new_task(number))
            first = await store.page(TaskQuery(function_id=1, limit=5))
            await store.insert_task(new_task(11))
            second = await store.page(TaskQuery(function_id=1, limit=5, after=first[-1].id))
            return [task.id for task in (*first, *second)]

        assert use(factory, work) == list(range(10, 0, -1))

    def test_a_page_without_bodies_shows_all_else(self, factory: Factory) -> None:
        """Only payload and result may be missing."""
        tasks = population(random.Random(3), 30)

        def bare(task: Task) -> Task:
            return msgspec.structs.replace(task, payload=b"", result=b"")

        async def work(store: Store) -> None:
            await asyncio.gather(*(store.insert_task(task) for task in tasks))
            for prefix in ("", "a"):
                query = TaskQuery(function_id=1, name_prefix=prefix, limit=100)
                expected = [bare(task) for task in answer(tasks, query)]
                assert [bare(task) for task in await store.page(query)] == expected

        use(factory, work)

    @pytest.mark.parametrize("after", [-(1 << 70), -1, 0, (1 << 63) - 1, 1 << 63, 1 << 70])
    @pytest.mark.parametrize("ascending", [True, False])
    def test_any_number_can_be_the_end_of_a_page(self, factory: Factory, after: int, *, ascending: bool) -> None:
        """A forged place to go on from is answered like any other."""
        tasks = [new_task(1), new_task(2), msgspec.structs.replace(new_task(3), id=(1 << 63) - 1)]
        query = TaskQuery(function_id=1, after=after, ascending=ascending, bodies=True)

        async def work(store: Store) -> list[Task]:
            for task in tasks:
                await store.insert_task(task)
            return await store.page(query)

        assert use(factory, work) == answer(tasks, query)

    def test_no_prefix_is_too_strange(self, factory: Factory) -> None:
        """Text that no id can begin with finds nothing, and raises nothing; patterns mean themselves."""
        tasks = [new_task(1, "a1"), new_task(2, "a%"), new_task(3), new_task(4, "1-named-like-a-request-id")]
        strange = ["\udc80", "é", "\0", "%", "_", "a_", "a%", "1", "1-", "1-0", "1--", "1-00000000-0000000_", "1-+0"]
        strange += ["1- 0", "1-0x0", "1-" + "0" * 8, request_id(3), request_id(3) + "0", request_id(3)[:-1], "1-f"]
        strange += ["1-ffffffff-ffffffff", "1-" + "٠" * 8, "x" * 100_000]  # noqa: RUF001 - digits of another script

        async def work(store: Store) -> None:
            for task in tasks:
                await store.insert_task(task)
            for prefix in strange:
                query = TaskQuery(function_id=1, name_prefix=prefix, bodies=True)
                assert await store.page(query) == answer(tasks, query), prefix

        use(factory, work)
