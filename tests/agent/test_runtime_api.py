"""The runtime API: whose connection it is, by the kernel's list."""

from __future__ import annotations

from sojourn.agent.runtime_api import listed_user

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = (
    "   {n}: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {uid:5d}        0 {n} 1 0000000000000000\n"
)
PROGRAM, API = ("127.0.0.1", 0xC001), ("127.0.0.1", 0x1F90)


def line(number: int, local: str, remote: str, state: str, uid: int) -> str:
    """A line of the list."""
    return LINE.format(n=number, local=local, remote=remote, state=state, uid=uid)


def test_the_user_of_a_connection_is_that_of_both_its_ends() -> None:
    """One of the same port that is over, which is listed as root's, is another one."""
    over = line(0, "0100007F:C001", "0100007F:2329", "06", 0)
    ours = line(1, "0100007F:1F90", "0100007F:C001", "01", 0)
    program = line(2, "0100007F:C001", "0100007F:1F90", "01", 200001)

    assert listed_user([HEAD, over, ours, program], PROGRAM, API) == 200001


def test_what_is_not_listed_is_nobodys_yet() -> None:
    """So that it is looked again."""
    assert listed_user([HEAD, line(0, "0100007F:C001", "0100007F:2329", "06", 0)], PROGRAM, API) is None
