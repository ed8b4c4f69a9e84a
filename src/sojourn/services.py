"""Services, versions and aliases by name: the only writer of services, and of what a qualifier means.

A function of a service (`service$function`) has the versions and aliases of its service; another one has its own. A
published version of a service is one of each of its functions under the same number. It is durable piece by piece: a
crash in between leaves snapshots that no list shows and the next one overwrites nothing of, because numbers of versions
are never given twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from .alias import changed_alias, check_alias_name, check_description
from .catalog import Catalog
from .clock import Clock
from .crashpoint import crashpoint
from .errors import Conflict, FunctionNotFound, InvalidArgument, QualifierNotFound
from .function import LATEST, Alias, Function, check_service_name
from .refusals import (
    AliasAlreadyExists,
    AliasNotFound,
    ServiceAlreadyExists,
    ServiceNotEmpty,
    ServiceNotFound,
    VersionInUse,
)
from .service import Service, ServiceVersion, changed_service
from .store import Store


class Services:
    """The services of all accounts.

    `catalog` is told whose aliases a function has.
    """

    def __init__(self, store: Store, clock: Clock, catalog: Catalog) -> None:
        self._store, self._clock, self._catalog = store, clock, catalog
        self._services: dict[tuple[str, str], Service] = {}
        catalog.aliases_of = self.aliases_of

    async def load(self) -> None:
        """Read everything from the store."""
        for service in await self._store.services():
            self._services[service.account_id, service.name] = service

    def service(self, account_id: str, name: str) -> Service:
        """A service that exists, or `ServiceNotFound`."""
        service = self._services.get((account_id, name))
        if service is None or service.deleted:
            raise ServiceNotFound(name)
        return service

    def services(self, account_id: str, prefix: str = "") -> list[Service]:
        """The account's services whose names begin with `prefix`, by name."""
        mine = (one for one in self._services.values() if one.account_id == account_id and not one.deleted)
        return sorted((one for one in mine if one.name.startswith(prefix)), key=lambda one: one.name)

    async def create(self, account_id: str, body: Mapping[str, object]) -> Service:
        """Create a service (FC: CreateServiceInput)."""
        name = check_service_name(body.get("serviceName"))
        before = self._services.get((account_id, name))
        if before is not None and not before.deleted:
            raise ServiceAlreadyExists(name)
        now = self._clock.now()
        made = Service(
            account_id=account_id,
            name=name,
            revision=before.revision + 1 if before else 1,
            published=before.published if before else 0,
            created_at=now,
            modified_at=now,
        )
        made = changed_service(made, body)
        crashpoint("service.create.before")
        if not await self._store.put_service(made, before.revision if before else 0):
            raise ServiceAlreadyExists(name)
        crashpoint("service.create.durable")
        self._services[account_id, name] = made
        return made

    async def ensure(self, account_id: str, name: str) -> Service:
        """A service, made when it is not there: functions of 3.0 named `service$function` bring theirs along."""
        found = self._services.get((account_id, name))
        if found is not None and not found.deleted:
            return found
        return await self.create(account_id, {"serviceName": name})

    async def update(self, account_id: str, name: str, body: Mapping[str, object]) -> Service:
        """Change a service (FC: UpdateServiceInput); what concerns its functions is changed in each of them."""
        before = self.service(account_id, name)
        after = changed_service(before, body)
        for function in self.functions(before):
            self._catalog.check_network(msgspec.structs.replace(function.config, internet_access=after.internet_access))
        after = await self._replace(before, after)  # first: who comes too late to change it changes no function either
        await self._connect(account_id, name)
        return after

    async def _connect(self, account_id: str, name: str) -> None:
        """Give each function of a service its network, whoever changes them, or the service, meanwhile."""
        while True:
            service = self._services[account_id, name]
            wanted = service.internet_access
            others = [each for each in self.functions(service) if each.config.internet_access != wanted]
            if not others:
                return
            with suppress(Conflict, FunctionNotFound):
                await self._catalog.update_function(account_id, others[0].name, {"internetAccess": wanted})

    async def delete(self, account_id: str, name: str) -> None:
        """Delete a service that holds nothing any more.

        Raises
        ------
        ServiceNotEmpty: it has functions, versions or aliases.

        """
        service = self.service(account_id, name)
        held = {"functions": self.functions(service), "aliases": service.aliases, "versions": service.versions}
        for what, those in held.items():
            if those:
                raise ServiceNotEmpty(name, what)
        await self._replace(service, msgspec.structs.replace(service, deleted=True, tags={}))

    async def tag(self, service: Service, tags: dict[str, str]) -> Service:
        """Replace a service's tags."""
        return await self._replace(service, msgspec.structs.replace(service, tags=tags))

    def functions(self, service: Service) -> list[Function]:
        """The functions of a service, by name."""
        return self._catalog.functions(service.account_id, f"{service.name}$")

    # Versions ---------------------------------------------------------------------------------------------------------

    async def publish(self, service: Service, description: object) -> str:
        """Publish a version of a service; returns its number."""
        text = _description(description)
        version = str(service.published + 1)
        # The number is taken first, so that nobody else publishes under it.
        taken = await self._replace(service, msgspec.structs.replace(service, published=service.published + 1))
        crashpoint("service.publish.numbered")
        for function in self.functions(service):
            await self._catalog.publish(function, text, version)
        crashpoint("service.publish.snapshots")
        made = ServiceVersion(description=text, created_at=self._clock.now())
        while True:
            try:
                await self._replace(taken, msgspec.structs.replace(taken, versions=taken.versions | {version: made}))
            except Conflict:  # of something else: the number is taken
                taken = self.service(service.account_id, service.name)
            else:
                return version

    async def delete_version(self, service: Service, version: str) -> None:
        """Delete a version of a service, and those of its functions."""
        if version not in service.versions:
            raise QualifierNotFound(service.name, version)
        for name, alias in service.aliases.items():
            if version == alias.version_id or version in alias.additional_version_weight:
                raise VersionInUse(version, name)
        kept = {number: each for number, each in service.versions.items() if number != version}
        await self._replace(service, msgspec.structs.replace(service, versions=kept))
        crashpoint("service.unpublish.unlisted")
        for function in self.functions(service):
            for each in self._catalog.versions(function):
                if each.version == version:
                    await self._catalog.replace(each, deleted=True, provision=None, scaling=None)

    async def publish_function(self, function: Function, description: object) -> Function:
        """Publish a version of a function that belongs to no service."""
        self._own(function)
        return await self._catalog.publish(function, _description(description))

    # Aliases ----------------------------------------------------------------------------------------------------------

    def aliases_of(self, function: Function) -> Mapping[str, Alias]:
        """The aliases by which versions of `function` are called."""
        if not function.service:
            return function.aliases
        service = self._services.get((function.account_id, function.service))
        return service.aliases if service is not None else {}

    async def put_alias(self, owner: Service | Function, name: str, body: Mapping[str, object], *, new: bool) -> Alias:
        """Create (`new`) or change an alias of a service or a function."""
        self._own(owner)
        check_alias_name(name)
        before = owner.aliases.get(name)
        if before is not None and new:
            raise AliasAlreadyExists(owner.name, name)
        if before is None and not new:
            raise AliasNotFound(owner.name, name)
        if isinstance(owner, Service):
            versions = set(owner.versions)
        else:
            versions = {each.version for each in self._catalog.versions(owner)}
        after = changed_alias(before, body, versions, self._clock.now())
        await self._put_aliases(owner, {**owner.aliases, name: after})
        return after

    async def delete_alias(self, owner: Service | Function, name: str) -> None:
        """Forget an alias."""
        self._own(owner)
        self.alias(owner, name)
        await self._put_aliases(owner, {each: alias for each, alias in owner.aliases.items() if each != name})

    def alias(self, owner: Service | Function, name: str) -> Alias:
        """An alias of a service or of a function, or `AliasNotFound`."""
        aliases = owner.aliases if isinstance(owner, Service) else self.aliases_of(owner)
        if name not in aliases:
            raise AliasNotFound(owner.name, name)
        return aliases[name]

    def check_qualifier(self, service: Service, qualifier: str) -> str:
        """`qualifier` when it names a version or an alias of `service`; LATEST for none."""
        if qualifier in ("", LATEST):
            return LATEST
        if qualifier not in service.versions and qualifier not in service.aliases:
            raise QualifierNotFound(service.name, qualifier)
        return qualifier

    async def _put_aliases(self, owner: Service | Function, aliases: dict[str, Alias]) -> None:
        if isinstance(owner, Service):
            await self._replace(owner, msgspec.structs.replace(owner, aliases=aliases))
        else:
            await self._catalog.replace(owner, aliases=aliases)

    def _own(self, owner: Service | Function) -> None:
        if isinstance(owner, Function) and owner.service:
            raise InvalidArgument(
                "functionName", owner.name, "has the versions and aliases of its service: use those of API 2021-04-06"
            )

    async def _replace(self, before: Service, after: Service) -> Service:
        after = msgspec.structs.replace(after, revision=before.revision + 1, modified_at=self._clock.now())
        crashpoint("service.change.before")
        if not await self._store.put_service(after, before.revision):
            raise Conflict(f"service '{before.name}' was changed by somebody else meanwhile, try again")
        crashpoint("service.change.durable")
        self._services[after.account_id, after.name] = after
        return after


def _description(given: object) -> str:
    return "" if given is None else check_description(given)
