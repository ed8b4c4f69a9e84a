"""`sojourn provision` and `sojourn scaling`: how many instances are kept, whether anybody calls or not.

Function Compute has two configurations for one thing, an older and a newer one; the larger number holds.
"""

from __future__ import annotations

import cyclopts

from sojourn.client import Provision, Scaling

from .display import print_facts, print_many, print_one
from .options import COMMON, Common

provision = cyclopts.App(name="provision", help="Keep instances provisioned.", help_format="plaintext")
scaling = cyclopts.App(name="scaling", help="Keep a least number of instances.", help_format="plaintext")
HEADS = ("FUNCTION", "WANTED", "THERE", "ERROR")


@provision.command(name="set")
def set_provision(function: str, target: int, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Keep so many instances of a function ready.

    For example:

        sojourn provision set hello 2 --qualifier prod

    Parameters
    ----------
    function
        The function.
    target
        How many.
    qualifier
        The version or alias. [default: LATEST]

    """
    with common.client() as client:
        made = client.put_provision(function, target, qualifier=qualifier)
    print_one(common.output, made, lambda: _print(_of_provision(made)))


@provision.command(name="get")
def get_provision(function: str, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Show how many instances are provisioned, and how many of them are there.

    For example:

        sojourn provision get hello

    Parameters
    ----------
    function
        The function.
    qualifier
        The version or alias. [default: LATEST]

    """
    with common.client() as client:
        found = client.get_provision(function, qualifier=qualifier)
    print_one(common.output, found, lambda: _print(_of_provision(found)))


@provision.command(name="list")
def list_provision(*, common: Common = COMMON) -> None:
    """List the functions that have provisioned instances.

    For example:

        sojourn provision list
    """
    with common.client() as client:
        found = client.list_provision()
    print_many(common.output, found, HEADS, _of_provision)


@provision.command(name="delete")
def delete_provision(function: str, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Provision none any more.

    For example:

        sojourn provision delete hello

    Parameters
    ----------
    function
        The function.
    qualifier
        The version or alias. [default: LATEST]

    """
    with common.client() as client:
        client.delete_provision(function, qualifier=qualifier)
    _gone(common, function)


@scaling.command(name="set")
def set_scaling(function: str, min_instances: int, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Keep at least so many instances of a function.

    For example:

        sojourn scaling set hello 1

    Parameters
    ----------
    function
        The function.
    min_instances
        How many.
    qualifier
        The version or alias. [default: LATEST]

    """
    with common.client() as client:
        made = client.put_scaling(function, min_instances, qualifier=qualifier)
    print_one(common.output, made, lambda: _print(_of_scaling(made)))


@scaling.command(name="get")
def get_scaling(function: str, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Show the least number of instances, and how many there are.

    For example:

        sojourn scaling get hello

    Parameters
    ----------
    function
        The function.
    qualifier
        The version or alias. [default: LATEST]

    """
    with common.client() as client:
        found = client.get_scaling(function, qualifier=qualifier)
    print_one(common.output, found, lambda: _print(_of_scaling(found)))


@scaling.command(name="list")
def list_scaling(*, common: Common = COMMON) -> None:
    """List the functions that have a least number of instances.

    For example:

        sojourn scaling list
    """
    with common.client() as client:
        found = client.list_scaling()
    print_many(common.output, found, HEADS, _of_scaling)


@scaling.command(name="delete")
def delete_scaling(function: str, /, *, qualifier: str = "", common: Common = COMMON) -> None:
    """Keep none any more.

    For example:

        sojourn scaling delete hello

    Parameters
    ----------
    function
        The function.
    qualifier
        The version or alias. [default: LATEST]

    """
    with common.client() as client:
        client.delete_scaling(function, qualifier=qualifier)
    _gone(common, function)


def _of_provision(each: Provision) -> tuple[str, ...]:
    return each.function_arn.partition("functions/")[2], str(each.target), str(each.current), each.current_error


def _of_scaling(each: Scaling) -> tuple[str, ...]:
    name = each.function_arn.partition("functions/")[2]
    return name, str(each.min_instances), str(each.current_instances), each.current_error


def _print(row: tuple[str, ...]) -> None:
    print_facts(zip(("Function", "Wanted", "There", "Error"), row, strict=True))


def _gone(common: Common, function: str) -> None:
    if common.output == "table":
        print(f"Nothing keeps instances of function {function} for this reason any more.")
