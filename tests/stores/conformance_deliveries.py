"""What every store must do with deliveries: kept with the end of a task or not at all, moved by compare-and-set."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from sojourn.destination import Delivered, Delivery, Refused, attempted, resent
from sojourn.errors import StoreFailed
from sojourn.store import Store
from stores.samples import NOW, Factory, new_account, new_delivery, new_key, new_task, returned, started, use


async def end(store: Store, number: int, delivery: Delivery | None) -> bool:
    """Insert a task and let it succeed with `delivery`."""
    task = new_task(number)
    await store.insert_task(task)
    return await store.apply(1, returned(started(task), b"done"), None, delivery)


def tried(delivery: Delivery, at: int = NOW) -> Delivery:
    """After an attempt that the target refused."""
    return attempted(delivery, Refused("no: größe"), at, 0.0, 1800.0)


class DeliveryConformance:
    """The outbox, and the secrets that sign what leaves it."""

    def test_a_delivery_is_there_with_the_end_of_its_task(self, factory: Factory) -> None:
        """Every field comes back, and only tasks that have one are answered for."""
        full = new_delivery(
            2, epoch=7, round=3, attempts=5, due_at=NOW + 9, last_error="größe", begun_at=NOW + 1, created_at=NOW + 2
        )

        async def work(store: Store) -> None:
            assert await end(store, 1, new_delivery(1))
            assert await end(store, 2, full)
            assert await end(store, 3, None)
            assert await store.deliveries([1]) == [new_delivery(1)]
            assert await store.deliveries([3]) == await store.deliveries([]) == await store.deliveries([99]) == []
            found = await store.deliveries([3, 2, 1, 99, -1, 1 << 70])
            assert sorted(found, key=lambda each: each.task_id) == [new_delivery(1), full]

        use(factory, work)

    def test_a_write_that_loses_its_race_makes_no_delivery(self, factory: Factory) -> None:
        """Of two ends of one task one holds, and the delivery is the winner's."""

        async def work(store: Store) -> None:
            task = new_task(1)
            await store.insert_task(task)
            over = returned(started(task), b"done")
            ends = [new_delivery(1, target=f"http://{number}.example") for number in range(20)]
            answers = await asyncio.gather(*(store.apply(1, over, None, each) for each in ends))
            assert sum(answers) == 1
            assert await store.deliveries([1]) == [ends[answers.index(True)]]

        use(factory, work)

    def test_an_end_whose_delivery_cannot_be_kept_did_not_happen(self, factory: Factory) -> None:
        """Both or neither: the row stands as it did."""

        async def work(store: Store) -> None:
            with pytest.raises(StoreFailed):
                await end(store, 1, new_delivery(1, due_at=1 << 70))
            assert await store.task(1) == new_task(1)
            assert await store.deliveries([1]) == []

        use(factory, work)

    def test_an_attempt_is_recorded_by_compare_and_set(self, factory: Factory) -> None:
        """One of many writes at one epoch holds; whose it is, its target and its creation stay."""
        made = new_delivery(1)
        later = [msgspec.structs.replace(tried(made), attempts=number) for number in range(1, 21)]

        async def work(store: Store) -> None:
            await end(store, 1, made)
            assert not await store.put_delivery(2, tried(made))
            assert not await store.put_delivery(1, msgspec.structs.replace(tried(made), task_id=2))
            answers = await asyncio.gather(*(store.put_delivery(1, each) for each in later))
            assert sum(answers) == 1
            (found,) = await store.deliveries([1])
            assert found == later[answers.index(True)]
            strange = msgspec.structs.replace(
                resent(found, NOW + 5), target="x", account_id="y", function_id=9, created_at=1
            )
            assert await store.put_delivery(2, strange)
            assert await store.deliveries([1]) == [resent(found, NOW + 5)]

        use(factory, work)

    def test_open_deliveries_survive_and_come_in_order(self, factory: Factory) -> None:
        """After a restart the ones that are not over are found again; a re-sent one is open again."""
        made = {number: new_delivery(number) for number in (5, 1, 3, 4)}
        taken = attempted(made[4], Delivered(), NOW, 0.0, 1800.0)

        async def keep(store: Store) -> None:
            for number, each in made.items():
                await end(store, number, each)
            await store.put_delivery(1, tried(made[3]))
            await store.put_delivery(1, taken)
            await store.put_delivery(2, resent(taken, NOW + 1))

        async def read(store: Store) -> list[Delivery]:
            return [delivery async for delivery in store.open_deliveries()]

        use(factory, keep)
        assert use(factory, read) == [made[1], resent(taken, NOW + 1), made[5]]

    def test_many_open_deliveries_are_walked(self, factory: Factory) -> None:
        """More than any chunk, while others go on writing."""

        async def work(store: Store) -> None:
            count = 2_500
            await asyncio.gather(*(store.insert_task(new_task(number)) for number in range(count)))
            over = [returned(started(new_task(number)), b"") for number in range(count)]
            await asyncio.gather(*(store.apply(1, each, None, new_delivery(each.id)) for each in over))
            seen = []
            async for delivery in store.open_deliveries():
                seen.append(delivery.task_id)
                if delivery.task_id == 10:
                    assert await store.put_delivery(1, tried(delivery))
            assert seen == list(range(count))

        use(factory, work)

    def test_webhook_secrets_are_replaced_by_compare_and_set(self, factory: Factory) -> None:
        """Of many that replace the same one, one succeeds; other accounts keep theirs."""

        async def work(store: Store) -> None:
            await store.put_account(new_account("a"), new_key("k1", "a"))
            await store.put_account(
                msgspec.structs.replace(new_account("b"), webhook_secret="mine"), new_key("k2", "b")
            )
            answers = await asyncio.gather(*(store.put_webhook_secret("a", "", f"s{number}") for number in range(10)))
            assert sum(answers) == 1
            assert not await store.put_webhook_secret("nobody", "", "s")
            found = {account.id: account.webhook_secret for account in await store.accounts()}
            assert found == {"a": f"s{answers.index(True)}", "b": "mine"}

        use(factory, work)
