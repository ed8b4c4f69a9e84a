"""Process trees as /proc tells them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from sojourn.agent import tree

CHAIN = """
import os, sys, time
for _ in range(3):
    if os.fork():
        break
    os.setsid()
sys.stdout.write("x")
sys.stdout.flush()
time.sleep(1000)
"""


def test_a_tree_is_found_measured_and_killed() -> None:
    """A chain of four processes in sessions of their own: found in full, with memory, and gone after one call."""
    with subprocess.Popen([sys.executable, "-c", CHAIN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"xxxx"
        below = tree.descendants(process.pid)

        assert tree.children(os.getpid()).count(process.pid) == 1
        assert len(below) == 3
        assert tree.parent(below[0]) == process.pid
        everything = [process.pid, *below]
        assert 0 < tree.proportional_bytes(everything) <= tree.resident_bytes(everything)
        tree.kill_tree(process.pid)
        assert process.wait() == -signal.SIGKILL
    fds = [os.pidfd_open(pid) for pid in below if tree.start_time(pid)]
    for fd in fds:
        os.close(fd)


def test_search_finds_the_same_children() -> None:
    """On a kernel without the children file the search through /proc gives the same answer."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert process.pid in tree._children_by_search(os.getpid())
        assert sorted(tree.children(os.getpid())) == sorted(tree._children_by_search(os.getpid()))
        process.kill()


def test_what_is_gone_has_no_children_no_parent_no_start() -> None:
    """Questions about a pid that is not there are answered with nothing."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()

    assert tree.children(process.pid) == []
    assert (tree.parent(process.pid), tree.start_time(process.pid)) == (0, 0)
    assert tree.resident_bytes([process.pid]) == 0


def test_a_process_shows_its_state_its_time_and_its_peak() -> None:
    """A busy process runs, a stopped one stands; CPU time and high-water mark are its own; what is gone has none."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        while not tree.cpu_ticks(process.pid):
            assert process.poll() is None
        assert tree.states(process.pid) <= {b"R", b"S"}
        assert tree.high_water_bytes(process.pid) >= tree.resident_bytes([process.pid]) > 0
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert tree.states(process.pid) == {b"T"}
        process.kill()
    assert (tree.states(process.pid), tree.cpu_ticks(process.pid), tree.high_water_bytes(process.pid)) == (set(), 0, 0)
