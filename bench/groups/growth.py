"""How the cost of a task grows: with the tasks that are stored, and with the functions and the accounts there are.

The cost is CPU time of the server and its instances per task, which other load on the machine disturbs less than it
disturbs rates; rates are shown beside it. What grows with the logarithm, as a search in a tree does, is fine; the row
is the worst factor beyond that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import NamedTuple

from bench.group import Bench, Group, Round, Seen
from bench.served import Served
from bench.sojourns import PAYLOAD
from bench.wire import Target
from bench.wrk import Ammunition

from bench import sojourns, wire
from sojourn.client import Client, Connection

BUSY_MAX = 10
"""So many functions or accounts get tasks at most; the others are only there."""
INSTANCES = 20
SETTINGS = {"SOJOURN_HEADROOM": "0", "SOJOURN_ALLOW_UNISOLATED": "true", "SOJOURN_NETWORK_OTHERS": "host"}
"""So that any isolation holds many accounts."""


class Place(NamedTuple):
    """A server with so many of something, and whom its tasks are for: callers, and a function of each."""

    size: int
    served: Served
    busy: Sequence[tuple[Target, str]]


@contextmanager
def growth(bench: Bench) -> Iterator[Round]:
    """All servers stay up, so that a round asks each in turn."""
    options = bench.options
    sizes = [*(size for size in options.sizes if size < options.store_tasks), options.store_tasks]
    kinds: dict[str, tuple[Sequence[int], Callable[[Bench, ExitStack, int], Place]]] = {
        "growth.tasks": (sizes, _with_tasks),
        "growth.functions": (options.holders, _with_functions),
        "growth.accounts": (options.holders, _with_accounts),
    }
    with ExitStack() as stack:
        places: dict[str, list[Place]] = {}
        for key, (counts, make) in kinds.items():
            bench.say(f"servers for {key}: {', '.join(f'{count:,}' for count in counts)}")
            places[key] = [make(bench, stack, count) for count in counts]
        yield lambda: _round(bench, places)


def beyond_logarithmic(points: Sequence[tuple[float, float]]) -> float:
    """The worst factor by which a cost at some size exceeds what it would be if it grew with 1 + log10 of the size."""
    first_size, first_cost = points[0]
    allowed = [first_cost * (1 + math.log10(size)) / (1 + math.log10(first_size)) for size, _ in points]
    return max(cost / bound for (_, cost), bound in zip(points, allowed, strict=True))


def _round(bench: Bench, places: dict[str, list[Place]]) -> Seen:
    seen = Seen()
    for key, each in places.items():
        costs, rates = [], []
        for place in each:
            found = _measured(bench, place)
            costs.append((float(place.size), found.cpu_us))
            rates.append((float(place.size), found.per_second))
        told = [
            f"{size:,.0f}: {cost:.0f} µs, {rate:,.0f}/s" for (size, cost), (_, rate) in zip(costs, rates, strict=True)
        ]
        seen.add(key, beyond_logarithmic(costs), " · ".join(told))
        seen.points |= {f"{key}.cpu": costs, f"{key}.rate": rates}
    return seen


def _measured(bench: Bench, place: Place) -> sojourns.Sojourns:
    options = bench.options
    streams = cycle([wire.submits(target, [function], PAYLOAD) for target, function in place.busy])
    heads = (next(stream) for stream in streams)
    with Ammunition(options.directory, heads, PAYLOAD) as ammunition:
        seconds = max(options.load_seconds // 2, 1)
        return sojourns.measure(place.served, ammunition, sojourns.drive(place.served, options, seconds))


def _with_tasks(bench: Bench, stack: ExitStack, count: int) -> Place:
    options = bench.options
    stock = bench.stocks.finished(count)
    served = stack.enter_context(Served(options.directory, options.sandbox, SETTINGS, stock.home))
    _make_busy(served, served.client, "fn00000", INSTANCES)
    return Place(count, served, [(served.target(), "fn00000")])


def _with_functions(bench: Bench, stack: ExitStack, count: int) -> Place:
    options = bench.options
    served = stack.enter_context(Served(options.directory, options.sandbox, SETTINGS))
    names = [f"fn{number:05}" for number in range(count)]
    busy = names[:BUSY_MAX]
    for name in names[BUSY_MAX:]:
        served.deploy(name)
    for name in busy:
        _make_busy(served, served.client, name, INSTANCES // len(busy))
    return Place(count, served, [(served.target(), name) for name in busy])


def _with_accounts(bench: Bench, stack: ExitStack, count: int) -> Place:
    """The owner's account counts as one; each of the others has a function as well."""
    options = bench.options
    served = stack.enter_context(Served(options.directory, options.sandbox, SETTINGS))
    share = INSTANCES // min(count, BUSY_MAX)
    _make_busy(served, served.client, "fn00000", share)
    busy = [(served.target(), "fn00000")]
    for number in range(1, count):
        key = served.client.create_account(f"bench{number:05}")
        connection = Connection(served.owner.endpoint, key.access_key_id, key.access_key_secret)
        with Client(connection) as client:
            if number < BUSY_MAX:
                _make_busy(served, client, "fn00000", share)
                busy.append((served.target(connection), "fn00000"))
            else:
                served.deploy("fn00000", client)
    return Place(count, served, busy)


def _make_busy(served: Served, client: Client, name: str, instances: int) -> None:
    served.deploy(name, client, reserved=instances)
    served.warm(name, instances, client.connection)


GROUP = Group("growth", growth, seconds_max=780)
