"""A store that already holds very many finished tasks: what it costs new ones, and what finding old ones takes.

Two servers stand side by side, one with a full store and one with an empty one, and are asked in turn. Pages and single
tasks are asked for by one connection that sends the next request when it has the answer; p99 is over the requests of
one filter, and the row with a target is the slowest filter's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.failure import NotMeasured
from bench.group import Bench, Group, Round, Seen
from bench.responders import Running, responder
from bench.served import ALONE, Served
from bench.stock import FUNCTION, Stock
from bench.wire import Line, Target
from bench.wrk import Ammunition, Answers, Drive

from bench import sojourns, wire
from sojourn.client import TaskFilter

PAGE = 50
PLACES = 10
"""Tasks are looked up at so many places of the store."""
SLOW_SECONDS = 30.0
"""A page that takes longer than a whole load is asked for once, and waited for so long."""
MINUTE_MS = 60_000


@contextmanager
def store(bench: Bench) -> Iterator[Round]:
    """Fill a store once, then keep both servers and the bare responder for all rounds."""
    options = bench.options
    stock = bench.stocks.finished(options.store_tasks)
    with ExitStack() as stack:
        bench.say("starting a server on it")
        full = stack.enter_context(Served(options.directory, options.sandbox, ALONE, stock.home))
        empty = stack.enter_context(Served(options.directory, options.sandbox, ALONE))
        bare = stack.enter_context(responder())
        for served in (full, empty):
            served.deploy("echo", reserved=options.instances)
            served.warm("echo", options.instances)
        yield lambda: _round(bench, stock, full, empty, bare)


def _round(bench: Bench, stock: Stock, full: Served, empty: Served, bare: Running) -> Seen:
    seen = Seen()
    rates = {}
    for name, served in (("store.empty", empty), ("store.full", full)):
        with sojourns.submits(served, bench.options.directory) as ammunition:
            drive = sojourns.drive(served, bench.options, bench.options.load_seconds)
            rates[name] = sojourns.measure(served, ammunition, drive).per_second
        seen.add(name, rates[name])
    note = f"{bench.options.store_tasks:,} tasks"
    seen.add("store.rate_of_empty", rates["store.full"] / rates["store.empty"], note)
    _pages(bench, stock, full, seen)
    _lookups(bench, stock, full, bare, seen)
    return seen


def _pages(bench: Bench, stock: Stock, served: Served, seen: Seen) -> None:
    """Every filter by itself."""
    p99s = {}
    for key, query in filters(stock).items():
        path = f"/{wire.VERSION}/functions/{FUNCTION}/async-tasks?{query}"
        p99s[key] = _p99_ms(bench, served.target(), [path], "ListAsyncTasks")
        seen.add(key, p99s[key])
    slowest = max(p99s, key=lambda key: p99s[key])
    seen.add("store.list_p99", p99s[slowest], f"the slowest: {slowest.partition('list_')[2]}")


def filters(stock: Stock) -> dict[str, str]:
    """The query of each filter, by the key of its figure; parameters stand in the order of their names."""
    middle_ms = stock.made_at_ms(0.5)
    return {
        "store.list_newest": f"limit={PAGE}",
        "store.list_oldest": f"limit={PAGE}&sortOrderByTime=asc",
        "store.list_succeeded": f"limit={PAGE}&status=Succeeded",
        "store.list_failed": f"limit={PAGE}&status=Failed",
        "store.list_running": f"limit={PAGE}&status=Running",
        "store.list_names": f"limit={PAGE}&prefix=named-",
        "store.list_name": f"limit={PAGE}&prefix=named-{stock.size // 2 // 100:07}",
        "store.list_ids": f"limit={PAGE}&prefix={stock.identifiers(0.5)}",
        "store.list_times": f"limit={PAGE}&startedTimeBegin={middle_ms}&startedTimeEnd={middle_ms + MINUTE_MS}",
    }


def _lookups(bench: Bench, stock: Stock, served: Served, bare: Running, seen: Seen) -> None:
    """Tasks from everywhere in the store, by their request ids."""
    found = _ids(served, stock)
    paths = [f"/{wire.VERSION}/functions/{FUNCTION}/async-tasks/{task_id}" for task_id in found]
    get = _p99_ms(bench, served.target(), paths, "GetAsyncTask")
    other = _p99_ms(bench, Target(bare.host, bare.port, "bench", "secret"), paths, "GetAsyncTask")
    seen.add("store.get_p99", get)
    seen.add("store.get_of_bare", get / other)


def _ids(served: Served, stock: Stock) -> list[str]:
    """Request ids of copies that are really there, spread over the store."""
    found: list[str] = []
    for number in range(PLACES):
        wanted = TaskFilter(prefix=stock.identifiers(number / PLACES), limit=100)
        found += [task.task_id for task in served.client.list_tasks(FUNCTION, wanted).tasks]
    if not found:
        raise NotMeasured("no copies are found in the store")
    return found


def _p99_ms(bench: Bench, target: Target, paths: Sequence[str], action: str) -> float:
    """Milliseconds that 99 % of the answers did not exceed, asked for one after the other."""
    seconds = bench.options.page_seconds
    with Ammunition(
        bench.options.directory, wire.heads(target, "GET", paths, {"x-acs-action": action}, b""), b""
    ) as each:
        drive = Drive(host=target.host, port=target.port, connections=1, seconds=seconds)
        answers: Answers = each.fire(drive)
    if answers.answers:
        return answers.p99_us / 1000
    return _one_ms(target, paths[0], action)


def _one_ms(target: Target, path: str, action: str) -> float:
    """What a request takes that no whole load could wait for."""
    line = Line(target, SLOW_SECONDS)
    begin = time.perf_counter()
    try:
        line.exchange(wire.request(target, "GET", path, {"x-acs-action": action}, b""))
    except TimeoutError:
        raise NotMeasured(f"{path} is not answered within {SLOW_SECONDS:g} s") from None
    finally:
        line.close()
    return (time.perf_counter() - begin) * 1000


GROUP = Group("store", store, seconds_max=780)
