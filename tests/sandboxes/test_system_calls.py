"""System calls that break out of a sandbox, tried from inside; harmless where one succeeds."""

from __future__ import annotations

import pytest

from live_sandbox import BOTH, Live, run
from sojourn.sandboxes import seccomp

FILTERED = pytest.mark.skipif(not seccomp.available(), reason="no system call filter for this architecture")
PROBES = {
    "unshare": "libc.unshare(0x10000000)",
    "unshare pid": "libc.unshare(0x20000000)",
    "setns": "libc.setns(os.open('/proc/self/ns/mnt', 0), 0)",
    "clone": "libc.syscall({'x86_64': 56, 'aarch64': 220}[machine], 0x10000000 | 17, 0, 0, 0, 0)",
    "mount": "libc.mount(b'none', private, b'tmpfs', 0, None)",
    "umount": "libc.umount2(b'/sojourn', 2)",
    "chroot": "libc.chroot(private)",
    "ptrace": "libc.ptrace(16, os.getppid() or 1, 0, 0)",
    "keyctl": "libc.syscall({'x86_64': 250, 'aarch64': 219}[machine], 0, -3, 1)",
    "bpf": "libc.syscall({'x86_64': 321, 'aarch64': 280}[machine], 0, 0, 0)",
    "perf_event_open": "libc.syscall({'x86_64': 298, 'aarch64': 241}[machine], 0, 0, -1, -1, 0)",
    "io_uring_setup": "libc.syscall(425, 1, 0)",
    "userfaultfd": "libc.syscall({'x86_64': 323, 'aarch64': 282}[machine], 0)",
    "pidfd_getfd": "libc.syscall(438, 0, 0, 0)",
    "open_by_handle_at": "libc.syscall({'x86_64': 304, 'aarch64': 265}[machine], 0, 0, 0)",
    "TIOCSTI": "libc.ioctl(0, 0x5412, b'x')",
    "process_vm_readv": "libc.syscall({'x86_64': 310, 'aarch64': 270}[machine], 1, 0, 0, 0, 0, 0)",
}


@FILTERED
@BOTH
def test_system_calls_that_break_out_are_refused(level: str) -> None:
    """Each of them answers EPERM; threads and child processes go on working (clone3 falls back to clone)."""

    async def body() -> None:
        lines = "\n".join(
            f"    seen[{name!r}] = (ctypes.set_errno(0), {call}, ctypes.get_errno())[1:]"
            for name, call in PROBES.items()
        )
        source = f"""
import ctypes, os, subprocess, tempfile, threading
def handler(event, context):
    libc = ctypes.CDLL(None, use_errno=True)
    machine, private, seen = os.uname().machine, tempfile.mkdtemp().encode(), {{}}
{lines}
    thread = threading.Thread(target=seen.setdefault, args=("thread", 1))
    thread.start()
    thread.join()
    seen["child"] = subprocess.run(["/bin/true"]).returncode
    return seen
"""
        async with Live(level) as live:
            seen = await live.tell(source)
            assert isinstance(seen, dict)

            assert (seen.pop("thread"), seen.pop("child")) == (1, 0)
            assert seen == {name: [-1, 1] for name in PROBES}

    run(body)
