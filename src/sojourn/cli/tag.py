"""`sojourn tag`: words that describe functions and services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from .display import print_many
from .failure import CommandFailed
from .options import COMMON, Common

app = cyclopts.App(name="tag", help="Describe functions and services.", help_format="plaintext")
OfService = Annotated[
    bool, Parameter(name="--service", negative="", show_default=False, help="OWNER is a service, not a function.")
]


class _Tag(msgspec.Struct):
    key: str
    value: str


@app.command(name="list")
def list_(owner: str, /, *, service: OfService = False, common: Common = COMMON) -> None:
    """List the tags of a function or a service.

    For example:

        sojourn tag list hello

    Parameters
    ----------
    owner
        The function, or with --service the service.

    """
    with common.client() as client:
        _print(common, client.tags(owner, service=service))


@app.command(name="set")
def set_(owner: str, /, *tags: str, service: OfService = False, common: Common = COMMON) -> None:
    """Put tags on a function or a service; those of other keys stay.

    For example:

        sojourn tag set hello team=billing stage=test

    Parameters
    ----------
    owner
        The function, or with --service the service.
    tags
        KEY=VALUE, as many as you like.

    """
    pairs = [text.partition("=") for text in tags]
    if not pairs or any(not key or not separator for key, separator, _ in pairs):
        raise CommandFailed(f"tags must be KEY=VALUE, got {' '.join(tags)!r}", "write them as team=billing stage=test")
    with common.client() as client:
        client.tag(owner, {key: value for key, _, value in pairs}, service=service)
        _print(common, client.tags(owner, service=service))


@app.command
def delete(
    owner: str,
    /,
    *keys: str,
    all: Annotated[bool, Parameter(negative="", show_default=False)] = False,  # noqa: A002 - it is the option's name
    service: OfService = False,
    common: Common = COMMON,
) -> None:
    """Take tags off a function or a service.

    For example:

        sojourn tag delete hello stage

    Parameters
    ----------
    owner
        The function, or with --service the service.
    keys
        Their keys.
    all
        All of them.

    """
    if bool(keys) == all:
        raise CommandFailed("name the keys to take off, or give --all", "`sojourn tag list` shows which there are")
    with common.client() as client:
        client.untag(owner, keys, service=service)
        _print(common, client.tags(owner, service=service))


def _print(common: Common, tags: Mapping[str, str]) -> None:
    found = [_Tag(key, value) for key, value in sorted(tags.items())]
    print_many(common.output, found, ("KEY", "VALUE"), lambda each: (each.key, each.value))
