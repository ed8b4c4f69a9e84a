"""Where accounts live: one sandbox each, started when it is first needed and again after it was lost.

Accounts never share a sandbox. The driver in force was chosen and probed by `server`; this file only decides when a
sandbox starts, with which network and under which user. An account that runs images of its own has a second one, beside
the first, in which its containers live.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .crashpoint import crashpoint
from .errors import InvalidArgument, SandboxUnavailable
from .function import Account
from .runtime import Resolved, Runtime
from .sandbox import Exit, Sandbox, SandboxDriver, SandboxSpec
from .users import Users

log = logging.getLogger(__name__)

CONTAINERS_SUFFIX = ".containers"
"""What the directory of an account's containers has behind the account's id, in which no dot can be."""


class Homes:
    """The sandboxes of all accounts.

    `mark` is the environment value by which processes of this data directory are known; `code` gives the directory of
    an account's code trees. `containers` starts what containers live in; without it no function can be an image.
    `users` gives every account a user of its own; without it all of them are the server's. `looking` is over when the
    runtimes have looked for their interpreters: until then a start waits without holding up anything else.
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
        containers: SandboxDriver | None = None,
        users: Users | None = None,
        looking: asyncio.Future[None] | None = None,
    ) -> None:
        self._driver, self._runtimes, self._directory, self._code = driver, tuple(runtimes), directory, code
        self._mark, self._network, self._network_others = mark, network, network_others
        self.region = region
        self._containers, self._users, self._looking = containers, users, looking
        self._places: dict[str, tuple[int, bool]] = {}
        self._sandboxes: dict[tuple[str, bool], asyncio.Future[Sandbox]] = {}
        self._closing = False
        self.on_exit: Callable[[str, Exit], None] = lambda *_: None
        self.on_lost: Callable[[Sandbox], None] = lambda _: None

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

    async def sandbox(self, account_id: str, *, contained: bool = False) -> Sandbox:
        """The account's sandbox, or with `contained` the one of its containers.

        The first caller starts it, the others wait for the same start.

        Raises
        ------
        SandboxUnavailable: it does not start.

        """
        key = account_id, contained
        begun = self._sandboxes.get(key)
        if begun is None or not _usable(begun):
            begun = asyncio.ensure_future(self._start(*key))
            self._sandboxes[key] = begun
        return await asyncio.shield(begun)

    async def close(self) -> None:
        """End all sandboxes."""
        self._closing = True
        begun, self._sandboxes = list(self._sandboxes.values()), {}
        for result in await asyncio.gather(*begun, return_exceptions=True):
            if not isinstance(result, BaseException):
                await result.close()
        if self._users is not None:
            self._users.release()

    async def _start(self, account_id: str, contained: bool) -> Sandbox:  # noqa: FBT001 - the parts of a key
        driver = self._containers if contained else self._driver
        if driver is None:
            raise SandboxUnavailable("this server runs no containers")
        place, _ = self._places[account_id]
        name = account_id + CONTAINERS_SUFFIX if contained else account_id
        directory = self._directory / name
        directory.mkdir(parents=True, exist_ok=True)
        if self._looking is not None:
            await self._looking
        interpreters = {one.executable: one for driver in self._runtimes for one in driver.interpreters()}
        spec = SandboxSpec(
            id=name,
            account_id=account_id,
            code=self._code(account_id),
            directory=directory,
            interpreters=tuple(interpreters.values()),
            mark=self._mark,
            network=self.network_of(account_id),
            uid=self._users.of(place) if self._users is not None else None,
        )
        crashpoint("sandbox.start.before")
        started = list[Sandbox]()
        sandbox = await driver.start(spec, self._exited, lambda: self._gone(account_id, contained, started))
        started.append(sandbox)
        return sandbox

    def _exited(self, instance_id: str, exit_: Exit) -> None:
        self.on_exit(instance_id, exit_)

    def _gone(self, account_id: str, contained: bool, started: Sequence[Sandbox]) -> None:  # noqa: FBT001 - of a key
        """Nothing of a sandbox is left; `started` is empty when it went away while it was being started."""
        if not self._closing:
            log.warning("the sandbox of account %s went away; the next execution starts another one", account_id)
            begun = self._sandboxes.get((account_id, contained))
            if begun is not None and not _usable(begun):  # else another one was started while this one collapsed
                del self._sandboxes[account_id, contained]
        for sandbox in started:
            self.on_lost(sandbox)


def _usable(begun: asyncio.Future[Sandbox]) -> bool:
    """Whether a sandbox answers, or will."""
    if not begun.done():
        return True
    return not begun.cancelled() and begun.exception() is None and begun.result().alive


def mark_of(data_dir: Path) -> str:
    """The name by which processes of this data directory are known, the same at every start.

    An empty one would be every directory's: what a death or a loss of power left of it is made anew.
    """
    path = data_dir / "mark"
    mark = path.read_text().strip() if path.exists() else ""
    if not mark:
        mark = f"sojourn-{secrets.token_hex(8)}"
        fresh = path.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(f"{mark}\n")
            file.flush()
            os.fsync(file.fileno())
        crashpoint("server.mark.written")
        fresh.replace(path)
    return mark
