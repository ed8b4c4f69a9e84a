"""The options that many commands share, and the client they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from sojourn.client import Client, Connection, from_environment

Form = Literal["table", "json", "jsonl"]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Which server to ask, and in which form to print the answer."""

    endpoint: Annotated[str | None, Parameter(help="The server, as http://HOST:PORT.")] = None
    profile: Annotated[str | None, Parameter(help="The profile of the config file to use.")] = None
    output: Annotated[Form, Parameter(alias="-o", help="Print a table, JSON, or one JSON object a line.")] = "table"

    def connection(self, *, key_needed: bool = True) -> Connection:
        """The server and the key, from the options and the environment."""
        return from_environment(endpoint=self.endpoint, profile=self.profile, key_needed=key_needed)

    def client(self, *, key_needed: bool = True) -> Client:
        """A client for them."""
        return Client(self.connection(key_needed=key_needed))


COMMON = Common()
