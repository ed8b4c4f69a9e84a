"""What every store must do when callers race, and when one of them is wrong."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from sojourn.errors import StoreFailed
from sojourn.store import Log, Store, TaskQuery
from sojourn.task import StopRequested, advance
from stores.samples import Factory, claimed, new_account, new_function, new_key, new_task, revised, started, use


class RaceConformance:
    """Concurrency, visibility after an acknowledgement, failures that stay alone."""

    def test_of_many_inserts_of_one_name_exactly_one_succeeds(self, factory: Factory) -> None:
        """50 at once: one True, one row."""

        async def work(store: Store) -> tuple[list[bool], int]:
            answers = await asyncio.gather(*(store.insert_task(new_task(number, "same")) for number in range(1, 51)))
            page = await store.page(TaskQuery(function_id=1, limit=100))
            return list(answers), len(page)

        answers, rows = use(factory, work)

        assert sum(answers) == 1
        assert rows == 1

    def test_of_many_writes_at_one_epoch_exactly_one_succeeds(self, factory: Factory) -> None:
        """100 at once, each with a log of its own: one True, and row and log are the winner's."""
        task = new_task(1)
        later = [msgspec.structs.replace(claimed(task), owner=number) for number in range(1, 101)]

        async def work(store: Store) -> None:
            await store.insert_task(task)
            answers = await asyncio.gather(*(store.apply(1, each, Log(each.owner, b"mine")) for each in later))
            assert sum(answers) == 1
            winner = later[answers.index(True)]
            assert await store.task(1) == winner
            assert [log.attempt for log in await store.logs(1)] == [winner.owner]

        use(factory, work)

    def test_a_result_and_a_stop_race_for_the_epoch(self, factory: Factory) -> None:
        """Whichever is durable first wins, in every pair."""
        tasks = [started(new_task(number)) for number in range(1, 41)]

        async def work(store: Store) -> None:
            await asyncio.gather(*(store.insert_task(task) for task in tasks))
            for task in tasks:
                stop = advance(task, StopRequested(), task.created_at)
                result = msgspec.structs.replace(stop, error="other")
                pair = [stop, result] if task.id % 2 else [result, stop]
                answers = await asyncio.gather(*(store.apply(task.epoch, each) for each in pair))
                assert sorted(answers) == [False, True]
                assert await store.task(task.id) == pair[answers.index(True)]

        use(factory, work)

    def test_of_many_creations_of_a_function_or_account_exactly_one_succeeds(self, factory: Factory) -> None:
        """The same holds for functions, their updates, and accounts."""

        async def work(store: Store) -> None:
            created = await asyncio.gather(*(store.put_function(new_function(), 0) for _ in range(20)))
            (function,) = [each for each in created if each is not None]
            updated = await asyncio.gather(*(store.put_function(revised(function), 1) for _ in range(20)))
            accounts = await asyncio.gather(*(store.put_account(new_account(), new_key(f"{n}")) for n in range(20)))
            assert len([each for each in updated if each is not None]) == 1
            assert sum(accounts) == 1
            assert len(await store.access_keys()) == 1

        use(factory, work)

    def test_what_is_acknowledged_is_visible_to_every_read(self, factory: Factory) -> None:
        """Straight after the answer, each way to read shows the new row, while others keep writing."""

        async def life(store: Store, number: int) -> None:
            task = new_task(number, f"task-{number}", function_id=number)
            assert await store.insert_task(task)
            assert await store.task(number) == task
            assert await store.task_named(number, f"task-{number}") == task
            later = claimed(task)
            assert await store.apply(1, later, Log(1, b"x"))
            assert await store.page(TaskQuery(function_id=number, statuses=(later.status,), bodies=True)) == [later]
            assert await store.task(number) == later
            assert await store.logs(number) == [Log(1, b"x")]

        async def work(store: Store) -> None:
            await asyncio.gather(*(life(store, number) for number in range(1, 61)))

        use(factory, work)

    def test_a_write_that_fails_takes_no_other_with_it(self, factory: Factory) -> None:
        """Among many good writes handed over at once, an id that is taken and values no row can hold fail alone.

        One of them fails at its log, when its row is already changed: the row must be as before.
        """
        taken = new_task(1, "other-name", payload=b"p" * 5000)
        impossible = msgspec.structs.replace(new_task(1000), due_at=1 << 70)

        async def work(store: Store) -> None:
            await asyncio.gather(*(store.insert_task(new_task(number)) for number in range(1, 21)))
            good = [store.apply(1, claimed(new_task(number))) for number in range(3, 21)]
            good += [store.insert_task(new_task(number, payload=b"q" * 5000)) for number in range(21, 41)]
            bad = [
                store.insert_task(taken),
                store.apply(1, claimed(new_task(2)), Log(1, b"x", dropped=1 << 70)),
                store.insert_task(impossible),
            ]
            answers = await asyncio.gather(*good[:9], *bad, *good[9:], return_exceptions=True)
            assert [answer for answer in answers if isinstance(answer, bool)] == [True] * 38
            assert len([answer for answer in answers if isinstance(answer, StoreFailed)]) == 3
            assert await store.task(1) == new_task(1)
            assert await store.task(2) == new_task(2)
            assert await store.logs(2) == []
            assert await store.task(1000) is None
            assert await store.task(40) == new_task(40, payload=b"q" * 5000)

        use(factory, work)

    def test_a_caller_that_goes_away_harms_nobody(self, factory: Factory) -> None:
        """A cancelled write leaves the store working, and its row either whole or absent."""

        async def work(store: Store) -> None:
            leaving = [asyncio.ensure_future(store.insert_task(new_task(number))) for number in range(1, 21)]
            staying = [asyncio.ensure_future(store.insert_task(new_task(number))) for number in range(21, 41)]
            await asyncio.sleep(0)
            for each in leaving:
                each.cancel()
            assert await asyncio.gather(*staying) == [True] * 20
            for each in leaving:
                with pytest.raises(asyncio.CancelledError):
                    await each
            for number in range(1, 41):
                assert await store.task(number) in ([new_task(number)] if number > 20 else [new_task(number), None])

        use(factory, work)
