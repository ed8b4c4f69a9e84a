"""The server's side of control groups: what is found, what is made and removed, on machines of all kinds.

Where a kind is not this machine's, plain directories stand for it: they show which files are written with what.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from live_sandbox import Live, run
from sojourn.sandboxes import groups

MOUNT = "31 24 0:28 {root} {place} rw,relatime - {kind} {kind} rw{names}\n"


def machine(tmp_path: Path, mounts: str, own: str) -> Path:
    """A directory that tells a process where it is."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(mounts)
    (proc / "cgroup").write_text(own)
    return proc


def unified(tmp_path: Path, controllers: str = "cpuset cpu io memory pids") -> tuple[Path, Path]:
    """A machine with version 2 only: where a process is told so, and its own group."""
    place = tmp_path / "fs"
    own = place / "service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text(controllers)
    for name in ("cgroup.subtree_control", "cgroup.procs"):
        (own / name).write_text("")
    mount = MOUNT.format(root="/", place=place, kind="cgroup2", names="")
    return machine(tmp_path, mount, "0::/service\n"), own


def test_a_machine_without_control_groups_offers_none(tmp_path: Path) -> None:
    """The text says what holds limits then, and why."""
    offer = groups.probe(machine(tmp_path, "", "0::/\n"))

    assert (offer.version, dict(offer.places)) == (0, {})
    assert "memory is held by a guard" in offer.text
    assert "cpu is not held (no control groups: none is mounted)" in offer.text


def test_an_unreadable_machine_offers_none(tmp_path: Path) -> None:
    """Not even /proc: still no error."""
    assert groups.probe(tmp_path / "nowhere").version == 0


def test_groups_that_cannot_be_made_are_not_offered(tmp_path: Path) -> None:
    """A mount that is there and refuses: the probe makes a group, and that fails."""
    mounts = MOUNT.format(root="/", place="/proc/sys", kind="cgroup", names=",memory")
    mounts += MOUNT.format(root="/", place="/proc/sys", kind="cgroup2", names="")
    offer = groups.probe(machine(tmp_path, mounts, "4:memory:/\n0::/\n"))

    assert (offer.version, offer.reason) == (0, "not allowed to")


def test_version_1_is_found_below_the_own_group(tmp_path: Path) -> None:
    """Each controller where this process is in it, also when only a part of the tree is mounted."""
    memory, pids = tmp_path / "memory", tmp_path / "pids"
    for path in (memory / "mine", pids):
        path.mkdir(parents=True)
    mounts = MOUNT.format(root="/", place=memory, kind="cgroup", names=",memory")
    mounts += MOUNT.format(root="/docker/1", place=pids, kind="cgroup", names=",pids")
    offer = groups.probe(machine(tmp_path, mounts, "4:memory:/mine\n3:pids:/docker/1\n0::/\n"))

    assert offer == groups.Offer(version=1, places={"memory": memory / "mine", "pids": pids})
    assert "cpu is not held (control groups, version 1)" in offer.text


def test_version_2_hands_its_controllers_down(tmp_path: Path) -> None:
    """Those that are of use are enabled below the own group; the freezer needs none."""
    proc, own = unified(tmp_path)
    offer = groups.probe(proc)

    assert offer.version == 2
    assert set(offer.places) == {"cpu", "memory", "pids", "freezer"}
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_a_server_that_stepped_aside_finds_the_group_above(tmp_path: Path) -> None:
    """With version 2 it sits in a group beside its sandboxes."""
    proc, own = unified(tmp_path)
    (own / "sojourn-server").mkdir()
    (proc / "cgroup").write_text("0::/service/sojourn-server\n")

    assert groups.probe(proc).places["memory"] == own


def test_version_2_without_memory_is_not_used(tmp_path: Path) -> None:
    """Moving a process there costs more than it gives."""
    assert groups.probe(unified(tmp_path, "cpuset hugetlb")[0]).version == 0


def test_what_a_sandbox_gets_is_its_own_and_is_removed_by_name(tmp_path: Path) -> None:
    """A directory per controller, below the mark; another server finds it by what was written down."""
    base, directory = tmp_path / "memory", tmp_path / "sandboxes" / "a"
    base.mkdir()
    directory.mkdir(parents=True)
    offer = groups.Offer(version=1, places={"memory": base})
    estate = groups.delegate(offer, "mark", "../a b", None, directory)

    assert estate is not None
    assert estate.entrance is None
    assert estate.places["memory"].parent == base / "mark"
    assert ".." not in estate.places["memory"].name
    (estate.places["memory"] / "7").mkdir()
    (base / "other").mkdir()
    groups.reap(directory.parent, "another-mark")
    assert (base / "mark").is_dir()
    assert list(directory.iterdir())
    groups.reap(directory.parent, "mark")
    assert [path.name for path in base.iterdir()] == ["other"]
    assert not list(directory.iterdir())
    (base / "other").rmdir()
    groups.delegate(offer, "mark", "a", None, directory)
    groups.reap(directory, "mark")
    assert base.is_dir()
    estate = groups.delegate(offer, "mark", "a", None, directory)
    assert estate is not None
    estate.remove()
    assert list(base.iterdir()) == []


def test_the_end_of_a_sandbox_forgets_nothing_of_the_next_one(tmp_path: Path) -> None:
    """An account's next one may start while the last one goes: a server that dies then leaves what can be found."""
    base, directory = tmp_path / "memory", tmp_path / "sandboxes" / "a"
    base.mkdir()
    directory.mkdir(parents=True)
    offer = groups.Offer(version=1, places={"memory": base})
    last = groups.delegate(offer, "mark", "a", None, directory)
    following = groups.delegate(offer, "mark", "a", None, directory)
    assert last is not None
    assert following is not None
    last.remove()

    assert following.places["memory"].is_dir()
    groups.reap(directory.parent, "mark")
    assert list(base.iterdir()) == []


def test_only_what_carries_the_mark_is_removed(tmp_path: Path) -> None:
    """A file that names other groups removes none of them, and one that is no list does no harm."""
    (tmp_path / "other").mkdir()
    (tmp_path / groups.FILE).write_bytes(msgspec.json.encode([str(tmp_path / "other")]))
    groups.reap(tmp_path, "mark")
    assert (tmp_path / "other").is_dir()
    (tmp_path / groups.FILE).write_bytes(b"{")
    groups.reap(tmp_path, "mark")
    assert not (tmp_path / groups.FILE).exists()


def test_no_directory_is_no_group_and_no_error(tmp_path: Path) -> None:
    """A sandbox starts without, whatever goes wrong."""
    offer = groups.Offer(version=1, places={"memory": tmp_path / "not" / "there" / "\0"})
    with pytest.raises(ValueError, match="null"):  # a path that no kernel takes is a mistake of ours
        groups.delegate(offer, "mark", "a", None, tmp_path)
    offer = groups.Offer(version=1, places={"memory": Path("/proc/sys")})

    assert groups.delegate(offer, "mark", "a", None, tmp_path) is None


def test_what_a_trial_has_left_is_swept_away_when_it_must_be_over(tmp_path: Path) -> None:
    """A server that is killed while it tries out leaves groups that no directory of a server names."""
    old, young, other = (tmp_path / name for name in (f"{groups.TRIAL}1", f"{groups.TRIAL}2", "mark"))
    for place in (old, young, other):
        (place / "sandbox" / "1").mkdir(parents=True)
    for place in (old, other):
        os.utime(place, (0, 0))
    groups.sweep(groups.Offer(version=1, places={"memory": tmp_path, "pids": tmp_path}))

    assert sorted(tmp_path.iterdir()) == sorted([young, other])
    groups.sweep(groups.Offer(version=1, places={"memory": tmp_path / "not there"}))


def test_the_probe_on_this_machine_makes_nothing_that_stays() -> None:
    """Whatever it is, asking twice gives the same and leaves no group."""
    first = groups.probe()

    assert groups.probe() == first
    for base in set(first.places.values()):
        assert not list(base.glob("sojourn-probe-*"))


def test_freezing_by_a_group_of_version_2() -> None:
    """A frozen instance stands still, wakes for a call, and dies frozen when it is killed."""
    offer = _freezing()

    async def body() -> None:
        async with Live("bubblewrap", offer=offer) as live:
            source = """
                import os, threading
                def spin():
                    while True: pass
                def handler(event, context):
                    if event: threading.Thread(target=spin, daemon=True).start()
                    return event
            """
            name = await live.make(source)
            await live.call(name, b"spin")
            assert await live.freeze(name) is None
            (events,) = (offer.places["freezer"] / live.mark).glob("*/1/cgroup.events")
            assert "frozen 1" in events.read_text()
            before = await live.sandbox.usage(name)
            assert (await live.sandbox.usage(name)).cpu_seconds == before.cpu_seconds
            assert (await live.call(name)).payload == b""
            assert "frozen 0" in events.read_text()
            await live.freeze(name)
            ended = await live.stop(name, 0.0)
            assert (ended.processes_left, ended.signal) == (0, 9)
            await live.freeze(await live.make(source))  # and one is frozen when the sandbox ends
        assert not (offer.places["freezer"] / live.mark).exists()

    run(body)


def _freezing() -> groups.Offer:
    """Version 2 where it is mounted, with nothing but its freezer; skips where no groups can be made in it."""
    mounts, own = groups._mounts(groups.PROC / "mountinfo"), groups._own(groups.PROC / "cgroup")
    base = groups._base(mounts, own, "")
    if base is None or not groups._makes(base):
        pytest.skip("control groups of version 2 cannot be made here")
    if os.geteuid() != 0:
        pytest.skip("moving a process into a group takes a right to the group that it comes from")
    return groups.Offer(version=2, places={"freezer": base})
