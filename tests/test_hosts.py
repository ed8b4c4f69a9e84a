"""Hosts: which names a browser may come by."""

from __future__ import annotations

import pytest

from sojourn.errors import InvalidArgument
from sojourn.hosts import Hosts, name_of, parse_hosts
from sojourn.refusals import HostNotAllowed

NAMED = Hosts(parse_hosts("tasks.example.com, Other.Example"))


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9000", "LocalHost:1", "127.0.0.1:9000", "[::1]:9000", "[::1]", "tasks.example.com",
     "TASKS.example.com:443", "other.example", "10.1.2.3:9000"],
)  # fmt: skip
def test_a_name_of_this_server_is_heard(host: str) -> None:
    """Loopback, what the operator has named, and the address that was called; with a port or without."""
    NAMED.check({b"host": host.encode()}, "10.1.2.3")


@pytest.mark.parametrize(
    "host", ["", "evil.example", "10.1.2.4", "localhost.evil.example", "evil.example:localhost", "[::2]", "::1x", ":80"]
)
def test_no_other_name_is(host: str) -> None:
    """Also none that holds an allowed one somewhere, and none at all."""
    for server in ("10.1.2.3", ""):
        with pytest.raises(HostNotAllowed):
            NAMED.check({b"host": host.encode()}, server)
    with pytest.raises(HostNotAllowed):
        NAMED.check({}, "10.1.2.3")


def test_an_ipv6_address_that_was_called_is_heard() -> None:
    """It stands in brackets in the header and without them at the socket."""
    assert Hosts().allows(b"[fd00::7]:9000", "fd00::7")
    assert not Hosts().allows(b"[fd00::8]:9000", "fd00::7")


@pytest.mark.parametrize(("host", "name"), [("A.b:80", "a.b"), ("[::1]:80", "::1"), ("a", "a"), ("a:b", "a:b")])
def test_the_name_in_a_header(host: str, name: str) -> None:
    """Without port and brackets, in lower case."""
    assert name_of(host) == name


@pytest.mark.parametrize("text", ["http://a", "a:80", "a,,b", "*.example.com", "a/b", "u@a", "a b"])
def test_a_setting_with_more_than_names_is_refused(text: str) -> None:
    """The error names the variable and what it must hold."""
    with pytest.raises(InvalidArgument, match="SOJOURN_CONSOLE_HOSTS must be names"):
        parse_hosts(text)
