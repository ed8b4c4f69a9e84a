"""What the reference store knows by name: accounts, keys, tokens, services and triggers; the rest is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from reference_data import Data
from sojourn.access import AccessToken
from sojourn.errors import StoreFailed
from sojourn.function import AccessKey, Account
from sojourn.service import Service
from sojourn.trail import Entry
from sojourn.trigger import Trigger


class ReferenceNames:
    """Half of `ReferenceStore`."""

    data: Data

    async def put_account(self, account: Account, key: AccessKey) -> bool:
        """Keep both or neither."""
        await self._read()
        if account.id in self.data.accounts or key.id in self.data.keys:
            return False
        self.data.accounts[account.id], self.data.keys[key.id] = account, key
        return True

    async def put_webhook_secret(self, account_id: str, before: str, secret: str) -> bool:
        """Compare and set."""
        await self._read()
        account = self.data.accounts.get(account_id)
        if account is None or account.webhook_secret != before:
            return False
        self.data.accounts[account_id] = msgspec.structs.replace(account, webhook_secret=secret)
        return True

    async def accounts(self) -> Sequence[Account]:
        """Oldest first."""
        await self._read()
        return sorted(self.data.accounts.values(), key=lambda one: one.created_at)

    async def access_keys(self) -> Sequence[AccessKey]:
        """All of them."""
        await self._read()
        return list(self.data.keys.values())

    async def put_access_key(self, key: AccessKey) -> bool:
        """Keep another one."""
        await self._read()
        if key.id in self.data.keys or key.account_id not in self.data.accounts:
            return False
        self.data.keys[key.id] = key
        return True

    async def drop_access_keys(self, expired_before: int) -> None:
        """Forget those that are over."""
        await self._read()
        kept = {key.id: key for key in self.data.keys.values() if not 0 < key.expires_at <= expired_before}
        self.data.keys.clear()
        self.data.keys.update(kept)

    async def put_access_token(self, token: AccessToken) -> None:
        """Keep another one."""
        await self._read()
        if token.id in self.data.tokens or any(each.digest == token.digest for each in self.data.tokens.values()):
            raise StoreFailed("it is there")
        self.data.tokens[token.id] = token

    async def drop_access_token(self, token_id: str) -> None:
        """Forget it."""
        await self._read()
        self.data.tokens.pop(token_id, None)

    async def access_tokens(self) -> Sequence[AccessToken]:
        """All of them."""
        await self._read()
        return sorted(self.data.tokens.values(), key=lambda one: one.created_at)

    async def add_audit(self, entry: Entry) -> None:
        """Keep it last."""
        await self._read()
        self.data.audit.append(msgspec.structs.replace(entry, number=len(self.data.audit) + 1))

    async def audit_page(self, account_id: str, before: int | None, limit: int) -> Sequence[Entry]:
        """Newest first."""
        await self._read()
        mine = [each for each in self.data.audit if each.account_id == account_id]
        return [each for each in reversed(mine) if before is None or each.number < before][:limit]

    async def put_service(self, service: Service, revision: int) -> bool:
        """Compare and set."""
        await self._read()
        found = self.data.services.get((service.account_id, service.name))
        if (found.revision if found else 0) != revision:
            return False
        self.data.services[service.account_id, service.name] = service
        return True

    async def services(self) -> Sequence[Service]:
        """All of them."""
        await self._read()
        return [service for _, service in sorted(self.data.services.items())]

    async def put_trigger(self, trigger: Trigger, epoch: int) -> bool:
        """Compare and set."""
        await self._read()
        found = self.data.triggers.get((trigger.function_id, trigger.name))
        if (found.epoch if found else 0) != epoch:
            return False
        self.data.triggers[trigger.function_id, trigger.name] = trigger
        return True

    async def drop_trigger(self, function_id: int, name: str, epoch: int) -> bool:
        """Compare and forget."""
        await self._read()
        found = self.data.triggers.get((function_id, name))
        if found is None or found.epoch != epoch:
            return False
        del self.data.triggers[function_id, name]
        return True

    async def triggers(self) -> Sequence[Trigger]:
        """All of them."""
        await self._read()
        return [trigger for _, trigger in sorted(self.data.triggers.items())]

    async def _read(self) -> None:
        raise NotImplementedError
