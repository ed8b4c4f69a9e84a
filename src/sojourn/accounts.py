"""Accounts and their keys: the only writer of both.

Everything is held in memory and in the store; a change is durable before anybody sees it. A key for a time (STS)
belongs to an account like any other, comes with a token, and is refused when its time is over; whether it is, is
`api.authentication`'s to ask.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

import msgspec

from .clock import MICROSECONDS_PER_SECOND, Clock, unscaled
from .crashpoint import crashpoint
from .errors import AccessDenied, AccountAlreadyExists, AccountNotFound, ResourceExhausted
from .function import AccessKey, Account, check_account_id, check_integer
from .store import Store

ACCESS_KEY_BYTES, SECRET_BYTES, TOKEN_BYTES = 10, 24, 48
WEBHOOK_SECRET_PREFIX, WEBHOOK_SECRET_BYTES = "whsec_", 24
"""As Standard Webhooks spells secrets."""
TEMPORARY_SECONDS_BOUNDS = (15 * 60, 12 * 60 * 60)
TEMPORARY_SECONDS_DEFAULT = 60 * 60
TEMPORARY_KEYS_MAX = 1000
"""Of one account at a time."""


class Accounts:
    """The accounts of this server.

    Parameters
    ----------
    store, clock: where they are kept and what time it is.
    multi_account: whether the isolation in force may hold more than one account.

    """

    def __init__(self, store: Store, clock: Clock, *, multi_account: bool) -> None:
        self._store, self._clock, self._multi_account = store, clock, multi_account
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, AccessKey] = {}
        self.on_account: Callable[[int, Account], None] = lambda *_: None

    async def load_accounts(self) -> None:
        """Read them from the store, and forget keys whose time is over."""
        for place, account in enumerate(await self._store.accounts(), start=1):
            self._accounts[account.id] = account
            self.on_account(place, account)
        await self._store.drop_access_keys(unscaled(self._clock).now())
        self._keys = {key.id: key for key in await self._store.access_keys()}

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
        """An account's key pairs, without those for a time."""
        return [key for key in self._keys.values() if key.account_id == account_id and not key.expires_at]

    async def create_temporary_key(self, account_id: str, seconds: int) -> AccessKey:
        """A key of an account for so many seconds, with its token.

        Raises
        ------
        InvalidArgument: the time is out of bounds.
        ResourceExhausted: the account has too many of them.

        """
        check_integer("durationSeconds", seconds, TEMPORARY_SECONDS_BOUNDS, "seconds")
        now = unscaled(self._clock).now()  # as signatures have it
        over = [key.id for key in self._keys.values() if key.expires_at and key.expires_at <= now]
        if over:
            await self._store.drop_access_keys(now)
            for key_id in over:
                self._keys.pop(key_id, None)
        held = sum(key.account_id == account_id and key.expires_at > 0 for key in self._keys.values())
        if held >= TEMPORARY_KEYS_MAX:
            raise ResourceExhausted(f"the account has {TEMPORARY_KEYS_MAX} temporary keys, which is the limit", 60)
        key = AccessKey(
            id=f"STS.{secrets.token_hex(ACCESS_KEY_BYTES).upper()}",
            secret=secrets.token_hex(SECRET_BYTES),
            account_id=account_id,
            created_at=now,
            expires_at=now + seconds * MICROSECONDS_PER_SECOND,
            token=secrets.token_urlsafe(TOKEN_BYTES),
        )
        crashpoint("key.create.before")
        if not await self._store.put_access_key(key):
            raise AccountNotFound(account_id)
        crashpoint("key.create.durable")
        self._keys[key.id] = key
        return key

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
        crashpoint("account.create.before")
        if not await self._store.put_account(account, key):
            raise AccountAlreadyExists(account_id)
        crashpoint("account.create.durable")
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
        crashpoint("account.secret.before")
        if not await self._store.put_webhook_secret(account_id, before.webhook_secret, secret):
            # Another call was first, and its answer is as good.
            (before,) = [account for account in await self._store.accounts() if account.id == account_id]
            secret = before.webhook_secret
        crashpoint("account.secret.durable")
        self._accounts[account_id] = msgspec.structs.replace(before, webhook_secret=secret)
        return secret
