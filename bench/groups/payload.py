"""What size costs: whole sojourns of 100 KB events beside those of 100 bytes, on the same server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.group import Bench, Group, Round, Seen
from bench.served import ALONE, Served

from bench import sojourns

SIZES = {"payload.small": 100, "payload.large": 100_000}


@contextmanager
def payload(bench: Bench) -> Iterator[Round]:
    """A fresh server for each round, because 100 KB a task fills a store."""
    yield lambda: _round(bench)


def _round(bench: Bench) -> Seen:
    options, seen = bench.options, Seen()
    with Served(options.directory, options.sandbox, ALONE) as served:
        served.deploy("echo", reserved=options.instances)
        served.warm("echo", options.instances)
        for key, size in SIZES.items():
            with sojourns.submits(served, options.directory, b"e" * size) as ammunition:
                drive = sojourns.drive(served, options, max(options.load_seconds - 1, 1))
                seen.add(key, sojourns.measure(served, ammunition, drive).per_second)
    seen.add("payload.rate", seen.values["payload.large"] / seen.values["payload.small"])
    return seen


GROUP = Group("payload", payload, seconds_max=240)
