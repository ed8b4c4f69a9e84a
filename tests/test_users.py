"""User numbers: which a server gets, beside others and again."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from sojourn import users
from sojourn.errors import SandboxUnavailable
from sojourn.users import FIRST_UID, RANGE, Users


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """Where the servers of a machine keep their locks."""
    return tmp_path / "claims"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The user numbers that have processes on this machine: none that matter, until a test adds some."""
    running: set[int] = set()
    monkeypatch.setattr(users, "_running", lambda: iter(running))
    return running


def test_a_machine_s_only_server_has_the_first_range(tmp_path: Path, claims: Path) -> None:
    """An account's number is the first one plus its place."""
    only = Users(tmp_path / "users", claims)
    assert [only.of(place) for place in (1, 2, RANGE - 1)] == [200_001, 200_002, FIRST_UID + RANGE - 1]
    assert only.of(1) == 200_001


def test_no_two_servers_share_a_number(tmp_path: Path, claims: Path) -> None:
    """Not beyond their first ranges either."""
    servers = [Users(tmp_path / f"users{number}", claims) for number in range(3)]
    given = [server.of(place) for place in (1, RANGE, 3 * RANGE, 5) for server in servers]
    assert len(set(given)) == len(given)


def test_an_account_keeps_its_number(tmp_path: Path, claims: Path) -> None:
    """Over a restart, also when the ranges before its own are free by then."""
    first, second = Users(tmp_path / "first", claims), Users(tmp_path / "second", claims)
    assert first.of(1) != (kept := second.of(1))
    far = second.of(RANGE)
    first.release()
    second.release()
    again = Users(tmp_path / "second", claims)
    assert (again.of(RANGE), again.of(1)) == (far, kept)


def test_the_numbers_of_a_server_that_is_down_are_spared(tmp_path: Path, claims: Path) -> None:
    """Until its data directory is gone."""
    down = Users(tmp_path / "down", claims)
    had = down.of(1)
    down.release()
    other = Users(tmp_path / "other", claims)
    assert other.of(1) != had
    (tmp_path / "down").unlink()
    assert Users(tmp_path / "third", claims).of(1) == had


def test_a_range_that_another_one_took_is_not_fought_for(
    tmp_path: Path, claims: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For want of others one is given away; whoever had it takes the next one, and remembers that."""
    monkeypatch.setattr(users, "RANGES_MAX", 2)
    one, other = Users(tmp_path / "one", claims), Users(tmp_path / "other", claims)
    had, theirs = one.of(1), other.of(1)
    one.release()
    assert Users(tmp_path / "copy", claims).of(1) == had
    other.release()
    one = Users(tmp_path / "one", claims)
    assert one.of(1) == theirs
    one.release()
    assert Users(tmp_path / "one", claims).of(1) == theirs


def test_further_ranges_are_remembered_as_what_they_were(tmp_path: Path, claims: Path) -> None:
    """Whichever is asked for first."""
    server = Users(tmp_path / "users", claims)
    had = [server.of(place) for place in (1, RANGE)]
    server.release()
    again = Users(tmp_path / "users", claims)
    further = again.of(2 * RANGE)
    assert [again.of(place) for place in (1, RANGE)] == had
    assert further not in had


def test_a_range_with_processes_is_in_use(tmp_path: Path, claims: Path, quiet: set[int]) -> None:
    """Whoever they belong to: a server that was killed holds no lock, and what it ran may not be gone yet."""
    quiet.add(FIRST_UID + RANGE - 1)
    assert Users(tmp_path / "users", claims).of(1) == FIRST_UID + RANGE + 1


def test_what_a_server_left_is_no_reason_to_move(tmp_path: Path, claims: Path, quiet: set[int]) -> None:
    """It ends what it finds of its own when it starts; others stay away until that is gone."""
    killed = Users(tmp_path / "users", claims)
    quiet.add(killed.of(1))
    killed.release()
    assert Users(tmp_path / "other", claims).of(1) == FIRST_UID + RANGE + 1
    assert Users(tmp_path / "users", claims).of(1) == 200_001


def test_a_machine_that_is_full_says_so(tmp_path: Path, claims: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number is given twice for want of others."""
    monkeypatch.setattr(users, "RANGES_MAX", 1)
    first = Users(tmp_path / "first", claims)
    first.of(1)
    with pytest.raises(SandboxUnavailable, match="in use"):
        Users(tmp_path / "second", claims).of(1)
    first.release()
    assert Users(tmp_path / "second", claims).of(1) == 200_001


@pytest.mark.parametrize("text", [b"", b"[]", b'{"0": 17}', b"\xff"])
def test_a_record_that_makes_no_sense_is_passed_over(tmp_path: Path, claims: Path, text: bytes) -> None:
    """Above all nobody becomes user 18 by it."""
    (tmp_path / "users").write_bytes(text)
    assert Users(tmp_path / "users", claims).of(1) == 200_001


def test_without_a_place_for_locks_a_server_starts_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the numbers of an only server, and a warning."""
    (tmp_path / "file").touch()
    alone = Users(tmp_path / "users", tmp_path / "file" / "claims")
    assert (alone.of(1), alone.of(RANGE)) == (200_001, FIRST_UID + RANGE)
    assert "other servers of this machine" in caplog.text
    alone.release()


def test_the_lock_goes_with_the_process(tmp_path: Path, claims: Path) -> None:
    """It is the kernel's: no child inherits it, and nothing has to be tidied up after a kill."""
    holder = Users(tmp_path / "users", claims)
    holder.of(1)
    _, descriptor = holder._held[0]
    assert not os.get_inheritable(descriptor)
    assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_processes_are_known_by_their_real_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours at least is among them."""
    monkeypatch.undo()
    assert os.getuid() in set(users._running())
