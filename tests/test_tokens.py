"""Access tokens: what is kept of them, how long they are good, and whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from reference_data import Data
from reference_store import ReferenceStore
from sojourn import tokens as module
from sojourn.access import Scope
from sojourn.clock import MICROSECONDS_PER_SECOND, SystemClock
from sojourn.errors import AccessTokenInvalid, AccessTokenNotFound, InvalidArgument, ResourceExhausted
from sojourn.tokens import NAME_CHARACTERS_MAX, PREFIX, SECONDS_BOUNDS, Tokens

SECONDS = 3600


class SetClock(SystemClock):
    """Stands still, but for what a test sets it forward."""

    def __init__(self) -> None:
        self.at = 1_800_000_000 * MICROSECONDS_PER_SECOND

    def now(self) -> int:
        """Microseconds since 1970."""
        return self.at

    def advance(self, seconds: int) -> None:
        """Let so much time pass."""
        self.at += seconds * MICROSECONDS_PER_SECOND


class Kept:
    """Tokens on data that outlives them, at a time that a test sets."""

    def __init__(self) -> None:
        self.data, self.clock = Data(), SetClock()

    def run(self, work: Callable[[Tokens], Awaitable[None]]) -> None:
        """Let a server that has just started do `work`."""

        async def start() -> None:
            store = ReferenceStore(self.data)
            await store.open()
            tokens = Tokens(store, self.clock)
            await tokens.load()
            await work(tokens)
            await store.close()

        asyncio.run(start())


@pytest.fixture
def kept() -> Kept:
    """Nothing yet."""
    return Kept()


def test_a_token_opens_its_account_after_a_restart_too(kept: Kept) -> None:
    """Its text leads to its account and scope, and no other text does; the text itself is kept nowhere."""
    texts: list[str] = []

    async def make(tokens: Tokens) -> None:
        token, text = await tokens.create("a", Scope.OPERATE, name="ci")
        assert text.startswith(PREFIX)
        assert tokens.resolve(text) == token
        texts.append(text)

    async def look(tokens: Tokens) -> None:
        (text,) = texts
        token = tokens.resolve(text)
        assert (token.account_id, token.scope, token.name, token.expires_at) == ("a", Scope.OPERATE, "ci", 0)
        for wrong in ("", PREFIX, text[:-1], text + "x", text.swapcase(), token.digest, token.id, "\udc80"):
            with pytest.raises(AccessTokenInvalid):
                tokens.resolve(wrong)
        assert text not in repr(kept.data.tokens)
        assert text.removeprefix(PREFIX) not in repr(vars(tokens))

    kept.run(make)
    kept.run(look)


def test_a_token_is_good_until_its_end(kept: Kept) -> None:
    """And not at it; then it is listed no more, and the next start or token forgets it."""

    async def live(tokens: Tokens) -> None:
        token, text = await tokens.create("a", Scope.READ, seconds=SECONDS)
        kept.clock.advance(SECONDS - 1)
        assert tokens.resolve(text) == token
        assert tokens.of("a") == [token]
        kept.clock.advance(1)
        with pytest.raises(AccessTokenInvalid, match="is over"):
            tokens.resolve(text)
        assert tokens.of("a") == []
        with pytest.raises(AccessTokenNotFound):
            await tokens.revoke("a", token.id)
        assert kept.data.tokens.keys() == {token.id}
        lasting, _ = await tokens.create("a", Scope.READ)
        assert kept.data.tokens.keys() == {lasting.id}

    kept.run(live)


def test_a_start_forgets_what_is_over(kept: Kept) -> None:
    """In the store as well."""

    async def make(tokens: Tokens) -> None:
        await tokens.create("a", Scope.READ, seconds=SECONDS)

    async def look(tokens: Tokens) -> None:
        assert tokens.of("a") == []
        assert not kept.data.tokens

    kept.run(make)
    kept.clock.advance(SECONDS)
    kept.run(look)


def test_a_revoked_token_opens_nothing(kept: Kept) -> None:
    """From then on, for good; another account cannot revoke it, and does not learn that it is there."""

    async def live(tokens: Tokens) -> None:
        token, text = await tokens.create("a", Scope.ADMIN)
        for account, name in (("b", token.id), ("a", "tok-0")):
            with pytest.raises(AccessTokenNotFound, match=name):
                await tokens.revoke(account, name)
        assert tokens.of("b") == []
        await tokens.revoke("a", token.id)
        with pytest.raises(AccessTokenInvalid):
            tokens.resolve(text)
        assert not kept.data.tokens
        with pytest.raises(AccessTokenNotFound):
            await tokens.revoke("a", token.id)

    kept.run(live)


def test_bounds(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, a time and a number of tokens; nothing is kept of what is refused."""
    monkeypatch.setattr(module, "TOKENS_MAX", 2)

    async def live(tokens: Tokens) -> None:
        for seconds in (SECONDS_BOUNDS[0] - 1, SECONDS_BOUNDS[1] + 1):
            with pytest.raises(InvalidArgument, match="expiresInSeconds"):
                await tokens.create("a", Scope.READ, seconds=seconds)
        with pytest.raises(InvalidArgument, match="name"):
            await tokens.create("a", Scope.READ, name="x" * (NAME_CHARACTERS_MAX + 1))
        assert not kept.data.tokens
        for _ in range(2):
            await tokens.create("a", Scope.READ, name="x" * NAME_CHARACTERS_MAX, seconds=SECONDS_BOUNDS[1])
        with pytest.raises(ResourceExhausted, match="2 access tokens"):
            await tokens.create("a", Scope.READ)
        await tokens.create("b", Scope.READ)

    kept.run(live)


@pytest.mark.parametrize("held", Scope)
def test_a_scope_includes_those_before_it(held: Scope) -> None:
    """Read, operate, admin."""
    order = list(Scope)
    assert [held.covers(needed) for needed in order] == [order.index(held) >= order.index(each) for each in order]
