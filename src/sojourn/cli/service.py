"""`sojourn service`: what holds functions together that are named SERVICE$FUNCTION."""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Parameter

from sojourn.client import Service

from . import published
from .display import moment_of_text, print_facts, print_many, print_one
from .options import COMMON, Common

app = cyclopts.App(name="service", help="Make services and publish their versions.", help_format="plaintext")
Network = Annotated[bool | None, Parameter(name="--internet-access", negative="--no-internet-access")]


@app.command
def create(
    name: str, /, *, description: str | None = None, internet_access: Network = None, common: Common = COMMON
) -> None:
    """Make a service; deploy functions into it as SERVICE$FUNCTION.

    For example:

        sojourn service create shop --description 'all of the shop'

    Parameters
    ----------
    name
        The service.
    description
        Free text.
    internet_access
        Whether its functions reach the network. [default: they do]

    """
    with common.client() as client:
        made = client.create_service(name, description=description, internet_access=internet_access)
    print_one(common.output, made, lambda: print(f"Created service {name}."))


@app.command
def update(
    name: str, /, *, description: str | None = None, internet_access: Network = None, common: Common = COMMON
) -> None:
    """Change a service, and with the network also its functions.

    For example:

        sojourn service update shop --no-internet-access

    Parameters
    ----------
    name
        The service.
    description
        Free text.
    internet_access
        Whether its functions reach the network.

    """
    with common.client() as client:
        changed = client.update_service(name, description=description, internet_access=internet_access)
    print_one(common.output, changed, lambda: _print(changed))


@app.command
def get(name: str, /, *, common: Common = COMMON) -> None:
    """Show a service.

    For example:

        sojourn service get shop

    Parameters
    ----------
    name
        The service.

    """
    with common.client() as client:
        found = client.get_service(name)
    print_one(common.output, found, lambda: _print(found))


@app.command(name="list")
def list_(*, prefix: str = "", common: Common = COMMON) -> None:
    """List the services by name.

    For example:

        sojourn service list -o json

    Parameters
    ----------
    prefix
        Only names that begin so.

    """
    with common.client() as client:
        found = client.list_services(prefix=prefix)
    print_many(common.output, found, ("SERVICE", "NETWORK", "DESCRIPTION", "MODIFIED"), _row)


@app.command
def delete(name: str, /, *, common: Common = COMMON) -> None:
    """Delete a service that has no functions, versions and aliases any more.

    For example:

        sojourn service delete shop

    Parameters
    ----------
    name
        The service.

    """
    with common.client() as client:
        client.delete_service(name)
    if common.output == "table":
        print(f"Deleted service {name}.")


def _network(service: Service) -> str:
    return "yes" if service.internet_access else "no"


def _row(service: Service) -> tuple[str, ...]:
    modified = moment_of_text(service.last_modified_time)
    return service.service_name, _network(service), service.description, modified


def _print(service: Service) -> None:
    print_facts(
        [
            ("Service", service.service_name),
            ("Description", service.description),
            ("Network", _network(service)),
            ("Created", moment_of_text(service.created_time)),
            ("Modified", moment_of_text(service.last_modified_time)),
        ]
    )


published.add_to(app, "service")
