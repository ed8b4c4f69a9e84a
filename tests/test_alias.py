"""Aliases: which version a call by a name gets."""

from __future__ import annotations

import pytest

from sojourn.alias import changed_alias, check_alias_name, version_for
from sojourn.errors import InvalidArgument
from sojourn.function import Alias

VERSIONS = {"1", "2"}


def test_shares_are_met_and_a_request_always_gets_the_same() -> None:
    """A quarter of many requests; one request once and for all."""
    alias = Alias(version_id="1", additional_version_weight={"2": 0.25})
    got = [version_for(alias, number << 22) for number in range(4000)]
    assert 900 < got.count("2") < 1100
    assert got == [version_for(alias, number << 22) for number in range(4000)]


@pytest.mark.parametrize(("weight", "version"), [(0.0, "1"), (1.0, "2")])
def test_none_and_all(weight: float, version: str) -> None:
    """The bounds of a share are exact."""
    alias = Alias(version_id="1", additional_version_weight={"2": weight})
    assert {version_for(alias, number) for number in range(500)} == {version}


def test_a_change_keeps_what_it_does_not_name() -> None:
    """An empty object takes the share away."""
    made = changed_alias(
        None, {"versionId": "1", "additionalVersionWeight": {"2": 0.5}, "description": "d"}, VERSIONS, 1
    )
    assert (made.created_at, made.modified_at) == (1, 1)
    after = changed_alias(made, {"description": None, "additionalVersionWeight": {}}, VERSIONS, 2)
    assert after == Alias(version_id="1", description="d", created_at=1, modified_at=2)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "versionId"),
        ({"versionId": "3"}, "versionId"),
        ({"versionId": 1}, "versionId"),
        ({"versionId": "1", "additionalVersionWeight": {"3": 0.5}}, "additionalVersionWeight"),
        ({"versionId": "1", "additionalVersionWeight": {"1": 0.5}}, "additionalVersionWeight"),
        ({"versionId": "1", "additionalVersionWeight": {"2": 1.5}}, "additionalVersionWeight.2"),
        ({"versionId": "1", "additionalVersionWeight": {"2": True}}, "additionalVersionWeight.2"),
        ({"versionId": "1", "description": "x" * 257}, "description"),
        ({"versionId": "1", "routePolicy": {"condition": "AND"}}, "routePolicy"),
        ({"versionId": "1", "resolvePolicy": "Weighted"}, "resolvePolicy"),
    ],
)
def test_what_cannot_be_is_refused(body: dict[str, object], field: str) -> None:
    """By the field's name."""
    with pytest.raises(InvalidArgument, match=field):
        changed_alias(None, body, VERSIONS, 1)


@pytest.mark.parametrize("name", ["LATEST", "1", "", "a b", "x" * 129, None])
def test_an_alias_is_not_called_like_a_version(name: object) -> None:
    """Nor LATEST."""
    with pytest.raises(InvalidArgument, match="aliasName"):
        check_alias_name(name)
