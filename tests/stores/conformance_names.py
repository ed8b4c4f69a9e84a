"""What every store must do with versions, services, triggers and keys for a time."""

from __future__ import annotations

import msgspec
import pytest

from sojourn.access import AccessToken, Scope
from sojourn.errors import StoreFailed
from sojourn.function import Alias, AsyncConfig, Disabled
from sojourn.service import Service, ServiceVersion
from sojourn.store import Store, TaskQuery
from sojourn.trail import Entry
from sojourn.trigger import Trigger
from stores.samples import NOW, Factory, full_task, new_account, new_function, new_key, open_tasks, use


class NameConformance:
    """Names that functions, tasks and accounts gained later."""

    def test_a_version_is_a_function_of_its_own(self, factory: Factory) -> None:
        """It has an id, stands beside its function under one name, and keeps what hangs on qualifiers."""
        alias = Alias(
            version_id="1", description="ü", additional_version_weight={"2": 0.5}, created_at=1, modified_at=2
        )

        async def work(store: Store) -> None:
            root = await store.put_function(new_function(), 0)
            assert root
            made = msgspec.structs.replace(new_function(), version="1", root_id=root.id, version_description="first")
            version = await store.put_function(made, 0)
            assert version
            assert version.id != root.id
            assert await store.put_function(made, 0) is None
            after = msgspec.structs.replace(
                root,
                revision=2,
                aliases={"prod": alias},
                async_configs={"prod": AsyncConfig(max_async_retry_attempts=1)},
                disabled=Disabled(reason="maintenance", at=NOW),
            )
            assert await store.put_function(after, 1) == after
            assert list(await store.functions()) == [after, version]

        use(factory, work)

    def test_a_task_keeps_the_version_it_means(self, factory: Factory) -> None:
        """Through every transition; open ones tell it; a page may ask for one qualifier."""

        async def work(store: Store) -> None:
            first = msgspec.structs.replace(full_task(1), snapshot_id=7)
            other = msgspec.structs.replace(full_task(2), qualifier="LATEST")
            assert await store.insert_task(first)
            assert await store.insert_task(other)
            moved = msgspec.structs.replace(first, epoch=first.epoch + 1, snapshot_id=8, qualifier="changed")
            assert await store.apply(first.epoch, moved)
            found = await store.task(1)
            assert found
            assert (found.snapshot_id, found.qualifier, found.runs) == (7, "qualifier", 7)
            assert {row.id: row.runs for row in await open_tasks(store)} == {1: 7, 2: 2}
            for qualifier, ids in (("", [2, 1]), ("qualifier", [1]), ("LATEST", [2]), ("prod", [])):
                page = await store.page(TaskQuery(function_id=2, qualifier=qualifier))
                assert [task.id for task in page] == ids

        use(factory, work)

    def test_a_service_is_replaced_where_it_stands(self, factory: Factory) -> None:
        """Compare and set on its revision."""
        service = Service(
            account_id="a",
            name="s",
            description="ü",
            internet_access=False,
            tags={"k": "v"},
            versions={"1": ServiceVersion(description="one", created_at=NOW)},
            published=1,
            aliases={"prod": Alias(version_id="1")},
            created_at=NOW,
            modified_at=NOW,
        )
        later = msgspec.structs.replace(service, revision=2, deleted=True)

        async def work(store: Store) -> None:
            assert await store.put_service(service, 0)
            assert not await store.put_service(service, 0)
            assert list(await store.services()) == [service]
            assert not await store.put_service(later, 2)
            assert await store.put_service(later, 1)
            assert list(await store.services()) == [later]

        use(factory, work)

    def test_a_trigger_is_replaced_where_it_stands(self, factory: Factory) -> None:
        """Compare and set on its epoch; a dropped one may be made again."""
        trigger = Trigger(function_id=1, name="t", type="timer", config="{}", id="i", qualifier="q", next_at=NOW)
        later = msgspec.structs.replace(trigger, epoch=2, next_at=NOW + 1, description="ü")

        async def work(store: Store) -> None:
            assert await store.put_trigger(trigger, 0)
            assert not await store.put_trigger(trigger, 0)
            assert not await store.put_trigger(later, 2)
            assert await store.put_trigger(later, 1)
            assert list(await store.triggers()) == [later]
            assert not await store.drop_trigger(1, "other", 2)
            assert not await store.drop_trigger(1, "t", 1)
            assert await store.drop_trigger(1, "t", 2)
            assert not await store.drop_trigger(1, "t", 2)
            assert list(await store.triggers()) == []
            assert await store.put_trigger(trigger, 0)

        use(factory, work)

    def test_access_tokens_come_and_go(self, factory: Factory) -> None:
        """They come back as they were, oldest first; one that is not there can be dropped."""
        first = AccessToken(
            id="t1", account_id="a", name="ü", scope=Scope.OPERATE, digest="d1", created_at=NOW, expires_at=NOW + 9
        )
        second = AccessToken(id="t0", account_id="b", name="", scope=Scope.READ, digest="d2", created_at=NOW + 1)

        async def work(store: Store) -> None:
            await store.put_access_token(first)
            await store.put_access_token(second)
            assert list(await store.access_tokens()) == [first, second]
            for again in (first, msgspec.structs.replace(first, id="t3")):
                with pytest.raises(StoreFailed):
                    await store.put_access_token(again)
            await store.drop_access_token("t1")
            await store.drop_access_token("t1")
            assert list(await store.access_tokens()) == [second]

        use(factory, work)

    def test_the_audit_trail_grows_and_is_read_backwards(self, factory: Factory) -> None:
        """Each account its own, newest first, before a number."""
        entry = Entry(
            at=NOW,
            account_id="a",
            actor="k",
            operation="CreateFunction",
            method="POST",
            target="/ü",
            request_id="1-2",
            status=200,
            code="c",
        )

        async def work(store: Store) -> None:
            for number in range(5):
                await store.add_audit(msgspec.structs.replace(entry, at=NOW + number))
                await store.add_audit(msgspec.structs.replace(entry, account_id="b"))
            found = list(await store.audit_page("a", None, 3))
            assert [each.at - NOW for each in found] == [4, 3, 2]
            assert msgspec.structs.replace(found[0], number=0, at=NOW) == entry
            rest = list(await store.audit_page("a", found[-1].number, 9))
            assert [each.at - NOW for each in rest] == [1, 0]
            assert list(await store.audit_page("c", None, 9)) == []

        use(factory, work)

    def test_keys_for_a_time_go_when_it_is_over(self, factory: Factory) -> None:
        """Others stay; a key needs an account and an id of its own."""
        key = msgspec.structs.replace(new_key("t"), expires_at=NOW + 10, token="secret")

        async def work(store: Store) -> None:
            assert not await store.put_access_key(key)
            assert await store.put_account(new_account(), new_key("k"))
            assert await store.put_access_key(key)
            assert not await store.put_access_key(key)
            await store.drop_access_keys(NOW + 9)
            assert sorted(await store.access_keys(), key=lambda each: each.id) == [new_key("k"), key]
            await store.drop_access_keys(NOW + 10)
            assert list(await store.access_keys()) == [new_key("k")]

        use(factory, work)
