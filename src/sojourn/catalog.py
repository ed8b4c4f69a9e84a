"""Accounts and functions by name: the only writer of function state.

Everything is held in memory and in the store; a change is durable before anybody sees it. Code lies in files below
`code`, and a function names only code that is completely on disk. What a change means for instances and waiting
tasks is left to those who listen (`on_change`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections.abc import Callable, Mapping

import msgspec

from .clock import Clock
from .code import CodeStore
from .code import checksum as crc_64
from .configuration import changed_async_config, changed_config, new_config
from .errors import (
    AccessDenied,
    AccountAlreadyExists,
    AccountNotFound,
    AsyncConfigNotFound,
    Conflict,
    FunctionAlreadyExists,
    FunctionNotFound,
    InvalidArgument,
)
from .function import (
    CONTAINER,
    AccessKey,
    Account,
    AsyncConfig,
    Code,
    Config,
    Function,
    Provision,
    Scaling,
    check_account_id,
    check_function_name,
)
from .own_program import IGNORED_WHEN_EMPTY
from .store import Store
from .target import Reach, check_destinations

ACCESS_KEY_BYTES, SECRET_BYTES = 10, 24
WEBHOOK_SECRET_PREFIX, WEBHOOK_SECRET_BYTES = "whsec_", 24
"""As Standard Webhooks spells secrets."""


class Catalog:
    """What exists on this server.

    Parameters
    ----------
    store, code, clock: where it is kept and what time it is.
    check_runtime: raises `InvalidArgument` for a runtime that nothing here runs.
    multi_account: whether the isolation in force may hold more than one account.
    offline_works: whether the isolation in force can keep a function from the network.
    reach: what records of finished tasks can be sent to.

    """

    def __init__(
        self,
        store: Store,
        code: CodeStore,
        clock: Clock,
        *,
        check_runtime: Callable[[str], object],
        multi_account: bool,
        offline_works: bool = True,
        reach: Reach | None = None,
    ) -> None:
        self._store, self._code, self._clock = store, code, clock
        self._check_runtime, self._multi_account = check_runtime, multi_account
        self._offline_works, self._reach = offline_works, reach or Reach()
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, AccessKey] = {}
        self._functions: dict[tuple[str, str], Function] = {}
        self._by_id: dict[int, Function] = {}
        self.on_change: Callable[[Function], None] = lambda _: None
        self.on_account: Callable[[int, Account], None] = lambda *_: None

    async def load(self) -> None:
        """Read everything from the store, and drop code that nothing names any more."""
        for place, account in enumerate(await self._store.accounts(), start=1):
            self._accounts[account.id] = account
            self.on_account(place, account)
        self._keys = {key.id: key for key in await self._store.access_keys()}
        for function in await self._store.functions():
            self._remember(function)
        for account_id in self._accounts:
            keep = {one.code.digest for one in self._by_id.values() if one.account_id == account_id and not one.deleted}
            await asyncio.to_thread(self._code.collect, account_id, keep)

    # Accounts ---------------------------------------------------------------------------------------------------------

    def key(self, access_key_id: str) -> AccessKey | None:
        """The key pair of this id."""
        return self._keys.get(access_key_id)

    def account(self, account_id: str) -> Account:
        """The account of this id, or `AccountNotFound`."""
        account = self._accounts.get(account_id)
        if account is None:
            raise AccountNotFound(account_id)
        return account

    def accounts(self) -> list[Account]:
        """All accounts, oldest first."""
        return list(self._accounts.values())

    def keys_of(self, account_id: str) -> list[AccessKey]:
        """An account's key pairs."""
        return [key for key in self._keys.values() if key.account_id == account_id]

    async def create_account(self, account_id: str, key: AccessKey | None = None) -> AccessKey:
        """Create an account with a key pair, a random one unless `key` is given.

        Raises
        ------
        InvalidArgument: the id cannot be one.
        AccountAlreadyExists: the account or the key exists.
        AccessDenied: the isolation in force keeps no two accounts apart.

        """
        check_account_id(account_id)
        if account_id in self._accounts or (key is not None and key.id in self._keys):
            raise AccountAlreadyExists(account_id)
        if self._accounts and not self._multi_account:
            raise AccessDenied(
                "the isolation in force does not keep accounts apart, so there is one account only; "
                "serve with --sandbox bubblewrap, or --allow-unisolated if every account is trusted"
            )
        now = self._clock.now()
        account = Account(id=account_id, created_at=now, owner=not self._accounts)
        if key is None:
            key_id, secret = f"SJ{secrets.token_hex(ACCESS_KEY_BYTES).upper()}", secrets.token_hex(SECRET_BYTES)
            key = AccessKey(id=key_id, secret=secret, account_id=account_id, created_at=now)
        if not await self._store.put_account(account, key):
            raise AccountAlreadyExists(account_id)
        self._accounts[account_id] = account
        self._keys[key.id] = key
        self.on_account(len(self._accounts), account)
        return key

    async def webhook_secret(self, account_id: str) -> str:
        """What signs the records of an account; made when it is first asked for."""
        return self.account(account_id).webhook_secret or await self.rotate_webhook_secret(account_id)

    async def rotate_webhook_secret(self, account_id: str) -> str:
        """Replace an account's webhook secret by a new one, which signs from now on."""
        before = self.account(account_id)
        secret = WEBHOOK_SECRET_PREFIX + base64.b64encode(secrets.token_bytes(WEBHOOK_SECRET_BYTES)).decode()
        if not await self._store.put_webhook_secret(account_id, before.webhook_secret, secret):
            # Another call was first, and its answer is as good.
            (before,) = [account for account in await self._store.accounts() if account.id == account_id]
            secret = before.webhook_secret
        self._accounts[account_id] = msgspec.structs.replace(before, webhook_secret=secret)
        return secret

    # Functions --------------------------------------------------------------------------------------------------------

    def function(self, account_id: str, name: str) -> Function:
        """A function that exists, or `FunctionNotFound`."""
        function = self._functions.get((account_id, name))
        if function is None or function.deleted:
            raise FunctionNotFound(name)
        return function

    def remembered(self, account_id: str, name: str) -> Function:
        """A function that exists or once did: its tasks stay queryable."""
        function = self._functions.get((account_id, name))
        if function is None:
            raise FunctionNotFound(name)
        return function

    def by_id(self, function_id: int) -> Function:
        """A function by its number, also a deleted one."""
        return self._by_id[function_id]

    def with_minimum(self) -> list[Function]:
        """The functions of all accounts that always have instances."""
        return [each for each in self._by_id.values() if each.min_instances]

    def functions(self, account_id: str, prefix: str = "") -> list[Function]:
        """The account's functions whose names begin with `prefix`, by name."""
        mine = (one for one in self._by_id.values() if one.account_id == account_id and not one.deleted)
        return sorted((one for one in mine if one.name.startswith(prefix)), key=lambda one: one.name)

    async def create_function(self, account_id: str, body: Mapping[str, object]) -> Function:
        """Create the function that `body` (FC: CreateFunctionInput) describes; nothing is left behind by a refusal."""
        name = check_function_name(body.get("functionName"))
        if body.get("runtime") and isinstance(runtime := body["runtime"], str):
            await self._check_runtime_of(runtime)  # what cannot run here at all is said before what is wrong in detail
        config = new_config(body)
        self._check_network(config)
        before = self._functions.get((account_id, name))
        if before is not None and not before.deleted:
            raise FunctionAlreadyExists(name)
        code = await self._upload(account_id, body.get("code"), needed=not config.contained)
        now = self._clock.now()
        function = Function(
            id=before.id if before else 0,
            account_id=account_id,
            name=name,
            generation=before.generation + 1 if before else 1,
            revision=before.revision + 1 if before else 1,
            config=config,
            code=code,
            created_at=now,
            modified_at=now,
        )
        stored = await self._store.put_function(function, before.revision if before else 0)
        if stored is None:
            raise FunctionAlreadyExists(name)
        return self._changed(stored)

    async def update_function(self, account_id: str, name: str, body: Mapping[str, object]) -> Function:
        """Change the fields that `body` gives (FC: UpdateFunctionInput)."""
        function = self.function(account_id, name)
        config = changed_config(function.config, body)
        if config.runtime != function.config.runtime:
            await self._check_runtime_of(config.runtime)
        self._check_network(config)
        code = function.code
        if body.get("code") is not None or not (code.digest or config.contained):
            code = await self._upload(account_id, body.get("code"), needed=not config.contained)
        return await self._replace(function, config=config, code=code)

    async def delete_function(self, account_id: str, name: str) -> None:
        """Delete a function: its waiting tasks become Invalid, running ones finish; their destinations still hold."""
        await self._replace(
            self.function(account_id, name),
            deleted=True,
            reserved_concurrency=None,
            provision=None,
            scaling=None,
        )

    def async_config(self, account_id: str, name: str) -> AsyncConfig:
        """A function's asynchronous configuration, or `AsyncConfigNotFound`."""
        config = self.function(account_id, name).async_config
        if config is None:
            raise AsyncConfigNotFound(name)
        return config

    async def put_async_config(self, account_id: str, name: str, body: Mapping[str, object]) -> Function:
        """Create or change a function's asynchronous configuration; it holds for tasks submitted from now on."""
        function = self.function(account_id, name)
        config = changed_async_config(function.async_config, body, self._clock.now())
        if body.get("destinationConfig"):
            check_destinations(config.destination_config, account_id, self._reach)
        return await self._replace(function, async_config=config)

    async def delete_async_config(self, account_id: str, name: str) -> None:
        """Return to the defaults."""
        self.async_config(account_id, name)
        await self._replace(self.function(account_id, name), async_config=None)

    async def put_concurrency(self, account_id: str, name: str, reserved: int | None) -> Function:
        """Set or lift the bound on executions at a time."""
        return await self._replace(self.function(account_id, name), reserved_concurrency=reserved)

    async def put_provision(self, account_id: str, name: str, provision: Provision | None) -> Function:
        """Set or lift the number of provisioned instances."""
        return await self._replace(self.function(account_id, name), provision=provision)

    async def put_scaling(self, account_id: str, name: str, scaling: Scaling | None) -> Function:
        """Set or lift the least number of instances."""
        return await self._replace(self.function(account_id, name), scaling=scaling)

    def _check_network(self, config: Config) -> None:
        if not config.internet_access and not self._offline_works and not config.contained:
            raise InvalidArgument(
                "internetAccess", False, "must be true: the isolation in force cannot keep a function from the network"
            )

    async def _check_runtime_of(self, runtime: str) -> None:
        if runtime == CONTAINER:  # which may have to run one to know
            await asyncio.to_thread(self._check_runtime, runtime)
        else:
            self._check_runtime(runtime)

    async def _upload(self, account_id: str, code: object, *, needed: bool = True) -> Code:
        if not needed and code in IGNORED_WHEN_EMPTY:
            return Code(digest="", size=0, checksum="")
        if not isinstance(code, dict) or not isinstance(code.get("zipFile"), str):
            raise InvalidArgument("code", code, "must be an object with zipFile, a base64 zip archive")
        if any(value is not None and field not in ("zipFile", "checksum") for field, value in code.items()):
            raise InvalidArgument("code", sorted(code), "must hold zipFile and at most checksum")
        return await asyncio.to_thread(self._unpack, account_id, code["zipFile"], code.get("checksum"))

    def _unpack(self, account_id: str, text: str, checksum: object) -> Code:
        """Decode, compare, keep: off the loop, because 100 MB take their time."""
        try:
            archive = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidArgument("code.zipFile", text, "must be base64") from None
        if checksum not in (None, "") and checksum != (expected := crc_64(archive)):
            raise InvalidArgument("code.checksum", checksum, f"must be the archive's CRC-64, {expected}")
        return self._code.put(account_id, archive)

    async def _replace(self, function: Function, **changes: object) -> Function:
        after = msgspec.structs.replace(
            function, revision=function.revision + 1, modified_at=self._clock.now(), **changes
        )
        stored = await self._store.put_function(after, function.revision)
        if stored is None:
            raise Conflict(f"function '{function.name}' was changed by somebody else meanwhile, try again")
        return self._changed(stored)

    def _changed(self, function: Function) -> Function:
        self._remember(function)
        self.on_change(function)
        return function

    def _remember(self, function: Function) -> None:
        self._functions[function.account_id, function.name] = function
        self._by_id[function.id] = function
