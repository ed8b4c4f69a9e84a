"""The disk that loses and fails: what it makes of files, and that the store withstands it while careless ones fall."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from proof.result import Scale
from proof.storage import faults, power_loss
from proof.storage.disk import DELETE, SYNC, SYNC_FAILED, TRUNCATE, WRITE, Op
from proof.storage.faults import KINDS, Faults
from proof.storage.images import WAYS, Images
from proof.storage.power_loss import CARELESS, Loss


@pytest.fixture(name="scale")
def tiny(tmp_path: Path) -> Scale:
    """A little of everything."""
    return Scale(share=0.01, directory=tmp_path)


def left(ops: list[Op], way: str, seed: int = 1) -> dict[str, bytes]:
    return Images(ops).at(len(ops), way, random.Random(seed))


def test_a_sync_makes_durable_what_came_before_it() -> None:
    """Of what came after it, anything may be there."""
    ops = [Op(WRITE, "db", 0, b"abcd"), Op(SYNC, "db"), Op(WRITE, "db", 2, b"XY"), Op(TRUNCATE, "db", size=3)]

    assert left(ops, "nothing") == {"db": b"abcd"}
    assert left(ops, "everything") == {"db": b"abX"}
    assert {left(ops, "some", seed)["db"] for seed in range(100)} == {b"abcd", b"abXY", b"abX", b"abc"}
    assert left(ops[:1], "nothing") == {}


def test_a_deleted_file_may_be_back_until_the_directory_is_synced() -> None:
    """Which the first sync of a new file does."""
    ops = [Op(WRITE, "j", 0, b"x"), Op(SYNC, "j"), Op(DELETE, "j"), Op(WRITE, "wal", 0, b"y")]

    assert left(ops, "nothing") == {"j": b"x"}
    assert left([*ops, Op(SYNC, "wal")], "nothing") == {"wal": b"y"}
    assert left([*ops[:2], Op(DELETE, "j", size=1)], "nothing") == {}


def test_what_a_failed_sync_covered_is_lost_for_good() -> None:
    """Also when the next sync succeeds."""
    ops = [Op(WRITE, "db", 0, b"ab"), Op(SYNC, "db"), Op(WRITE, "db", 0, b"X"), Op(SYNC_FAILED, "db"), Op(SYNC, "db")]

    assert left(ops, "everything") == {"db": b"ab"}


def test_writes_are_torn_by_sectors() -> None:
    """Some of its sectors are there, the others are as before."""
    ops = [Op(WRITE, "db", 0, bytes(4096)), Op(SYNC, "db"), Op(WRITE, "db", 0, b"x" * 4096)]
    found = {left(ops, "some, torn", seed)["db"] for seed in range(50)}

    assert len(found) > 10
    assert all({content[at : at + 512] for at in range(0, 4096, 512)} <= {bytes(512), b"x" * 512} for content in found)


def test_power_loss_takes_nothing_that_was_acknowledged(scale: Scale) -> None:
    """A few images in each way, and the careless stores are found."""
    result = power_loss.run(scale)

    assert result.ok, result.details
    assert result.line.startswith("power loss: 20 images, 0 lost, 0 damaged")
    assert len(WAYS) < 20


@pytest.mark.parametrize("careless", CARELESS)
def test_a_store_that_does_not_wait_for_its_syncs_loses_tasks(tmp_path: Path, careless: str) -> None:
    """The same losses, and acknowledged tasks are gone: so the images are real ones."""
    loss = Loss(tmp_path, 1, careless)
    loss.run(60, 30)

    assert loss.wrong["lost"] > 0
    assert any("lost" in text for text in loss.examples)


def test_no_failed_call_takes_what_was_acknowledged(scale: Scale) -> None:
    """Some calls of each kind, and the careless store is found."""
    result = faults.run(scale)

    assert result.ok, result.details


@pytest.mark.parametrize("at", range(44, 54))
def test_a_start_on_a_full_disk_lets_go_of_the_directory(tmp_path: Path, at: int) -> None:
    """When closing the database fails too, the next start still finds it unlocked."""
    failing = Faults(tmp_path, 1)
    failing.one(KINDS[1], at)

    assert failing.examples == []
    assert failing.failures.total()
