"""Running checks: side by side as far as an endpoint should bear, each within its time; everything is taken away after.

A check that could not be looked at is never passed over: it differs, or its generation has no such thing and then it is
not applicable, by the generation's own list.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from sojourn.client.connection import Connection
from sojourn.errors import SojournError

from .check import Check
from .expect import Differs, short
from .generations import Generation
from .site import TASK_SECONDS_MAX, Site
from .wire import Wire, client

AT_ONCE = 24
SECONDS_MAX = 600.0
CLEANING_SECONDS_MAX = 60.0
RUNTIME = "python3.10"
PREFIX = "conform"


class Unusable(SojournError):
    """The endpoint cannot be looked at: it does not answer, or does not take the key."""


class Outcome(Enum):
    """What came of a check."""

    KEPT = "kept"
    DIFFERS = "differs"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Verdict:
    """A check and what came of it; `expected` and `seen` are told when it differs, `seen` is the reason otherwise."""

    check: Check
    outcome: Outcome
    expected: str = ""
    seen: str = ""
    seconds: float = 0.0


@dataclass
class Result:
    """What came of all checks of one generation; `left` are things that could not be taken away again."""

    version: str
    verdicts: list[Verdict] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0

    def count(self, outcome: Outcome) -> int:
        """How many checks came to `outcome`."""
        return sum(verdict.outcome is outcome for verdict in self.verdicts)

    @property
    def differences(self) -> list[Verdict]:
        """The checks that differ."""
        return [verdict for verdict in self.verdicts if verdict.outcome is Outcome.DIFFERS]


@dataclass(frozen=True)
class Plan:
    """How to run: `runtime` for the functions, `account_id` where the endpoint wants to be told, bounds.

    `patience_seconds` is how long a task may take to become what it must.
    """

    runtime: str = RUNTIME
    account_id: str = ""
    seconds_max: float = SECONDS_MAX
    at_once: int = AT_ONCE
    patience_seconds: float = TASK_SECONDS_MAX


async def run(
    connection: Connection,
    generation: Generation,
    checks: Sequence[Check],
    plan: Plan | None = None,
    *,
    done: Callable[[Verdict], None] | None = None,
) -> Result:
    """Run `checks` against an endpoint in the words of one generation.

    Parameters
    ----------
    connection: the endpoint and the key.
    generation: how to speak.
    checks: which.
    plan: how.
    done: is called with each verdict as it comes.

    Raises
    ------
    Unusable: the endpoint does not answer a simple question.

    """
    plan, began, result = plan or Plan(), time.monotonic(), Result(generation.version)
    async with client(connection) as http:
        wire = Wire(connection, generation.sign, http, plan.account_id)
        prefix = f"{PREFIX}-{secrets.token_hex(4)}"
        site = Site(generation, wire, prefix, runtime=plan.runtime, patience_seconds=plan.patience_seconds)
        await _reach(site, connection)
        try:
            if generation.services:
                await _opened(site)
            async for verdict in _verdicts(site, checks, plan):
                result.verdicts.append(verdict)
                if done is not None:
                    done(verdict)
        finally:
            result.left = await _cleaned(site)
            result.requests, result.seconds = wire.sent, time.monotonic() - began
    order = {check.id: number for number, check in enumerate(checks)}
    result.verdicts.sort(key=lambda verdict: order[verdict.check.id])
    return result


async def _reach(site: Site, connection: Connection) -> None:
    """Ask something simple first: a wrong key would make every check differ."""
    noun = "service.list" if site.generation.services else "function.list"
    try:
        answer = await site.ask(noun, query={"limit": 1})
    except Differs as error:
        raise Unusable(f"{connection.endpoint} cannot be asked: {error.seen}") from error
    if answer.status != 200:
        action = site.generation.operations[noun].action
        raise Unusable(f"{connection.endpoint} answers {action} of {site.generation.version} with {short(answer)}")


async def _opened(site: Site) -> None:
    try:
        await site.open_service(site.service)
    except Differs as error:
        raise Unusable(f"no service can be made: {error}") from error


async def _verdicts(site: Site, checks: Iterable[Check], plan: Plan) -> AsyncIterator[Verdict]:
    """The verdicts as they come; what is not done in time differs."""
    gate, deadline = asyncio.Semaphore(plan.at_once), time.monotonic() + plan.seconds_max
    running = [asyncio.ensure_future(_judged(site, check, gate, deadline)) for check in checks]
    try:
        for next_done in asyncio.as_completed(running):
            yield await next_done
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _judged(site: Site, check: Check, gate: asyncio.Semaphore, deadline: float) -> Verdict:
    generation = site.generation
    if reason := check.missing(generation.version, generation.has):
        return Verdict(check, Outcome.NOT_APPLICABLE, seen=reason)
    async with gate:
        began = time.monotonic()
        seconds = max(min(check.seconds_max, deadline - began), 0.0)
        try:
            async with asyncio.timeout(seconds):
                await check.look(site)
        except Differs as error:
            return _differs(check, error.expected, error.seen, began)
        except TimeoutError:
            return _differs(check, check.sentence, f"nothing within {seconds:.0f} s", began)
        except (LookupError, TypeError, ValueError, AttributeError) as error:  # an answer of another shape
            return _differs(check, check.sentence, f"an answer of another shape ({error!r})", began)
        return Verdict(check, Outcome.KEPT, seconds=time.monotonic() - began)


def _differs(check: Check, expected: str, seen: str, began: float) -> Verdict:
    return Verdict(check, Outcome.DIFFERS, expected, seen, time.monotonic() - began)


async def _cleaned(site: Site) -> list[str]:
    """Take everything away, also when the run was interrupted."""
    try:
        async with asyncio.timeout(CLEANING_SECONDS_MAX):
            return await site.clean()
    except TimeoutError:
        return [f"things whose names begin with {site.prefix}"]
