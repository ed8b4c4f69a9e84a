"""`sojourn invoke`: one synchronous call, its answer on standard output as it came."""

from __future__ import annotations

import base64
import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter

from sojourn.client import Invocation

from . import exits
from .display import print_one
from .failure import CommandFailed
from .options import COMMON, Common
from .payload import payload_of


class _Shown(msgspec.Struct, rename="camel", omit_defaults=True):
    """An answer for programs; what is no text stands as base64, and the field beside it says so."""

    result: str
    request_id: str
    instance_id: str
    duration_ms: float
    memory_peak_mb: float
    log: str
    error_type: str = ""
    result_encoding: str = ""


def invoke(
    function: str,
    /,
    *,
    payload: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    tail: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    timeout: float = 0,
    qualifier: str = "",
    common: Common = COMMON,
) -> int:
    """Call a function, wait for its answer and print it; exit with 1 and the error document when it failed.

    For example:

        sojourn invoke hello --payload '{"name": "world"}' --tail

    Parameters
    ----------
    function
        The function to call.
    payload
        The text to call it with, @FILE for a file's content, or - for standard input.
    tail
        Print the end of the call's log on standard error.
    timeout
        Seconds to wait for the answer; 0 for as long as it takes.
    qualifier
        The version or alias to call. [default: LATEST]

    """
    if timeout < 0:
        raise CommandFailed(f"--timeout must be at least 0, got {timeout:g}", "leave it out to wait for the answer")
    with common.client() as client:
        answer = client.invoke(function, payload_of(payload), timeout=timeout, qualifier=qualifier)
    if tail and answer.log:
        print(answer.log, end="" if answer.log.endswith("\n") else "\n", file=sys.stderr)
    print_one(common.output, _shown(answer), lambda: _write(answer.result))
    if answer.succeeded:
        return exits.OK
    print(f"error: the function failed ({answer.error_type}, request {answer.request_id})", file=sys.stderr)
    return exits.TASK_FAILED


def _write(result: bytes) -> None:
    """The bytes as they are; a terminal gets a line's end behind them."""
    sys.stdout.flush()
    sys.stdout.buffer.write(result)
    if sys.stdout.isatty() and not result.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def _shown(answer: Invocation) -> _Shown:
    try:
        text, encoding = answer.result.decode(), ""
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(answer.result).decode(), "base64"
    return _Shown(
        text,
        answer.request_id,
        answer.instance_id,
        answer.duration_ms,
        answer.memory_peak_mb,
        answer.log,
        answer.error_type,
        encoding,
    )
