"""A post office for functions and their hooks: what runs inside tells the test where it is, and waits where it is told.

A function that is deployed with `PRELUDE` before its source and `Post.env` as its environment may `tell(word)`: the
word is here before the call returns. A word that the test holds is answered when the test lets it go, and not before.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self

PRELUDE = """
import os, socket, sys, threading, time

def tell(word):
    with socket.create_connection(("127.0.0.1", int(os.environ["POST"]))) as wire:
        wire.sendall((os.environ["FC_INSTANCE_ID"] + " " + word + chr(10)).encode())
        return wire.makefile().readline().strip()
"""
PATIENCE_SECONDS = 60.0


class Post:
    """Listens on a port of this machine; `words` are (instance id, word) in the order in which they came."""

    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []
        self._held: set[str] = set()
        self._waiting: list[tuple[str, socket.socket]] = []
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)

    @property
    def env(self) -> dict[str, str]:
        """Where functions find it."""
        return {"POST": str(self._listener.getsockname()[1])}

    def hold(self, *words: str) -> None:
        """Who tells one of `words` waits from now on."""
        with self._changed:
            self._held.update(words)

    def let_go(self, *words: str) -> None:
        """Answer those who wait with one of `words`, or all; nobody waits with these any more."""
        with self._changed:
            self._held.difference_update(words or set(self._held))
            going = [one for one in self._waiting if one[0] not in self._held]
            self._waiting = [one for one in self._waiting if one[0] in self._held]
        for _, wire in going:
            _answer(wire)

    def said(self, instance_id: str = "") -> list[str]:
        """The words so far, of one instance or of all."""
        with self._changed:
            return [word for who, word in self.words if instance_id in ("", who)]

    def wait(self, word: str, count: int = 1) -> str:
        """Wait until `word` has come `count` times; returns the instance that said it then."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while True:
                who = [id_ for id_, one in self.words if one == word]
                if len(who) >= count:
                    return who[count - 1]
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() > deadline:
                    raise AssertionError(f"{word!r} did not come {count} times: {self.words}")

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._take, args=(wire,), daemon=True).start()

    def _take(self, wire: socket.socket) -> None:
        with contextlib.suppress(OSError):
            line = wire.makefile(encoding="utf-8").readline().strip()
            if not line:
                wire.close()
                return
            who, _, word = line.partition(" ")
            with self._changed:
                self.words.append((who, word))
                held = word in self._held
                if held:
                    self._waiting.append((word, wire))
                self._changed.notify_all()
            if not held:
                _answer(wire)


def _answer(wire: socket.socket) -> None:
    with contextlib.suppress(OSError), wire:
        wire.sendall(b"on\n")
