"""A lane: one data directory, and server after server on it, each of which has to make good the death of the last.

A case begins with a new server: first what the case before left is judged, then the operation leads to the point, and
the server is dead. So each death costs one start. A case about starts leaves something to do, kills the server, and
lets the next one die on its way up; what it leaves is judged with the next. At last one server is judged once more,
drained, and looked at from outside.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from live import LiveServer, until
from sojourn.client import ClientError
from sojourn.crashpoint import STATUS, VARIABLE, WHEN_VARIABLE

from . import judge, machine
from .bench import LOOK_SECONDS, PATIENCE_SECONDS, Bench, Died
from .cases import Case
from .stores import HOMES
from .workload import furnish

ORPHAN = "orphan"
REPEATS_MAX = 6
SETTINGS = {
    "SOJOURN_ALLOW_UNISOLATED": "true",
    "SOJOURN_NETWORK_OTHERS": "host",
    "SOJOURN_WEBHOOK_PRIVATE_ADDRESSES": "true",
    "SOJOURN_DRAIN_SECONDS": "0.2",
    "SOJOURN_GRACE_SECONDS": "0.2",
    "SOJOURN_MEMORY_MB": "4096",
}


class Lane:
    """Cases one after another on a store.

    Parameters
    ----------
    store: its entry point.
    directory: for what is the harness's own.
    sandbox: the isolation.
    prelude: a fault to plant, see `LiveServer`.
    patience_seconds: how long anything may take but a start.
    image: one with the program of functions, "" when there are no images.

    """

    def __init__(
        self,
        store: str,
        directory: Path,
        *,
        sandbox: str = "process",
        prelude: str = "",
        patience_seconds: float = PATIENCE_SECONDS,
        image: str = "",
    ) -> None:
        directory.mkdir(parents=True)
        self._server = LiveServer(sandbox=sandbox, settings=SETTINGS, prelude=prelude)
        self._home = HOMES[store](self._server.data)
        self._server.settings |= {**self._home.settings, "TMPDIR": str(directory)}
        self._server.settings |= machine.variables() if image else {}
        self._bench = Bench(self._server, self._home, directory, patience_seconds, image)
        self._furnished = False
        self._patience_seconds = patience_seconds
        self.visited: list[Case] = []
        self.wrong: list[str] = []

    def run(self, cases: Sequence[Case]) -> None:
        """Visit the points of `cases` in their order, and see to it that everything is made good."""
        before = "nothing"
        try:
            for case in cases:
                with self._told(f"{case}, after {before}"):
                    self._visit(case)
                before = str(case)
            with self._told(f"the end, after {before}"):
                self._end()
        finally:
            self._bench.close()
            self._server.close()
            self._home.close()

    @contextlib.contextmanager
    def _told(self, where: str) -> Iterator[None]:
        """What goes wrong says where; a lane goes on as long as it can."""
        from_here = len(self.wrong)
        try:
            yield
        except (AssertionError, ClientError, Died, OSError) as error:
            self.wrong.append(f"unvisited {type(error).__name__} {error}")
            self._kill()
        self.wrong[from_here:] = [f"{text} [{where}]" for text in self.wrong[from_here:]]

    # One case ---------------------------------------------------------------------------------------------------------

    def _visit(self, case: Case) -> None:
        at_start = case.operation is None
        if case.leave is not None:
            self._up()
            case.leave(self._bench)
            self._server.kill()
            self._down()
        said = len(self._server.said)
        if at_start:
            self._begin({VARIABLE: str(case)})
            self._await_end()
        else:
            self._up({VARIABLE: str(case), WHEN_VARIABLE: str(self._bench.armed_by)})
            self._lead(case)
        status = self._server.wait()
        words = f"crash point {case}\n"
        if status == STATUS and words in self._server.said[said:]:
            self.visited.append(case)
        else:
            self.wrong.append(f"unvisited: the server ended with {status} and never said {words!r}")
        self._down()

    def _lead(self, case: Case) -> None:
        """Do what leads to the point until the server is dead."""
        assert case.operation is not None  # noqa: S101 - the caller has looked
        with contextlib.suppress(Died, ClientError):
            case.operation.prepare(self._bench)
            self._bench.arm()
            for _ in range(REPEATS_MAX):
                case.operation.act(self._bench)
        self._await_end()

    def _await_end(self) -> None:
        deadline = time.monotonic() + self._patience_seconds
        while self._bench.alive:
            up = self._server.ready_line and WHEN_VARIABLE not in self._server.settings
            if up or time.monotonic() > deadline:
                raise AssertionError("the point was not passed")
            time.sleep(LOOK_SECONDS)

    # Servers ----------------------------------------------------------------------------------------------------------

    def _begin(self, settings: dict[str, str]) -> None:
        for name in (VARIABLE, WHEN_VARIABLE):
            self._server.settings.pop(name, None)
        self._server.settings |= settings
        self._bench.armed_by.unlink(missing_ok=True)
        self._server.begin()

    def _up(self, settings: dict[str, str] | None = None) -> None:
        """Start a server and judge what it makes of its data."""
        self._begin(settings or {})
        until(lambda: bool(self._server.ready_line) or self._server.ended, PATIENCE_SECONDS, "ready")
        if self._server.ended:
            raise Died
        self._bench.forget()
        self.wrong += judge.uncollected(self._bench, self._home)
        if not self._furnished:
            furnish(self._bench)
            self._furnished = True
        self.wrong += judge.made_good(self._bench, self._home)

    def _down(self) -> None:
        """A server is dead: nothing of it may be left."""
        deadline = time.monotonic() + self._patience_seconds
        while left := self._server.processes():
            if time.monotonic() > deadline:
                self.wrong.append(f"{ORPHAN} processes {left}")
                break
            time.sleep(LOOK_SECONDS)
        self._bench.journal.let_go()

    def _kill(self) -> None:
        if self._bench.alive:
            self._server.kill()
        with contextlib.suppress(AssertionError):
            self._server.wait()
        self._down()

    def _end(self) -> None:
        """The last server: everything once more, and a clean end."""
        self._up()
        self.wrong += judge.still_so(self._bench)
        if status := self._server.terminate():
            self.wrong.append(f"{judge.ILLEGAL} the last server ended with {status}")
        self._down()
        mark = (self._server.data / "mark").read_text(encoding="utf-8").strip()
        self.wrong += [f"{ORPHAN} {each}" for each in machine.left(mark, containers=bool(self._bench.image))]
        if "Traceback" in self._server.log():
            self.wrong.append(f"{judge.ILLEGAL} a server said: {_trace(self._server.log())}")


def _trace(log: str) -> str:
    """The first traceback in a log."""
    return log[log.index("Traceback") :][:2_000]
