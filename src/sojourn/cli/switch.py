"""`sojourn function disable` and `enable`: whether a function takes invocations."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from .options import COMMON, Common


def disable(
    name: str,
    /,
    *,
    reason: str = "",
    abort: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    common: Common = COMMON,
) -> None:
    """Let a function take no invocations: calls are refused, tasks wait.

    For example:

        sojourn function disable hello --reason maintenance --abort

    Parameters
    ----------
    name
        The function.
    reason
        What callers are told.
    abort
        End what runs of it now.

    """
    with common.client() as client:
        client.disable_function(name, reason=reason, abort=abort)
    if common.output == "table":
        print(f"Function {name} takes no invocations.")


def enable(name: str, /, *, common: Common = COMMON) -> None:
    """Let a function take invocations again.

    For example:

        sojourn function enable hello

    Parameters
    ----------
    name
        The function.

    """
    with common.client() as client:
        client.enable_function(name)
    if common.output == "table":
        print(f"Function {name} takes invocations.")
