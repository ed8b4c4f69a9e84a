"""Access tokens: made, kept, found and revoked; the only writer of them.

A token is for what cannot sign requests: a browser, `curl`, a dashboard. It opens one account, within a scope. Its text
is shown once and kept nowhere: the store and the memory of this server hold its SHA-256, which is enough because the
text is random and longer than anybody could guess. A change is durable before it counts; a revoked token is refused
from then on.
"""

from __future__ import annotations

import hashlib
import secrets

from .access import AccessToken, Scope
from .clock import MICROSECONDS_PER_SECOND, Clock
from .crashpoint import crashpoint
from .errors import AccessTokenInvalid, AccessTokenNotFound, InvalidArgument, ResourceExhausted
from .function import check_integer
from .store import Store

PREFIX = "sjt_"
"""Begins the text of every token, so that people and scanners see what it is."""
TEXT_BYTES, ID_BYTES = 32, 8
NAME_CHARACTERS_MAX = 128
SECONDS_BOUNDS = (60, 10 * 366 * 86_400)
TOKENS_MAX = 1000
"""Of one account."""


class Tokens:
    """The access tokens of all accounts.

    Parameters
    ----------
    store: where they are kept.
    clock: when their time is over, by the machine's time.

    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._found: dict[str, AccessToken] = {}

    async def load(self) -> None:
        """Read them from the store, and forget those whose time is over."""
        self._found = {token.digest: token for token in await self._store.access_tokens()}
        await self._forget(self._over())

    def resolve(self, text: str) -> AccessToken:
        """The token whose text this is: whose account it opens, and how far.

        Raises
        ------
        AccessTokenInvalid: there is none, or its time is over.

        """
        return self.counted(_digest(text))

    def counted(self, digest: str) -> AccessToken:
        """The token of this digest, as `resolve`, for who has asked for it before."""
        token = self._found.get(digest)
        if token is None:
            raise AccessTokenInvalid
        if token.expires_at and token.expires_at <= self._clock.now():
            raise AccessTokenInvalid("the time of this access token is over, ask for another one")
        return token

    def of(self, account_id: str) -> list[AccessToken]:
        """The tokens of an account whose time is not over, oldest first."""
        over = self._over()
        mine = [each for each in self._found.values() if each.account_id == account_id and each not in over]
        return sorted(mine, key=lambda each: (each.created_at, each.id))

    async def create(
        self, account_id: str, scope: Scope, *, name: str = "", seconds: int | None = None
    ) -> tuple[AccessToken, str]:
        """A new token of an account, and its text.

        Parameters
        ----------
        account_id: which account it opens.
        scope: how far.
        name: what to call it.
        seconds: how long it is good; None for until it is revoked.

        Raises
        ------
        InvalidArgument: the name is too long, or the time out of bounds.
        ResourceExhausted: the account has too many of them.

        """
        if len(name) > NAME_CHARACTERS_MAX:
            raise InvalidArgument("name", name, f"must be text of at most {NAME_CHARACTERS_MAX} characters")
        if seconds is not None:
            check_integer("expiresInSeconds", seconds, SECONDS_BOUNDS, "seconds")
        await self._forget(self._over())
        if sum(each.account_id == account_id for each in self._found.values()) >= TOKENS_MAX:
            raise ResourceExhausted(f"the account has {TOKENS_MAX} access tokens, which is the limit", 60)
        text, now = PREFIX + secrets.token_urlsafe(TEXT_BYTES), self._clock.now()
        token = AccessToken(
            id=f"tok-{secrets.token_hex(ID_BYTES)}",
            account_id=account_id,
            name=name,
            scope=scope,
            digest=_digest(text),
            created_at=now,
            expires_at=0 if seconds is None else now + seconds * MICROSECONDS_PER_SECOND,
        )
        crashpoint("token.create.before")
        await self._store.put_access_token(token)
        crashpoint("token.create.durable")
        self._found[token.digest] = token
        return token, text

    async def revoke(self, account_id: str, token_id: str) -> None:
        """Let an account's token count no longer.

        Raises
        ------
        AccessTokenNotFound: the account has no such token.

        """
        mine = [each for each in self.of(account_id) if each.id == token_id]
        if not mine:
            raise AccessTokenNotFound(token_id)
        await self._forget(mine)

    def _over(self) -> list[AccessToken]:
        now = self._clock.now()
        return [each for each in self._found.values() if 0 < each.expires_at <= now]

    async def _forget(self, gone: list[AccessToken]) -> None:
        for token in gone:
            crashpoint("token.delete.before")
            await self._store.drop_access_token(token.id)
            crashpoint("token.delete.durable")
            self._found.pop(token.digest, None)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
