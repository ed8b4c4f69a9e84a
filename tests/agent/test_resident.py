"""What the agent says of an instance that ended before it was ready."""

from __future__ import annotations

import signal

import pytest

from sojourn.agent.resident import Resident

KILLED = int(signal.SIGKILL)


def ended(status: int | None, **known: object) -> tuple[str, str]:
    """Cause and message of one that ended with a wait status while it was being made."""
    resident = Resident.__new__(Resident)
    facts = {"cause": "", "message": "", "oom": False, "asked_at": 0.0, **known}
    for name, value in facts.items():
        setattr(resident, name, value)
    resident.cut_short(status)
    return resident.cause, resident.message


def test_one_that_was_killed_from_outside_is_lost() -> None:
    """A SIGKILL that nobody of ours sent says nothing of the function, which is tried again."""
    assert ended(KILLED) == ("SandboxLost", "the instance was killed while it was being made")


@pytest.mark.parametrize(
    ("status", "known"),
    [
        (KILLED, {"message": "no such code", "cause": "CodeMissing"}),
        (KILLED, {"oom": True}),
        (KILLED, {"asked_at": 1.0}),
        (int(signal.SIGSEGV), {}),
        (1 << 8, {}),
        (None, {}),
    ],
)
def test_any_other_end_is_told_as_it_is(status: int | None, known: dict[str, object]) -> None:
    """What it said, too little memory, a kill that we asked for, a crash, an exit, a fallen zygote."""
    assert ended(status, **known) == (known.get("cause", ""), known.get("message", ""))
