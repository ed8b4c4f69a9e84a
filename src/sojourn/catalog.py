"""Functions and their versions by name: the only writer of function state.

Everything is held in memory and in the store; a change is durable before anybody sees it. Code lies in files below
`code`, and a function names only code that is completely on disk. What a change means for instances and waiting
tasks is left to those who listen (`on_change`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from .accounts import Accounts
from .alias import version_for
from .clock import Clock
from .code import CodeStore
from .configuration import changed_async_config, changed_config, new_config
from .crashpoint import crashpoint
from .errors import (
    AsyncConfigNotFound,
    Conflict,
    FunctionAlreadyExists,
    FunctionNotFound,
    InvalidArgument,
    QualifierNotFound,
)
from .function import (
    CONTAINER,
    LATEST,
    Alias,
    AsyncConfig,
    Config,
    Disabled,
    Function,
    Provision,
    Scaling,
    check_function_name,
)
from .refusals import VersionInUse
from .store import Store
from .target import Reach, check_destinations
from .uploads import upload


class Catalog(Accounts):
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
        super().__init__(store, clock, multi_account=multi_account)
        self._code, self._check_runtime = code, check_runtime
        self._offline_works, self._reach = offline_works, reach or Reach()
        self._functions: dict[tuple[str, str], Function] = {}
        self._by_id: dict[int, Function] = {}
        self._versions: dict[int, dict[str, Function]] = {}
        self.on_change: Callable[[Function], None] = lambda _: None
        self.aliases_of: Callable[[Function], Mapping[str, Alias]] = lambda function: function.aliases

    async def load(self) -> None:
        """Read everything from the store, and drop code that nothing names any more."""
        await self.load_accounts()
        for function in sorted(await self._store.functions(), key=lambda each: each.root_id > 0):
            self._remember(function)
        for account_id in self._accounts:
            keep = {one.code.digest for one in self._by_id.values() if one.account_id == account_id and not one.deleted}
            await asyncio.to_thread(self._code.collect, account_id, keep)

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
        """A function or one of its versions by its number, also a deleted one."""
        return self._by_id[function_id]

    def qualified(self, account_id: str, name: str, qualifier: str | None, number: int = 0) -> Function:
        """The version of a function that a qualifier names; `number` decides when an alias names two.

        Raises
        ------
        FunctionNotFound, QualifierNotFound: there is none.

        """
        function = self.function(account_id, name)
        if qualifier in (None, "", LATEST):
            return function
        alias = self.aliases_of(function).get(str(qualifier))
        version = version_for(alias, number) if alias is not None else str(qualifier)
        found = self._versions.get(function.id, {}).get(version)
        if found is None or found.deleted:
            raise QualifierNotFound(name, str(qualifier))
        return found

    def check_qualifier(self, function: Function, qualifier: str | None) -> str:
        """`qualifier` when it names a version or an alias of `function`; LATEST for none.

        Raises
        ------
        QualifierNotFound: it names nothing.

        """
        if qualifier in (None, "", LATEST):
            return LATEST
        found = self._versions.get(function.id, {}).get(str(qualifier))
        if (found is None or found.deleted) and str(qualifier) not in self.aliases_of(function):
            raise QualifierNotFound(function.name, str(qualifier))
        return str(qualifier)

    def versions(self, function: Function) -> list[Function]:
        """The published versions of a function, oldest first."""
        found = self._versions.get(function.id, {}).values()
        return sorted((each for each in found if not each.deleted), key=lambda each: int(each.version))

    def with_minimum(self) -> list[Function]:
        """The functions of all accounts that always have instances."""
        return [each for each in self._by_id.values() if each.min_instances]

    def functions(self, account_id: str, prefix: str = "") -> list[Function]:
        """The account's functions whose names begin with `prefix`, by name."""
        mine = (one for one in self._functions.values() if one.account_id == account_id and not one.deleted)
        return sorted((one for one in mine if one.name.startswith(prefix)), key=lambda one: one.name)

    def every_function(self, account_id: str) -> list[Function]:
        """All functions that the account has or ever had, in the order of their numbers."""
        return sorted((one for one in self._functions.values() if one.account_id == account_id), key=lambda one: one.id)

    async def create_function(self, account_id: str, body: Mapping[str, object]) -> Function:
        """Create the function that `body` (FC: CreateFunctionInput) describes; nothing is left behind by a refusal."""
        name = check_function_name(body.get("functionName"))
        if body.get("runtime") and isinstance(runtime := body["runtime"], str):
            await self._check_runtime_of(runtime)  # what cannot run here at all is said before what is wrong in detail
        config = new_config(body)
        self.check_network(config)
        before = self._functions.get((account_id, name))
        if before is not None and not before.deleted:
            raise FunctionAlreadyExists(name)
        code = await upload(self._code, account_id, body.get("code"), needed=not config.contained)
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
        crashpoint("function.create.before")
        stored = await self._store.put_function(function, before.revision if before else 0)
        if stored is None:
            raise FunctionAlreadyExists(name)
        crashpoint("function.create.durable")
        return self._changed(stored)

    async def update_function(self, account_id: str, name: str, body: Mapping[str, object]) -> Function:
        """Change the fields that `body` gives (FC: UpdateFunctionInput)."""
        function = self.function(account_id, name)
        config = changed_config(function.config, body)
        if config.runtime != function.config.runtime:
            await self._check_runtime_of(config.runtime)
        self.check_network(config)
        code = function.code
        if body.get("code") is not None or not (code.digest or config.contained):
            code = await upload(self._code, account_id, body.get("code"), needed=not config.contained)
        return await self.replace(function, config=config, code=code)

    async def delete_function(self, account_id: str, name: str) -> None:
        """Delete a function: its waiting tasks become Invalid, running ones finish; their destinations still hold."""
        await self.replace(
            self.function(account_id, name),
            deleted=True,
            reserved_concurrency=None,
            provision=None,
            scaling=None,
            disabled=None,
            paused_at=0,
            aliases={},
        )

    def async_config(self, account_id: str, name: str, qualifier: str = LATEST) -> AsyncConfig:
        """The asynchronous configuration of a function and a qualifier, or `AsyncConfigNotFound`."""
        config = self.function(account_id, name).async_config_of(qualifier)
        if config is None:
            raise AsyncConfigNotFound(name)
        return config

    async def put_async_config(
        self, account_id: str, name: str, body: Mapping[str, object], qualifier: str = LATEST
    ) -> Function:
        """Create or change an asynchronous configuration; it holds for tasks submitted from now on."""
        function = self.function(account_id, name)
        config = changed_async_config(function.async_config_of(qualifier), body, self._clock.now())
        if body.get("destinationConfig"):
            check_destinations(config.destination_config, account_id, self._reach)
        return await self._put_async(function, qualifier, config)

    async def delete_async_config(self, account_id: str, name: str, qualifier: str = LATEST) -> None:
        """Return to the defaults."""
        self.async_config(account_id, name, qualifier)
        await self._put_async(self.function(account_id, name), qualifier, None)

    async def _put_async(self, function: Function, qualifier: str, config: AsyncConfig | None) -> Function:
        if qualifier == LATEST:
            return await self.replace(function, async_config=config)
        configs = {name: each for name, each in function.async_configs.items() if name != qualifier}
        if config is not None:
            configs[qualifier] = config
        return await self.replace(function, async_configs=configs)

    async def put_concurrency(self, account_id: str, name: str, reserved: int | None) -> Function:
        """Set or lift the bound on executions at a time."""
        return await self.replace(self.function(account_id, name), reserved_concurrency=reserved)

    async def put_provision(self, function: Function, provision: Provision | None) -> Function:
        """Set or lift the number of provisioned instances of a function or a version."""
        return await self.replace(function, provision=provision)

    async def put_scaling(self, function: Function, scaling: Scaling | None) -> Function:
        """Set or lift the least number of instances of a function or a version."""
        return await self.replace(function, scaling=scaling)

    async def disable(self, function: Function, reason: str) -> Function:
        """Let a function take no invocations; its tasks wait."""
        return await self.replace(function, disabled=Disabled(reason=reason, at=self._clock.now()))

    async def enable(self, function: Function) -> Function:
        """Let a function take invocations again."""
        return await self.replace(function, disabled=None)

    async def pause(self, function: Function) -> Function:
        """Let no task of a function start; what runs goes on, and calls that wait for their answer are made."""
        return function if function.paused_at else await self.replace(function, paused_at=self._clock.now())

    async def resume(self, function: Function) -> Function:
        """Let tasks of a function start again."""
        return await self.replace(function, paused_at=0) if function.paused_at else function

    async def publish(self, function: Function, description: str, version: str = "") -> Function:
        """Keep a function as it stands now as a version, the next one unless `version` says which.

        Raises
        ------
        Conflict: somebody else published at the same time.

        """
        known = self._versions.get(function.id, {})
        version = version or str(max((int(each) for each in known), default=0) + 1)
        now = self._clock.now()
        made = Function(
            id=0,
            account_id=function.account_id,
            name=function.name,
            version=version,
            version_description=description,
            root_id=function.id,
            generation=function.generation,
            revision=1,
            config=function.config,
            code=function.code,
            created_at=now,
            modified_at=now,
        )
        crashpoint("function.publish.before")
        stored = await self._store.put_function(made, 0)
        if stored is None:
            raise Conflict(f"version {version} of function '{function.name}' was published by somebody else meanwhile")
        crashpoint("function.publish.durable")
        return self._changed(stored)

    async def delete_version(self, function: Function, version: str) -> None:
        """Delete a published version: its waiting tasks become Invalid, running ones finish.

        Raises
        ------
        QualifierNotFound: there is none.
        Conflict: an alias names it.

        """
        found = self.qualified(function.account_id, function.name, version)
        if found.version != version:
            raise QualifierNotFound(function.name, version)
        for name, alias in self.aliases_of(function).items():
            if version == alias.version_id or version in alias.additional_version_weight:
                raise VersionInUse(version, name)
        await self.replace(found, deleted=True, provision=None, scaling=None)

    async def archive(self, account_id: str, digest: str) -> bytes:
        """The archive of an account's function as it was uploaded.

        Raises
        ------
        FunctionNotFound: none of its functions has this code.

        """
        if not any(one.account_id == account_id and one.code.digest == digest for one in self._by_id.values()):
            raise FunctionNotFound(digest)
        archive = await asyncio.to_thread(self._code.archive, account_id, digest)
        if archive is None:
            raise FunctionNotFound(digest)
        return archive

    def check_network(self, config: Config) -> None:
        """Refuse, with `InvalidArgument`, what the isolation in force cannot keep."""
        if not config.internet_access and not self._offline_works and not config.contained:
            raise InvalidArgument(
                "internetAccess", False, "must be true: the isolation in force cannot keep a function from the network"
            )

    async def _check_runtime_of(self, runtime: str) -> None:
        if runtime == CONTAINER:  # which may have to run one to know
            await asyncio.to_thread(self._check_runtime, runtime)
        else:
            self._check_runtime(runtime)

    async def replace(self, function: Function, **changes: object) -> Function:
        """Change fields of a function or a version; `Conflict` when somebody else was first."""
        after = msgspec.structs.replace(
            function, revision=function.revision + 1, modified_at=self._clock.now(), **changes
        )
        crashpoint("function.change.before")
        stored = await self._store.put_function(after, function.revision)
        if stored is None:
            raise Conflict(f"function '{function.name}' was changed by somebody else meanwhile, try again")
        crashpoint("function.change.durable")
        return self._changed(stored)

    def _changed(self, function: Function) -> Function:
        for each in self._remember(function):
            self.on_change(each)
        return self._by_id[function.id]

    def _remember(self, function: Function) -> list[Function]:
        """Hold a function or a version as it stands now; returns it, and the versions that its change changes."""
        if function.root_id:
            function = _of_root(function, self._by_id[function.root_id])
            self._versions.setdefault(function.root_id, {})[function.version] = function
            self._by_id[function.id] = function
            return [function]
        self._functions[function.account_id, function.name] = self._by_id[function.id] = function
        versions = self._versions.get(function.id, {})
        changed = [function]
        for version in list(versions):
            after = versions[version] = _of_root(before := versions[version], function)
            self._by_id[after.id] = after
            if after != before:
                changed.append(after)
        return changed


def _of_root(version: Function, root: Function) -> Function:
    """A version with what it has from its function."""
    return msgspec.structs.replace(
        version,
        deleted=version.deleted or root.deleted or version.generation != root.generation,
        reserved_concurrency=root.reserved_concurrency,
        disabled=root.disabled,
        paused_at=root.paused_at,
        async_configs=root.async_configs,
        async_config=root.async_configs.get(version.version),
    )
