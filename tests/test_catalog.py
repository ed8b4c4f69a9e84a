"""The catalog: what is durable before it is seen, who wins a race, and what a refusal leaves behind."""

from __future__ import annotations

import asyncio
import base64
import io
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reference_store import ReferenceStore
from sojourn.catalog import Catalog
from sojourn.clock import SystemClock
from sojourn.code import CodeStore
from sojourn.errors import (
    AccessDenied,
    AccountAlreadyExists,
    AccountNotFound,
    AsyncConfigNotFound,
    Conflict,
    FunctionAlreadyExists,
    FunctionNotFound,
    InvalidArgument,
    StoreFailed,
)
from sojourn.function import AccessKey, Account, Function

ACCOUNT = "1234567890"


def archive(text: str = "def handler(event, context): return event") -> str:
    """A code archive with one module, as the wire carries it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("index.py", text)
    return base64.b64encode(buffer.getvalue()).decode()


def body(name: str = "f", **changes: Any) -> dict[str, Any]:
    """A create request."""
    return {
        "functionName": name,
        "runtime": "python3.12",
        "handler": "index.handler",
        "code": {"zipFile": archive()},
    } | changes


class Desk:
    """A catalog on a reference store and real code files, and what its listeners were told."""

    def __init__(self, root: Path, store: ReferenceStore | None = None, *, multi_account: bool = True) -> None:
        self.store, self.root = store or ReferenceStore(), root
        self.changes: list[Function] = []
        self.admitted: list[tuple[int, str]] = []
        self.catalog = Catalog(
            self.store,
            CodeStore(root),
            SystemClock(),
            check_runtime=self._check,
            multi_account=multi_account,
        )
        self.catalog.on_change = self.changes.append
        self.catalog.on_account = self._admit

    def _check(self, runtime: str) -> None:
        if not runtime.startswith("python3."):
            raise InvalidArgument("runtime", runtime, "must be python3.N")

    def _admit(self, place: int, account: Account) -> None:
        self.admitted.append((place, account.id))

    def trees(self) -> list[str]:
        """The code trees on disk."""
        directory = self.root / ACCOUNT
        return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


Work = Callable[[Desk], Awaitable[None]]


@pytest.fixture
def use(tmp_path: Path) -> Callable[[Work], Desk]:
    """Run some work at a desk that has its first account."""

    def go(work: Work) -> Desk:
        desk = Desk(tmp_path)

        async def main() -> None:
            await desk.store.open()
            await desk.catalog.load()
            await desk.catalog.create_account(ACCOUNT)
            await work(desk)

        asyncio.run(main())
        return desk

    return go


def test_the_first_account_owns_the_server_and_each_has_a_key(use: Callable[[Work], Desk]) -> None:
    """Random keys that differ, found by their id; places count from one and survive a restart."""

    async def work(desk: Desk) -> None:
        key = await desk.catalog.create_account("second")
        given = AccessKey(id="AK", secret="sk", account_id="third", created_at=1)
        assert await desk.catalog.create_account("third", given) == given

        assert desk.catalog.key(key.id) == key
        assert (len(key.id) >= 20, len(key.secret) >= 32) == (True, True)
        assert [(account.id, account.owner) for account in desk.catalog.accounts()] == [
            (ACCOUNT, True),
            ("second", False),
            ("third", False),
        ]
        again = Desk(desk.root, desk.store)
        await again.catalog.load()
        assert again.admitted == desk.admitted == [(1, ACCOUNT), (2, "second"), (3, "third")]
        assert again.catalog.key("AK") == given
        assert again.catalog.keys_of("second") == [key]

    use(work)


def test_accounts_and_keys_are_taken_once(use: Callable[[Work], Desk]) -> None:
    """Also by two at a time; an unknown account and an impossible id are refused."""

    async def work(desk: Desk) -> None:
        create = desk.catalog.create_account
        with pytest.raises(AccountAlreadyExists):
            await create(ACCOUNT)
        taken = desk.catalog.keys_of(ACCOUNT)[0]
        with pytest.raises(AccountAlreadyExists):
            await create("other", taken)
        both = await asyncio.gather(create("race"), create("race"), return_exceptions=True)
        assert sorted(type(each).__name__ for each in both) == ["AccessKey", "AccountAlreadyExists"]
        with pytest.raises(InvalidArgument, match="accountId"):
            await create("../etc")
        with pytest.raises(AccountNotFound):
            desk.catalog.account("other")

    desk = use(work)
    assert set(desk.store.data.accounts) == {ACCOUNT, "race"}


def test_without_isolation_there_is_one_account(tmp_path: Path) -> None:
    """The refusal says what to do about it."""

    async def main() -> None:
        desk = Desk(tmp_path, multi_account=False)
        await desk.store.open()
        await desk.catalog.create_account("one")
        with pytest.raises(AccessDenied, match="--sandbox bubblewrap"):
            await desk.catalog.create_account("two")
        assert set(desk.store.data.accounts) == {"one"}

    asyncio.run(main())


def test_a_function_lives_through_create_update_delete_and_create_again(use: Callable[[Work], Desk]) -> None:
    """Each change is a revision and is told; the second life is another generation under the same number."""

    async def work(desk: Desk) -> None:
        catalog = desk.catalog
        created = await catalog.create_function(ACCOUNT, body(memorySize=256))
        assert (created.generation, created.revision, created.config.memory_size) == (1, 1, 256)
        assert catalog.function(ACCOUNT, "f") is catalog.by_id(created.id) is created
        updated = await catalog.update_function(ACCOUNT, "f", {"timeout": 9})
        assert (updated.config.timeout, updated.config.memory_size, updated.code) == (9, 256, created.code)
        configured = await catalog.put_async_config(ACCOUNT, "f", {"maxAsyncRetryAttempts": 1})
        configured = await catalog.put_async_config(ACCOUNT, "f", {"maxAsyncEventAgeInSeconds": 7})
        assert configured.async_config
        config = catalog.async_config(ACCOUNT, "f")
        assert (config.max_async_retry_attempts, config.max_async_event_age_in_seconds) == (1, 7)
        await catalog.put_concurrency(ACCOUNT, "f", 0)
        await catalog.delete_function(ACCOUNT, "f")
        with pytest.raises(FunctionNotFound):
            catalog.function(ACCOUNT, "f")
        assert catalog.remembered(ACCOUNT, "f").deleted
        assert catalog.functions(ACCOUNT) == []
        again = await catalog.create_function(ACCOUNT, body())
        assert (again.id, again.generation, again.revision) == (created.id, 2, 7)
        assert (again.async_config, again.reserved_concurrency) == (None, None)
        assert [change.revision for change in desk.changes] == [1, 2, 3, 4, 5, 6, 7]

    use(work)


def test_everything_is_there_after_a_restart_and_unused_code_is_not(use: Callable[[Work], Desk]) -> None:
    """Functions, deleted ones included, come back as they were; trees that nothing names are removed."""

    async def work(desk: Desk) -> None:
        kept = await desk.catalog.create_function(ACCOUNT, body("kept"))
        await desk.catalog.create_function(ACCOUNT, body("gone", code={"zipFile": archive("x = 1")}))
        await desk.catalog.delete_function(ACCOUNT, "gone")
        assert len(desk.trees()) == 2

        again = Desk(desk.root, desk.store)
        await again.catalog.load()

        assert again.catalog.function(ACCOUNT, "kept") == kept
        assert again.catalog.remembered(ACCOUNT, "gone").deleted
        assert again.trees() == [kept.code.digest]

    use(work)


def test_functions_are_listed_by_name_and_account(use: Callable[[Work], Desk]) -> None:
    """In order, by prefix, and never another account's."""

    async def work(desk: Desk) -> None:
        await desk.catalog.create_account("other")
        for account, name in ((ACCOUNT, "b1"), (ACCOUNT, "a"), (ACCOUNT, "b0"), ("other", "b2")):
            await desk.catalog.create_function(account, body(name))
        names = [function.name for function in desk.catalog.functions(ACCOUNT)]
        assert names == ["a", "b0", "b1"]
        assert [function.name for function in desk.catalog.functions(ACCOUNT, "b")] == ["b0", "b1"]
        with pytest.raises(FunctionNotFound):
            desk.catalog.function(ACCOUNT, "b2")

    use(work)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"functionName": "9"}, "functionName"),
        ({"runtime": "cobol"}, "runtime"),
        ({"handler": None}, "handler"),
        ({"memorySize": 100}, "memorySize"),
        ({"code": None}, "code"),
        ({"code": {"ossBucketName": "b", "zipFile": ""}}, "code"),
        ({"code": {"zipFile": "%%%"}}, "code.zipFile"),
        ({"code": {"zipFile": base64.b64encode(b"no zip").decode()}}, "code.zipFile"),
    ],
)
def test_a_refused_create_leaves_nothing(use: Callable[[Work], Desk], changes: dict[str, Any], field: str) -> None:
    """No row, no tree, nobody told."""

    async def work(desk: Desk) -> None:
        with pytest.raises(InvalidArgument, match=f"^{field}"):
            await desk.catalog.create_function(ACCOUNT, body() | changes)
        assert (desk.store.data.functions, desk.changes, desk.trees()) == ({}, [], [])

    use(work)


def test_a_checksum_that_does_not_match_is_refused(use: Callable[[Work], Desk]) -> None:
    """The right one is taken, a wrong one names the right one."""

    async def work(desk: Desk) -> None:
        function = await desk.catalog.create_function(ACCOUNT, body())
        code = {"zipFile": archive(), "checksum": function.code.checksum}
        await desk.catalog.create_function(ACCOUNT, body("g", code=code))
        with pytest.raises(InvalidArgument, match=function.code.checksum):
            await desk.catalog.create_function(ACCOUNT, body("h", code=code | {"checksum": "1"}))
        assert {function.name for function in desk.catalog.functions(ACCOUNT)} == {"f", "g"}

    use(work)


def test_of_many_creates_at_a_time_one_wins(use: Callable[[Work], Desk]) -> None:
    """The others learn that the function exists, also those of the second life of a name."""

    async def work(desk: Desk) -> None:
        for _ in range(2):
            creates = [desk.catalog.create_function(ACCOUNT, body()) for _ in range(8)]
            results = await asyncio.gather(*creates, return_exceptions=True)
            assert sorted(type(each).__name__ for each in results) == ["Function"] + ["FunctionAlreadyExists"] * 7
            with pytest.raises(FunctionAlreadyExists):
                await desk.catalog.create_function(ACCOUNT, body())
            await desk.catalog.delete_function(ACCOUNT, "f")

    use(work)


def test_of_two_updates_at_a_time_one_wins_and_the_other_is_told(use: Callable[[Work], Desk]) -> None:
    """No update is lost silently."""

    async def work(desk: Desk) -> None:
        await desk.catalog.create_function(ACCOUNT, body())
        updates = [
            desk.catalog.update_function(ACCOUNT, "f", {"timeout": 9}),
            desk.catalog.put_async_config(ACCOUNT, "f", {"maxAsyncRetryAttempts": 1}),
        ]
        results = await asyncio.gather(*updates, return_exceptions=True)
        assert sorted(type(each).__name__ for each in results) == ["Conflict", "Function"]
        assert issubclass(Conflict, Exception)
        assert desk.catalog.function(ACCOUNT, "f").revision == 2

    use(work)


def test_a_change_that_is_not_durable_is_not_seen(use: Callable[[Work], Desk]) -> None:
    """The store says no: the function is as it was, and nobody was told."""

    async def work(desk: Desk) -> None:
        before = await desk.catalog.create_function(ACCOUNT, body())
        desk.store.failing = True
        for change in (
            desk.catalog.update_function(ACCOUNT, "f", {"timeout": 9}),
            desk.catalog.delete_function(ACCOUNT, "f"),
            desk.catalog.create_function(ACCOUNT, body("g")),
        ):
            with pytest.raises(StoreFailed):
                await change
        assert desk.catalog.functions(ACCOUNT) == [before]
        assert desk.changes == [before]

    use(work)


def test_an_async_config_that_is_not_there_is_not_found(use: Callable[[Work], Desk]) -> None:
    """Before it was put, and after it was deleted."""

    async def work(desk: Desk) -> None:
        catalog = desk.catalog
        await catalog.create_function(ACCOUNT, body())
        for _ in range(2):
            with pytest.raises(AsyncConfigNotFound):
                catalog.async_config(ACCOUNT, "f")
            with pytest.raises(AsyncConfigNotFound):
                await catalog.delete_async_config(ACCOUNT, "f")
            await catalog.put_async_config(ACCOUNT, "f", {})
            await catalog.delete_async_config(ACCOUNT, "f")
        for change in (
            catalog.update_function(ACCOUNT, "none", {}),
            catalog.delete_function(ACCOUNT, "none"),
            catalog.put_async_config(ACCOUNT, "none", {}),
            catalog.put_concurrency(ACCOUNT, "none", 1),
        ):
            with pytest.raises(FunctionNotFound):
                await change

    use(work)
