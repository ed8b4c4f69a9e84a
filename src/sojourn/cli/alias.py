"""`sojourn alias`: names for published versions, of a function or of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from sojourn.client import Alias

from .display import moment_of_text, print_facts, print_many, print_one
from .failure import CommandFailed
from .options import COMMON, Common

app = cyclopts.App(name="alias", help="Name published versions.", help_format="plaintext")
OfService = Annotated[
    bool, Parameter(name="--service", negative="", show_default=False, help="OWNER is a service, not a function.")
]
Weights = Annotated[list[str] | None, Parameter(name="--weight", negative="")]


@app.command
def create(
    owner: str,
    name: str,
    /,
    *,
    version: str,
    weight: Weights = None,
    description: str | None = None,
    service: OfService = False,
    common: Common = COMMON,
) -> None:
    """Give a published version a name, to be used as --qualifier.

    For example:

        sojourn alias create hello prod --version 1 --weight 2=0.1

    Parameters
    ----------
    owner
        The function, or with --service the service.
    name
        The alias.
    version
        The number of the version.
    weight
        VERSION=SHARE: the share of calls, 0 to 1, that another version gets.
    description
        Free text.

    """
    with common.client() as client:
        made = client.create_alias(
            owner, name, version, weights=_weights(weight), description=description, service=service
        )
    print_one(common.output, made, lambda: _print(made))


@app.command
def update(
    owner: str,
    name: str,
    /,
    *,
    version: str | None = None,
    weight: Weights = None,
    description: str | None = None,
    service: OfService = False,
    common: Common = COMMON,
) -> None:
    """Let an alias name another version; tasks that were submitted before keep theirs.

    For example:

        sojourn alias update hello prod --version 2 --weight ''

    Parameters
    ----------
    owner
        The function, or with --service the service.
    name
        The alias.
    version
        The number of the version.
    weight
        VERSION=SHARE: the share of calls, 0 to 1, that another version gets; '' for none.
    description
        Free text.

    """
    with common.client() as client:
        changed = client.update_alias(
            owner, name, version=version, weights=_weights(weight), description=description, service=service
        )
    print_one(common.output, changed, lambda: _print(changed))


@app.command
def get(owner: str, name: str, /, *, service: OfService = False, common: Common = COMMON) -> None:
    """Show an alias.

    For example:

        sojourn alias get hello prod

    Parameters
    ----------
    owner
        The function, or with --service the service.
    name
        The alias.

    """
    with common.client() as client:
        found = client.get_alias(owner, name, service=service)
    print_one(common.output, found, lambda: _print(found))


@app.command(name="list")
def list_(owner: str, /, *, prefix: str = "", service: OfService = False, common: Common = COMMON) -> None:
    """List the aliases by name.

    For example:

        sojourn alias list hello

    Parameters
    ----------
    owner
        The function, or with --service the service.
    prefix
        Only names that begin so.

    """
    with common.client() as client:
        found = client.list_aliases(owner, prefix=prefix, service=service)
    print_many(common.output, found, ("ALIAS", "VERSION", "SHARED WITH", "DESCRIPTION", "MODIFIED"), _row)


@app.command
def delete(owner: str, name: str, /, *, service: OfService = False, common: Common = COMMON) -> None:
    """Forget an alias.

    For example:

        sojourn alias delete hello prod

    Parameters
    ----------
    owner
        The function, or with --service the service.
    name
        The alias.

    """
    with common.client() as client:
        client.delete_alias(owner, name, service=service)
    if common.output == "table":
        print(f"Deleted alias {name} of {owner}.")


def _weights(texts: Sequence[str] | None) -> dict[str, float] | None:
    if texts is None:
        return None
    weights: dict[str, float] = {}
    for text in texts:
        version, separator, share = text.partition("=")
        if not text:
            continue
        try:
            weights[version] = float(share)
        except ValueError:
            separator = ""
        if not separator or not version:
            raise CommandFailed(f"--weight must be VERSION=SHARE, got {text!r}", "write it as --weight 2=0.1")
    return weights


def _shared(alias: Alias) -> str:
    return " ".join(f"{version}={share:g}" for version, share in (alias.additional_version_weight or {}).items())


def _row(alias: Alias) -> tuple[str, ...]:
    modified = moment_of_text(alias.last_modified_time)
    return alias.alias_name, alias.version_id, _shared(alias), alias.description, modified


def _print(alias: Alias) -> None:
    print_facts(
        [
            ("Alias", alias.alias_name),
            ("Version", alias.version_id),
            ("Shared with", _shared(alias)),
            ("Description", alias.description),
            ("Created", moment_of_text(alias.created_time)),
            ("Modified", moment_of_text(alias.last_modified_time)),
        ]
    )
