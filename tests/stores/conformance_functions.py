"""What every store must do with functions and accounts."""

from __future__ import annotations

import msgspec

from sojourn.store import Store
from stores.samples import NOW, Factory, new_account, new_function, new_key, revised, use


class FunctionConformance:
    """Functions, by compare-and-set on their revision."""

    def test_a_new_function_gets_an_id_and_comes_back_as_it_went_in(self, factory: Factory) -> None:
        """Ids are given by the store and differ; a name that exists is not created again, deleted or not."""

        async def work(store: Store) -> None:
            first = await store.put_function(new_function("b"), 0)
            second = await store.put_function(new_function("a"), 0)
            other = await store.put_function(new_function("a", account_id="000"), 0)
            assert first
            assert second
            assert other
            assert first == msgspec.structs.replace(new_function("b"), id=first.id)
            assert len({0, first.id, second.id, other.id}) == 4
            assert await store.put_function(new_function("b"), 0) is None
            assert await store.put_function(revised(first), 1) == revised(first)
            assert await store.put_function(new_function("b"), 0) is None
            assert list(await store.functions()) == [other, second, revised(first)]

        use(factory, work)

    def test_a_replacement_needs_the_revision_the_row_stands_at(self, factory: Factory) -> None:
        """Of two updates made from one revision, the first wins; an unknown function is not made by an update."""

        async def work(store: Store) -> None:
            function = await store.put_function(new_function(), 0)
            assert function
            assert await store.put_function(revised(function), 1) == revised(function)
            assert await store.put_function(revised(function), 1) is None
            assert await store.put_function(revised(revised(function)), 3) is None
            assert await store.put_function(msgspec.structs.replace(function, id=function.id + 1), 2) is None
            assert await store.put_function(msgspec.structs.replace(function, name="other"), 2) is None
            assert list(await store.functions()) == [revised(function)]

        use(factory, work)


class AccountConformance:
    """Accounts and their keys."""

    def test_accounts_and_keys_come_back_oldest_first(self, factory: Factory) -> None:
        """Each keeps its fields."""
        late, early = new_account("late", NOW + 1), new_account("old", owner=True)

        async def work(store: Store) -> None:
            assert await store.put_account(late, new_key("k1", "late"))
            assert await store.put_account(early, new_key("k2", "old"))
            assert list(await store.accounts()) == [early, late]
            assert sorted(await store.access_keys(), key=lambda key: key.id) == [
                new_key("k1", "late"),
                new_key("k2", "old"),
            ]

        use(factory, work)

    def test_either_id_that_is_taken_refuses_both(self, factory: Factory) -> None:
        """Nothing is kept of a refused pair."""

        async def work(store: Store) -> None:
            assert await store.put_account(new_account("a"), new_key("k", "a"))
            assert not await store.put_account(new_account("a"), new_key("k2", "a"))
            assert not await store.put_account(new_account("b"), new_key("k", "b"))
            assert list(await store.accounts()) == [new_account("a")]
            assert list(await store.access_keys()) == [new_key("k", "a")]

        use(factory, work)
