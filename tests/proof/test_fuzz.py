"""The fuzzers: they find nothing in the product, and something in each reader that has lost a check."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pytest
from proof.fuzz import api, part, signatures
from proof.fuzz.target import CORPUS, Target, fuzz, regressions
from proof.result import Scale

from sojourn import archive, cron, output, signature
from sojourn.agent import frames
from sojourn.api import call
from sojourn.channel import Channel
from sojourn.manifest import document

TARGETS = {target.name: target for target in part.TARGETS}


def test_a_tiny_run_breaks_nothing(tmp_path: Path) -> None:
    """Every target has a round, and the line says how many examples there were."""
    result = part.run(Scale(share=0.01, seconds=1.0, directory=tmp_path))

    assert result.ok, result.details
    assert all(f"{name} " in result.line for name in TARGETS)
    assert "0 broken (seed 1;" in result.line


@pytest.mark.parametrize("target", [target for target in part.TARGETS if target.bytes], ids=lambda target: target.name)
def test_what_broke_it_before_does_not_break_it_again(target: Target) -> None:
    """Every file of the corpus, by the check of its target."""
    for example in regressions(target):
        target.check(example)


def test_every_folder_of_the_corpus_has_a_target() -> None:
    """No regression is kept where nobody tries it."""
    assert {path.name for path in CORPUS.iterdir()} <= {target.name for target in part.TARGETS if target.bytes}


@pytest.mark.parametrize("route", api.routes(), ids="".join)
def test_every_operation_answers_the_plainest_request(route: tuple[str, str]) -> None:
    """None is left to the fuzzer's chance, nor one whose answer has no end."""
    api.check_request(api.Request(route=route, names=("f", "f"), query=(), headers={}, body=b"{}"))


class ForgetfulParser(frames.Parser):
    """Loses what a frame began with."""

    def feed(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """Only whole frames of one piece."""
        return frames.Parser(self._body_bytes_max).feed(data)


PLANTED: dict[str, tuple[object, str, Any]] = {
    "signature": (hmac, "compare_digest", lambda *_: True),
    "query": (signature, "_encoded", lambda text: text),
    "headers": (signature, "_seconds", int),
    "frames": (frames, "Parser", ForgetfulParser),
    "channel": (Channel, "fail", lambda _: None),
    "archive": (archive, "_path", lambda name: tuple(name.split("/"))),
    "s.yaml": (document, "DEPTH_MAX", 1_000_000),
    "older": (hmac, "compare_digest", lambda *_: True),
    "log": (output, "TAIL_BYTES_MAX", 1 << 20),
    "cron": (cron.Every, "after", lambda _, now: now),
    "api": (call, "decode_object", orjson.loads),
}


SLOW_TO_SHRINK = {"s.yaml"}
"""What breaks it lies thousands of levels deep, and each try takes as many steps."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_without_a_check_is_found(name: str) -> None:
    """A planted fault is found in the first seconds, and told with the seed and the example."""
    with mock.patch.object(*PLANTED[name]):
        found = fuzz(TARGETS[name], 20.0, 1, shrinks=name not in SLOW_TO_SHRINK)

    assert found.broken.startswith(f"{name}: "), found
    assert ("seed " in found.broken and "example=" in found.broken) or "corpus" in found.broken


REQUEST = signatures.Request(
    method="PUT",
    path="/2023-03-30/functions/f%C3%A4",
    query="a=1&b=%20x",
    headers={"host": "h:1", "x-fc-async-task-id": "t"},
    body=b"body",
    part="",
    place=0,
    flip=0,
)


LINE = (REQUEST.method, REQUEST.path, REQUEST.query)


def signed() -> dict[str, str]:
    """The headers of `REQUEST` with its signature."""
    return signature.sign(
        *LINE,
        REQUEST.headers,
        body_sha256=hashlib.sha256(REQUEST.body).hexdigest(),
        access_key_id=signatures.KEY,
        access_key_secret=signatures.SECRET,
        now_seconds=signatures.NOW,
        nonce="n",
    )


@pytest.mark.parametrize("name", signatures.PARTS)
def test_every_byte_of_every_signed_part_counts(name: str) -> None:
    """Each bit of each byte flipped: refused, but where the change means nothing to HTTP."""
    sent = signed()
    assert signatures.accepted(LINE, sent)
    tried = 0
    for place in range(130):
        for bit in range(8):
            request = REQUEST._replace(part=name, place=place, flip=1 << bit)
            changed = signatures.altered(request, sent)
            if changed is not None:
                tried += 1
                assert not signatures.accepted(*changed), changed
    assert tried > 500


@pytest.mark.parametrize("header", ["host", "x-acs-date", "x-acs-signature-nonce", "x-fc-async-task-id"])
def test_every_byte_of_every_signed_header_counts(header: str) -> None:
    """Each bit of each byte of one header flipped: refused."""
    sent = signed()
    for place in range(len(sent[header])):
        for bit in range(8):
            value = bytearray(sent[header].encode())
            value[place] ^= 1 << bit
            changed = sent | {header: value.decode("latin-1")}
            if changed[header].strip() != sent[header]:
                assert not signatures.accepted(LINE, changed)
