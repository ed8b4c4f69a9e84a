"""Rightly signed garbage to every route: in each part of the path, the query, each field and the body as a whole.

Nothing of it is a fault of the server's, nothing hangs, and each refusal is JSON in the shape of its API. Routes,
parameters and fields are read from the descriptions, so what is new is tried as soon as it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.door import Door
from api.everything import FUNCTION, NAMES, WAYS, Heard, Line, Way, furnish, is_refusal, request, signed

SEGMENTS = {
    "NUL": "%00",
    "invalid UTF-8": "%ff%fe",
    "overlong UTF-8": "%c0%af",
    "lone surrogate": "%ed%a0%80",
    "dots": "..",
    "encoded dots": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "backslash": "..%5c..%5c",
    "long": "x" * 8000,
    "unicode": "%E2%80%AE%F0%9F%92%A9",
    "foreign digits": "%C2%B2",
    "percent": "%25s%25n%25x",
    "template": "%7B%7B7*7%7D%7D",
    "semicolon": "f;x=1",
    "quote": "'%20OR%20'1'='1",
    "newline": "%0d%0aX-Injected:%201",
    "broken percent": "%zz%",
}
VALUES = {
    "NUL": "%00",
    "invalid UTF-8": "%ff",
    "lone surrogate": "%ed%a0%80",
    "long": "9" * 8000,
    "huge": "9" * 18,
    "huger": "9" * 40,
    "negative": "-1",
    "fraction": "1.5",
    "exponent": "1e400",
    "not a number": "NaN",
    "foreign digits": "%C2%B2",
    "arabic digits": "%D9%A1",
    "newline": "%0d%0aX:1",
    "json": "%7B%22a%22:1%7D",
    "deep": "%5B" * 8000,
    "broken percent": "%zz%",
    "surrogate in JSON": "%5B%22%5Cud800%22%5D",
}
BODIES = {
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep open list": b"[" * 100_000,
    "deep object": b'{"a":' * 900 + b"1" + b"}" * 900,
    "deeper object": b'{"a":' * 100_000,
    "deep in a field": b'{"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "NaN": b'{"timeout":NaN}',
    "infinity": b'{"timeout":1e999,"memorySize":-Infinity}',
    "huge integer": b'{"timeout":' + b"9" * 5000 + b"}",
    "invalid UTF-8": b'{"description":"\xff\xfe"}',
    "invalid UTF-8 name": b'{"\xff":1}',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "NUL": b"\0",
    "trailing": b'{"a":1}{"a":1}',
    "no object": b"null",
    "text": b'"text"',
    "names twice": b'{"timeout":1,"timeout":"x"}',
    "many fields": json.dumps({f"x{number}": number for number in range(3000)}).encode(),
    "many empty fields": json.dumps({f"x{number}": "" for number in range(3000)}).encode(),
    "truncated": b'{"description":"abc',
}
FIELD_VALUES = (
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\xff"',
    b'"' + b"x" * 60_000 + b'"',
    b"-1",
    b"1e400",
    b"99999999999999999999999999",
    b"1.0000000001",
    b"true",
    b"[]",
    b"{}",
    b"[[[[[[[[]]]]]]]]",
    b'{"\\ud800":{"\\u0000":[]}}',
    b'[null,"",0,{"Key":null},{"key":{}}]',
    b'{"handler":{},"timeout":[],"x":null}',
    b'"' + b"[" * 30_000 + b'"',
    '"²"'.encode(),
)


_SHARED = {way.path.replace("2021-04-06", "2016-08-15", 1) for way in WAYS if way.api == "2021-04-06"}
TRIED = [way for way in WAYS if way.api != "2016-08-15" or way.path not in _SHARED or "invocations" in way.path]
"""Both generations with services have the same commands at most paths: those are tried in one."""


class Target:
    """A furnished account and requests of it that are signed rightly."""

    def __init__(self, door: Door) -> None:
        self.door, self.caller = door, furnish(door.caller())
        self.line = Line(door)
        self.names = dict(NAMES) | {"account": self.caller.account_id}

    def ask(self, way: Way, target: str, body: bytes = b"", **headers: str) -> Heard:
        """The answer, which is checked for what holds for all."""
        made = signed(self.caller, way.method, target, body, headers=headers)
        answer = self.line.exchange(request(way.method, target, made, body, last=False))
        assert answer.status < 500, (target[:200], body[:200], answer)
        assert answer.headers["x-fc-request-id"]
        assert "x-injected" not in answer.headers
        if answer.status >= 400:
            native = target.startswith(("/v1/", "/openapi.json", "/metrics"))
            is_refusal(answer, native=native, bodiless=way.method == "HEAD")
        return answer


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """On a server of its own, which lives to the end of it."""
    directory: Path = tmp_path_factory.mktemp("garbage")
    with Door(directory) as door:
        assert door.owner
        made = Target(door)
        yield made
        made.line.close()
        assert door.http.get(f"{door.url}/livez").status_code == 200


@pytest.mark.parametrize("way", [way for way in TRIED if way.names], ids=str)
def test_names(target: Target, way: Way) -> None:
    """Each part of the path in turn: refused, or not there; nothing is read as another path."""
    for name in way.names:
        for spelled in SEGMENTS.values():
            answer = target.ask(way, way.at(target.names | {name: spelled}))
            if name != "rest":
                assert answer.status >= 400 or way.method == "HEAD", (name, spelled, answer)


@pytest.mark.parametrize("way", [way for way in TRIED if way.method == "GET" and not way.endless], ids=str)
def test_questions(target: Target, way: Way) -> None:
    """Each parameter in turn: answered or refused; what comes twice is refused."""
    plain = way.at(target.names)
    names = [each["name"] for each in way.operation.get("parameters", ()) if each["in"] == "query"]
    for name in [*names, "unknown"]:
        for spelled in VALUES.values():
            target.ask(way, f"{plain}?{name}={spelled}")
    for name in names if "/proxy/" not in way.path else ():
        assert target.ask(way, f"{plain}?{name}=1&{name}=1").status in (400, 404)
    for text in ("&&&&", "=", "=x", "%", "a" * 20_000, "&".join(f"x{number}=1" for number in range(3000)), "?", "\\"):
        target.ask(way, f"{plain}?{text}")


@pytest.mark.parametrize("way", [way for way in TRIED if way.method in ("POST", "PUT")], ids=str)
def test_bodies(target: Target, way: Way) -> None:
    """Bodies that are no JSON objects, or go too deep, are refused where one is read."""
    for body in BODIES.values():
        answer = target.ask(way, way.at(target.names), body)
        if way.fields and body.startswith(b"["):
            assert answer.status in (400, 404, 409), answer


@pytest.mark.parametrize("way", [way for way in TRIED if way.fields], ids=str)
def test_fields(target: Target, way: Way) -> None:
    """Each field in turn, by itself and beside a good body."""
    good = way.body().rstrip(b"}")
    for name in [*way.fields, "unknown"]:
        for number, value in enumerate(FIELD_VALUES):
            field = json.dumps(name).encode() + b":" + value
            alone = number % 2 == len(name) % 2 or good == b"{"
            target.ask(way, way.at(target.names), (b"{" if alone else good + b",") + field + b"}")


@pytest.mark.parametrize("way", [way for way in WAYS if way.path.endswith("/invocations")], ids=str)
def test_headers_of_an_invocation(target: Target, way: Way) -> None:
    """Each header that means something, with each value that does not."""
    names = [each["name"] for each in way.operation["parameters"] if each["in"] == "header"]
    target.caller("POST", f"{FUNCTION}/invoke/enable")
    for name in names:
        for value in ("\xff\xfe", "9" * 30, "-1", "x" * 5000, "Async, Sync", "²".encode().decode("latin-1"), "1e3"):
            assert target.ask(way, way.at(target.names), b"x", **{name: value}).status == 400, (name, value)
