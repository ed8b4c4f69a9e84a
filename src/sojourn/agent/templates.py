"""Templates: per function a process that has imported the modules of its `preload`, and forks its instances.

A template is made by the zygote like an instance, with what the function's instances see, and is ended and buried by
it. But it runs code of the function's, so it is not believed: the kernel says which process an instance is, an end that
it tells is compared with the kernel's, and one that says what makes no sense is ended with everything in it. At a level
with namespaces its end is that of all its instances, whose namespaces lie within its own.

Decided here: which template an instance is forked from, and when one goes: some time after its last instance, or at
once when the function has another one.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from typing import Any

from . import frames
from .groups import Group
from .limits import Limits
from .loop import Loop, Timer
from .messages import Messages
from .resident import make_directory
from .zygotes import ZygoteHandle

IDLE_SECONDS = 60.0
"""How long a template stays without instances."""
FAILED, LOST = "PreloadFailed", "SandboxLost"
_OWN = ("executable", "code_digest", "preload", "environment", "memory_mb", "tmp_mb", "offline")
"""What makes two instances' templates the same."""
_OF_SNAPSHOTS = ("snapshot", "handler", "lifecycle", "context", "runtime")
"""The same where user code has been called."""
_NAMES = ("FC_SERVICE_NAME", "FC_FUNCTION_NAME", "FC_QUALIFIER")
"""The variables that say whose one is."""


class Template:
    """The template `number` of `zygote`, for one function; speaks like a zygote.

    `on_message` gets each message about an instance, as a zygote would say it. `gone` is called with it when nothing of
    it and of its instances is left.
    """

    def __init__(
        self, loop: Loop, number: int, zygote: ZygoteHandle, key: str, on_message: Callable[[dict[str, Any]], None]
    ) -> None:
        self.number, self.zygote, self.key, self.root = number, zygote, key, zygote
        self.pid = 0
        self.names: list[object] = []
        """Whose it is."""
        self.ready, self.alive, self.superseded = False, True, False
        self.failure = ""
        """Why it could not become one."""
        self.group: Group | None = None
        self.directory = ""
        self.instances: set[int] = set()
        self.timer: Timer | None = None
        self._loop, self._on_message = loop, on_message
        self._messages = Messages(loop, self._said, self.kill)
        self._held: dict[int, tuple[dict[str, Any], list[int]]] = {}
        """Instances to be made when it is ready."""
        self._living: dict[int, int] = {}
        """A pidfd for each instance that was born."""

    def begin(self, spec: dict[str, Any]) -> None:
        """Have the zygote make it."""
        output = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self.zygote.send({"number": self.number, "spec": spec}, [self._messages.theirs.detach(), output])

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Send what a zygote understands; what is to be made waits until this is ready.

        Raises
        ------
        OSError: the instance's group cannot be entered.
        ValueError: it is too long for one message.

        """
        number = int(message["number"])
        if "spec" in message:
            self.instances.add(number)
            self._held[number] = _passed_on(message, descriptors)
            self._let_go()
        elif number not in self._held:
            self._messages.send(message, descriptors)
        elif message.get("signal") == signal.SIGKILL:
            for fd in self._held.pop(number)[1]:
                os.close(fd)
            killed = {"number": number, "status": int(signal.SIGKILL), "peak_bytes": 0}
            self._loop.later(0.0, lambda: self._on_message(killed))

    def kill(self) -> None:
        """End it with all its instances; its zygote tells when that is done."""
        if self.alive and self.zygote.alive:
            self.zygote.send({"number": self.number, "signal": int(signal.SIGKILL)}, [])

    def last_words(self) -> str:
        """Why it could not become one."""
        return self.failure

    def drain(self) -> None:
        """Take its last words: its zygote may tell its end before they are read."""
        self._messages.drain()

    def close(self) -> None:
        """Let go of one that is dead."""
        self.alive = False
        if self.timer is not None:
            self.timer.cancel()
        self._messages.close()
        for _, descriptors in self._held.values():
            for fd in descriptors:
                os.close(fd)
        self._held.clear()
        for fd in self._living.values():
            os.close(fd)
        self._living.clear()

    def _let_go(self) -> None:
        if self.ready:
            held, self._held = self._held, {}
            for message, descriptors in held.values():
                self._messages.send(message, descriptors)

    def _said(self, message: dict[str, Any], sender: int) -> None:
        """Take a message from it or from a fork of it."""
        number = message.get("number")
        if message.get("ready") is True:
            self.ready = True
            if self.timer is not None:
                self.timer.cancel()
            self._let_go()
        elif isinstance(message.get("failure"), str):
            self.failure = self.failure or message["failure"]
        elif not isinstance(number, int) or number not in self.instances or not self._taken(number, message, sender):
            self.kill()

    def _taken(self, number: int, message: dict[str, Any], sender: int) -> bool:
        """Pass on what is said of instance `number`; False when it cannot be true."""
        if "born" in message:
            if number in self._living or sender in (0, self.pid):
                return False
            try:
                self._living[number] = os.pidfd_open(sender)
            except OSError:
                return True  # it is dead already, and its end will be told
            self._on_message({"number": number, "pid": sender})
            self._on_message({"number": number, "born": message["born"] is True})
        elif "status" in message:
            status, peak_bytes = message["status"], message.get("peak_bytes")
            fd = self._living.get(number, -1)
            if not isinstance(status, int) or not isinstance(peak_bytes, int) or (fd >= 0 and not _ended(fd)):
                return False
            if fd >= 0:
                os.close(self._living.pop(number))
            self._on_message(message)
        elif "frozen" in message or "failed" in message:
            if not isinstance(message.get("frozen", 0), int):
                return False
            self._on_message(message)
        return True


class Templates:
    """Those of an agent.

    `on_message` gets each message about an instance, `on_end(template, cause, message)` is called when nothing of one
    and of its instances is left.
    """

    def __init__(
        self,
        loop: Loop,
        limits: Limits,
        temporary: str,
        on_message: Callable[[dict[str, Any]], None],
        on_end: Callable[[Template, str, str], None],
    ) -> None:
        self._loop, self._limits, self._temporary = loop, limits, temporary
        self._on_message, self._on_end = on_message, on_end
        self._made = 0
        self._all: dict[int, Template] = {}

    def of(self, spec: dict[str, Any], zygote: ZygoteHandle) -> Template:
        """The template for an instance of `spec`, made by `zygote` when there is none."""
        common = (*_OWN, *(_OF_SNAPSHOTS if spec.get("snapshot") else ()))
        key = json.dumps([spec.get(name) for name in common])
        for found in self._all.values():
            if found.key == key and found.alive and not found.superseded and not found.failure:
                return found
        names = [spec["environment"].get(name) for name in _NAMES]
        self._made += 1
        made = Template(self._loop, -self._made, zygote, key, self._on_message)
        made.names = names
        for other in list(self._all.values()):
            if other.names == names:
                self._supersede(other)
        self._all[made.number] = made
        self._begin(made, spec)
        return made

    def _begin(self, made: Template, spec: dict[str, Any]) -> None:
        wanted = (*_OWN, *_OF_SNAPSHOTS)
        own = {name: spec[name] for name in wanted if name in spec}
        own["kind"] = own["id"] = "template"
        if self._temporary:
            own["directory"] = made.directory = make_directory(self._temporary, made.number)
        made.group = self._limits.enclose(int(spec["memory_mb"]) * frames.MEBIBYTE, None, own)
        seconds = int(spec["start_seconds"])
        made.timer = self._loop.later(seconds, lambda: self._too_slow(made, seconds))
        made.begin(own)

    def left(self, template: Template, number: int) -> None:
        """Nothing is left of its instance `number`."""
        template.instances.discard(number)
        if not template.instances and template.alive and template.ready:
            if template.superseded:
                template.kill()
            else:
                template.timer = self._loop.later(IDLE_SECONDS, lambda: self._idle(template))

    def told(self, message: dict[str, Any]) -> bool:
        """Take what the zygote says of a template; False when it is about something else."""
        template = self._all.get(int(message["number"]))
        if template is None:
            return False
        if "pid" in message:
            template.pid = int(message["pid"])
        else:
            reason = str(message.get("failed", ""))
            self._over(template, "the template could not be forked: " + reason if reason else "the template ended")
        return True

    def fallen(self, zygote: ZygoteHandle) -> None:
        """The zygote of some is dead, and so are they."""
        for template in [one for one in self._all.values() if one.zygote is zygote]:
            self._over(template, "the runtime process ended")

    def _over(self, template: Template, why: str) -> None:
        del self._all[template.number]
        template.drain()
        template.close()
        group = template.group
        if group is not None and group.oom_kills and not template.ready:
            template.failure = template.failure or "the template of the function needs more memory than memorySize"
        if group is not None:
            group.destroy()
        self._on_end(template, FAILED if template.failure else LOST, template.failure or why)

    def _too_slow(self, template: Template, seconds: int) -> None:
        template.failure = "the template of the function was not ready within " + str(seconds) + " seconds"
        template.kill()

    def _idle(self, template: Template) -> None:
        if not template.instances:
            template.superseded = True
            template.kill()

    @staticmethod
    def _supersede(template: Template) -> None:
        template.superseded = True
        if not template.instances:
            template.kill()


def _passed_on(message: dict[str, Any], descriptors: list[int]) -> tuple[dict[str, Any], list[int]]:
    """A create with the files of the instance's group opened: a template does not see them."""
    spec = dict(message["spec"])
    entries = [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in spec.get("groups", ())]
    spec["groups"], spec["entries"], spec["template"] = [], len(entries), True
    return {"number": message["number"], "spec": spec}, [*descriptors, *entries]


def _ended(pidfd: int) -> bool:
    """Whether the process is dead, and with it everything in a pid namespace that it was the first of."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
