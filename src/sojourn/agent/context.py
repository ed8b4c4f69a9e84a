"""The context object a handler gets, and the logger it writes with.

Attributes are those of Function Compute's Python runtimes: up to 3.10 with `credentials` and `service`, later ones with
`log_project` and `log_store` on top and `version_id` and `qualifier` in `function` (3.11, which Function Compute does
not have, counts as a later one).
"""

from __future__ import annotations

import logging
import sys
import time
from _thread import get_ident
from collections.abc import Callable
from typing import Any

_LAST_WITH_SERVICE = 10
_NAME = "python3."
_NOT_SHOWN = ("credentials", "checkpoint")


class Record:
    """Named values, shown as attributes."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)

    def __repr__(self) -> str:
        """The values, credentials and what is not for users left out."""
        items = self.__dict__.items()
        shown = ["{}={!r}".format(*item) for item in items if item[0] not in _NOT_SHOWN and item[0][0] != "_"]
        return type(self).__name__ + "(" + ", ".join(shown) + ")"


class Context(Record):
    """What a handler or a hook is told about its execution."""

    stop_reason: str
    """Why the instance ends (PreStop only)."""
    task_id: str
    """The task whose stop ends it, "" when none does (PreStop only)."""
    request_id: str
    checkpoint: bytes = b""
    """What the attempts before reported as their checkpoint; this attempt may go on from there."""
    _deadline_at: int
    _report: Callable[..., bool] | None = None

    @property
    def remaining_milliseconds(self) -> int | None:
        """How long this may take from now on, never below 0; None when there is no limit."""
        if not self._deadline_at:
            return None
        return max(self._deadline_at // 1000 - int(time.time() * 1000), 0)

    def progress(
        self, percent: float | None = None, message: str | None = None, checkpoint: bytes | str | None = None
    ) -> None:
        """Say how far the execution is, from any thread; what is left out stays as it was.

        Parameters
        ----------
        percent: from 0 to 100.
        message: one line for people, at most 1024 characters.
        checkpoint: what the next attempt needs to go on from here, at most 64 KiB; it gets it as `checkpoint`.

        Raises
        ------
        ValueError: one of them is not what it must be; nothing is reported.

        """
        if self._report is not None:
            self._report(self.request_id, percent, message, checkpoint)


class Contexts:
    """Makes a context for every execution from what is the same for all of them.

    `facts` are account_id, region, name, handler, memory (MB), timeout (seconds), qualifier, version_id; `runtime` is
    the name the function was configured with, which decides the style, or else the interpreter does.
    """

    def __init__(self, facts: dict[str, Any], runtime: str) -> None:
        self._facts = facts
        named = runtime[len(_NAME) :] if runtime.startswith(_NAME) else ""  # compiling a pattern costs 300 KiB
        self._minor = int(named) if named.isdigit() else sys.version_info[1]

    def make(
        self,
        request_id: str,
        retry_count: int,
        deadline_at: int = 0,
        report: Callable[..., bool] | None = None,
        checkpoint: bytes = b"",
    ) -> Context:
        """The context of one execution.

        `deadline_at` is in microseconds since 1970, 0 for none; `report` takes progress, None where nobody hears it.
        """
        facts = self._facts
        function: dict[str, object] = {
            "name": facts.get("name", ""),
            "handler": facts.get("handler", ""),
            "memory": facts.get("memory", 0),
            "timeout": facts.get("timeout", 0),
        }
        version = {"qualifier": facts.get("qualifier", ""), "version_id": facts.get("version_id", "")}
        logs = {"log_project": facts.get("log_project", ""), "log_store": facts.get("log_store", "")}
        values: dict[str, object] = {
            "request_id": request_id,
            "region": facts.get("region", ""),
            "account_id": facts.get("account_id", ""),
            "tracing": Record(span_context="", jaeger_endpoint="", span_baggages={}),
            "retry_count": retry_count,
            "logger": logging.getLogger(),
            "_deadline_at": deadline_at,
        }
        if self._minor <= _LAST_WITH_SERVICE:
            values["credentials"] = Record(access_key_id="", access_key_secret="", security_token="")
            values["service"] = Record(name=facts.get("service", ""), **logs, **version)
        else:
            function.update(version)
            values.update(logs)
        values["function"] = Record(**function)
        if report is not None:
            values["_report"] = report
        if checkpoint:
            values["checkpoint"] = checkpoint
        return Context(**values)


class Lines(logging.Formatter):
    """`2026-01-31T23:59:59.123Z <request id> [LEVEL] text`.

    The request id is `request_id`, in a thread that runs a hook the one of `of_threads`.
    """

    request_id = ""

    def __init__(self) -> None:
        super().__init__()
        self.of_threads: dict[int, str] = {}

    def format(self, record: logging.LogRecord) -> str:
        """One record as a line, with its traceback below when it has one."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = record.getMessage()
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            text += "\n" + record.exc_text
        if record.stack_info:
            text += "\n" + self.formatStack(record.stack_info)
        milliseconds = int(record.created * 1000) % 1000
        request_id = self.request_id
        if self.of_threads:
            request_id = self.of_threads.get(get_ident(), request_id)
        return f"{stamp}.{milliseconds:03d}Z {request_id} [{record.levelname}] {text}"


class _Output(logging.Handler):
    """Writes to what `sys.stdout` is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()
        except Exception:  # noqa: BLE001 - a logger never breaks the code that logs
            self.handleError(record)


def install_logging() -> Lines:
    """Make the root logger write Function Compute's format; returns the formatter, to be told each request id."""
    lines = Lines()
    output = _Output()
    output.setFormatter(lines)
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(logging.INFO)
    return lines
