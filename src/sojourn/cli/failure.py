"""How an error ends a command: one sentence on stderr, what to do next, an exit code; a traceback only for our bugs."""

from __future__ import annotations

import sys

import cyclopts

from sojourn.client import errors
from sojourn.errors import InvalidArgument, SojournError

from . import exits


class CommandFailed(SojournError):
    """A command cannot go on for a reason of its own.

    Parameters
    ----------
    message: a sentence for people.
    next_step: what to do about it.
    exit_code: see `exits`.

    """

    def __init__(self, message: str, next_step: str, exit_code: int = exits.USAGE) -> None:
        super().__init__(message)
        self.next_step, self.exit_code = next_step, exit_code


NEXT_BY_CODE = {
    "FunctionNotFound": "`sojourn function list` shows which there are",
    "AsyncTaskNotFound": "`sojourn task list FUNCTION` shows which there are",
    "ServiceNotFound": "`sojourn service list` shows which there are",
    "ServiceNotEmpty": "delete its functions, aliases and versions first",
    "VersionNotFound": "`sojourn function versions FUNCTION` and `sojourn alias list FUNCTION` show which there are",
    "AliasNotFound": "`sojourn alias list FUNCTION` shows which there are",
    "VersionInUse": "let the alias name another version first, with `sojourn alias update`",
    "TriggerNotFound": "`sojourn trigger list FUNCTION` shows which there are",
    "FunctionNotEmpty": "delete its triggers first; `sojourn trigger list FUNCTION` shows them",
    "AsyncConfigNotExists": "it has the defaults; `sojourn async-config set FUNCTION` changes them",
    "AccountNotFound": "`sojourn account list` shows which there are",
    "AccessTokenNotFound": "`sojourn token list` shows which there are",
    "InvalidAccessToken": "set SOJOURN_TOKEN to a token of this server, or unset it to sign with a key",
    "InsufficientScope": "make one that reaches further, with `sojourn token create --scope`",
    "AsyncTaskAlreadyExists": "choose another --task-id, or look at it with `sojourn task get FUNCTION TASK_ID`",
    "AsyncTaskAlreadyCompleted": "nothing is left to stop; `sojourn task get FUNCTION TASK_ID` shows how it ended",
    "AccountAlreadyExists": "choose another name; `sojourn account list` shows which are taken",
    "EntityTooLarge": "send less: put large input where the function can fetch it",
}


def report(error: Exception) -> int | None:
    """Say what went wrong and return the exit code; None when the error is not an expected one."""
    if not isinstance(error, SojournError | OSError):
        return None
    code, next_step = _judged(error)
    message = error.message if isinstance(error, SojournError) else str(error)
    if isinstance(error, errors.ClientError) and error.request_id:
        message += f" ({error.code or error.status}, request {error.request_id})"
    _say(message, next_step)
    return code


def report_usage(error: cyclopts.CycloptsError) -> int:
    """The same for words that are no command."""
    chain = " ".join(("sojourn", *(error.command_chain or ())))
    message = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None and error.keyword is None:
        message = f"{error.argument.name} is missing"
    _say(message, f"`{chain} --help` shows what it takes")
    return exits.USAGE


def _say(message: str, next_step: str) -> None:
    print(f"error: {message}\nnext: {next_step}", file=sys.stderr)


def _judged(error: SojournError | OSError) -> tuple[int, str]:  # noqa: PLR0911 - one line per kind
    coded = NEXT_BY_CODE.get(getattr(error, "code", ""), "")
    match error:
        case CommandFailed():
            return error.exit_code, error.next_step
        case errors.NotFound():
            return exits.NOT_FOUND, coded or "check the name"
        case errors.Conflict():
            return exits.CONFLICT, coded or "look at what is there, then try again"
        case errors.NoCredentials():
            return exits.USAGE, "start a server here with `sojourn serve`, or set the two variables"
        case errors.Unauthorized():
            return exits.OTHER, coded or "check that the access key belongs to this server and may do this"
        case errors.Unreachable():
            return exits.UNREACHABLE, "start a server with `sojourn serve`, or name another with --endpoint"
        case errors.WaitTimedOut():
            function, task_id = error.waiting[0]
            return exits.WAIT_TIMED_OUT, f"it goes on; look again with `sojourn task get {function} {task_id}`"
        case errors.Throttled():
            return exits.OTHER, f"try again in {error.retry_after:g} s"
        case errors.Refused() | InvalidArgument():
            return exits.USAGE, coded or "change the value; --help shows what the command takes"
        case OSError():
            return exits.OTHER, "check the path or address and its permissions"
        case _:
            return exits.OTHER, "the server's log says more"
