"""The filter programs, run by an interpreter of classic BPF instead of a kernel."""

from __future__ import annotations

import errno
import struct

import pytest

from sojourn.agent import seccomp

ALLOW = 0x7FFF0000
X86, ARM = 0xC000003E, 0xC00000B7


def _verdict(program: bytes, number: int, architecture: int, arguments: tuple[int, ...] = ()) -> int:
    """What `program` returns for a system call."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=IIQ6Q", number, architecture, 0, *padded)
    lines = list(struct.iter_unpack("=HBBI", program))
    place, value = 0, 0
    while True:
        code, true, false, k = lines[place]
        place += 1
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, k)
        elif code == 0x06:
            return int(k)
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            place += true if holds else false


def _program(level: str, machine: str) -> bytes:
    made = seccomp.program(level, machine)
    assert made is not None
    return made


DENIED = 0x00050000 | errno.EPERM
MISSING = 0x00050000 | errno.ENOSYS


@pytest.mark.parametrize(("machine", "architecture", "column"), [("x86_64", X86, 0), ("aarch64", ARM, 1)])
def test_every_row_of_the_tables_is_refused(machine: str, architecture: int, column: int) -> None:
    """The coarse filter refuses its table and leaves making namespaces alone; the strict one refuses both."""
    coarse, strict = _program(seccomp.COARSE, machine), _program(seccomp.STRICT, machine)
    for table, by_coarse in ((seccomp._COARSE, DENIED), (seccomp._MAKING, ALLOW)):
        for name, row in table.items():
            number = row[column]
            if number is None:
                continue
            assert _verdict(strict, number, architecture) == DENIED, name
            assert _verdict(coarse, number, architecture) == by_coarse, name


@pytest.mark.parametrize(("machine", "architecture", "column"), [("x86_64", X86, 0), ("aarch64", ARM, 1)])
def test_processes_and_threads_are_allowed_namespaces_are_not(machine: str, architecture: int, column: int) -> None:
    """Clone is judged by its flags, clone3 does not exist, ioctl is refused two requests only."""
    strict = _program(seccomp.STRICT, machine)
    clone, ioctl = seccomp._CLONE[column], seccomp._IOCTL[column]

    assert _verdict(strict, clone, architecture, (17,)) == ALLOW
    assert _verdict(strict, clone, architecture, (0x3D0F00,)) == ALLOW
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
        assert _verdict(strict, clone, architecture, (flag | 17,)) == DENIED
    assert _verdict(strict, seccomp._CLONE3[column], architecture) == MISSING
    assert _verdict(strict, ioctl, architecture, (0, 0x5412)) == DENIED
    assert _verdict(strict, ioctl, architecture, (0, 0x541C)) == DENIED
    assert _verdict(strict, ioctl, architecture, (0, 0x5413)) == ALLOW
    assert _verdict(strict, 0 if machine == "x86_64" else 63, architecture) == ALLOW


@pytest.mark.parametrize(("machine", "architecture", "column"), [("x86_64", X86, 0), ("aarch64", ARM, 1)])
def test_a_template_makes_what_instances_have_and_no_more(machine: str, architecture: int, column: int) -> None:
    """It may mount, and unshare processes, mounts, ipc and network; no users, groups, names or times, nothing else."""
    template = _program(seccomp.TEMPLATE, machine)
    unshare, clone = seccomp._MAKING["unshare"][column], seccomp._CLONE[column]
    assert unshare is not None

    assert _verdict(template, unshare, architecture, (0x20000 | 0x8000000 | 0x20000000,)) == ALLOW
    assert _verdict(template, unshare, architecture, (0x40000000,)) == ALLOW
    for flag in (0x2000000, 0x4000000, 0x10000000, 0x80):
        assert _verdict(template, unshare, architecture, (flag | 0x20000,)) == DENIED
    assert _verdict(template, clone, architecture, (0x20000000 | 17,)) == DENIED
    assert _verdict(template, clone, architecture, (17,)) == ALLOW
    for name, row in {**seccomp._COARSE, **seccomp._MAKING}.items():
        number = row[column]
        if number is not None and name not in {"mount", "unshare"}:
            assert _verdict(template, number, architecture) == DENIED, name
    mount = seccomp._MAKING["mount"][column]
    assert mount is not None
    assert _verdict(template, mount, architecture) == ALLOW


def test_other_architectures_cannot_slip_past() -> None:
    """Calls of another architecture or of x32 do not exist; an unknown machine gets no filter."""
    strict = _program(seccomp.STRICT, "x86_64")

    assert _verdict(strict, 26, 0x40000003) == MISSING
    assert _verdict(strict, 0x40000000 | 101, X86) == MISSING
    assert seccomp.program(seccomp.STRICT, "riscv64") is None
