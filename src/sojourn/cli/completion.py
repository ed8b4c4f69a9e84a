"""Completion in bash, zsh and fish: commands and options from the command tree, names from the server.

The scripts hold no list: they ask `sojourn _complete`, so that they never grow old. Whatever goes wrong there, nothing
is suggested, and nothing is said.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, get_type_hints

import cyclopts
from cyclopts import Parameter

from sojourn.client import Client, Retries, TaskFilter, from_environment
from sojourn.errors import SojournError

NAMES_MAX = 50
SECONDS_MAX = 2.0
_SCRIPTS = {
    "bash": """\
_sojourn() {
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$(sojourn _complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$2"))
}
complete -o default -F _sojourn sojourn
""",
    "zsh": """\
#compdef sojourn
_sojourn() {
    local -a found
    found=("${(@f)$(sojourn _complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -a found
}
compdef _sojourn sojourn
""",
    "fish": """\
function __sojourn_complete
    set -l given (commandline -opc) (commandline -ct)
    sojourn _complete -- $given[2..-1] 2>/dev/null
end
complete -c sojourn -f -a '(__sojourn_complete)'
""",
}


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what lets a shell complete commands, options, and the names of functions and tasks.

    For example:

        sojourn completion bash > ~/.local/share/bash-completion/completions/sojourn

    Parameters
    ----------
    shell
        Which one.

    """
    print(_SCRIPTS[shell], end="")


def complete(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Print what the last of `words`, of those after `sojourn`, may become; for the scripts of `completion`.

    For example:

        sojourn _complete -- task st

    """
    from . import app  # noqa: PLC0415 - it leads here

    with contextlib.suppress(Exception):  # a shell that asks is not to be disturbed
        for each in candidates(app, list(words) or [""]):
            print(each)


def candidates(root: cyclopts.App, words: list[str]) -> list[str]:
    """What the last of `words` may become."""
    *given, last = words
    command, rest = root, given
    while rest and (inner := _commands(command).get(rest[0])) is not None:
        command, rest = inner, rest[1:]
    function = command.default_command
    if function is None:
        found: Iterable[str] = () if rest else _commands(command)
    elif last.startswith("-"):
        found = _options(function)
    else:
        found = _names(function, [word for word in rest if not word.startswith("-")])
    return sorted(each for each in found if each.startswith(last))


def _commands(app: cyclopts.App) -> dict[str, cyclopts.App]:
    """The commands below, those that are not for people left out."""
    return {name: app[name] for name in app if not name.startswith(("-", "_"))}


def _options(function: Callable[..., object]) -> list[str]:
    """The options of a command."""
    found = ["--help"]
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "common":
            found += ["--endpoint", "--profile", "--output", "-o"]
        elif parameter.kind is parameter.KEYWORD_ONLY:
            found.append("--" + parameter.name.strip("_").replace("_", "-"))
    return found


def _names(function: Callable[..., object], given: list[str]) -> list[str]:
    """What stands next as a name: a choice, or what the server has."""
    parameters = [each for each in inspect.signature(function).parameters.values() if each.kind is each.POSITIONAL_ONLY]
    if len(given) >= len(parameters):
        return []
    wanted = parameters[len(given)].name
    hint = get_type_hints(function).get(wanted)
    if choices := getattr(hint, "__args__", ()):
        texts = [each for each in choices if isinstance(each, str)]
        if texts:
            return texts
    return _live(wanted, given)


def _live(wanted: str, given: list[str]) -> list[str]:
    """Names that the server knows; none when it cannot be asked quickly."""
    try:
        with Client(from_environment(), retries=Retries(connection=0), timeout_seconds=SECONDS_MAX) as client:
            if wanted in {"function", "name"}:
                return [each.function_name for each in client.list_functions(limit=NAMES_MAX).functions]
            if wanted == "task_id" and given:
                tasks = client.list_tasks(given[0], TaskFilter(limit=NAMES_MAX)).tasks
                return [each.task_id for each in tasks]
            if wanted == "operation":
                return [each.operation_id for each in client.list_operations()]
    except SojournError:
        pass
    return []
