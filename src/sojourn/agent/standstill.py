"""A standstill: a process tree that is stopped as a whole, with SIGSTOP, where there is no cgroup to freeze.

The tree is walked from the top, so that no parent sees its child stop, until a walk finds nothing that still runs: a
stopped process can neither fork nor wake another. It goes on from the leaves, so that no parent finds its child
stopped. A process that user code itself had stopped before is left as it was.
"""

from __future__ import annotations

import signal

from . import tree


class Standstill:
    """The tree below and with `root`, which must be a child of ours.

    One that forks and ends faster than it is walked is between two walks another one, and may be missed by both. But
    it leaves what it was behind, because nobody collects it; so a tree of several stands only when walk after walk
    finds the same. `outrun` says whether the last walk found others than the one before.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._told: set[int] = set()
        self._spared: set[int] = set()
        self._seen: set[int] = set()
        self._quiet = 0
        self.outrun = False

    def step(self) -> bool:
        """One walk: stop whatever still runs; True when nothing does."""
        still = True
        known, frontier = {self._root}, [self._root]
        while frontier:
            pid = frontier.pop(0)
            states = tree.states(pid)
            told = pid in self._told
            if not states <= (_NO_CODE if told else _STANDS):
                still = False
                tree.send(pid, signal.SIGSTOP)
                if pid != self._root and tree.parent(pid) not in known:
                    tree.send(pid, signal.SIGCONT)  # it ended meanwhile, and its number may be somebody else's by now
                    continue
                self._told.add(pid)
                self._spared.discard(pid)
            elif not told:
                self._spared.add(pid)
            below = [child for child in tree.children(pid) if child not in known]
            known.update(below)
            frontier += below
        self.outrun, self._seen = known != self._seen, known
        self._quiet = self._quiet + 1 if still and not self.outrun else 0
        return self._quiet >= (_WALKS_MIN if len(known) > 1 else 1)

    def end(self) -> None:
        """Let the tree go on."""
        for pid in reversed([self._root, *tree.descendants(self._root)]):
            if pid not in self._spared:
                tree.send(pid, signal.SIGCONT)


_WALKS_MIN = 8
"""Walks that must find the same, with a pause among them."""
_STANDS = {b"T", b"t", b"Z", b"X"}
_NO_CODE = _STANDS | {b"D"}
"""One that was told to stop and sleeps in the kernel runs no code of its own any more: it stops before it would."""
