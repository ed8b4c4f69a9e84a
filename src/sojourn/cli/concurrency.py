"""`sojourn concurrency`: how many tasks and calls of a function may run at a time."""

from __future__ import annotations

import cyclopts

from sojourn.client import Concurrency

from .display import print_many, print_one
from .options import COMMON, Common

app = cyclopts.App(name="concurrency", help="Bound how much of a function runs at a time.", help_format="plaintext")


@app.command(name="set")
def set_(function: str, reserved: int, /, *, common: Common = COMMON) -> None:
    """Let at most so many executions of a function run at a time; 0 lets none.

    For example:

        sojourn concurrency set hello 4

    Parameters
    ----------
    function
        The function.
    reserved
        How many.

    """
    with common.client() as client:
        made = client.put_concurrency(function, reserved)
    _print(common, function, made)


@app.command
def get(function: str, /, *, common: Common = COMMON) -> None:
    """Show the bound of a function.

    For example:

        sojourn concurrency get hello

    Parameters
    ----------
    function
        The function.

    """
    with common.client() as client:
        found = client.get_concurrency(function)
    _print(common, function, found)


@app.command(name="list")
def list_(*, common: Common = COMMON) -> None:
    """List the functions that have a bound.

    For example:

        sojourn concurrency list
    """
    with common.client() as client:
        found = client.list_concurrency()
    print_many(common.output, found, ("FUNCTION", "AT A TIME"), _row)


@app.command
def delete(function: str, /, *, common: Common = COMMON) -> None:
    """Lift the bound of a function.

    For example:

        sojourn concurrency delete hello

    Parameters
    ----------
    function
        The function.

    """
    with common.client() as client:
        client.delete_concurrency(function)
    if common.output == "table":
        print(f"Function {function} has no bound of its own any more.")


def _row(each: Concurrency) -> tuple[str, ...]:
    return each.function_arn.rpartition("/")[2], str(each.reserved_concurrency)


def _print(common: Common, function: str, each: Concurrency) -> None:
    print_one(
        common.output, each, lambda: print(f"At most {each.reserved_concurrency} of function {function} at a time.")
    )
