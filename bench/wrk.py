"""The load generator `wrk`, fed with requests that were signed and serialised before.

The same requests drive Sojourn and the bare responders, over the same connections. `requests.lua` is what wrk runs.
How many requests a run will need is not known before it: `Ammunition` signs as many as the last rate asks for, and a
run that used them up is repeated with more.
"""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from . import programs
from .failure import NotMeasured

SCRIPT = Path(__file__).with_name("requests.lua")
TIMEOUT_SECONDS = 60
"""An answer that takes longer counts as an error."""
SPARE_SECONDS = 90.0
"""What wrk gets beyond the duration of the load."""
RATE_GUESS = 3_000.0
"""Requests per second of one connection, and half of what many do, while no run has told."""
MARGIN = 1.6
MARGIN_EXPECTED = 1.1
"""So many times more are signed than the rate asks for: where it is a guess, and where it is known."""
ATTEMPTS_MAX = 4


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk saw. The counts by status are 0 where they were not asked for.

    `accepted_p99_us_max` is the latency that 99 % of the accepted requests did not exceed, or a little more: wrk keeps
    one distribution for all answers, in which that is a bound.
    """

    answers: int
    duration_us: int
    status_errors: int
    socket_errors: int
    timeouts: int
    p50_us: int
    p99_us: int
    max_us: int
    accepted_p99_us_max: int
    ran_out: int
    accepted: int
    throttled: int
    refused: int

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return self.duration_us / 1e6

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """How a load is driven: where to, over how many connections, how long, with which pause before each request."""

    host: str
    port: int
    connections: int
    seconds: int
    delay_ms: int = 0
    counts: bool = False
    wraps: bool = False


class Ammunition:
    """Signed heads in a file, and the body that follows each of them; use it in a `with`.

    Parameters
    ----------
    directory: where the files are made, and removed again.
    heads: endless: heads of one size, none twice.
    body: what follows each.

    """

    def __init__(self, directory: Path, heads: Iterator[bytes], body: bytes) -> None:
        self._heads = heads
        self._rate = 0.0
        self._home = tempfile.TemporaryDirectory(prefix="bench-requests-", dir=directory)
        self._body = Path(self._home.name, "body")
        self._body.write_bytes(body)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._home.cleanup()

    def expect(self, per_second: float) -> None:
        """Sign as many as that rate asks for, whatever the last run told: the load that follows cannot exceed it."""
        self._rate = per_second * MARGIN_EXPECTED / MARGIN

    def fire(self, drive: Drive, before: Callable[[], None] = lambda: None) -> Answers:
        """One load; `before` is called just before wrk starts, once more for every repetition.

        Raises
        ------
        NotMeasured: wrk is not there or failed, connections broke, or answers were errors that nobody counts.

        """
        self._rate = self._rate or RATE_GUESS * min(drive.connections, 2)
        for _ in range(ATTEMPTS_MAX):
            path, size = self._prepared(drive)
            before()
            seen = _run(drive, path, size, self._body)
            self._rate = max(seen.per_second, self._rate if seen.ran_out else 1.0)
            if not seen.ran_out:
                break
            self._rate *= 2
        else:
            raise NotMeasured(f"{ATTEMPTS_MAX} times there were too few signed requests for {drive.seconds} s")
        broken = seen.socket_errors + seen.timeouts
        if broken or (seen.status_errors and not drive.counts):
            raise NotMeasured(
                f"of {seen.answers} answers {seen.status_errors} were errors, and {broken} connections failed"
            )
        return seen

    def _prepared(self, drive: Drive) -> tuple[Path, int]:
        """A file of heads that were never sent, for one run."""
        count = drive.connections + 16
        if not drive.wraps:
            count += math.ceil(self._rate * drive.seconds * MARGIN)
        path = Path(self._home.name, "heads")
        size = 0
        with path.open("wb") as file:
            for head in islice(self._heads, count):
                size = size or len(head)
                if len(head) != size:
                    raise NotMeasured(f"a request's head has {len(head)} bytes, the first one has {size}")
                file.write(head)
        return path, size


def _run(drive: Drive, heads: Path, size: int, body: Path) -> Answers:
    command = [programs.found("wrk"), "-t1", f"-c{drive.connections}", f"-d{drive.seconds}s"]
    command += [f"--timeout={TIMEOUT_SECONDS}s", "-s", str(SCRIPT), f"http://{drive.host}:{drive.port}/"]
    settings = {
        "BENCH_HEADS": str(heads),
        "BENCH_HEAD_BYTES": str(size),
        "BENCH_BODY": str(body),
        "BENCH_WRAPS": str(int(drive.wraps)),
        "BENCH_COUNTS": str(int(drive.counts)),
        "BENCH_DELAY_MS": str(drive.delay_ms),
    }
    try:
        done = subprocess.run(
            command,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=drive.seconds + SPARE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"wrk did not end {SPARE_SECONDS:g} s after its time") from None
    lines = [line for line in done.stdout.splitlines() if line.startswith("measured ")]
    if done.returncode or len(lines) != 1:
        raise NotMeasured(f"wrk failed with {done.returncode}: {(done.stderr + done.stdout).strip()[-1000:]}")
    return msgspec.json.decode(lines[0].removeprefix("measured "), type=Answers)
