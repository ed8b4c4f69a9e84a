"""`sojourn openapi`: the descriptions of the APIs, without a server."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from sojourn.api.openapi.document import render

Api = Literal["v1", "2023-03-30", "2021-04-06", "2016-08-15"]


def openapi(*, api: Annotated[Api, Parameter(help="Which API.")] = "v1") -> None:
    """Print the OpenAPI 3.1 description of an API.

    For example:

        sojourn openapi --api 2023-03-30 > functions.json
    """
    sys.stdout.write(render(api).decode())
