"""Many connections: whole sojourns per second, beside servers that do nothing under the same load generator.

Every round takes a fresh server, so that a store grows no further than one round fills it, and asks each yardstick
before the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.failure import NotMeasured
from bench.group import Bench, Group, Round, Seen
from bench.responders import Running, nginx, responder
from bench.served import ALONE, Served
from bench.sojourns import PAYLOAD
from bench.stock import FILE_NAME
from bench.wire import Target
from bench.wrk import Ammunition, Drive

from bench import counters, processes, sojourns, wire

SETTINGS = ALONE | {"SOJOURN_SUBMITS_PENDING_MAX": "100000"}
"""Every connection may have a whole batch before the disk."""
OF_NGINX = ("throughput.nginx", "throughput.sojourns_of_nginx", "throughput.batch_of_nginx")


@contextmanager
def throughput(bench: Bench) -> Iterator[Round]:
    """The bare responders stay up for all rounds."""
    with ExitStack() as stack:
        bare = stack.enter_context(responder())
        try:
            best: Running | NotMeasured = stack.enter_context(nginx(bench.options.directory))
        except NotMeasured as error:
            best = error
        yield lambda: _round(bench, best, bare)


def requests_per_second(bench: Bench, running: Running) -> float:
    """What a bare responder does under the load that the product gets."""
    target = Target(running.host, running.port, "bench", "secret")
    options = bench.options
    drive = Drive(
        host=running.host,
        port=running.port,
        connections=options.connections,
        seconds=max(options.load_seconds - 1, 1),
        wraps=True,
    )
    with Ammunition(options.directory, wire.submits(target, ["echo"], PAYLOAD), PAYLOAD) as ammunition:
        return ammunition.fire(drive).per_second


def _round(bench: Bench, best: Running | NotMeasured, bare: Running) -> Seen:
    seen = Seen()
    bare_rate = requests_per_second(bench, bare)
    seen.add("throughput.bare", bare_rate)
    best_rate = 0.0
    if isinstance(best, NotMeasured):
        seen.miss(str(best), *OF_NGINX)
    else:
        best_rate = requests_per_second(bench, best)
        seen.add("throughput.nginx", best_rate)
    with Served(bench.options.directory, bench.options.sandbox, SETTINGS) as served:
        served.deploy("echo", reserved=bench.options.instances)
        served.warm("echo", bench.options.instances)
        _single(bench, served, seen)
        _batch(bench, served, seen)
        tasks = counters.read(served).submitted
        served.stop()
        seen.add("throughput.disk_of_bodies", database_bytes(served.data_dir) / tasks / (2 * len(PAYLOAD)))
    seen.add("throughput.sojourns_of_bare", seen.values["throughput.sojourns"] / bare_rate)
    if best_rate:
        seen.add("throughput.sojourns_of_nginx", seen.values["throughput.sojourns"] / best_rate)
        if "throughput.batch" in seen.values:
            seen.add("throughput.batch_of_nginx", seen.values["throughput.batch"] / best_rate)
    return seen


def _single(bench: Bench, served: Served, seen: Seen) -> None:
    options = bench.options
    drive = sojourns.drive(served, options, options.load_seconds)
    with sojourns.submits(served, options.directory) as ammunition:
        sojourns.measure(served, ammunition, sojourns.drive(served, options, sojourns.WARM_SECONDS))
        found = sojourns.measure(served, ammunition, drive)
    seen.add("throughput.sojourns", found.per_second, f"{found.tasks:,} tasks, each one counted as Succeeded")
    seen.add("throughput.accepted", found.accepted_per_second)
    seen.add("throughput.ack", found.answers.p50_us / 1000)
    seen.add("throughput.ack_p99", found.answers.p99_us / 1000)
    seen.add("throughput.cpu", found.cpu_us)
    seen.add("throughput.cpu_server", found.server_cpu_us)
    seen.add("throughput.rss", processes.rss_mb(served.pid))
    seen.add("throughput.pss", processes.pss_mb(processes.tree(served.pid)))


def _batch(bench: Bench, served: Served, seen: Seen) -> None:
    options = bench.options
    refusal = sojourns.batch_refusal(served)
    if refusal:
        seen.miss(refusal, "throughput.batch", "throughput.batch_of_nginx")
        return
    drive = sojourns.drive(served, options, options.load_seconds)
    with sojourns.batches(served, options.directory) as ammunition:
        sojourns.measure(served, ammunition, sojourns.drive(served, options, sojourns.WARM_SECONDS))
        seen.add("throughput.batch", sojourns.measure(served, ammunition, drive).per_second)


def database_bytes(data_dir: Path) -> int:
    """The size of the database of a server that has ended, with what is left of its write-ahead log."""
    return sum(path.stat().st_size for path in data_dir.glob(f"{FILE_NAME}*"))


GROUP = Group("throughput", throughput, seconds_max=420)
