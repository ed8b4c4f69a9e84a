"""Targets: which texts are one, which this server reaches, which addresses are the public internet's."""

from __future__ import annotations

import pytest

from sojourn import target as t
from sojourn.configuration import changed_async_config
from sojourn.errors import InvalidArgument
from sojourn.function import Destination, Destinations
from sojourn.target import BridgeTarget, FunctionTarget, Reach, UrlTarget

ACCOUNT = "1234"
REACH = Reach(region="local", bridges={"mns": "http://bridge.internal/mns"})
OWN = f"acs:fc:local:{ACCOUNT}:functions/after"
QUEUE = f"acs:mns:local:{ACCOUNT}:/queues/dead/messages"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (OWN, FunctionTarget("after")),
        (f"{OWN}/LATEST", FunctionTarget("after")),
        (f"{OWN}/prod", FunctionTarget("after", "prod")),
        (f"acs:fc:local:{ACCOUNT}:functions/s$after", FunctionTarget("s$after")),
        (f"acs:fc:local:{ACCOUNT}:services/s/functions/after", FunctionTarget("s$after")),
        (f"acs:fc:local:{ACCOUNT}:services/s.LATEST/functions/after", FunctionTarget("s$after")),
        (f"acs:fc:local:{ACCOUNT}:services/s.prod/functions/after", FunctionTarget("s$after", "prod")),
        ("acs:fc:::services/s/functions/after", FunctionTarget("s$after")),
        ("acs:fc:::functions/after", FunctionTarget("after")),
        (QUEUE, BridgeTarget(QUEUE, "http://bridge.internal/mns")),
        ("https://example.com/hook?a=b", UrlTarget("https://example.com/hook?a=b")),
        ("HTTP://8.8.8.8:8080/x", UrlTarget("HTTP://8.8.8.8:8080/x")),
        ("http://[2001:4860:4860::8888]/", UrlTarget("http://[2001:4860:4860::8888]/")),
    ],
)
def test_what_is_reached(text: str, target: t.Target) -> None:
    """A function of the own account, a service with a bridge, a public URL."""
    assert t.target_of(text, ACCOUNT, REACH) == target


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acs:fc:local:9999:functions/after", "function of this account and region"),
        (f"acs:fc:cn-hangzhou:{ACCOUNT}:functions/after", "such as acs:fc:local:1234:functions/after"),
        (f"acs:eventbridge:local:{ACCOUNT}:eventbus/b", "needs a bridge: the operator has to name a URL for eventb"),
        (f"acs:mq:local:{ACCOUNT}:/t", "SOJOURN_BRIDGE_URLS"),
        ("acs:oss:local:1234:bucket", "an ARN of mns, eventbridge, mq"),
        ("acs:fc:local:1234:functions/1nvalid", "must be acs:fc"),
        ("acs:x", "must be acs:fc"),
        ("acs:fc:local:9999:services/s/functions/after", "function of this account and region"),
        ("acs:fc:::services/s$x/functions/after", "must be acs:fc"),
        ("acs:fc:::services/s/functions/a$b", "must be acs:fc"),
        ("acs:fc:::services/1s/functions/after", "must be acs:fc"),
        ("after", "must be acs:fc"),
        ("ftp://example.com", "must be acs:fc"),
        ("http://", "must be acs:fc"),
        ("http://ex ample.com/", "must be acs:fc"),
        ("https://größe.example/", "must be acs:fc"),
        ("http://user:secret@example.com/", "without user name"),
        ("http://example.com/#top", "without user name"),
        ("http://example.com:0/", "without user name"),
        ("http://example.com:99999/", "without user name"),
        ("http://example.com\\@127.0.0.1/", "without user name"),
        ("http:///path", "without user name"),
        ("http://2130706433/", "without user name"),
        ("http://0x7f.1/", "without user name"),
        ("http://127.1/", "without user name"),
        ("http://0177.0.0.1/", "without user name"),
        ("http://[fe80::1%25eth0]/", "without user name"),
        ("http://127.0.0.1/", "public address"),
        ("http://0.0.0.0/", "public address"),
        ("http://169.254.169.254/latest/meta-data", "SOJOURN_WEBHOOK_PRIVATE_ADDRESSES"),
        ("http://[::1]:9000/", "public address"),
        ("http://[::ffff:10.0.0.1]/", "public address"),
        ("http://localhost/", "public address"),
        ("http://a.LOCALHOST./", "public address"),
        ("x" * 3000, "1 to 2048 characters"),
        ("", "1 to 2048 characters"),
    ],
)
def test_what_is_not_reached(text: str, words: str) -> None:
    """The message names the field, the value, and what is missing."""
    with pytest.raises(InvalidArgument, match="somewhere") as refusal:
        t.target_of(text, ACCOUNT, REACH, "somewhere")
    assert words in refusal.value.message


def test_an_operator_may_allow_private_addresses() -> None:
    """Then they are like any other."""
    reach = Reach(private_addresses=True)

    assert t.target_of("http://127.0.0.1:1/", ACCOUNT, reach) == UrlTarget("http://127.0.0.1:1/")
    assert t.target_of("http://localhost/", ACCOUNT, reach) == UrlTarget("http://localhost/")


PRIVATE = """127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.1.2.3 172.16.0.1 192.168.0.1 169.254.169.254 100.64.0.1
192.0.2.1 198.18.0.1 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1
::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1:: fe80::1 fe80::1%eth0
fec0::1 fc00::1 fd12::1 ff02::1 2001:db8::1"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_addresses_that_are_not_public(address: str) -> None:
    """Also those that hide one in another kind of address."""
    assert not t.is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2002:808:808::"]
)
def test_addresses_that_are_public(address: str) -> None:
    """What the guard must let through."""
    assert t.is_public(address)


@pytest.mark.parametrize(
    ("text", "bridges"),
    [
        ("", {}),
        ("mns=http://10.0.0.1/x", {"mns": "http://10.0.0.1/x"}),
        ("mns=http://b/?q=1, mq=https://c/", {"mns": "http://b/?q=1", "mq": "https://c/"}),
    ],
)
def test_bridges(text: str, bridges: dict[str, str]) -> None:
    """An operator may name any address."""
    assert t.parse_bridges(text) == bridges


@pytest.mark.parametrize(
    "text", ["mns", "mns=", "oss=http://a/", "mns=ftp://a/", "mns=http://a/,mns=http://b/", "=http://a/"]
)
def test_bridges_that_are_none(text: str) -> None:
    """The message names the setting."""
    with pytest.raises(InvalidArgument, match="SOJOURN_BRIDGE_URLS"):
        t.parse_bridges(text)


def test_what_shares_a_lane() -> None:
    """One host of one account; all functions of an account."""
    lanes = [
        t.lane_of(text, account)
        for text, account in [
            ("http://a.example/1", "x"),
            ("HTTP://A.example/2", "x"),
            ("http://a.example:81/", "x"),
            ("http://a.example/1", "y"),
            (OWN, "x"),
            (QUEUE, "x"),
        ]
    ]

    assert lanes[0] == lanes[1]
    assert len(set(lanes)) == 5


def put(before: Destinations, value: object) -> Destinations:
    """What a PUT makes of the destinations."""
    config = changed_async_config(changed_async_config(None, {}, 1), {"destinationConfig": None}, 1)
    assert config.destination_config == Destinations()
    return t.changed_destinations(before, value)


def test_an_empty_destination_removes_and_an_absent_one_stays() -> None:
    """Each end for itself."""
    both = put(Destinations(), {"onSuccess": {"destination": OWN}, "onFailure": {"destination": QUEUE}})
    assert both == Destinations(on_success=Destination(destination=OWN), on_failure=Destination(destination=QUEUE))
    nothings: list[dict[str, object]] = [
        {},
        {"onSuccess": None},
        {"onSuccess": {}},
        {"onSuccess": {"destination": None}},
    ]
    for nothing in nothings:
        assert put(both, nothing) == both
    assert put(both, {"onSuccess": {"destination": ""}}) == Destinations(on_failure=both.on_failure)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("x", "destinationConfig"),
        ({"onSucces": {"destination": OWN}}, "destinationConfig.onSucces"),
        ({"onSuccess": OWN}, "destinationConfig.onSuccess"),
        ({"onSuccess": {"arn": OWN}}, "destinationConfig.onSuccess"),
        ({"onSuccess": {"destination": 7}}, "destinationConfig.onSuccess.destination"),
        ({"onFailure": {"destination": "nowhere"}}, "destinationConfig.onFailure.destination"),
    ],
)
def test_a_refused_configuration_names_the_field(value: object, field: str) -> None:
    """Down to the part that is wrong."""
    with pytest.raises(InvalidArgument) as refusal:
        changed_async_config(None, {"destinationConfig": value}, 1)
    assert refusal.value.field == field


def test_a_configuration_of_what_is_not_reached_is_refused() -> None:
    """The same rules, with the field of the request."""
    fine = Destinations(on_success=Destination(destination=OWN))
    t.check_destinations(fine, ACCOUNT, REACH)
    with pytest.raises(InvalidArgument, match=r"destinationConfig\.onFailure\.destination needs a bridge"):
        t.check_destinations(Destinations(on_failure=Destination(destination=QUEUE)), ACCOUNT, Reach())
