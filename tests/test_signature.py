"""Who signed a request: vectors, an independent second implementation, tampering, time, replays."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import InvalidArgument, MissingHeader, SignatureMismatch
from sojourn.signature import (
    EMPTY_SHA256,
    KEPT_SECONDS,
    NONCE_BYTES_MAX,
    WINDOW_SECONDS,
    Nonces,
    canonical_query,
    check_window,
    encode_query,
    parse_authorization,
    sign,
    verify,
)

SECRET = "a secret of some length"
NOW = 1_800_000_000
PATH = "/2023-03-30/functions/census/invocations"

Wire = tuple[bytes, bytes, bytes, dict[bytes, bytes]]


def second_opinion(method: str, path: str, query: str, headers: dict[str, str], secret: str) -> str:
    """The signature of `headers` (all of them signed), written from the published rule and sharing no code."""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    canonical = "&".join(quote(name, safe="~") + "=" + quote(value, safe="~") for name, value in pairs)
    names = sorted(headers)
    text = method + "\n" + path + "\n" + canonical + "\n"
    for name in names:
        text += name + ":" + headers[name].strip() + "\n"
    text += "\n" + ";".join(names) + "\n" + headers["x-acs-content-sha256"]
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(text.encode()).hexdigest()
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def signed(method: str = "POST", path: str = PATH, query: str = "", **headers: str) -> Wire:
    """A signed request as it comes off the wire: method, path, query, headers."""
    plain = {"host": "127.0.0.1:9000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    whole = sign(
        method,
        path,
        query,
        plain,
        body_sha256=EMPTY_SHA256,
        access_key_id="SJKEY",
        access_key_secret=SECRET,
        now_seconds=NOW,
        nonce="n-1",
    )
    return method.encode(), path.encode(), query.encode(), {k.encode(): v.encode() for k, v in whole.items()}


def check(wire: Wire, secret: str | None = SECRET) -> None:
    method, path, query, headers = wire
    verify(parse_authorization(headers), secret, headers, method=method, raw_path=path, query=query)


def test_a_fixed_request_has_the_signature_that_it_always_had() -> None:
    """A vector worked out with other tools (sha256sum, openssl): a change of the rule would change it."""
    _, _, _, headers = signed(query="qualifier=LATEST", x_fc_async_task_id="t1")

    canonical = (
        "POST\n/2023-03-30/functions/census/invocations\nqualifier=LATEST\n"
        "host:127.0.0.1:9000\n"
        f"x-acs-content-sha256:{EMPTY_SHA256}\n"
        "x-acs-date:2027-01-15T08:00:00Z\n"
        "x-acs-signature-nonce:n-1\n"
        "x-fc-async-task-id:t1\n"
        "\n"
        "host;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-fc-async-task-id\n"
        f"{EMPTY_SHA256}"
    )
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()

    assert expected == "0796eb586606a0c33266fe46d21935b13e99be4327b032ed139e8743f9ee140f"
    assert headers[b"authorization"].endswith(f"Signature={expected}".encode())


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    query=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(max_size=20)),
    extra=st.dictionaries(st.from_regex(r"x-fc-[a-z]{1,8}", fullmatch=True), st.text("ab =;,\t~é", max_size=9)),
)
def test_two_implementations_agree(method: str, query: dict[str, str], extra: dict[str, str]) -> None:
    """What the second implementation signs is accepted, and what `sign` signs is what it would have signed."""
    text = encode_query(query.items())
    _, _, _, raw = signed(method, query=text, **extra)
    headers = {name.decode(): value.decode() for name, value in raw.items()}
    ours = headers.pop("authorization")

    assert ours.endswith("Signature=" + second_opinion(method, PATH, text, headers, SECRET))
    check((method.encode(), PATH.encode(), text.encode(), raw))


@pytest.mark.parametrize(
    "query",
    [
        "a=1&b=2",
        "b=2&a=1",
        "a=x+y",
        "a=x%20y",
        "a=%7E",
        "a=~",
        "a",
        "a=",
        "a=%2B%2F%3D",
        "a=!'()*",
        "a=%C3%A9",
        "&a=1&",
    ],
)
def test_a_query_verifies_however_the_client_spells_it(query: str) -> None:
    """Clients sign the RFC 3986 form and send another one; both mean the same."""
    pairs = parse_qsl(query, keep_blank_values=True)
    _, _, _, headers = signed("GET", query=encode_query(pairs))

    check((b"GET", PATH.encode(), query.encode(), headers))


def test_a_canonical_query_stays_as_it_is() -> None:
    """Encoding twice is encoding once, also for bytes that are no text."""
    assert canonical_query(b"z=%FF&a=b+c") == b"a=b%20c&z=%FF"
    assert canonical_query(canonical_query(b"z=%FF&a=b+c")) == b"a=b%20c&z=%FF"


def test_the_path_is_not_decoded() -> None:
    """A slash that was encoded is another path than a slash."""
    method, _, query, headers = signed(path="/functions/a%2Fb")

    check((method, b"/functions/a%2Fb", query, headers))
    with pytest.raises(SignatureMismatch):
        check((method, b"/functions/a/b", query, headers))


def flipped(data: bytes) -> list[bytes]:
    """`data` with one bit of one byte changed, for each byte."""
    return [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]


def test_every_flipped_byte_is_refused() -> None:
    """Method, path, query, each signed header, the list of them and the signature are all covered."""
    wire = signed("PUT", query="a=bc&d=e", content_type="text/plain")
    method, path, query, headers = wire
    check(wire)
    tampered: list[Wire] = []
    tampered += [(other, path, query, headers) for other in flipped(method)]
    tampered += [(method, other, query, headers) for other in flipped(path)]
    tampered += [(method, path, other, headers) for other in flipped(query)]
    for name, value in headers.items():
        tampered += [(method, path, query, headers | {name: other}) for other in flipped(value)]
        tampered += [
            (method, path, query, {n: v for n, v in headers.items() if n != name} | {other: value})
            for other in flipped(name)
        ]
    key = b"Credential=SJKEY"
    accepted = 0
    for one in tampered:
        try:
            check(one)
        except (SignatureMismatch, MissingHeader, InvalidArgument):
            continue
        # The key id itself is not part of what is signed: its secret is.
        assert key not in one[3][b"authorization"]
        accepted += 1

    assert accepted == len(b"SJKEY")


@pytest.mark.parametrize("name", ["host", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"])
def test_what_protects_a_request_must_be_there_and_signed(name: str) -> None:
    """A request without one of the four is refused, and so is one that leaves it out of its list."""
    method, path, query, headers = signed()
    without = {key: value for key, value in headers.items() if key != name.encode()}
    with pytest.raises(MissingHeader, match=name):
        check((method, path, query, without))

    plain = {key.decode(): value.decode() for key, value in without.items() if key != b"authorization"}
    plain.setdefault("x-acs-content-sha256", EMPTY_SHA256)
    listed = sorted(set(plain) - {name})
    authorization = f"ACS3-HMAC-SHA256 Credential=SJKEY,SignedHeaders={';'.join(listed)},Signature={'0' * 64}"
    with pytest.raises(SignatureMismatch, match=name):
        check((method, path, query, headers | {b"authorization": authorization.encode()}))


def test_headers_that_are_not_listed_may_change() -> None:
    """Some official clients leave x-fc-* unsigned: the client's list counts."""
    method, path, query, headers = signed()

    check((method, path, query, headers | {b"x-fc-async-task-id": b"t1", b"user-agent": b"a proxy"}))


def test_a_listed_header_that_is_missing_is_refused() -> None:
    """An absent header is not an empty one."""
    method, path, query, headers = signed(x_fc_log_type="")
    check((method, path, query, headers))
    del headers[b"x-fc-log-type"]

    with pytest.raises(SignatureMismatch, match="x-fc-log-type"):
        check((method, path, query, headers))


def test_an_unknown_key_is_refused_even_with_the_secret_that_stands_in_for_it() -> None:
    """The stand-in secret opens nothing."""
    from sojourn import signature  # noqa: PLC0415 - to look at what is not public

    whole = sign(
        "GET", "/", "", {"host": "h"}, body_sha256=EMPTY_SHA256, access_key_id="X",
        access_key_secret=signature._NO_SECRET.decode(), now_seconds=NOW, nonce="n",
    )  # fmt: skip
    headers = {k.encode(): v.encode() for k, v in whole.items()}

    with pytest.raises(SignatureMismatch):
        check((b"GET", b"/", b"", headers), secret=None)


def test_text_signed_as_utf8_and_sent_as_latin1_verifies() -> None:
    """That is what Python's and Node's HTTP libraries do with a header such as `é`; raw UTF-8 is fine too."""
    method, path, query, headers = signed(x_fc_note="é")

    check((method, path, query, headers))
    check((method, path, query, headers | {b"x-fc-note": "é".encode("latin-1")}))
    with pytest.raises(SignatureMismatch):
        check((method, path, query, headers | {b"x-fc-note": "è".encode("latin-1")}))


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abc",
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host",
        "ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=00",
        "acs3-hmac-sha256 Credential=a,SignedHeaders=host,Signature=00",
        "FC a:" + base64.b64encode(b"0" * 32).decode(),
    ],
)
def test_another_form_of_authorization_is_named_and_not_shown(text: str) -> None:
    """The error names the header and the form it must have, and repeats nothing that could be a secret."""
    with pytest.raises(InvalidArgument, match="Authorization must read ACS3-HMAC-SHA256") as raised:
        parse_authorization({b"authorization": text.encode()})

    assert "MDAw" not in raised.value.message


def test_no_authorization_is_a_missing_header() -> None:
    """An unsigned request learns which header it lacks."""
    with pytest.raises(MissingHeader, match="Authorization"):
        parse_authorization({})


def test_spaces_after_commas_are_fine() -> None:
    """Some clients write them."""
    method, path, query, headers = signed()
    spaced = headers[b"authorization"].replace(b",", b", ")

    check((method, path, query, headers | {b"authorization": spaced}))


def dated(seconds: int) -> dict[bytes, bytes]:
    return {b"x-acs-date": datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()}


@pytest.mark.parametrize("offset", [-WINDOW_SECONDS, -1, 0, 1, WINDOW_SECONDS])
def test_the_window_includes_its_edges(offset: int) -> None:
    """15 minutes either way are accepted, and the request's own time comes out."""
    assert check_window(dated(NOW + offset), NOW) == NOW + offset


@pytest.mark.parametrize("offset", [-WINDOW_SECONDS - 1, WINDOW_SECONDS + 1])
def test_a_second_beyond_the_window_is_refused(offset: int) -> None:
    """The message says which time the server has."""
    with pytest.raises(SignatureMismatch, match="2027-01-15T08:00:00Z"):
        check_window(dated(NOW + offset), NOW)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2027-01-15 08:00:00Z", "2027-01-15T08:00:00", "2027-13-15T08:00:00Z", "2027-01-15T08:00+01Z", "é"],
)
def test_a_date_that_is_none_is_named(text: str) -> None:
    """Not a mismatch: the caller learns what the header must look like."""
    with pytest.raises(InvalidArgument, match="x-acs-date must be a UTC time"):
        check_window({b"x-acs-date": text.encode()}, NOW)


def test_no_date_is_a_missing_header() -> None:
    """It is named as the caller would write it."""
    with pytest.raises(MissingHeader, match="x-acs-date"):
        check_window({}, NOW)


def test_a_replay_is_refused_for_as_long_as_its_date_is_good() -> None:
    """From the first moment to the last moment of the window, the same nonce and time get in once."""
    nonces = Nonces()
    nonces.check(b"n", NOW + WINDOW_SECONDS, NOW)
    for now in range(NOW, NOW + 2 * WINDOW_SECONDS + 1, 100):
        nonces.check(b"other", now, now)
        with pytest.raises(SignatureMismatch, match="used before"):
            nonces.check(b"n", NOW + WINDOW_SECONDS, now)


def test_another_time_or_another_nonce_is_no_replay() -> None:
    """Both are signed, so each makes another request."""
    nonces = Nonces()
    nonces.check(b"n", NOW, NOW)
    nonces.check(b"m", NOW, NOW)
    nonces.check(b"n", NOW + 1, NOW)

    assert len(nonces) == 3


def test_what_left_the_window_is_forgotten() -> None:
    """Memory follows the traffic of the last window, not of the server's life."""
    nonces = Nonces()
    for now in range(NOW, NOW + 10 * WINDOW_SECONDS):
        nonces.check(b"n", now, now)

    assert len(nonces) <= WINDOW_SECONDS + 20


def flood(nonces: Nonces, count: int, stamp_of: Callable[[int], int], now: int) -> int:
    """Send `count` different nonces; how many got in."""
    accepted = 0
    for number in range(count):
        try:
            nonces.check(b"%d" % number, stamp_of(number), now)
        except SignatureMismatch:
            continue
        accepted += 1
    return accepted


@pytest.mark.parametrize("offset", [-WINDOW_SECONDS, -300, 300, WINDOW_SECONDS])
def test_a_flood_of_far_times_is_bounded_and_lets_no_replay_in(offset: int) -> None:
    """Times far from the present are given up first; what is given up is refused, and the present goes on."""
    nonces = Nonces(entries_max=4096)
    nonces.check(b"mine", NOW, NOW)
    flood(nonces, 20_000, lambda _: NOW + offset, NOW)

    assert len(nonces) <= 4096 + 1024
    with pytest.raises(SignatureMismatch):
        nonces.check(b"0", NOW + offset, NOW)
    with pytest.raises(SignatureMismatch, match="used before"):
        nonces.check(b"mine", NOW, NOW)
    nonces.check(b"another", NOW, NOW)


def test_the_last_minute_is_kept_however_busy_it_is() -> None:
    """A busy caller with a good clock is never refused, and still cannot replay."""
    nonces = Nonces(entries_max=1024)

    assert flood(nonces, 20_000, lambda number: NOW - number % KEPT_SECONDS, NOW) == 20_000
    with pytest.raises(SignatureMismatch, match="used before"):
        nonces.check(b"0", NOW, NOW)


@pytest.mark.parametrize("nonce", [b"", b"x" * (NONCE_BYTES_MAX + 1)])
def test_a_nonce_has_a_length(nonce: bytes) -> None:
    """The error names the header and the bound."""
    with pytest.raises(InvalidArgument, match=f"x-acs-signature-nonce must hold between 1 and {NONCE_BYTES_MAX}"):
        Nonces().check(nonce, NOW, NOW)
