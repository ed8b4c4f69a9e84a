"""Where accounts live: one sandbox each, started when it is first needed and again after it was lost.

Accounts never share a sandbox. The driver in force was chosen and probed by `server`; this file only decides when a
sandbox starts, with which network and under which user.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from .errors import InvalidArgument
from .function import Account
from .runtime import Resolved, Runtime
from .sandbox import Exit, Sandbox, SandboxDriver, SandboxSpec

log = logging.getLogger(__name__)

FIRST_UID = 200_000
"""Users of sandboxes when the server is root: this number plus the account's place among all accounts."""


class Homes:
    """The sandboxes of all accounts.

    `mark` is the environment value by which processes of this data directory are known; `code` gives the directory of
    an account's code trees.
    """

    def __init__(
        self,
        driver: SandboxDriver,
        runtimes: Iterable[Runtime],
        directory: Path,
        code: Callable[[str], Path],
        *,
        mark: str,
        network: str,
        network_others: str,
        region: str,
    ) -> None:
        self._driver, self._runtimes, self._directory, self._code = driver, tuple(runtimes), directory, code
        self._mark, self._network, self._network_others = mark, network, network_others
        self.region = region
        self._places: dict[str, tuple[int, bool]] = {}
        self._sandboxes: dict[str, asyncio.Future[Sandbox]] = {}
        self._closing = False
        self.on_exit: Callable[[str, Exit], None] = lambda *_: None
        self.on_lost: Callable[[str], None] = lambda _: None

    def admit(self, place: int, account: Account) -> None:
        """Make an account known: `place` counts accounts from 1 in the order they were made, and never changes."""
        self._places[account.id] = (place, account.owner)

    def resolve(self, runtime: str) -> Resolved:
        """What runs functions of `runtime`.

        Raises
        ------
        InvalidArgument: nothing does.

        """
        for driver in self._runtimes:
            if (resolved := driver.resolve(runtime)) is not None:
                return resolved
        known = ", ".join(driver.language for driver in self._runtimes)
        raise InvalidArgument("runtime", runtime, f"must be of a family this server runs ({known}), such as python3.12")

    @property
    def accounts(self) -> int:
        """How many accounts are known."""
        return len(self._places)

    def network_of(self, account_id: str) -> str:
        """What the account's functions may reach: `host` or `none`."""
        _, owner = self._places[account_id]
        return self._network if owner else self._network_others

    async def sandbox(self, account_id: str) -> Sandbox:
        """The account's sandbox; the first caller starts it, the others wait for the same start.

        Raises
        ------
        SandboxUnavailable: it does not start.

        """
        begun = self._sandboxes.get(account_id)
        if begun is None or not _usable(begun):
            begun = asyncio.ensure_future(self._start(account_id))
            self._sandboxes[account_id] = begun
        return await asyncio.shield(begun)

    async def close(self) -> None:
        """End all sandboxes."""
        self._closing = True
        begun, self._sandboxes = list(self._sandboxes.values()), {}
        for result in await asyncio.gather(*begun, return_exceptions=True):
            if not isinstance(result, BaseException):
                await result.close()

    async def _start(self, account_id: str) -> Sandbox:
        place, _ = self._places[account_id]
        directory = self._directory / account_id
        directory.mkdir(parents=True, exist_ok=True)
        interpreters = {one.executable: one for driver in self._runtimes for one in driver.interpreters()}
        spec = SandboxSpec(
            id=account_id,
            account_id=account_id,
            code=self._code(account_id),
            directory=directory,
            interpreters=tuple(interpreters.values()),
            mark=self._mark,
            network=self.network_of(account_id),
            uid=FIRST_UID + place if os.getuid() == 0 else None,
        )
        return await self._driver.start(spec, self._exited, lambda: self._gone(account_id))

    def _exited(self, instance_id: str, exit_: Exit) -> None:
        self.on_exit(instance_id, exit_)

    def _gone(self, account_id: str) -> None:
        if not self._closing:
            log.warning("the sandbox of account %s went away; the next execution starts another one", account_id)
            begun = self._sandboxes.get(account_id)
            if begun is not None and not _usable(begun):  # else another one was started while this one collapsed
                del self._sandboxes[account_id]
        self.on_lost(account_id)


def _usable(begun: asyncio.Future[Sandbox]) -> bool:
    """Whether a sandbox answers, or will."""
    if not begun.done():
        return True
    return not begun.cancelled() and begun.exception() is None and begun.result().alive
